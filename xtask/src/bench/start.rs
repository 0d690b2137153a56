//! From the start of the process until it is ready: ours with all roles, the peer with its HTTP server.

use anyhow::Result;

use super::{
    benchmark::Benchmark,
    billz::Billz,
    contenders::Service,
    events::Topic,
    figures::{Contender, Figure},
    ground::Ground,
};

pub(super) const CASE: &str = "ready, services up";

pub(super) async fn run(ground: &mut Ground) -> Result<()> {
    let billz = Billz::sandbox(0).await?;
    let topic = Topic::make(ground, 3).await?;
    let service = Service::All {
        billing: "start-billing",
        orders: "start-orders",
        topic: topic.name(),
        billz: &billz,
    };
    // The first start makes the indexes.
    let (first, _) = ground.start_ready(Contender::Ours, service).await?;
    first.stop().await?;
    for round in 1..=ground.extent.size(ground.extent.rounds.max(10), 2) {
        for who in ground.turns(round, &[Contender::Ours, Contender::Peer]) {
            let service = match who {
                Contender::Ours => service,
                _ => Service::Api {
                    database: "start-billing",
                },
            };
            let (running, took) = ground.start_ready(who, service).await?;
            running.stop().await?;
            let figures = [(Figure::ReadyMs, took.as_secs_f64() * 1e3)];
            ground.record(Benchmark::Start, CASE, who, round, figures);
        }
    }
    for database in ["start-billing", "start-orders"] {
        ground.database(database).drop().await?;
    }
    Ok(())
}
