//! `operations_ended_sessions`: sessions of the operations pages that their owners ended before their time, so that no process
//! with the same key takes their cookies any more.

use bson::{Document, doc};
use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;

use crate::{
    Mongo, StoreError,
    values::{date, moment},
};

/// The collection's name.
pub const COLLECTION: &str = "operations_ended_sessions";

/// The most sessions that are read; those that would have lasted longest are.
const MOST: i64 = 10_000;

/// Notes that the session `id` was ended. It is remembered until `until`, when it would have ended anyway.
pub async fn note(mongo: &Mongo, id: &str, until: DateTime<Utc>) -> Result<(), StoreError> {
    mongo
        .collection(COLLECTION)
        .update_one(doc! { "_id": id }, doc! { "$set": { "expiresAt": date(until) } })
        .upsert(true)
        .await?;
    Ok(())
}

/// The sessions that were ended, each with the time until which it is remembered.
pub async fn all(mongo: &Mongo) -> Result<Vec<(String, DateTime<Utc>)>, StoreError> {
    let found: Vec<Document> = mongo
        .collection(COLLECTION)
        .find(doc! {})
        .sort(doc! { "expiresAt": -1 })
        .limit(MOST)
        .await?
        .try_collect()
        .await?;
    let read = |document: &Document| {
        let id = document.get_str("_id").ok()?.to_owned();
        Some((id, moment(*document.get_datetime("expiresAt").ok()?)))
    };
    Ok(found.iter().filter_map(read).collect())
}
