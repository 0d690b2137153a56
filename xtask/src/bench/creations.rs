//! `POST /api/billings`: every billing has the next number, and none is left out.

use anyhow::{Context as _, Result, ensure};
use bson::{Document, doc};
use mongodb::Database;
use serde_json::json;

use super::{
    bare,
    benchmark::Benchmark,
    data,
    figures::Contender,
    ground::Ground,
    rest::{CONNECTIONS, Load, spread},
    wrk::Requests,
};

pub(super) const CASE: &str = "`POST /api/billings`";
const CONTENDERS: [Contender; 3] = [Contender::Ours, Contender::Peer, Contender::Bare];
/// Billings that are there before.
const BEFORE: u64 = 1_000;

pub(super) async fn run(ground: &mut Ground) -> Result<()> {
    let users = ground.extent.size(10_000, 100);
    let requests = requests(ground, "creations", users)?;
    for round in 1..=ground.extent.rounds {
        for who in ground.turns(round, &CONTENDERS) {
            let name = "creations";
            let database = ground.database(name);
            data::users(&database, 0..users).await?;
            data::billings(&database, 1..BEFORE + 1, users).await?;
            let load = Load {
                benchmark: Benchmark::Creations,
                case: CASE,
                database: name,
                requests: &requests,
            };
            load.measure(ground, who, round, async |ground, lasts| {
                bare::creations::run(ground, name, users, lasts).await
            })
            .await?;
            check_numbers(&database)
                .await
                .with_context(|| format!("{who}, round {round}"))?;
            database.drop().await?;
        }
    }
    Ok(())
}

/// Bodies for the first `users` users.
pub(super) fn requests(ground: &Ground, name: &str, users: u64) -> Result<Requests> {
    let bodies = spread(users, 5_000).map(|number| {
        json!({"userId": data::user_id(number), "dueDate": "2099-10-15", "serviceId": "1", "totalInvoice": 125_000})
            .to_string()
    });
    Requests::post(ground.folder(), name, "/api/billings", bodies, CONNECTIONS)
}

/// As many billings as the counter has counted, and the last of them has the last number.
pub(super) async fn check_numbers(database: &Database) -> Result<()> {
    let counter = database
        .collection::<Document>("counters")
        .find_one(doc! { "_id": "billingId" })
        .await?
        .context("there is no counter")?;
    let highest = counter
        .get_i32("seq")
        .map(i64::from)
        .or_else(|_| counter.get_i64("seq"))
        .context("the counter has no number")?;
    let billings = database.collection::<Document>("billings");
    let stored = i64::try_from(billings.count_documents(doc! {}).await?)?;
    ensure!(
        stored == highest,
        "there are {stored} billings, and the counter stands at {highest}: numbers have gaps"
    );
    let last = billings.find_one(doc! {}).sort(doc! { "billingId": -1 }).await?;
    let last = last.context("there are no billings")?.get_str("billingId")?.to_owned();
    ensure!(
        last.parse::<i64>()? == highest,
        "the last billing is {last}, and the counter stands at {highest}"
    );
    Ok(())
}
