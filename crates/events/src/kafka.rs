//! The configuration of librdkafka, in one place.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, ClientContext, Offset, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode},
    producer::FutureProducer,
};

use crate::settings::EventsSettings;

/// How long a question to the brokers may take.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// The offset that the consumer's group committed for a partition. Blocks.
///
/// A cluster that has had no group yet makes the topic of their offsets at the first question, and answers this one with
/// "not the coordinator" until it is there, which librdkafka hands on. So it is asked again for as long as one answer may
/// take.
pub(crate) fn committed<C: ConsumerContext>(
    consumer: &impl Consumer<C>,
    topic: &str,
    partition: i32,
) -> Result<Option<i64>, KafkaError> {
    const COORDINATOR_MOVES: [RDKafkaErrorCode; 3] = [
        RDKafkaErrorCode::NotCoordinator,
        RDKafkaErrorCode::CoordinatorNotAvailable,
        RDKafkaErrorCode::CoordinatorLoadInProgress,
    ];
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, partition);
    let asked = Instant::now();
    let answer = loop {
        match consumer.committed_offsets(list.clone(), ANSWER_WITHIN) {
            Err(error)
                if asked.elapsed() < ANSWER_WITHIN
                    && error
                        .rdkafka_error_code()
                        .is_some_and(|code| COORDINATOR_MOVES.contains(&code)) =>
            {
                std::thread::sleep(Duration::from_millis(100));
            }
            answer => break answer?,
        }
    };
    Ok(answer
        .find_partition(topic, partition)
        .and_then(|found| match found.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        }))
}

/// What every client has in common.
pub(crate) fn client(settings: &EventsSettings) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &settings.brokers)
        .set("client.id", &settings.client_id)
        // A broker that comes back is found within a second rather than ten.
        .set("reconnect.backoff.ms", "100")
        .set("reconnect.backoff.max.ms", "1000")
        .set("socket.keepalive.enable", "true")
        .set("allow.auto.create.topics", "false")
        .set_log_level(RDKafkaLogLevel::Warning);
    settings.security.write_to(&mut config);
    config
}

/// A member of the consumer group.
pub(crate) fn consumer(settings: &EventsSettings) -> ClientConfig {
    let mut config = client(settings);
    let session = settings.session_timeout.as_millis();
    config
        .set("group.id", &settings.group_id)
        .set("session.timeout.ms", session.to_string())
        .set("heartbeat.interval.ms", (session / 4).max(1).to_string())
        .set("partition.assignment.strategy", "cooperative-sticky")
        // Offsets are committed for what is in MongoDB, and by nothing else.
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        // A topic that is missing is looked for this often.
        .set("topic.metadata.refresh.interval.ms", "3000")
        // Each partition has a queue of its own, which holds the next few batches and no more.
        .set("queued.min.messages", (settings.batch.events * 3).to_string())
        .set("queued.max.messages.kbytes", "4096")
        .set("fetch.queue.backoff.ms", "5")
        .set("statistics.interval.ms", "1000");
    if let Some(name) = &settings.group_instance_id {
        config.set("group.instance.id", name);
    }
    config
}

/// A producer whose end nobody waits for: dropping it joins a thread of librdkafka, which may be asleep.
pub(crate) struct Sender(Option<FutureProducer<Logging>>);

impl Sender {
    pub(crate) fn new(config: &ClientConfig) -> Result<Self, KafkaError> {
        config
            .create_with_context(Logging::default())
            .map(|producer| Self(Some(producer)))
    }

    /// The producer; it is there until the drop.
    pub(crate) fn get(&self) -> Result<&FutureProducer<Logging>, KafkaError> {
        self.0.as_ref().ok_or(KafkaError::Canceled)
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let producer = self.0.take();
        // Where no thread can be started it is dropped here.
        let _ = std::thread::Builder::new()
            .name("kafka-goodbye".to_owned())
            .spawn(move || drop(producer));
    }
}

/// A producer whose messages count only once every in-sync replica has them.
pub(crate) fn producer(settings: &EventsSettings) -> ClientConfig {
    let mut config = client(settings);
    config
        .set("acks", "all")
        // The one codec that every client can read: kafkajs knows no other without a plug-in.
        .set("compression.codec", "gzip")
        .set("linger.ms", "2")
        .set("message.timeout.ms", "10000")
        // The broker decides what is too large.
        .set("message.max.bytes", "100000000");
    config
}

/// Writes librdkafka's log as ours.
pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
            tracing::warn!(kafka.facility = facility, "Kafka: {message}");
        }
        RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
            tracing::info!(kafka.facility = facility, "Kafka: {message}");
        }
        RDKafkaLogLevel::Debug => tracing::debug!(kafka.facility = facility, "Kafka: {message}"),
    }
}

/// For clients that only need their log to go where ours goes. It also remembers why the brokers turn the client away.
#[derive(Debug, Default)]
pub(crate) struct Logging {
    turned_away: Mutex<Option<RDKafkaErrorCode>>,
}

impl ClientContext for Logging {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!("Kafka: {error}: {reason}");
        if let Some(code) = turned_away(&error) {
            *self.turned_away.lock().unwrap_or_else(PoisonError::into_inner) = Some(code);
        }
    }
}

impl ConsumerContext for Logging {}

/// The error's code, if it says that the brokers turn the client away, rather than that they cannot be reached.
pub(crate) fn turned_away(error: &KafkaError) -> Option<RDKafkaErrorCode> {
    use RDKafkaErrorCode as Code;
    let code = error.rdkafka_error_code()?;
    matches!(code, Code::Authentication | Code::SaslAuthenticationFailed | Code::SSL).then_some(code)
}

/// Why a call of `client` failed with `error`. Where the brokers turn it away the call itself only says that nobody answered
/// in time: librdkafka tells the reason beside it, to whoever polls.
pub(crate) fn cause(client: &BaseConsumer<Logging>, error: KafkaError) -> KafkaError {
    const EVENTS_AT_MOST: usize = 100;
    for _ in 0..EVENTS_AT_MOST {
        let _ = client.poll(Duration::ZERO);
        let turned_away = &client.client().context().turned_away;
        if let Some(code) = *turned_away.lock().unwrap_or_else(PoisonError::into_inner) {
            return KafkaError::Global(code);
        }
    }
    error
}

/// A failure for people, with what to do where that is known.
pub(crate) fn explain(error: &KafkaError) -> String {
    use RDKafkaErrorCode as Code;
    match error.rdkafka_error_code() {
        Some(Code::BrokerTransportFailure | Code::AllBrokersDown | Code::OperationTimedOut | Code::RequestTimedOut) => {
            "no broker can be reached; is Kafka running, are the addresses in KAFKA_BROKERS right, and do they speak \
             KAFKA_SECURITY_PROTOCOL, with a certificate that KAFKA_SSL_CA_LOCATION trusts where that is TLS?"
                .to_owned()
        }
        Some(Code::Resolve) => "the name of a broker in KAFKA_BROKERS cannot be resolved".to_owned(),
        Some(Code::Authentication | Code::SaslAuthenticationFailed) => {
            "the brokers refuse the login; check KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD and KAFKA_SASL_MECHANISM"
                .to_owned()
        }
        Some(Code::SSL) => {
            "TLS fails: the brokers speak none, or their certificate is from no authority that is trusted, or they want \
             another certificate of ours; check KAFKA_SECURITY_PROTOCOL, KAFKA_SSL_CA_LOCATION and \
             KAFKA_SSL_CERTIFICATE_LOCATION"
                .to_owned()
        }
        Some(Code::GroupAuthorizationFailed) => "the login may not use the consumer group KAFKA_GROUP_ID".to_owned(),
        Some(Code::TopicAuthorizationFailed) => "the login may not read a topic of KAFKA_TOPIC".to_owned(),
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => "a topic does not exist".to_owned(),
        _ => error.to_string(),
    }
}
