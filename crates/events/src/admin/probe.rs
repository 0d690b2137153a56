//! Tries everything that the consumer needs of Kafka, and leaves nothing behind that anybody reads.

use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    consumer::Consumer,
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseProducer, BaseRecord, Producer},
};

use super::{AdminError, blocking, reader::Reader};
use crate::{
    kafka::{self, ANSWER_WITHIN},
    settings::EventsSettings,
};

/// What was found on the brokers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaFacts {
    /// How many brokers there are.
    pub brokers: usize,
    /// Each topic with its partitions; `None` where it does not exist.
    pub topics: Vec<(String, Option<usize>)>,
    /// The group's state and its number of members; `None` where it has never been there.
    pub group: Option<(String, usize)>,
}

/// Whether dead letters can be written to a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeadLetterTopic {
    /// It is there, and takes messages.
    Writable,
    /// It is not there, and will be made when it is needed.
    CanBeMade,
    /// It is there; whether it takes messages could not be tried without leaving one.
    Untried(String),
}

/// Asks the brokers.
pub async fn probe(settings: &EventsSettings) -> Result<KafkaFacts, AdminError> {
    let settings = settings.clone();
    blocking(move || {
        let reader = Reader::new(&settings, &settings.group_id)?;
        let consumer = reader.consumer();
        let metadata = consumer
            .fetch_metadata(None, ANSWER_WITHIN)
            .map_err(|error| kafka::cause(consumer, error))?;
        let mut topics = Vec::new();
        for topic in &settings.topics {
            topics.push((topic.clone(), reader.extents(topic)?.map(|extents| extents.len())));
        }
        let groups = consumer.fetch_group_list(Some(&settings.group_id), ANSWER_WITHIN)?;
        let group = groups.groups().iter().find(|group| group.name() == settings.group_id);
        Ok(KafkaFacts {
            brokers: metadata.brokers().len(),
            topics,
            group: group.map(|group| (group.state().to_owned(), group.members().len())),
        })
    })
    .await
}

/// Tries whether dead letters of `topic` can be written: into a transaction that is aborted, which no reader ever sees.
pub async fn probe_dead_letters(settings: &EventsSettings, topic: &str) -> Result<DeadLetterTopic, AdminError> {
    let dead_letters = settings.dead_letter_topic(topic);
    let asked = settings.clone();
    let name = dead_letters.clone();
    let there = blocking(move || Ok(Reader::new(&asked, &asked.group_id)?.extents(&name)?.is_some())).await?;
    if there {
        let settings = settings.clone();
        return blocking(move || try_to_write(&settings, &dead_letters)).await;
    }
    let admin: AdminClient<_> = kafka::client(settings).create()?;
    let new = NewTopic::new(&dead_letters, -1, TopicReplication::Fixed(-1));
    let options = AdminOptions::new()
        .operation_timeout(Some(ANSWER_WITHIN))
        .validate_only(true);
    match admin.create_topics([&new], &options).await?.into_iter().next() {
        Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists)) | Ok(_)) | None => Ok(DeadLetterTopic::CanBeMade),
        Some(Err((_, code))) => Err(KafkaError::AdminOp(code).into()),
    }
}

fn try_to_write(settings: &EventsSettings, topic: &str) -> Result<DeadLetterTopic, AdminError> {
    let mut config = kafka::client(settings);
    config
        .set("transactional.id", format!("{}-check", settings.client_id))
        .set("transaction.timeout.ms", "10000");
    let producer: BaseProducer = config.create()?;
    let trial = || -> Result<(), KafkaError> {
        producer.init_transactions(ANSWER_WITHIN)?;
        producer.begin_transaction()?;
        let sent = producer
            .send(BaseRecord::<(), [u8]>::to(topic).payload(b"check"))
            .map_err(|(error, _)| error)
            .and_then(|()| producer.flush(ANSWER_WITHIN));
        // Also where nothing was sent: who reads the topic would else wait until the broker ends the transaction.
        producer.abort_transaction(ANSWER_WITHIN)?;
        sent
    };
    match trial() {
        Ok(()) => Ok(DeadLetterTopic::Writable),
        Err(error) if may_not_begin(&error) => Ok(DeadLetterTopic::Untried(kafka::explain(&error))),
        Err(error) => Err(error.into()),
    }
}

/// Whether the brokers refuse transactions, which says nothing about the topic.
fn may_not_begin(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::TransactionalIdAuthorizationFailed
                | RDKafkaErrorCode::ClusterAuthorizationFailed
                | RDKafkaErrorCode::UnsupportedFeature
        )
    )
}

/// How many dead letters there are about, by their offsets: replayed ones are included, and so are the marks that each
/// [`probe_dead_letters`] leaves. 0 where there is no topic for them yet.
pub async fn dead_letter_count(settings: &EventsSettings) -> Result<i64, AdminError> {
    let settings = settings.clone();
    blocking(move || {
        let reader = Reader::new(&settings, &settings.group_id)?;
        let mut count = 0;
        for topic in &settings.topics {
            let extents = reader.extents(&settings.dead_letter_topic(topic))?.unwrap_or_default();
            count += extents.iter().map(|extent| extent.high - extent.low).sum::<i64>();
        }
        Ok(count)
    })
    .await
}
