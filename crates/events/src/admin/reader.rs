//! Reads topics without being a member of the group. Its calls block.

use std::time::{Duration, Instant};

use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    message::OwnedMessage,
};

use super::AdminError;
use crate::{
    kafka::{self, ANSWER_WITHIN, Logging},
    settings::EventsSettings,
};

/// How long reading waits for the next message before it gives up: the broker does not answer.
const SILENCE: Duration = Duration::from_secs(10);

pub(super) struct Reader {
    consumer: BaseConsumer<Logging>,
}

/// What a partition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) partition: i32,
    /// The first offset.
    pub(super) low: i64,
    /// The offset after the last one.
    pub(super) high: i64,
}

impl Reader {
    /// `group` is the group whose offsets [`Reader::committed`] is about.
    pub(super) fn new(settings: &EventsSettings, group: &str) -> Result<Self, AdminError> {
        let mut config = kafka::client(settings);
        config
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            // The last offsets of a partition may hold no message: what was compacted away, or a transaction's marks.
            .set("enable.partition.eof", "true");
        Ok(Self {
            consumer: config.create_with_context(Logging::default())?,
        })
    }

    pub(super) fn consumer(&self) -> &BaseConsumer<Logging> {
        &self.consumer
    }

    /// What each partition of `topic` holds; `None` where there is no such topic.
    pub(super) fn extents(&self, topic: &str) -> Result<Option<Vec<Extent>>, AdminError> {
        let metadata = self
            .consumer
            .fetch_metadata(Some(topic), ANSWER_WITHIN)
            .map_err(|error| kafka::cause(&self.consumer, error))?;
        let found = metadata
            .topics()
            .iter()
            .find(|found| found.name() == topic && found.error().is_none());
        let Some(found) = found.filter(|found| !found.partitions().is_empty()) else {
            return Ok(None);
        };
        let mut extents = Vec::with_capacity(found.partitions().len());
        for partition in found.partitions() {
            let (low, high) = self.consumer.fetch_watermarks(topic, partition.id(), ANSWER_WITHIN)?;
            extents.push(Extent {
                partition: partition.id(),
                low,
                high,
            });
        }
        extents.sort_by_key(|extent| extent.partition);
        Ok(Some(extents))
    }

    /// The messages of `topic` in the `ranges` (partition, first offset, offset after the last), partition by partition.
    pub(super) fn read(&self, topic: &str, ranges: &[(i32, i64, i64)]) -> Result<Vec<OwnedMessage>, AdminError> {
        let mut messages = Vec::new();
        self.read_each(topic, ranges, |message| messages.push(message))?;
        messages.sort_by_key(|message| (message.partition(), message.offset()));
        Ok(messages)
    }

    /// Gives the messages of `topic` in the `ranges` to `take` as they come, in order within each partition. It is an error
    /// if not all of them could be read: whoever asks may note that they were dealt with.
    pub(super) fn read_each(
        &self,
        topic: &str,
        ranges: &[(i32, i64, i64)],
        mut take: impl FnMut(OwnedMessage),
    ) -> Result<(), AdminError> {
        let mut list = TopicPartitionList::new();
        let mut open: Vec<(i32, i64)> = Vec::new();
        for (partition, from, to) in ranges.iter().filter(|(_, from, to)| from < to) {
            list.add_partition_offset(topic, *partition, Offset::Offset(*from))?;
            open.push((*partition, *to));
        }
        if open.is_empty() {
            return Ok(());
        }
        self.consumer.assign(&list)?;
        let mut heard = Instant::now();
        while !open.is_empty() {
            if heard.elapsed() >= SILENCE {
                return Err(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut).into());
            }
            match self.consumer.poll(Duration::from_millis(100)) {
                None => {}
                Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                    return Err(KafkaError::MessageConsumptionFatal(code).into());
                }
                Some(Err(KafkaError::PartitionEOF(ended))) => {
                    heard = Instant::now();
                    open.retain(|(partition, _)| *partition != ended);
                }
                Some(Err(error)) => tracing::debug!("reading goes on after: {error}"),
                Some(Ok(message)) => {
                    heard = Instant::now();
                    let (partition, offset) = (message.partition(), message.offset());
                    let wanted = open.iter().any(|(found, to)| *found == partition && offset < *to);
                    open.retain(|(found, to)| *found != partition || offset + 1 < *to);
                    if wanted {
                        take(message.detach());
                    }
                }
            }
        }
        self.consumer.unassign()?;
        Ok(())
    }

    /// The offset that the group committed for a partition.
    pub(super) fn committed(&self, topic: &str, partition: i32) -> Result<Option<i64>, AdminError> {
        Ok(kafka::committed(&self.consumer, topic, partition)?)
    }
}
