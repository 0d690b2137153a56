//! `operations_replays`: which dead letters were put back from the operations pages, one by one or several at once. The
//! offsets of a consumer group, which tell of those that were put back all together, cannot say this.

use std::{collections::HashMap, time::Duration};

use bson::{Document, doc};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::TryStreamExt;

use crate::{
    Mongo, StoreError,
    values::{date, moment},
};

/// The collection's name.
pub const COLLECTION: &str = "operations_replays";

/// How long this is remembered; dead letters are rarely kept for longer.
pub const KEPT: Duration = Duration::from_hours(90 * 24);

/// Notes that the dead letters at `places` (`topic/partition/offset`) were put back.
pub async fn note(mongo: &Mongo, places: &[String], now: DateTime<Utc>) -> Result<(), StoreError> {
    if places.is_empty() {
        return Ok(());
    }
    let expires_at = now + TimeDelta::from_std(KEPT).unwrap_or(TimeDelta::MAX);
    let statements: Vec<Document> = places
        .iter()
        .map(|place| {
            doc! {
                "q": { "_id": place.as_str() },
                "u": { "$set": { "at": date(now), "expiresAt": date(expires_at) } },
                "upsert": true,
            }
        })
        .collect();
    let reply = mongo
        .database()
        .run_command(doc! { "update": COLLECTION, "updates": statements, "ordered": false })
        .await?;
    StoreError::of_reply(&reply).map_or(Ok(()), Err)
}

/// When those of the dead letters at `places` were put back that were.
pub async fn of(mongo: &Mongo, places: &[String]) -> Result<HashMap<String, DateTime<Utc>>, StoreError> {
    let mut replayed = HashMap::new();
    if places.is_empty() {
        return Ok(replayed);
    }
    let mut found = mongo
        .collection(COLLECTION)
        .find(doc! { "_id": { "$in": places } })
        .await?;
    while let Some(document) = found.try_next().await? {
        if let (Ok(place), Ok(at)) = (document.get_str("_id"), document.get_datetime("at")) {
            replayed.insert(place.to_owned(), moment(*at));
        }
    }
    Ok(replayed)
}
