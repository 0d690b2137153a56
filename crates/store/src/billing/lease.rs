//! `event_leases`: rights that one process has at a time, such as that to publish.

use std::time::Duration;

use bson::{DateTime as BsonDateTime, doc};
use chrono::{DateTime, Utc};

use crate::{Mongo, StoreError, values};

/// The collection's name.
pub const COLLECTION: &str = "event_leases";

/// Takes or keeps the right `name`: `holder` has it for `term` from now on, unless another one has it.
pub async fn take(
    mongo: &Mongo,
    name: &str,
    holder: &str,
    term: Duration,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let until = now
        .timestamp_millis()
        .saturating_add(i64::try_from(term.as_millis()).unwrap_or(i64::MAX));
    let free = doc! {
        "_id": name,
        "$or": [{ "holder": holder }, { "until": { "$lte": values::date(now) } }],
    };
    let taken = mongo
        .collection(COLLECTION)
        .update_one(
            free,
            doc! { "$set": { "holder": holder, "until": BsonDateTime::from_millis(until) } },
        )
        .upsert(true)
        .await;
    match taken.map_err(StoreError::from) {
        Ok(_) => Ok(true),
        // Somebody else's lease is there and does not match, so the upsert met its `_id`.
        Err(StoreError::Duplicate { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Gives a right back, so that another process need not wait for its end.
pub async fn give_back(mongo: &Mongo, name: &str, holder: &str) -> Result<(), StoreError> {
    mongo
        .collection(COLLECTION)
        .delete_one(doc! { "_id": name, "holder": holder })
        .await?;
    Ok(())
}
