//! `event_set_aside`: events about customers who are not known yet, kept until the customer appears or they expire.

use std::collections::HashMap;

use billwright_domain::UserId;
use bson::{Binary, Bson, Document, doc, spec::BinarySubtype};
use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use mongodb::{Cursor, IndexModel, options::IndexOptions};
use serde::Serialize;

use super::{positions::PartitionId, users};
use crate::{Mongo, StoreError, values};

/// The collection's name.
pub const COLLECTION: &str = "event_set_aside";

/// An event that waits for its customer, as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SetAsideEvent {
    /// Where it came from.
    #[serde(flatten)]
    pub partition: PartitionId,
    /// Its offset there.
    pub offset: i64,
    /// The customer whom it waits for.
    pub user_id: UserId,
    /// Its type, as in `Customer.Updated`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The record's key.
    #[serde(skip)]
    pub key: Option<Vec<u8>>,
    /// The record's value.
    #[serde(skip)]
    pub value: Vec<u8>,
    /// The record's headers, in order.
    #[serde(skip)]
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// The record's time.
    pub record_time: Option<DateTime<Utc>>,
    /// When it was set aside.
    pub set_aside_at: DateTime<Utc>,
    /// When it goes to the dead letters instead.
    pub expires_at: DateTime<Utc>,
}

/// Creates the indexes that the queries below need.
pub(super) async fn ensure_indexes(mongo: &Mongo) -> Result<(), StoreError> {
    let index = |field: &str| {
        IndexModel::builder()
            .keys(doc! { field: 1 })
            .options(IndexOptions::default())
            .build()
    };
    mongo
        .collection(COLLECTION)
        .create_indexes([index("userId"), index("expiresAt")])
        .await?;
    Ok(())
}

/// How many events wait.
pub async fn count(mongo: &Mongo) -> Result<u64, StoreError> {
    Ok(mongo.collection(COLLECTION).estimated_document_count().await?)
}

/// The events that wait longest, at most `limit`.
pub async fn list(mongo: &Mongo, limit: u32) -> Result<Vec<SetAsideEvent>, StoreError> {
    collect(mongo, doc! {}, doc! { "setAsideAt": 1 }, Some(limit)).await
}

/// A part of the events that wait, those that expire first first: of all customers, or of one.
pub async fn page(
    mongo: &Mongo,
    user: Option<&UserId>,
    offset: u32,
    limit: u32,
) -> Result<Vec<SetAsideEvent>, StoreError> {
    let filter = user.map_or_else(Document::new, |user| doc! { "userId": user.as_str() });
    let collection = mongo.collection(COLLECTION);
    let found = collection
        .find(filter)
        .sort(doc! { "expiresAt": 1 })
        .skip(offset.into())
        .limit(limit.into())
        .await?;
    read_all(found).await
}

/// How many events wait for a customer.
pub async fn count_of(mongo: &Mongo, user: &UserId) -> Result<u64, StoreError> {
    let filter = doc! { "userId": user.as_str() };
    Ok(mongo.collection(COLLECTION).count_documents(filter).await?)
}

/// The event that came from this place, if it still waits.
pub async fn find(
    mongo: &Mongo,
    topic_id: &str,
    partition: i32,
    offset: i64,
) -> Result<Option<SetAsideEvent>, StoreError> {
    let id = doc! { "topicId": topic_id, "partition": partition, "offset": offset };
    let found = mongo.collection(COLLECTION).find(doc! { "_id": id }).await?;
    Ok(read_all(found).await?.pop())
}

/// The events whose time is over at `now`, at most `limit`.
pub async fn expired(mongo: &Mongo, now: DateTime<Utc>, limit: u32) -> Result<Vec<SetAsideEvent>, StoreError> {
    let filter = doc! { "expiresAt": { "$lte": values::date(now) } };
    collect(mongo, filter, doc! { "expiresAt": 1 }, Some(limit)).await
}

/// What waits for these customers, by customer, in the order in which it came.
pub(super) async fn of_customers(
    mongo: &Mongo,
    users: &[&UserId],
) -> Result<HashMap<UserId, Vec<SetAsideEvent>>, StoreError> {
    let mut waiting: HashMap<UserId, Vec<SetAsideEvent>> = HashMap::new();
    // Mostly nobody waits, and then one look saves a search for every customer of the batch.
    let collection = mongo.collection(COLLECTION);
    let anyone = collection.find_one(doc! {}).projection(doc! { "_id": 1 }).await?;
    if anyone.is_none() {
        return Ok(waiting);
    }
    let ids: Vec<&str> = users.iter().map(|user| user.as_str()).collect();
    let order = doc! { "setAsideAt": 1, "_id.topicId": 1, "_id.partition": 1, "_id.offset": 1 };
    for event in collect(mongo, doc! { "userId": { "$in": ids } }, order, None).await? {
        waiting.entry(event.user_id.clone()).or_default().push(event);
    }
    for events in waiting.values_mut() {
        in_order_of_the_log(events);
    }
    Ok(waiting)
}

/// Puts events of one partition into their order there, whatever the clocks said of the processes that set them aside. The
/// partition from which one came first goes first.
fn in_order_of_the_log(events: &mut [SetAsideEvent]) {
    let mut partitions: Vec<PartitionId> = Vec::new();
    for event in events.iter() {
        if !partitions.contains(&event.partition) {
            partitions.push(event.partition.clone());
        }
    }
    let place = |event: &SetAsideEvent| partitions.iter().position(|partition| *partition == event.partition);
    events.sort_by_key(|event| (place(event), event.offset));
}

/// Customers who are known by now although events still wait for them, as when the API created them; at most `limit`.
pub async fn customers_that_appeared(mongo: &Mongo, limit: u32) -> Result<Vec<UserId>, StoreError> {
    let lookup = doc! { "from": users::COLLECTION, "localField": "_id", "foreignField": "userId", "as": "user",
    "pipeline": [{ "$project": { "_id": 1 } }] };
    let stages = [
        doc! { "$group": { "_id": "$userId" } },
        doc! { "$lookup": lookup },
        doc! { "$match": { "user": { "$ne": [] } } },
        doc! { "$limit": limit },
    ];
    let mut found = mongo.collection(COLLECTION).aggregate(stages).await?;
    let mut appeared = Vec::new();
    while let Some(group) = found.try_next().await? {
        appeared.extend(group.get_str("_id").ok().and_then(|id| UserId::parse(id).ok()));
    }
    Ok(appeared)
}

/// Forgets an event that went to the dead letters. Says whether it was still there.
pub async fn forget(mongo: &Mongo, event: &SetAsideEvent) -> Result<bool, StoreError> {
    let deleted = mongo
        .collection(COLLECTION)
        .delete_one(doc! { "_id": key(event) })
        .await?;
    Ok(deleted.deleted_count > 0)
}

/// The statement of an `update` command that sets `event` aside, once however often it is made.
pub(super) fn statement(event: &SetAsideEvent) -> Document {
    let headers: Vec<Bson> = event
        .headers
        .iter()
        .map(|(name, value)| doc! { "name": name.as_str(), "value": value.as_deref().map(binary) }.into())
        .collect();
    doc! {
        "q": { "_id": key(event) },
        "u": { "$setOnInsert": {
            "topic": event.partition.topic.as_str(),
            "userId": event.user_id.as_str(),
            "type": event.kind.as_str(),
            "key": event.key.as_deref().map(binary),
            "value": binary(&event.value),
            "headers": headers,
            "recordTime": event.record_time.map(values::date),
            "setAsideAt": values::date(event.set_aside_at),
            "expiresAt": values::date(event.expires_at),
        } },
        "upsert": true,
    }
}

pub(super) fn key(event: &SetAsideEvent) -> Document {
    let mut key = event.partition.key();
    key.insert("offset", event.offset);
    key
}

fn binary(bytes: &[u8]) -> Bson {
    Bson::Binary(Binary {
        subtype: BinarySubtype::Generic,
        bytes: bytes.to_vec(),
    })
}

async fn collect(
    mongo: &Mongo,
    filter: Document,
    order: Document,
    limit: Option<u32>,
) -> Result<Vec<SetAsideEvent>, StoreError> {
    let collection = mongo.collection(COLLECTION);
    let mut find = collection.find(filter).sort(order);
    if let Some(limit) = limit {
        find = find.limit(limit.into());
    }
    read_all(find.await?).await
}

async fn read_all(mut found: Cursor<Document>) -> Result<Vec<SetAsideEvent>, StoreError> {
    let mut events = Vec::new();
    while let Some(document) = found.try_next().await? {
        let event = read(&document).ok_or_else(|| StoreError::Corrupt {
            collection: COLLECTION,
            id: document.get("_id").map(ToString::to_string).unwrap_or_default(),
            problem: "it is not an event as it was set aside".to_owned(),
        })?;
        events.push(event);
    }
    Ok(events)
}

fn read(document: &Document) -> Option<SetAsideEvent> {
    let id = document.get_document("_id").ok()?;
    let date = |field: &str| document.get_datetime(field).ok().map(|date| values::moment(*date));
    let headers = document.get_array("headers").ok()?.iter().filter_map(|header| {
        let header = header.as_document()?;
        Some((
            header.get_str("name").ok()?.to_owned(),
            header.get_binary_generic("value").ok().cloned(),
        ))
    });
    Some(SetAsideEvent {
        partition: PartitionId {
            topic: document.get_str("topic").ok()?.to_owned(),
            topic_id: id.get_str("topicId").ok()?.to_owned(),
            partition: id.get_i32("partition").ok()?,
        },
        offset: id.get_i64("offset").ok()?,
        user_id: UserId::parse(document.get_str("userId").ok()?).ok()?,
        kind: document.get_str("type").ok()?.to_owned(),
        key: document.get_binary_generic("key").ok().cloned(),
        value: document.get_binary_generic("value").ok()?.clone(),
        headers: headers.collect(),
        record_time: date("recordTime"),
        set_aside_at: date("setAsideAt")?,
        expires_at: date("expiresAt")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_a_partition_keep_their_order_though_a_clock_jumped() {
        let event = |partition, offset, hour| SetAsideEvent {
            partition: PartitionId {
                topic: "customers".to_owned(),
                topic_id: "topic".to_owned(),
                partition,
            },
            offset,
            user_id: UserId::parse("c").unwrap(),
            kind: "Customer.Updated".to_owned(),
            key: None,
            value: Vec::new(),
            headers: Vec::new(),
            record_time: None,
            set_aside_at: DateTime::UNIX_EPOCH + chrono::TimeDelta::hours(hour),
            expires_at: DateTime::UNIX_EPOCH,
        };
        // The one at 5 was set aside by a process whose clock was an hour ahead.
        let mut events = [event(1, 6, 0), event(2, 1, 0), event(1, 5, 1), event(1, 7, 2)];
        in_order_of_the_log(&mut events);
        let places = events.map(|event| (event.partition.partition, event.offset));
        assert_eq!(places, [(1, 5), (1, 6), (1, 7), (2, 1)]);
    }
}
