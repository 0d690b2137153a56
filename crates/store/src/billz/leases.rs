//! `leases`: who may work on one order, one client's phone, or one queue of notifications right now, across processes.
//!
//! A lease runs out by itself when its holder dies. All times are the server's (`$$NOW`), so that a worker whose clock is
//! wrong takes nothing from the others. Each time that a lease changes hands its fence grows; what the holder writes can
//! carry the fence, so that a holder that was replaced writes nothing any more.

use std::time::Duration;

use bson::{Bson, Document, doc};
use mongodb::options::ReturnDocument;

use crate::{Mongo, StoreError, database::primary_only};

/// How long a lease's document outlives its last use, and with it what was remembered there.
const KEPT: Duration = Duration::from_hours(24);

/// A lease that is held.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldLease {
    /// Grows with every change of hands.
    pub fence: i64,
    /// What an earlier holder left for the next ones.
    pub memory: Document,
    /// Milliseconds since `memory` was written, by the server's clock.
    pub memory_age_ms: i64,
}

/// What becomes of what earlier holders noted on a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// It stays for the next ones.
    Left,
    /// It is taken off: the next ones find only what this holder notes, and nothing if it dies.
    Taken,
}

/// The collection `leases`.
#[derive(Debug, Clone)]
pub struct Leases(Mongo);

impl Leases {
    /// The collection in `mongo`.
    pub fn new(mongo: &Mongo) -> Self {
        Self(mongo.clone())
    }

    /// Takes the lease `key` for `owner`, who must be unique to one attempt at one job. `None` while another holds it.
    pub async fn acquire(
        &self,
        key: &str,
        owner: &str,
        length: Duration,
        memory: Memory,
    ) -> Result<Option<HeldLease>, StoreError> {
        // `$expr` is not allowed in the filter of an upsert, so the pipeline itself decides whether the lease is free.
        let mut pipeline = vec![
            doc! { "$set": { "free": { "$or": [
                { "$eq": ["$owner", owner] },
                { "$lte": [{ "$ifNull": ["$until", 0] }, { "$toLong": "$$NOW" }] },
            ] } } },
            doc! { "$set": {
                "fence": { "$cond": ["$free",
                    { "$cond": [{ "$eq": ["$owner", owner] }, "$fence",
                        // The clock keeps the fence growing even where the document was deleted in between.
                        { "$max": [{ "$add": [{ "$ifNull": ["$fence", 0] }, 1] }, { "$toLong": "$$NOW" }] }] },
                    "$fence"] },
            } },
            doc! { "$set": {
                "owner": { "$cond": ["$free", owner, "$owner"] },
                "until": { "$cond": ["$free", { "$add": [{ "$toLong": "$$NOW" }, millis(length)] }, "$until"] },
                "expiresAt": { "$cond": ["$free", { "$add": ["$$NOW", millis(length + KEPT)] }, "$expiresAt"] },
                "now": { "$cond": ["$free", { "$toLong": "$$NOW" }, "$now"] },
            } },
        ];
        if memory == Memory::Taken {
            pipeline.push(doc! { "$set": {
                "taken": { "$cond": ["$free", { "$ifNull": ["$memory", { "$literal": {} }] }, "$taken"] },
                "memory": { "$cond": ["$free", { "$literal": {} }, "$memory"] },
            } });
        }
        pipeline.push(doc! { "$unset": "free" });
        let found = upsert(&self.0, "leases", key, pipeline).await?;
        if found.get_str("owner").ok() != Some(owner) {
            return Ok(None);
        }
        let now = found.get_i64("now").unwrap_or_default();
        let memory = match memory {
            Memory::Left => "memory",
            Memory::Taken => "taken",
        };
        Ok(Some(HeldLease {
            fence: found.get_i64("fence").unwrap_or_default(),
            memory_age_ms: now - found.get_i64("rememberedAt").unwrap_or(now),
            memory: found.get_document(memory).cloned().unwrap_or_default(),
        }))
    }

    /// Prolongs the leases `keys` of `owner`. Says how many of them are still held.
    pub async fn renew(&self, keys: &[String], owner: &str, length: Duration) -> Result<u64, StoreError> {
        let pipeline = vec![doc! { "$set": {
            "until": { "$add": [{ "$toLong": "$$NOW" }, millis(length)] },
            "expiresAt": { "$add": ["$$NOW", millis(length + KEPT)] },
        } }];
        let held =
            doc! { "_id": { "$in": keys }, "owner": owner, "$expr": { "$gt": ["$until", { "$toLong": "$$NOW" }] } };
        Ok(self
            .0
            .collection("leases")
            .update_many(held, pipeline)
            .await?
            .matched_count)
    }

    /// Leaves `memory` for the next holders. Says whether the lease was still held.
    pub async fn remember(&self, key: &str, owner: &str, memory: Document) -> Result<bool, StoreError> {
        let pipeline =
            vec![doc! { "$set": { "memory": { "$literal": memory }, "rememberedAt": { "$toLong": "$$NOW" } } }];
        let written = self
            .0
            .collection("leases")
            .update_one(doc! { "_id": key, "owner": owner }, pipeline)
            .await?;
        Ok(written.matched_count == 1)
    }

    /// Leaves `memory` on a lease that nobody has held yet, without taking it. Does nothing where somebody has.
    pub async fn note_unheld(&self, key: &str, memory: Document) -> Result<(), StoreError> {
        let pipeline = vec![doc! { "$set": {
            "memory": { "$literal": memory }, "rememberedAt": { "$toLong": "$$NOW" },
            "expiresAt": { "$add": ["$$NOW", millis(KEPT)] },
        } }];
        let noted = self
            .0
            .collection("leases")
            .update_one(doc! { "_id": key, "fence": { "$exists": false } }, pipeline)
            .upsert(true)
            .write_concern(primary_only())
            .await
            .map_err(StoreError::from);
        match noted {
            Ok(_) | Err(StoreError::Duplicate { .. }) => Ok(()),
            Err(other) => Err(other),
        }
    }

    /// Gives the leases `keys` back. One whose release is lost runs out by itself.
    pub async fn release(&self, keys: &[String], owner: &str) -> Result<(), StoreError> {
        let change = doc! { "$set": { "until": 0_i64 }, "$unset": { "owner": "" } };
        self.0
            .collection("leases")
            .update_many(doc! { "_id": { "$in": keys }, "owner": owner }, change)
            .write_concern(primary_only())
            .await?;
        Ok(())
    }

    /// Gives the lease `key` back and leaves `memory` for the next holders, in one.
    pub async fn release_noting(&self, key: &str, owner: &str, memory: Document) -> Result<(), StoreError> {
        let pipeline = vec![
            doc! { "$set": {
                "until": 0_i64, "memory": { "$literal": memory }, "rememberedAt": { "$toLong": "$$NOW" },
            } },
            doc! { "$unset": "owner" },
        ];
        self.0
            .collection("leases")
            .update_one(doc! { "_id": key, "owner": owner }, pipeline)
            .write_concern(primary_only())
            .await?;
        Ok(())
    }
}

/// A duration as the 64-bit milliseconds that the server's arithmetic takes.
pub(crate) fn millis(length: Duration) -> Bson {
    Bson::Int64(i64::try_from(length.as_millis()).unwrap_or(i64::MAX / 4))
}

/// Runs `pipeline` on the document `key`, which is made if it is not there, and returns what it became.
///
/// Two upserts of one new document at the same moment can collide on its `_id`; the loser then finds it there.
pub(crate) async fn upsert(
    mongo: &Mongo,
    collection: &str,
    key: impl Into<Bson>,
    pipeline: Vec<Document>,
) -> Result<Document, StoreError> {
    let collection = mongo.collection(collection);
    let key = key.into();
    loop {
        let found = collection
            .find_one_and_update(doc! { "_id": &key }, pipeline.clone())
            .upsert(true)
            .return_document(ReturnDocument::After)
            .await
            .map_err(StoreError::from);
        match found {
            Ok(found) => return Ok(found.unwrap_or_default()),
            Err(StoreError::Duplicate { .. }) => {}
            Err(other) => return Err(other),
        }
    }
}
