//! The queue as a producer has it: jobs are put until they are acknowledged, and looked at until they have ended.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};
use billwright_worker::admin::{EnqueueOptions, JobState, QueueAddress, QueueAdmin};
use redis::aio::MultiplexedConnection;
use serde_json::Value;
use tokio::{sync::Mutex, time::Instant};

use super::stage::QUEUE_KEYS;

/// How long one try may take; the queue is away meanwhile, or just started again.
const TRY: Duration = Duration::from_secs(3);
/// The pause before the next try, and between two looks at a job.
const PAUSE: Duration = Duration::from_millis(200);

/// How a job stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Standing {
    /// Redis knows no such job.
    Missing,
    /// It has not ended.
    Unfinished,
    /// It was done, with this return value.
    Completed(Value),
    /// It failed for good, with this reason.
    Failed(String),
}

/// How many jobs there are in each place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) waiting: u64,
    pub(super) active: u64,
    pub(super) delayed: u64,
    /// Done, or failed for good.
    pub(super) ended: u64,
}

/// The queue.
pub(super) struct Queue {
    address: QueueAddress,
    redis_url: String,
    admin: Mutex<Option<Arc<QueueAdmin>>>,
    connection: Mutex<Option<MultiplexedConnection>>,
}

impl Queue {
    pub(super) fn new(address: QueueAddress, redis_url: String) -> Self {
        Self {
            address,
            redis_url,
            admin: Mutex::new(None),
            connection: Mutex::new(None),
        }
    }

    /// Puts a job until it is acknowledged or `give_up` has come. Says whether it was acknowledged.
    pub(super) async fn put(&self, name: &str, data: &Value, options: &EnqueueOptions, give_up: Instant) -> bool {
        loop {
            let put = async {
                let admin = self.admin().await?;
                admin.add(name, data.clone(), options).await?;
                anyhow::Ok(())
            };
            if let Ok(Ok(())) = tokio::time::timeout(TRY, put).await {
                return true;
            }
            *self.admin.lock().await = None;
            if Instant::now() > give_up {
                return false;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn admin(&self) -> Result<Arc<QueueAdmin>> {
        let mut admin = self.admin.lock().await;
        if let Some(admin) = &*admin {
            return Ok(Arc::clone(admin));
        }
        Ok(Arc::clone(
            admin.insert(Arc::new(QueueAdmin::connect(&self.address).await?)),
        ))
    }

    /// Waits until a job has ended, or is gone, or `give_up` has come.
    pub(super) async fn ended(&self, id: &str, give_up: Instant) -> Standing {
        loop {
            match self.standing(&[id.to_owned()]).await {
                Ok(mut standing) => match standing.pop() {
                    None | Some(Standing::Unfinished) => {}
                    Some(ended) => return ended,
                },
                Err(_) => *self.connection.lock().await = None,
            }
            if Instant::now() > give_up {
                return Standing::Unfinished;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// How jobs stand, in the order of their ids.
    pub(super) async fn standing(&self, ids: &[String]) -> Result<Vec<Standing>> {
        type Fields = (Option<String>, Option<String>, Option<String>);
        let mut standing = Vec::with_capacity(ids.len());
        for some in ids.chunks(200) {
            let mut ask = redis::pipe();
            for id in some {
                ask.cmd("HMGET")
                    .arg(format!("{QUEUE_KEYS}:{id}"))
                    .arg(&["data", "returnvalue", "failedReason"]);
                ask.cmd("ZSCORE").arg(format!("{QUEUE_KEYS}:completed")).arg(id);
                ask.cmd("ZSCORE").arg(format!("{QUEUE_KEYS}:failed")).arg(id);
            }
            let told: Vec<redis::Value> = self.ask(&ask).await?;
            for job in told.chunks(3) {
                let [fields, completed, failed] = job else {
                    bail!("Redis answered {} values for a job", job.len());
                };
                let (data, value, reason): Fields = redis::from_redis_value(fields.clone())?;
                standing.push(match (data, completed, failed) {
                    (None, ..) => Standing::Missing,
                    (_, redis::Value::Nil, redis::Value::Nil) => Standing::Unfinished,
                    (_, redis::Value::Nil, _) => Standing::Failed(reason.unwrap_or_default()),
                    _ => Standing::Completed(serde_json::from_str(value.as_deref().unwrap_or("null"))?),
                });
            }
        }
        Ok(standing)
    }

    /// How many jobs there are in each place.
    pub(super) async fn counts(&self) -> Result<Counts> {
        let mut ask = redis::pipe();
        ask.cmd("LLEN").arg(format!("{QUEUE_KEYS}:wait"));
        ask.cmd("LLEN").arg(format!("{QUEUE_KEYS}:paused"));
        ask.cmd("ZCARD").arg(format!("{QUEUE_KEYS}:prioritized"));
        ask.cmd("LLEN").arg(format!("{QUEUE_KEYS}:active"));
        ask.cmd("ZCARD").arg(format!("{QUEUE_KEYS}:delayed"));
        ask.cmd("ZCARD").arg(format!("{QUEUE_KEYS}:completed"));
        ask.cmd("ZCARD").arg(format!("{QUEUE_KEYS}:failed"));
        let told: [u64; 7] = self.ask(&ask).await?;
        let [waiting, paused, prioritized, active, delayed, completed, failed] = told;
        Ok(Counts {
            waiting: waiting + paused + prioritized,
            active,
            delayed,
            ended: completed + failed,
        })
    }

    /// Lets jobs run now that are put off, as a clock that was wrong may have put them off for an hour.
    pub(super) async fn promote_delayed(&self) -> Result<()> {
        let admin = self.admin().await?;
        for job in admin.list(JobState::Delayed, 0, 1_000).await?.jobs {
            // It may have begun in this moment.
            drop(admin.promote(&job.id).await);
        }
        Ok(())
    }

    async fn ask<T: redis::FromRedisValue>(&self, pipeline: &redis::Pipeline) -> Result<T> {
        let asked = async {
            let mut connection = self.connection().await?;
            Ok(pipeline.query_async(&mut connection).await?)
        };
        let answer = tokio::time::timeout(TRY, asked).await.context("Redis does not answer");
        let answer = answer.and_then(std::convert::identity);
        if answer.is_err() {
            *self.connection.lock().await = None;
        }
        answer
    }

    async fn connection(&self) -> Result<MultiplexedConnection> {
        let mut connection = self.connection.lock().await;
        if let Some(connection) = &*connection {
            return Ok(connection.clone());
        }
        let new = redis::Client::open(self.redis_url.as_str())?
            .get_multiplexed_async_connection()
            .await?;
        Ok(connection.insert(new).clone())
    }
}
