//! The indexes of what the operations pages keep, made in the background.

use std::time::Duration;

use bson::{Document, doc};
use mongodb::{IndexModel, options::IndexOptions};

use super::{ended_sessions, replays};
use crate::{Mongo, StoreError};

fn plain(keys: Document) -> IndexModel {
    IndexModel::builder().keys(keys).build()
}

fn expiring() -> IndexModel {
    let options = IndexOptions::builder().expire_after(Duration::ZERO).build();
    IndexModel::builder()
        .keys(doc! { "expiresAt": 1 })
        .options(options)
        .build()
}

/// Makes the indexes that are missing.
pub async fn ensure(mongo: &Mongo) -> Result<(), StoreError> {
    mongo
        .collection("operations_audit")
        .create_indexes([plain(doc! { "at": -1, "_id": -1 }), expiring()])
        .await?;
    for collection in [
        ended_sessions::COLLECTION,
        "operations_processes",
        replays::COLLECTION,
        "operations_samples",
    ] {
        mongo.collection(collection).create_indexes([expiring()]).await?;
    }
    Ok(())
}
