//! What customer events come down to, in bulk: a consumer for each partition, and a transaction for every thousand
//! events with one command for each collection.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use bson::{DateTime, Document, RawDocumentBuf, doc, oid::ObjectId, rawdoc};
use mongodb::{
    Client, ClientSession, Database, IndexModel,
    options::{IndexOptions, ReturnDocument},
};
use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{Consumer as _, StreamConsumer},
};
use serde_json::Value;
use tokio::{sync::Mutex, task::JoinSet};

use super::super::{
    data,
    events::{Events, Topic},
    figures::Figure,
    ground::Ground,
};

/// Events in one transaction.
const BATCH: usize = 1_000;
const POSITIONS: &str = "positions";

pub(in crate::bench) async fn run(
    ground: &Ground,
    database: &str,
    topic: &Topic,
    events: &Events,
) -> Result<Vec<(Figure, f64)>> {
    let partitions = u32::try_from(topic.partitions())?;
    let client = super::client(ground, partitions).await?;
    let database = client.database(database);
    prepare(&database).await?;
    let numbers = Arc::new(Mutex::new(()));
    // Each has its first event before time counts, as it does for the others once they have joined their group.
    let mut consumers = Vec::new();
    for partition in 0..topic.partitions() {
        let consumer = consumer(ground, topic, partition)?;
        let first = next(&consumer).await?;
        consumers.push((partition, consumer, first));
    }
    let meter = ground.meter_own()?;
    let mut running = JoinSet::new();
    for (partition, consumer, first) in consumers {
        let writer = Writer {
            client: client.clone(),
            database: database.clone(),
            numbers: Arc::clone(&numbers),
            partition: i32::try_from(partition)?,
        };
        running.spawn(async move { writer.drain(&consumer, first).await });
    }
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    let used = meter.stop()?;
    events.check(&database).await?;
    Ok(used.figures_with_rate(events.count(), false))
}

/// The indexes that both services have, since each write costs as much as there are of them.
async fn prepare(database: &Database) -> Result<()> {
    let unique = |keys| {
        IndexModel::builder()
            .keys(keys)
            .options(IndexOptions::builder().unique(true).build())
            .build()
    };
    let plain = |keys| IndexModel::builder().keys(keys).build();
    let users = database.collection::<Document>("users");
    users
        .create_indexes([
            unique(doc! { "userId": 1 }),
            plain(doc! { "isActive": 1, "_id": 1 }),
            plain(doc! { "address.city": 1, "_id": 1 }),
        ])
        .await?;
    let billings = database.collection::<Document>("billings");
    billings
        .create_indexes([
            unique(doc! { "billingId": 1 }),
            plain(doc! { "userId": 1 }),
            plain(doc! { "userId": 1, "generationDate": -1, "_id": -1 }),
            plain(doc! { "generationDate": 1, "_id": 1 }),
            plain(doc! { "dueDate": 1, "_id": 1 }),
            plain(doc! { "isPaid": 1, "dueDate": 1, "_id": 1 }),
        ])
        .await?;
    let counters = database.collection::<Document>("counters");
    counters.insert_one(doc! { "_id": "billingId", "seq": 0 }).await?;
    Ok(())
}

fn consumer(ground: &Ground, topic: &Topic, partition: usize) -> Result<StreamConsumer> {
    let consumer: StreamConsumer = ClientConfig::new()
        .set("bootstrap.servers", ground.servers().kafka.brokers())
        .set("group.id", "bare")
        .set("enable.auto.commit", "false")
        .create()?;
    let mut from = TopicPartitionList::new();
    from.add_partition_offset(topic.name(), i32::try_from(partition)?, Offset::Beginning)?;
    consumer.assign(&from)?;
    Ok(consumer)
}

async fn next(consumer: &StreamConsumer) -> Result<Value> {
    let message = consumer.recv().await?;
    let body = message.payload().context("an event without a body")?;
    Ok(serde_json::from_slice(body)?)
}

fn is_last(event: &Value) -> bool {
    event["payload"]["userId"].as_str().is_some_and(Topic::is_last)
}

struct Writer {
    client: Client,
    database: Database,
    /// Transactions that take numbers take turns; to let them conflict costs more.
    numbers: Arc<Mutex<()>>,
    partition: i32,
}

impl Writer {
    async fn drain(&self, consumer: &StreamConsumer, first: Value) -> Result<()> {
        let mut session = self.client.start_session().await?;
        let mut batch = vec![first];
        loop {
            let done = batch.last().is_some_and(is_last);
            if done || batch.len() >= BATCH {
                self.apply(&mut session, &batch).await?;
                batch.clear();
            }
            if done {
                return Ok(());
            }
            batch.push(next(consumer).await?);
        }
    }

    async fn apply(&self, session: &mut ClientSession, batch: &[Value]) -> Result<()> {
        let now = DateTime::now();
        let created: Vec<&Value> = batch
            .iter()
            .filter(|event| event["type"] == "Customer.Created")
            .collect();
        let taking = self.numbers.lock().await;
        session.start_transaction().await?;
        let counter = self
            .database
            .collection::<Document>("counters")
            .find_one_and_update(
                doc! { "_id": "billingId" },
                doc! { "$inc": { "seq": i32::try_from(created.len())? } },
            )
            .return_document(ReturnDocument::Before)
            .session(&mut *session)
            .await?;
        let before = counter.context("there is no counter")?.get_i32("seq")?;
        let mut users = Vec::new();
        let mut billings = Vec::new();
        for (event, number) in created.iter().zip(1_u64..) {
            let user = event["payload"]["userId"].as_str().unwrap_or_default();
            users.push(rawdoc! {
                "_id": ObjectId::new(), "userId": user, "address": address(event), "isActive": true, "createdAt": now,
                "updatedAt": now, "__v": 0,
            });
            billings.push(rawdoc! {
                "_id": ObjectId::new(), "userId": user, "billingId": data::billing_id(u64::try_from(before)? + number),
                "generationDate": now, "dueDate": now, "serviceId": "1", "totalInvoice": 100_000, "isPaid": false,
                "paymentDate": null, "createdAt": now, "updatedAt": now, "__v": 0,
            });
        }
        if !users.is_empty() {
            for (collection, documents) in [("users", users), ("billings", billings)] {
                let collection = self.database.collection::<RawDocumentBuf>(collection);
                collection.insert_many(documents).session(&mut *session).await?;
            }
        }
        let changes: Vec<Document> = batch.iter().filter_map(|event| change(event, now)).collect();
        if !changes.is_empty() {
            let command = doc! { "update": "users", "updates": changes };
            self.database.run_command(command).session(&mut *session).await?;
        }
        self.database
            .collection::<Document>(POSITIONS)
            .update_one(
                doc! { "_id": self.partition },
                doc! { "$inc": { "next": i64::try_from(batch.len())? } },
            )
            .upsert(true)
            .session(&mut *session)
            .await?;
        session.commit_transaction().await?;
        drop(taking);
        Ok(())
    }
}

/// The statement that changes a user; none for an event that makes one.
fn change(event: &Value, now: DateTime) -> Option<Document> {
    let set = match event["type"].as_str()? {
        "Customer.Updated" => doc! { "address": Document::try_from(address(event)).ok()?, "updatedAt": now },
        "Customer.Suspended" => doc! { "isActive": false, "updatedAt": now },
        "Customer.Reactivated" => doc! { "isActive": true, "updatedAt": now },
        _ => return None,
    };
    Some(doc! { "q": { "userId": event["payload"]["userId"].as_str()? }, "u": { "$set": set } })
}

fn address(event: &Value) -> RawDocumentBuf {
    let text = |field: &str| {
        event["payload"]["address"][field]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    rawdoc! {
        "city": text("city"), "country": text("country"), "zipCode": text("zipCode"), "address": text("address"),
    }
}
