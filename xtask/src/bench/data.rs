//! Users and billings as both services store them, in bulk.

use std::ops::Range;

use anyhow::Result;
use bson::{DateTime, RawDocumentBuf, oid::ObjectId, rawdoc};
use mongodb::Database;

/// Documents in one command.
const AT_ONCE: u64 = 5_000;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// How a user of a number is called.
pub(super) fn user_id(number: u64) -> String {
    format!("user-{number}")
}

/// The number of a billing as its id: nine digits.
pub(super) fn billing_id(number: u64) -> String {
    format!("{number:09}")
}

/// Stores users of these numbers and returns their `_id`s.
pub(super) async fn users(database: &Database, numbers: Range<u64>) -> Result<Vec<ObjectId>> {
    let ids: Vec<ObjectId> = numbers.clone().map(|_| ObjectId::new()).collect();
    let now = DateTime::now();
    let documents = ids.iter().zip(numbers).map(|(id, number)| {
        rawdoc! {
            "_id": *id,
            "userId": user_id(number),
            "address": {
                "city": "Cali", "country": "Colombia", "zipCode": "760001", "address": format!("Calle 13 #64-{number}"),
            },
            "isActive": true,
            "createdAt": now,
            "updatedAt": now,
            "__v": 0,
        }
    });
    insert(database, "users", documents).await?;
    Ok(ids)
}

/// Stores billings of these numbers, which begin at 1, for the first `users` users in turn, and sets the counter to the
/// last of them.
pub(super) async fn billings(database: &Database, numbers: Range<u64>, users: u64) -> Result<()> {
    let now = DateTime::now();
    let due = DateTime::from_millis(now.timestamp_millis() + 14 * DAY_MS);
    let last = numbers.end - 1;
    let documents = numbers.map(|number| {
        rawdoc! {
            "_id": ObjectId::new(),
            "userId": user_id(number % users),
            "billingId": billing_id(number),
            "generationDate": now,
            "dueDate": due,
            "serviceId": "1",
            "totalInvoice": 125_000,
            "isPaid": false,
            "paymentDate": null,
            "createdAt": now,
            "updatedAt": now,
            "__v": 0,
        }
    });
    insert(database, "billings", documents).await?;
    database
        .collection::<RawDocumentBuf>("counters")
        .update_one(
            bson::doc! { "_id": "billingId" },
            bson::doc! { "$set": { "seq": i32::try_from(last)? } },
        )
        .upsert(true)
        .await?;
    Ok(())
}

async fn insert(database: &Database, collection: &str, documents: impl Iterator<Item = RawDocumentBuf>) -> Result<()> {
    let collection = database.collection::<RawDocumentBuf>(collection);
    let mut documents = documents;
    loop {
        let some: Vec<RawDocumentBuf> = documents.by_ref().take(usize::try_from(AT_ONCE)?).collect();
        if some.is_empty() {
            return Ok(());
        }
        collection.insert_many(some).await?;
    }
}
