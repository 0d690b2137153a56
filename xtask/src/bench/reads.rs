//! `GET /api/billings/:id` and `GET /api/users/:id`.

use anyhow::Result;
use bson::{Bson, doc};

use super::{
    bare,
    benchmark::Benchmark,
    data,
    figures::Contender,
    ground::Ground,
    rest::{CONNECTIONS, Load, spread},
    wrk::Requests,
};

pub(super) const BILLING: &str = "`GET /api/billings/:id`";
pub(super) const USER: &str = "`GET /api/users/:id`";
const DATABASE: &str = "reads";
const CONTENDERS: [Contender; 3] = [Contender::Ours, Contender::Peer, Contender::Bare];

pub(super) async fn run(ground: &mut Ground) -> Result<()> {
    let (users, billings) = ground.extent.size((10_000, 20_000), (100, 200));
    let database = ground.database(DATABASE);
    let user_ids = data::users(&database, 0..users).await?;
    data::billings(&database, 1..billings + 1, users).await?;
    let billing_ids: Vec<String> = spread(billings, 5_000)
        .map(|number| data::billing_id(number + 1))
        .collect();
    let folder = ground.folder().to_owned();
    let cases = [
        (
            BILLING,
            Requests::get(
                &folder,
                "billing",
                billing_ids.iter().map(|id| format!("/api/billings/{id}")),
                CONNECTIONS,
            )?,
            "billings",
            billing_ids
                .iter()
                .map(|id| doc! { "billingId": id })
                .collect::<Vec<_>>(),
        ),
        (
            USER,
            Requests::get(
                &folder,
                "user",
                user_ids.iter().map(|id| format!("/api/users/{id}")),
                CONNECTIONS,
            )?,
            "users",
            user_ids.iter().map(|id| doc! { "_id": Bson::ObjectId(*id) }).collect(),
        ),
    ];
    for round in 1..=ground.extent.rounds {
        for (case, requests, collection, filters) in &cases {
            for who in ground.turns(round, &CONTENDERS) {
                let load = Load {
                    benchmark: Benchmark::Reads,
                    case,
                    database: DATABASE,
                    requests,
                };
                load.measure(ground, who, round, async |ground, lasts| {
                    bare::find_one::run(ground, DATABASE, collection, filters, lasts).await
                })
                .await?;
            }
        }
    }
    database.drop().await?;
    Ok(())
}
