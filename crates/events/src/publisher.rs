//! Publishes what the outbox holds, in order per user and at least once: changes of users and billings, whoever made them.

use std::{sync::Arc, time::Duration};

use billwright_store::{
    StoreError,
    billing::{
        lease,
        outbox::{self, WaitingEntry},
    },
};
use chrono::SecondsFormat;
use rdkafka::{
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders},
    producer::{DeliveryFuture, FutureRecord, Producer, PurgeConfig},
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{
    event_spans,
    kafka::{self, Sender},
    runtime::{Runtime, retries},
    topics::{Partitions, Topics},
};

/// The right that one process has at a time: two publishers could overtake each other.
const RIGHT: &str = "outbox";

/// How long the right is taken for, and how often it is renewed while the broker takes its time.
const TERM: Duration = Duration::from_secs(15);
const RENEW: Duration = Duration::from_secs(5);

/// How long to wait when there is nothing to publish.
const IDLE: Duration = Duration::from_millis(200);

/// How many changes are under way at a time.
const AT_ONCE: u32 = 500;

/// Why publishing does not go on.
#[derive(Debug, thiserror::Error)]
enum Stuck {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{}", kafka::explain(.0))]
    Kafka(#[from] KafkaError),
    #[error("another process publishes by now")]
    RightLost,
}

struct Publisher {
    runtime: Arc<Runtime>,
    topic: String,
    holder: String,
    topics: Topics,
    sender: Sender,
}

/// Publishes to `topic` until `cancel`.
pub(crate) async fn publish(runtime: Arc<Runtime>, topic: String, cancel: CancellationToken) {
    let mut config = kafka::producer(&runtime.settings);
    // The broker keeps the order over repetitions, and no change is given up while the broker is away.
    config.set("enable.idempotence", "true").set("message.timeout.ms", "0");
    let mut backoff = retries();
    let holder = uuid::Uuid::new_v4().to_string();
    // Prepares the collection; what cannot be opened cannot be read either.
    if runtime.customers(&cancel).await.is_none() {
        return;
    }
    while !cancel.is_cancelled() {
        let failed = match Sender::new(&config) {
            Err(error) => Stuck::Kafka(error),
            Ok(sender) => {
                let publisher = Publisher {
                    topics: Topics::new(Arc::clone(&runtime.settings)),
                    runtime: Arc::clone(&runtime),
                    topic: topic.clone(),
                    holder: holder.clone(),
                    sender,
                };
                match cancel.run_until_cancelled(publisher.run()).await {
                    None => break,
                    Some(failed) => {
                        // What is still under way belongs to whoever publishes next.
                        if let Ok(producer) = publisher.sender.get() {
                            producer.purge(PurgeConfig::default().queue().inflight());
                        }
                        failed
                    }
                }
            }
        };
        tracing::warn!(
            kafka.topic = topic,
            "changes of users and billings wait to be published: {failed}"
        );
        backoff.wait(&cancel).await;
    }
    lease::give_back(&runtime.mongo, RIGHT, &holder).await;
}

impl Publisher {
    async fn run(&self) -> Stuck {
        loop {
            match self.step().await {
                Ok(true) => {}
                Ok(false) => tokio::time::sleep(IDLE).await,
                Err(stuck) => return stuck,
            }
        }
    }

    /// Publishes what is there. Says whether there was anything.
    async fn step(&self) -> Result<bool, Stuck> {
        let entries = outbox::waiting(&self.runtime.mongo, AT_ONCE).await?;
        if entries.is_empty() || !self.has_right().await? {
            return Ok(false);
        }
        self.topics
            .create_where_missing(&self.topic, Partitions::Default, &[])
            .await;
        let mut under_way = Vec::with_capacity(entries.len());
        for entry in &entries {
            under_way.push(self.send(entry, true)?);
        }
        for (entry, delivery) in entries.iter().zip(under_way) {
            self.delivered(entry, delivery).await?;
        }
        let ids: Vec<_> = entries.iter().map(|entry| entry.id).collect();
        outbox::forget(&self.runtime.mongo, &ids).await?;
        let count = u64::try_from(ids.len()).unwrap_or_default();
        metrics::counter!("billwright_events_published_total").increment(count);
        Ok(true)
    }

    /// Waits until the broker has an entry. Meanwhile the right to publish is kept.
    async fn delivered(&self, entry: &WaitingEntry, mut delivery: DeliveryFuture) -> Result<(), Stuck> {
        loop {
            let Ok(delivered) = tokio::time::timeout(RENEW, &mut delivery).await else {
                if self.has_right().await? {
                    continue;
                }
                return Err(Stuck::RightLost);
            };
            let Err((error, _)) = delivered.map_err(|_| KafkaError::Canceled)? else {
                return Ok(());
            };
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::MessageSizeTooLarge) {
                return Err(error.into());
            }
            tracing::error!(
                kafka.topic = self.topic,
                "a `{}` is larger than the topic takes; it is published without its document",
                entry.kind
            );
            delivery = self.send(entry, false)?;
        }
    }

    fn send(&self, entry: &WaitingEntry, with_document: bool) -> Result<DeliveryFuture, KafkaError> {
        let document = if with_document {
            entry.data.clone()
        } else {
            json!({ "userId": entry.user_id, "_id": entry.data["_id"] })
        };
        let value = json!({
            "id": entry.id.to_hex(),
            "type": entry.kind,
            "timestamp": entry.at.to_rfc3339_opts(SecondsFormat::Millis, true),
            "payload": document,
        });
        let value = value.to_string();
        let mut headers = OwnedHeaders::new().insert(Header {
            key: "content-type",
            value: Some("application/json"),
        });
        if let Some(trace) = &entry.trace {
            let trace = event_spans::published(trace, entry);
            for (key, value) in trace.headers() {
                headers = headers.insert(Header {
                    key,
                    value: Some(value),
                });
            }
        }
        let record = FutureRecord::to(&self.topic)
            .key(&entry.user_id)
            .payload(&value)
            .headers(headers);
        self.sender.get()?.send_result(record).map_err(|(error, _)| error)
    }

    async fn has_right(&self) -> Result<bool, StoreError> {
        lease::take(&self.runtime.mongo, RIGHT, &self.holder, TERM).await
    }
}
