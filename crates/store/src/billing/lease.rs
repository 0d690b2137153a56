//! `event_leases`: rights that one process has at a time, such as that to publish.

use std::time::Duration;

use bson::{DateTime, doc};

use crate::{
    Mongo, StoreError,
    billz::leases::{millis, upsert},
};

/// The collection's name.
pub const COLLECTION: &str = "event_leases";

/// How long giving a right back may take.
const GIVEN_BACK_WITHIN: Duration = Duration::from_secs(2);

/// Takes or keeps the right `name`: `holder` has it for `term` from now on, unless another one has it. It is MongoDB's
/// clock that tells the time: those of the processes differ.
pub async fn take(mongo: &Mongo, name: &str, holder: &str, term: Duration) -> Result<bool, StoreError> {
    let until = doc! { "$ifNull": ["$until", DateTime::from_millis(0)] };
    let pipeline = vec![
        doc! { "$set": { "free": { "$or": [
            { "$eq": ["$holder", { "$literal": holder }] },
            { "$lte": [until, "$$NOW"] },
        ] } } },
        doc! { "$set": {
            "holder": { "$cond": ["$free", { "$literal": holder }, "$holder"] },
            "until": { "$cond": ["$free", { "$add": ["$$NOW", millis(term)] }, "$until"] },
        } },
        doc! { "$unset": "free" },
    ];
    let found = upsert(mongo, COLLECTION, name, pipeline).await?;
    Ok(found.get_str("holder").ok() == Some(holder))
}

/// Gives a right back, so that another process need not wait for the end of its term. Only a courtesy: it is left alone where
/// MongoDB does not answer at once, so that a process that stops does not wait for a database that is silent.
pub async fn give_back(mongo: &Mongo, name: &str, holder: &str) {
    let collection = mongo.collection(COLLECTION);
    let deleted = collection.delete_one(doc! { "_id": name, "holder": holder });
    let given_back = tokio::time::timeout(GIVEN_BACK_WITHIN, deleted.into_future()).await;
    if !matches!(given_back, Ok(Ok(_))) {
        tracing::debug!("the right `{name}` was not given back; it ends by itself");
    }
}
