//! What an operator asks of the consumer from the command line or the dashboard, beside a running consumer or without one.
//!
//! Every answer can be serialized. What changes something takes `dry_run`, and then tells what it would do.
//!
//! - [`lag()`]`(settings, mongo) -> Vec<PartitionLag>`: how far each partition is behind.
//! - [`owners()`]`(settings) -> Vec<Owner>`: which member of the group has each partition.
//! - [`tail()`]`(settings, request, cancel, show) -> ()`: the last events of a topic, and the next ones as they come; no
//!   personal data.
//! - [`dead_letters::list`]`(settings, limit) -> Vec<DeadLetterRow>`: the newest dead letters.
//! - [`dead_letters::show`]`(settings, place) -> DeadLetterContent`: one of them, as text; [`dead_letters::raw`], as bytes.
//! - [`dead_letters::replay`]`(settings, which, dry_run) -> Vec<ReplayRow>`: back into their topics.
//! - [`set_aside::apply_now`]`(settings, mongo, clock, user) -> AppliedNow`: what waits for a customer who is there.
//! - [`reset()`]`(settings, mongo, clock, request, dry_run) -> Vec<ResetRow>`: reads partitions again, or skips.

pub mod dead_letters;
mod lag;
mod owners;
mod probe;
mod reader;
mod reset;
pub mod set_aside;
mod tail;

use billwright_store::StoreError;
use rdkafka::error::KafkaError;
use serde::Serialize;

pub use self::{
    lag::{PartitionLag, lag},
    owners::{Owner, owners},
    probe::{DeadLetterTopic, KafkaFacts, dead_letter_count, probe, probe_dead_letters},
    reset::{ResetRequest, ResetRow, ResetTo, reset},
    tail::{TailRequest, TailRow, tail},
};
use crate::kafka;

/// Why a question cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Kafka does not answer, or refuses.
    #[error("Kafka: {}", kafka::explain(.0))]
    Kafka(#[from] KafkaError),
    /// MongoDB does not answer, or refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such topic.
    #[error("the topic `{0}` does not exist")]
    NoTopic(String),
    /// There is no such message.
    #[error("there is no message at {0}")]
    NoMessage(Place),
    /// Others change the customer all the time.
    #[error("the customer is being changed by others right now; try again")]
    Busy,
}

/// Where a message lies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}/{}", self.topic, self.partition, self.offset)
    }
}

impl std::str::FromStr for Place {
    type Err = String;

    /// Reads `topic/partition/offset`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let mut parts = text.rsplitn(3, '/');
            let offset = parts.next()?.parse().ok()?;
            let partition = parts.next()?.parse().ok()?;
            let topic = parts.next().filter(|topic| !topic.is_empty())?.to_owned();
            Some(Self {
                topic,
                partition,
                offset,
            })
        };
        read().ok_or_else(|| format!("found `{text}`, expected topic/partition/offset, as in customers.dlq/0/17"))
    }
}

/// Runs calls of librdkafka, which block, where they hold up nobody.
async fn blocking<T: Send + 'static>(
    calls: impl FnOnce() -> Result<T, AdminError> + Send + 'static,
) -> Result<T, AdminError> {
    tokio::task::spawn_blocking(calls)
        .await
        .unwrap_or_else(|_| Err(KafkaError::Canceled.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back_as_it_is_shown() {
        let place: Place = "a/b.dlq/3/17".parse().unwrap();
        assert_eq!(
            (place.topic.as_str(), place.partition, place.offset),
            ("a/b.dlq", 3, 17)
        );
        assert_eq!(place.to_string(), "a/b.dlq/3/17");
        for wrong in ["", "t", "t/1", "t/x/1", "/1/1"] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }
}
