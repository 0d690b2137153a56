//! Connections to the Redis that holds the queue.

use std::time::Duration;

use bullmq::QueueKeys;
use redis::{
    AsyncConnectionConfig, Client,
    aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection},
};

use crate::RedisSettings;

/// How long a command may take before Redis counts as away.
const PATIENCE: Duration = Duration::from_secs(5);

/// Our own connection beside those of the library, for what the library does not do. Cheap to clone.
#[derive(Clone)]
pub(crate) struct RedisLink {
    client: Client,
    manager: ConnectionManager,
    /// The names of the queue's keys.
    pub(crate) keys: QueueKeys,
}

impl std::fmt::Debug for RedisLink {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("RedisLink")
            .field("queue", &self.keys.base())
            .finish_non_exhaustive()
    }
}

impl RedisLink {
    /// Prepares a connection that is opened at the first command. Fails only for an address that is none.
    pub(crate) fn new(redis: &RedisSettings, queue: &str, prefix: &str) -> Result<Self, redis::RedisError> {
        let client = redis.client()?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE))
            .set_number_of_retries(1)
            .set_min_delay(Duration::from_millis(50));
        Ok(Self {
            manager: ConnectionManager::new_lazy_with_config(client.clone(), config)?,
            client,
            keys: QueueKeys::new(queue, Some(prefix)),
        })
    }

    /// For one command or script.
    pub(crate) fn connection(&self) -> ConnectionManager {
        self.manager.clone()
    }

    /// Whether a job is still going to run: it is there, and neither completed nor failed.
    pub(crate) async fn will_run(&self, job_id: &str) -> Result<bool, String> {
        let mut connection = self.connection();
        let (there, completed, failed): (bool, Option<f64>, Option<f64>) = redis::pipe()
            .exists(self.keys.job_key(job_id))
            .zscore(self.keys.completed(), job_id)
            .zscore(self.keys.failed(), job_id)
            .query_async(&mut connection)
            .await
            .map_err(|error| explain(&error))?;
        Ok(there && completed.is_none() && failed.is_none())
    }

    /// Wakes the worker that has waited for a job longest, whoever that is.
    pub(crate) async fn wake_one(&self) {
        let mut wake = redis::cmd("ZADD");
        wake.arg(self.keys.marker()).arg(0).arg("0");
        if let Err(error) = wake.query_async::<()>(&mut self.connection()).await {
            tracing::debug!(%error, "the worker that waits for jobs was not woken; it wakes by itself");
        }
    }

    /// A connection of its own for a command that blocks.
    pub(crate) async fn blocking(&self) -> Result<MultiplexedConnection, redis::RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(None);
        self.client.get_multiplexed_async_connection_with_config(&config).await
    }

    /// Asks Redis whether it is there and takes our commands.
    pub(crate) async fn ping(&self) -> Result<(), String> {
        let mut connection = self.connection();
        let ping = redis::cmd("PING");
        match tokio::time::timeout(Duration::from_secs(2), ping.query_async::<()>(&mut connection)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(explain(&error)),
            Err(_) => Err("no answer within 2 s".to_owned()),
        }
    }
}

const WRONG_LOGIN: &str = "Redis does not accept the user name or password: correct REDIS_PASSWORD (and REDIS_USERNAME, if \
                           it is set), or those in REDIS_URL";

/// What a person should know about a Redis error; the address with its password is never part of it.
pub(crate) fn explain(error: &redis::RedisError) -> String {
    match error.code() {
        Some("NOAUTH") => "Redis wants a password: set REDIS_PASSWORD, or put it into REDIS_URL".to_owned(),
        Some("WRONGPASS") => WRONG_LOGIN.to_owned(),
        // The client says it in its own words, without Redis's code.
        _ if error.kind() == redis::ErrorKind::AuthenticationFailed => WRONG_LOGIN.to_owned(),
        Some("NOPERM") => format!(
            "the Redis user lacks a right: {}",
            error.detail().unwrap_or("see its ACL")
        ),
        Some("MISCONF") => "Redis cannot save its data and refuses writes: look at its log and its disk".to_owned(),
        Some("OOM") => "Redis is out of memory".to_owned(),
        _ if error.is_connection_refusal() => "connection refused: is Redis running at this address?".to_owned(),
        _ => error.to_string(),
    }
}
