//! The indexes of the worker's database. They are made in the background at start; one of ours that exists in another
//! shape is reported and left as it is.

use std::time::Duration;

use bson::{Document, doc};
use futures_util::TryStreamExt;
use mongodb::{IndexModel, options::IndexOptions};

use crate::{Mongo, StoreError};

struct Wanted {
    collection: &'static str,
    keys: Document,
    unique: bool,
    expires: bool,
    partial: Option<Document>,
}

fn plain(collection: &'static str, keys: Document) -> Wanted {
    Wanted {
        collection,
        keys,
        unique: false,
        expires: false,
        partial: None,
    }
}

/// Every index, as the contract lists them for the historical collections, and what our own queries need.
pub(crate) fn wanted() -> Vec<(&'static str, IndexModel)> {
    let mut wanted = Vec::new();
    for field in [
        "deliveryStatus",
        "createdAt",
        "updatedAt",
        "orderID",
        "order_number",
        "clientID",
        "clientIdSys",
        "storeId",
        "regionId",
        "subRegionId",
        "driverId",
        "deliveryTime",
        "isPaid",
        "isRefund",
        "billzId",
    ] {
        wanted.push(plain("orders", doc! { field: 1 }));
    }
    // Where orders are: a plain compound index serves boxes on the map. The historical 2dsphere index on the same field took
    // the latitude for a longitude and refused real places, so it is not made.
    wanted.push(plain(
        "orders",
        doc! { "coordinates.latitude": 1, "coordinates.longitude": 1 },
    ));
    wanted.push(plain("logs", doc! { "section": 1, "action": 1 }));
    wanted.push(plain("logs", doc! { "createdAt": -1 }));
    for field in ["correlationId", "success", "orderId"] {
        wanted.push(plain("logs", doc! { field: 1 }));
    }
    for field in ["updatedAt", "correlationId", "jobId", "orderId"] {
        wanted.push(plain("operations", doc! { field: 1 }));
    }
    wanted.push(plain("operations", doc! { "type": 1, "state": 1, "updatedAt": -1 }));
    wanted.push(plain("order_sagas", doc! { "state": 1, "updatedAt": 1 }));
    // What people look through.
    wanted.push(plain("operations", doc! { "type": 1, "updatedAt": -1 }));
    wanted.push(plain("operations", doc! { "state": 1, "updatedAt": -1 }));
    wanted.push(plain("job_attempts", doc! { "jobId": 1, "beganAt": -1 }));
    wanted.push(plain("job_attempts", doc! { "phoneHash": 1, "beganAt": -1 }));
    wanted.push(plain("order_sagas", doc! { "jobId": 1 }));
    wanted.push(plain("clients", doc! { "phone": 1 }));
    wanted.push(plain("orders", doc! { "isPaid": 1, "createdAt": -1 }));
    wanted.push(plain("orders", doc! { "billzId": 1, "createdAt": -1 }));
    wanted.push(plain("orders", doc! { "billzError": 1 }));
    wanted.push(plain("notifications", doc! { "state": 1, "due": 1 }));
    wanted.push(plain("notifications", doc! { "fold": 1, "takenAt": -1 }));
    wanted.push(Wanted {
        unique: true,
        partial: Some(doc! { "state": "waiting", "fold": { "$exists": true } }),
        ..plain("notifications", doc! { "fold": 1 })
    });
    for collection in [
        "operations",
        "job_attempts",
        "order_sagas",
        "leases",
        "sale_claims",
        "notifications",
    ] {
        wanted.push(Wanted {
            expires: true,
            ..plain(collection, doc! { "expiresAt": 1 })
        });
    }
    wanted.iter().map(|index| (index.collection, model(index))).collect()
}

/// Makes the indexes that are missing. Returns a sentence for each that exists in another shape or could not be made.
pub async fn ensure(mongo: &Mongo) -> Result<Vec<String>, StoreError> {
    let mut reports = Vec::new();
    let wanted = wanted();
    let mut collections: Vec<_> = wanted.iter().map(|(collection, _)| *collection).collect();
    collections.sort_unstable();
    collections.dedup();
    for collection in collections {
        let existing = existing(mongo, collection).await?;
        let mut missing = Vec::new();
        for (_, index) in wanted.iter().filter(|(of, _)| *of == collection) {
            match find_twin(index, &existing) {
                Some(twin) => reports.extend(
                    difference(collection, index, twin).map(|difference| format!("{difference}; it was left as it is")),
                ),
                None => missing.push(index.clone()),
            }
        }
        reports.extend(create(mongo, collection, missing).await?);
    }
    Ok(reports)
}

/// Makes indexes all at once, or one by one where one of them stands in the way of the others.
async fn create(mongo: &Mongo, collection: &str, missing: Vec<IndexModel>) -> Result<Vec<String>, StoreError> {
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    match mongo
        .collection(collection)
        .create_indexes(missing.clone())
        .await
        .map_err(StoreError::from)
    {
        Ok(_) => return Ok(Vec::new()),
        Err(StoreError::Unavailable(error)) => return Err(StoreError::Unavailable(error)),
        Err(_) => {}
    }
    let mut reports = Vec::new();
    for index in missing {
        let keys = index.keys.clone();
        match mongo
            .collection(collection)
            .create_index(index)
            .await
            .map_err(StoreError::from)
        {
            Ok(_) => {}
            Err(StoreError::Unavailable(error)) => return Err(StoreError::Unavailable(error)),
            Err(other) => reports.push(format!(
                "the index on {keys} of `{collection}` could not be made and is not there: {other}"
            )),
        }
    }
    Ok(reports)
}

/// The existing index that is on the same fields, for the same documents.
pub(crate) fn find_twin<'a>(wanted: &IndexModel, existing: &'a [IndexModel]) -> Option<&'a IndexModel> {
    let partial = |index: &IndexModel| {
        let options = index.options.as_ref()?;
        options.partial_filter_expression.clone()
    };
    existing
        .iter()
        .find(|index| same_keys(&index.keys, &wanted.keys) && partial(index) == partial(wanted))
}

/// What is different about an index that exists, if anything.
pub(crate) fn difference(collection: &str, wanted: &IndexModel, twin: &IndexModel) -> Option<String> {
    let unique = |index: &IndexModel| index.options.as_ref().and_then(|options| options.unique) == Some(true);
    let expires = |index: &IndexModel| {
        let options = index.options.as_ref();
        options.is_some_and(|options| options.expire_after.is_some())
    };
    let shape = |index: &IndexModel| format!("unique={}, expiring={}", unique(index), expires(index));
    (shape(wanted) != shape(twin)).then(|| {
        format!(
            "the index on {} of `{collection}` exists in another shape: found {}, expected {}",
            wanted.keys,
            shape(twin),
            shape(wanted)
        )
    })
}

fn model(wanted: &Wanted) -> IndexModel {
    let mut options = IndexOptions::default();
    options.unique = wanted.unique.then_some(true);
    options.expire_after = wanted.expires.then_some(Duration::ZERO);
    options.partial_filter_expression.clone_from(&wanted.partial);
    // Two indexes on one field need two names.
    options.name = wanted.partial.is_some().then(|| "one_waiting_per_fold".to_owned());
    IndexModel::builder().keys(wanted.keys.clone()).options(options).build()
}

/// The indexes of a collection; none where it is not there yet.
pub(crate) async fn existing(mongo: &Mongo, collection: &str) -> Result<Vec<IndexModel>, StoreError> {
    match mongo.collection(collection).list_indexes().await {
        Ok(cursor) => Ok(cursor.try_collect().await?),
        Err(error) => match StoreError::from(error) {
            StoreError::Unavailable(error) => Err(StoreError::Unavailable(error)),
            // The collection is not there yet, and so are its indexes.
            _ => Ok(Vec::new()),
        },
    }
}

/// Whether two indexes are on the same fields in the same directions, however the numbers were stored.
fn same_keys(left: &Document, right: &Document) -> bool {
    let shape = |keys: &Document| -> Vec<(String, String)> {
        keys.iter()
            .map(|(name, direction)| {
                let direction = match direction {
                    bson::Bson::Int32(number) => number.to_string(),
                    bson::Bson::Int64(number) => number.to_string(),
                    bson::Bson::Double(number) => number.to_string(),
                    other => other.to_string(),
                };
                (name.clone(), direction)
            })
            .collect()
    };
    shape(left) == shape(right)
}
