//! Billings as creations that arrive together make them: one transaction after another, each with as many as there are
//! connections.

use std::time::Duration;

use anyhow::Result;
use bson::{DateTime, Document, RawDocumentBuf, doc, oid::ObjectId, rawdoc};
use futures_util::TryStreamExt as _;
use mongodb::{Client, Database, options::ReturnDocument};

use super::super::{data, figures::float, ground::Ground, meter::Used, rest::CONNECTIONS, wrk::Answers};

pub(in crate::bench) async fn run(
    ground: &Ground,
    database: &str,
    users: u64,
    lasts: Duration,
) -> Result<(Answers, Used)> {
    let client = super::client(ground, 1).await?;
    let name = database.to_owned();
    let (mut answers, used) = super::repeat(ground, 1, lasts, move |number| {
        let (client, name) = (client.clone(), name.clone());
        async move { together(&client, &client.database(&name), number, users).await }
    })
    .await?;
    answers.requests *= float(u64::from(CONNECTIONS));
    Ok((answers, used))
}

/// One transaction: the users are found, the numbers taken, the billings inserted.
async fn together(client: &Client, database: &Database, number: usize, users: u64) -> Result<()> {
    let wanted = u64::from(CONNECTIONS).min(users);
    let first = u64::try_from(number)? * wanted;
    let ids: Vec<String> = (first..first + wanted)
        .map(|number| data::user_id(number % users))
        .collect();
    let mut session = client.start_session().await?;
    session.start_transaction().await?;
    let mut found = database
        .collection::<RawDocumentBuf>("users")
        .find(doc! { "userId": { "$in": &ids } })
        .projection(doc! { "userId": 1, "isActive": 1 })
        .session(&mut session)
        .await?;
    while found.stream(&mut session).try_next().await?.is_some() {}
    let counter = database
        .collection::<Document>("counters")
        .find_one_and_update(
            doc! { "_id": "billingId" },
            doc! { "$inc": { "seq": i32::try_from(CONNECTIONS)? } },
        )
        .return_document(ReturnDocument::After)
        .session(&mut session)
        .await?;
    let last = counter
        .and_then(|counter| counter.get_i32("seq").ok())
        .unwrap_or_default();
    let now = DateTime::now();
    let billings = (0..u64::from(CONNECTIONS)).map(|index| {
        let number = u64::try_from(last).unwrap_or_default() - index;
        rawdoc! {
            "_id": ObjectId::new(),
            "userId": data::user_id((first + index) % users),
            "billingId": data::billing_id(number),
            "generationDate": now,
            "dueDate": now,
            "serviceId": "1",
            "totalInvoice": 125_000,
            "isPaid": false,
            "paymentDate": null,
            "createdAt": now,
            "updatedAt": now,
            "__v": 0,
        }
    });
    database
        .collection::<RawDocumentBuf>("billings")
        .insert_many(billings)
        .session(&mut session)
        .await?;
    session.commit_transaction().await?;
    Ok(())
}
