//! Writes what can never be applied to `<topic>.dlq`, with the reason and where it came from.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use rdkafka::{
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders},
    producer::FutureRecord,
    util::Timeout,
};

use crate::{
    invalid::Invalid,
    kafka::{self, ANSWER_WITHIN, Sender},
    settings::EventsSettings,
    topics::{Partitions, Topics},
};

/// The headers of a dead letter beside its original ones.
pub mod headers {
    /// The prefix of all headers below; what has it is left out when the message is replayed.
    pub const PREFIX: &str = "x-dead-letter-";
    /// Why the message cannot be applied, for people.
    pub const REASON: &str = "x-dead-letter-reason";
    /// The kind of reason, such as `not_json`.
    pub const CODE: &str = "x-dead-letter-code";
    /// The topic where the message lay.
    pub const TOPIC: &str = "x-dead-letter-topic";
    /// The partition where the message lay.
    pub const PARTITION: &str = "x-dead-letter-partition";
    /// The offset where the message lay.
    pub const OFFSET: &str = "x-dead-letter-offset";
    /// The message's own time, in ISO 8601 form.
    pub const TIME: &str = "x-dead-letter-time";
    /// Set to the size where the value was too large for the topic and is left out.
    pub const VALUE_OMITTED: &str = "x-dead-letter-value-omitted";
}

/// The largest message that a topic of dead letters takes, where we create it.
const LARGEST_DEAD_LETTER: &str = "20971520";

/// A message that cannot be applied.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DeadLetter<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) time: Option<DateTime<Utc>>,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: &'a [(String, Option<Vec<u8>>)],
    pub(crate) reason: &'a Invalid,
}

/// The writer of dead letters.
pub(crate) struct DeadLetters {
    settings: Arc<EventsSettings>,
    sender: Sender,
    topics: Topics,
}

impl DeadLetters {
    pub(crate) fn new(settings: Arc<EventsSettings>) -> Result<Self, KafkaError> {
        let sender = Sender::new(&kafka::producer(&settings))?;
        Ok(Self {
            topics: Topics::new(Arc::clone(&settings)),
            settings,
            sender,
        })
    }

    /// Writes a dead letter. It is there once this returns without an error.
    pub(crate) async fn write(&self, letter: DeadLetter<'_>) -> Result<(), KafkaError> {
        let topic = self.settings.dead_letter_topic(letter.topic);
        let properties = [("max.message.bytes", LARGEST_DEAD_LETTER)];
        self.topics
            .create_where_missing(&topic, Partitions::As(letter.topic), &properties)
            .await;
        match self.send(&topic, letter, true).await {
            Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageSizeTooLarge) => {
                self.send(&topic, letter, false).await?;
            }
            other => other?,
        }
        metrics::counter!("billwright_events_dead_letters_total", "reason" => letter.reason.code.as_str()).increment(1);
        tracing::warn!(
            kafka.topic = letter.topic,
            kafka.partition = letter.partition,
            kafka.offset = letter.offset,
            code = letter.reason.code.as_str(),
            "a message went to the dead letters: {}",
            letter.reason
        );
        Ok(())
    }

    async fn send(&self, topic: &str, letter: DeadLetter<'_>, with_value: bool) -> Result<(), KafkaError> {
        let mut headers = OwnedHeaders::new_with_capacity(letter.headers.len() + 7);
        for (key, value) in letter.headers {
            headers = headers.insert(Header {
                key,
                value: value.as_ref(),
            });
        }
        let time = letter
            .time
            .map(|time| time.to_rfc3339_opts(SecondsFormat::Millis, true));
        let omitted = letter
            .value
            .filter(|_| !with_value)
            .map(|value| value.len().to_string());
        let (partition, offset) = (letter.partition.to_string(), letter.offset.to_string());
        let own = [
            (headers::REASON, Some(letter.reason.reason.as_str())),
            (headers::CODE, Some(letter.reason.code.as_str())),
            (headers::TOPIC, Some(letter.topic)),
            (headers::PARTITION, Some(partition.as_str())),
            (headers::OFFSET, Some(offset.as_str())),
            (headers::TIME, time.as_deref()),
            (headers::VALUE_OMITTED, omitted.as_deref()),
        ];
        for (key, value) in own.into_iter().filter(|(_, value)| value.is_some()) {
            headers = headers.insert(Header { key, value });
        }
        let mut record: FutureRecord<'_, [u8], [u8]> = FutureRecord::to(topic).headers(headers);
        record.key = letter.key;
        record.payload = letter.value.filter(|_| with_value);
        self.sender
            .get()?
            .send(record, Timeout::After(ANSWER_WITHIN))
            .await
            .map(|_| ())
            .map_err(|(error, _)| error)
    }
}
