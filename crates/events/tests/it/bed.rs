//! A topic, a consumer group and a database of a test's own, and what it takes to watch them.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use billwright_domain::{Clock, HealthBoard, SystemClock};
use billwright_events::{EventsHandle, EventsSettings};
use billwright_store::{Mongo, MongoSettings};
use bson::{Bson, Document, doc};
use futures_util::TryStreamExt;
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, CommitMode, Consumer},
    error::KafkaError,
    message::{Header, Headers, OwnedHeaders, OwnedMessage},
    producer::{FutureProducer, FutureRecord},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// How long a test waits for anything.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) struct Bed {
    pub(crate) topic: String,
    pub(crate) brokers: String,
    pub(crate) mongodb_uri: String,
    pub(crate) database: mongodb::Database,
    pub(crate) producer: FutureProducer,
    admin: AdminClient<DefaultClientContext>,
}

/// A consumer under test.
pub(crate) struct Running {
    pub(crate) handle: EventsHandle,
    pub(crate) health: HealthBoard,
    cancel: CancellationToken,
}

impl Running {
    pub(crate) async fn stop(self) {
        self.cancel.cancel();
        tokio::time::timeout(PATIENCE, self.handle.finished())
            .await
            .expect("the consumer does not stop");
    }
}

impl Bed {
    pub(crate) async fn new() -> Self {
        let brokers = billwright_services::shared::kafka_brokers().await.unwrap();
        let mongodb_uri = billwright_services::shared::mongodb_uri().await.unwrap();
        let bed = Self::on(brokers, mongodb_uri).await;
        bed.create_topic(&bed.topic).await;
        bed
    }

    /// A bed on the given servers, without its topic.
    pub(crate) async fn on(brokers: String, mongodb_uri: String) -> Self {
        let name = format!("events-{}", uuid::Uuid::new_v4().simple());
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &brokers);
        let producer = producer(&brokers);
        let client = mongodb::Client::with_uri_str(&mongodb_uri).await.unwrap();
        Self {
            database: client.database(&name),
            producer,
            admin: config.create().unwrap(),
            topic: name,
            brokers,
            mongodb_uri,
        }
    }

    pub(crate) async fn create_topic(&self, name: &str) {
        assert!(self.try_create_topic(name).await, "the topic cannot be created");
    }

    /// Creates a topic, if its predecessor of the same name is gone.
    pub(crate) async fn try_create_topic(&self, name: &str) -> bool {
        let topic = NewTopic::new(name, 6, TopicReplication::Fixed(1));
        let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(30)));
        let created = self.admin.create_topics([&topic], &options).await.unwrap();
        created.iter().all(Result::is_ok)
    }

    /// A producer remembers its topics; this one knows nothing of the old ones.
    pub(crate) fn with_new_producer(mut self) -> Self {
        self.producer = producer(&self.brokers);
        self
    }

    pub(crate) async fn delete_topic(&self, name: &str) {
        let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(30)));
        let _ = self.admin.delete_topics(&[name], &options).await.unwrap();
    }

    pub(crate) fn settings(&self) -> EventsSettings {
        let mut settings = EventsSettings::new(&self.brokers);
        settings.topics = vec![self.topic.clone()];
        settings.group_id.clone_from(&self.topic);
        settings.session_timeout = Duration::from_secs(6);
        settings
    }

    pub(crate) async fn mongo(&self) -> Mongo {
        open_mongo(&self.mongodb_uri, self.database.name()).await
    }

    pub(crate) async fn start(&self) -> Running {
        self.start_with(self.settings()).await
    }

    pub(crate) async fn start_with(&self, settings: EventsSettings) -> Running {
        self.start_at(settings, SystemClock::shared()).await
    }

    /// Starts a consumer whose clock is `clock`.
    pub(crate) async fn start_at(&self, settings: EventsSettings, clock: Arc<dyn Clock>) -> Running {
        let (health, cancel) = (HealthBoard::default(), CancellationToken::new());
        let mongo = self.mongo().await;
        let handle = billwright_events::start(settings, mongo, clock, health.clone(), cancel.clone());
        Running { handle, health, cancel }
    }

    /// Puts one message on the topic and gives its partition and offset.
    pub(crate) async fn put(&self, key: Option<&str>, value: Option<&[u8]>, headers: &[(&str, &str)]) -> (i32, i64) {
        let mut all = OwnedHeaders::new();
        for (key, value) in headers {
            all = all.insert(Header {
                key,
                value: Some(*value),
            });
        }
        let mut record: FutureRecord<'_, str, [u8]> = FutureRecord::to(&self.topic).headers(all);
        record.key = key;
        record.payload = value;
        let delivered = self
            .producer
            .send(record, PATIENCE)
            .await
            .map_err(|(error, _)| error)
            .unwrap();
        (delivered.partition, delivered.offset)
    }

    /// Puts a `{type, payload}` event on the topic.
    pub(crate) async fn event(&self, kind: &str, payload: &Value) -> (i32, i64) {
        let value = json!({ "type": kind, "payload": payload }).to_string();
        self.put(payload["userId"].as_str(), Some(value.as_bytes()), &[]).await
    }

    pub(crate) async fn user(&self, user_id: &str) -> Option<Document> {
        self.find_one("users", doc! { "userId": user_id }).await
    }

    pub(crate) async fn billings(&self, user_id: &str) -> Vec<Document> {
        self.find("billings", doc! { "userId": user_id }).await
    }

    pub(crate) async fn find_one(&self, collection: &str, filter: Document) -> Option<Document> {
        self.database
            .collection::<Document>(collection)
            .find_one(filter)
            .await
            .unwrap()
    }

    pub(crate) async fn find(&self, collection: &str, filter: Document) -> Vec<Document> {
        let found = self
            .database
            .collection(collection)
            .find(filter)
            .sort(doc! { "_id": 1 })
            .await
            .unwrap();
        found.try_collect().await.unwrap()
    }

    /// Every document of the historical collections, without `updatedAt`.
    pub(crate) async fn everything(&self) -> BTreeMap<&'static str, Vec<Document>> {
        let mut everything = BTreeMap::new();
        for name in ["users", "billings", "counters"] {
            let mut documents = self.find(name, doc! {}).await;
            for document in &mut documents {
                document.remove("updatedAt");
            }
            everything.insert(name, documents);
        }
        everything
    }

    /// How many messages the partitions of a topic hold.
    pub(crate) fn ends(&self, topic: &str) -> BTreeMap<i32, i64> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // A topic that was created just now may have no leader for a moment.
            match self.try_ends(topic) {
                Err(_) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(20)),
                ends => return ends.unwrap(),
            }
        }
    }

    fn try_ends(&self, topic: &str) -> Result<BTreeMap<i32, i64>, KafkaError> {
        let consumer = self.reader();
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE)?;
        let partitions = metadata.topics()[0].partitions().iter();
        partitions
            .map(|partition| {
                let (_, end) = consumer.fetch_watermarks(topic, partition.id(), PATIENCE)?;
                Ok((partition.id(), end))
            })
            .collect()
    }

    /// Waits until every message that is on the topic now was dealt with.
    pub(crate) async fn drained(&self) {
        let ends: BTreeMap<i32, i64> = self.ends(&self.topic).into_iter().filter(|(_, end)| *end > 0).collect();
        eventually("the topic is drained", async || {
            let positions = self.find("event_positions", doc! { "topic": &self.topic }).await;
            let at = |partition: i32| {
                let position = positions.iter().find(|position| {
                    position.get_document("_id").unwrap().get_i32("partition").unwrap() == partition
                })?;
                position.get_i64("next").ok()
            };
            ends.iter().all(|(partition, end)| at(*partition) == Some(*end))
        })
        .await;
    }

    /// Reads everything that a topic holds.
    pub(crate) fn read_all(&self, topic: &str) -> Vec<OwnedMessage> {
        let consumer = self.reader();
        let mut wanted = 0;
        let mut assignment = TopicPartitionList::new();
        for (partition, end) in self.ends(topic) {
            wanted += usize::try_from(end).unwrap();
            assignment
                .add_partition_offset(topic, partition, Offset::Beginning)
                .unwrap();
        }
        consumer.assign(&assignment).unwrap();
        let mut messages = Vec::new();
        let deadline = Instant::now() + PATIENCE;
        while messages.len() < wanted && Instant::now() < deadline {
            if let Some(message) = consumer.poll(Duration::from_millis(200)) {
                messages.push(message.unwrap().detach());
            }
        }
        messages
    }

    /// The offset that the broker knows for the group.
    pub(crate) fn committed(&self, partition: i32) -> Option<i64> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("group.id", &self.topic);
        let consumer: BaseConsumer = config.create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.topic, partition);
        let committed = consumer.committed_offsets(list, PATIENCE).unwrap();
        match committed.find_partition(&self.topic, partition)?.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        }
    }

    /// Commits an offset for the group, as a predecessor did.
    pub(crate) fn commit(&self, partition: i32, offset: i64) {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("group.id", &self.topic);
        let consumer: BaseConsumer = config.create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, partition, Offset::Offset(offset))
            .unwrap();
        consumer.commit(&list, CommitMode::Sync).unwrap();
    }

    fn reader(&self) -> BaseConsumer {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("group.id", format!("{}-reader", self.topic));
        config.create().unwrap()
    }

    /// Removes what the test made.
    pub(crate) async fn clear(self) {
        self.database.drop().await.unwrap();
        let dead_letters = format!("{}.dlq", self.topic);
        let options = AdminOptions::new();
        let _ = self.admin.delete_topics(&[&self.topic, &dead_letters], &options).await;
    }
}

fn producer(brokers: &str) -> FutureProducer {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("linger.ms", "2")
        .set("enable.idempotence", "true");
    config.create().unwrap()
}

pub(crate) async fn open_mongo(uri: &str, database: &str) -> Mongo {
    let settings = MongoSettings {
        uri: uri.into(),
        database: database.to_owned(),
        server_selection_timeout: Duration::from_secs(2),
        max_pool_size: 10,
    };
    Mongo::open(&settings).await.unwrap()
}

/// Waits until `holds`, and fails the test if it never does.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A message's header as text.
pub(crate) fn header(message: &OwnedMessage, name: &str) -> Option<String> {
    let headers = message.headers()?;
    let found = headers.iter().find(|header| header.key == name)?;
    Some(String::from_utf8(found.value?.to_vec()).unwrap())
}

/// A field of a nested document.
pub(crate) fn city(user: &Document) -> Option<&str> {
    user.get_document("address").ok()?.get_str("city").ok()
}

pub(crate) fn is_active(user: &Document) -> bool {
    matches!(user.get("isActive"), Some(Bson::Boolean(true)))
}
