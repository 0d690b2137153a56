//! `event_positions`: how far each partition of the customer events has been applied to this database.
//!
//! A position belongs to the data, not to a consumer group: it is written in the transaction that writes the effects, so
//! a restored backup brings its own positions along, and a consumer of whatever group goes on exactly there.

use bson::{Bson, Document, doc};
use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use serde::Serialize;

use crate::{Mongo, StoreError, values};

/// The collection's name.
pub const COLLECTION: &str = "event_positions";

/// One partition of one topic. A topic that is deleted and created again under its name is another topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PartitionId {
    /// The topic's name.
    pub topic: String,
    /// The id that the broker gave the topic; of a broker that gives none, the name.
    pub topic_id: String,
    /// The partition's number.
    pub partition: i32,
}

impl PartitionId {
    pub(super) fn key(&self) -> Document {
        doc! { "topicId": self.topic_id.as_str(), "partition": self.partition }
    }
}

/// How far a partition has been read and applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Position {
    /// The offset of the next record to read.
    pub next: i64,
    /// Every record below this offset has taken effect. It is above `next` only after a reset.
    pub applied: i64,
}

/// A stored position with what it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredPosition {
    /// The partition.
    #[serde(flatten)]
    pub partition: PartitionId,
    /// How far it is.
    #[serde(flatten)]
    pub position: Position,
    /// The consumer group that moved it last.
    pub group: String,
    /// When it was moved last.
    pub moved_at: DateTime<Utc>,
}

/// The move of a position that goes with a batch.
#[derive(Debug, Clone)]
pub struct PositionMove<'a> {
    /// The partition.
    pub partition: &'a PartitionId,
    /// Where the position must stand for the batch to count; `None` where there must be none yet.
    pub from: Option<i64>,
    /// The offset after the batch's last record.
    pub to: i64,
    /// The consumer group that moves it.
    pub group: &'a str,
}

/// The position of one partition.
pub async fn find(mongo: &Mongo, partition: &PartitionId) -> Result<Option<Position>, StoreError> {
    let found = mongo
        .collection(COLLECTION)
        .find_one(doc! { "_id": partition.key() })
        .await?;
    found
        .map(|found| read(&found).map(|stored| stored.position))
        .transpose()
}

/// The positions of all partitions of the topics that have or had this name.
pub async fn of_topic(mongo: &Mongo, topic: &str) -> Result<Vec<StoredPosition>, StoreError> {
    let mut found = mongo.collection(COLLECTION).find(doc! { "topic": topic }).await?;
    let mut positions = Vec::new();
    while let Some(document) = found.try_next().await? {
        positions.push(read(&document)?);
    }
    positions.sort_by(|one, other| one.partition.cmp(&other.partition));
    Ok(positions)
}

/// Sets a position by hand. Records from `position.next` on are read again; those below `position.applied` take no second
/// effect. A consumer that works on the partition notices with its next batch.
pub async fn reset(
    mongo: &Mongo,
    partition: &PartitionId,
    position: Position,
    group: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let set = doc! {
        "topic": partition.topic.as_str(), "next": position.next, "applied": position.applied, "group": group,
        "updatedAt": values::date(now),
    };
    mongo
        .collection(COLLECTION)
        .update_one(doc! { "_id": partition.key() }, doc! { "$set": set })
        .upsert(true)
        .await?;
    Ok(())
}

/// The statement of an `update` command that makes `step`: it matches one document exactly if nobody else moved the
/// position meanwhile.
pub(super) fn statement(step: &PositionMove<'_>, now: DateTime<Utc>) -> Document {
    let mut filter = doc! { "_id": step.partition.key() };
    if let Some(from) = step.from {
        filter.insert("next", from);
    } else {
        // No document may match: an upsert then inserts, or meets one that is there and fails as a duplicate.
        filter.insert("next", doc! { "$exists": false });
    }
    doc! {
        "q": filter,
        "u": {
            "$set": {
                "topic": step.partition.topic.as_str(), "next": step.to, "group": step.group,
                "updatedAt": values::date(now),
            },
            "$max": { "applied": step.to },
        },
        "upsert": step.from.is_none(),
    }
}

fn read(document: &Document) -> Result<StoredPosition, StoreError> {
    let id = document.get_document("_id").ok();
    let whole = |field: &str| match document.get(field) {
        Some(Bson::Int64(whole)) => Some(*whole),
        Some(Bson::Int32(whole)) => Some(i64::from(*whole)),
        _ => None,
    };
    let found = || {
        let id = id?;
        Some(StoredPosition {
            partition: PartitionId {
                topic: document.get_str("topic").ok()?.to_owned(),
                topic_id: id.get_str("topicId").ok()?.to_owned(),
                partition: id.get_i32("partition").ok()?,
            },
            position: Position {
                next: whole("next")?,
                applied: whole("applied")?,
            },
            group: document.get_str("group").unwrap_or_default().to_owned(),
            moved_at: document
                .get_datetime("updatedAt")
                .map(|date| values::moment(*date))
                .unwrap_or_default(),
        })
    };
    found().ok_or_else(|| StoreError::Corrupt {
        collection: COLLECTION,
        id: id.map(ToString::to_string).unwrap_or_default(),
        problem: "`topic`, `next` and `applied` must be a text and two whole numbers".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition() -> PartitionId {
        PartitionId {
            topic: "customers".to_owned(),
            topic_id: "id".to_owned(),
            partition: 3,
        }
    }

    #[test]
    fn a_move_matches_only_where_the_position_still_stands() {
        let partition = partition();
        let step = |from| PositionMove {
            partition: &partition,
            from,
            to: 9,
            group: "g",
        };
        let moved = statement(&step(Some(5)), DateTime::UNIX_EPOCH);
        assert_eq!(moved.get_document("q").unwrap().get_i64("next").unwrap(), 5);
        assert!(!moved.get_bool("upsert").unwrap());
        assert!(statement(&step(None), DateTime::UNIX_EPOCH).get_bool("upsert").unwrap());
    }

    #[test]
    fn a_position_without_numbers_is_named_as_corrupt() {
        let error = read(&doc! { "_id": partition().key(), "topic": "customers", "next": "5" }).unwrap_err();
        assert!(error.to_string().contains("event_positions"), "{error}");
    }
}
