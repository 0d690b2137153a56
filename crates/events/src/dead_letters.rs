//! Writes what can never be applied to `<topic>.dlq`, with the reason and where it came from.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, SecondsFormat, Utc};
use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord, Producer},
    util::Timeout,
};

use crate::{
    invalid::Invalid,
    kafka::{self, ANSWER_WITHIN, Logging},
    settings::EventsSettings,
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
    settings: std::sync::Arc<EventsSettings>,
    producer: FutureProducer<Logging>,
    there: Mutex<HashSet<String>>,
}

impl DeadLetters {
    pub(crate) fn new(settings: std::sync::Arc<EventsSettings>) -> Result<Self, KafkaError> {
        let producer = kafka::producer(&settings).create_with_context(Logging)?;
        Ok(Self {
            settings,
            producer,
            there: Mutex::default(),
        })
    }

    /// Writes a dead letter. It is there once this returns without an error.
    pub(crate) async fn write(&self, letter: DeadLetter<'_>) -> Result<(), KafkaError> {
        let topic = self.settings.dead_letter_topic(letter.topic);
        self.create_where_missing(&topic, letter.topic).await;
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
        self.producer
            .send(record, Timeout::After(ANSWER_WITHIN))
            .await
            .map(|_| ())
            .map_err(|(error, _)| error)
    }

    /// Creates the topic where it is missing and we may. Where we may not, the broker may do so by itself; if it does not
    /// either, writing fails and says so.
    async fn create_where_missing(&self, topic: &str, source: &str) {
        let known =
            |there: &Mutex<HashSet<String>>| there.lock().unwrap_or_else(PoisonError::into_inner).contains(topic);
        if known(&self.there) {
            return;
        }
        match self.create(topic, source).await {
            Ok(()) => {
                self.there
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(topic.to_owned());
            }
            Err(error) => tracing::warn!(
                kafka.topic = topic,
                "the topic of dead letters cannot be created: {}",
                kafka::explain(&error)
            ),
        }
    }

    async fn create(&self, topic: &str, source: &str) -> Result<(), KafkaError> {
        let (producer, names) = (self.producer.clone(), (topic.to_owned(), source.to_owned()));
        let look = tokio::task::spawn_blocking(move || {
            let there = |name: &str| {
                let metadata = producer.client().fetch_metadata(Some(name), ANSWER_WITHIN)?;
                let topic = metadata.topics().first();
                Ok::<_, KafkaError>(
                    topic
                        .filter(|topic| topic.error().is_none())
                        .map(|topic| topic.partitions().len()),
                )
            };
            Ok::<_, KafkaError>((there(&names.0)?, there(&names.1)?))
        });
        let (there, source_partitions) = look.await.map_err(|_| KafkaError::Canceled)??;
        if there.is_some() {
            return Ok(());
        }
        let admin: AdminClient<Logging> = kafka::client(&self.settings).create_with_context(Logging)?;
        let partitions = source_partitions
            .and_then(|count| i32::try_from(count).ok())
            .unwrap_or(1)
            .max(1);
        // A replication of -1 is the broker's own default.
        let new =
            NewTopic::new(topic, partitions, TopicReplication::Fixed(-1)).set("max.message.bytes", LARGEST_DEAD_LETTER);
        let created = admin
            .create_topics([&new], &AdminOptions::new().operation_timeout(Some(ANSWER_WITHIN)))
            .await?;
        match created.into_iter().next() {
            None | Some(Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(()),
            Some(Err((_, code))) => Err(KafkaError::AdminOp(code)),
        }
    }
}
