//! Resident memory of one process with all roles: idle, and with requests, events and jobs at once.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::{
    benchmark::Benchmark,
    billz::Billz,
    contenders::Service,
    data,
    drain::PARTITIONS,
    events::{Events, Topic},
    figures::{Contender, Figure},
    ground::Ground,
    jobs::{JobQueue, Mix},
    meter,
    rest::CONNECTIONS,
    wrk::Requests,
};

pub(super) const CASE: &str = "all roles";
const BILLING: &str = "memory-billing";
const ORDERS: &str = "memory-orders";
const USERS: u64 = 1_000;
const BILLINGS: u64 = 20_000;
const DEADLINE: Duration = Duration::from_mins(20);

pub(super) async fn run(ground: &mut Ground) -> Result<()> {
    for round in 1..=ground.extent.rounds {
        let figures = once(ground).await?;
        ground.record(Benchmark::Memory, CASE, Contender::Ours, round, figures);
    }
    Ok(())
}

async fn once(ground: &mut Ground) -> Result<Vec<(Figure, f64)>> {
    let (billing, orders) = (ground.database(BILLING), ground.database(ORDERS));
    data::users(&billing, 0..USERS).await?;
    data::billings(&billing, 1..BILLINGS + 1, USERS).await?;
    let mix = Mix::of(ground.extent.size(5_000, 50));
    mix.store(&orders).await?;
    let billz = Billz::open(ground, mix.sales, mix.payable, Duration::ZERO).await?;
    let queue = JobQueue::empty(ground).await?;
    let topic = Topic::make(ground, PARTITIONS).await?;
    let events = Events::mixed(ground.extent.size(50_000, 500), "");
    let service = Service::All {
        billing: BILLING,
        orders: ORDERS,
        topic: topic.name(),
        billz: &billz,
    };
    let (mut running, _) = ground.start_ready(Contender::Ours, service).await?;
    tokio::time::sleep(Duration::from_secs(ground.extent.size(10, 2))).await;
    let idle = meter::resident_mib(running.pid)?;

    // Lists are what costs most memory for each request, reads what comes most often.
    let paths = (1..=50).map(|number| match number {
        25 => "/api/billings".to_owned(),
        _ => format!("/api/billings/{}", data::billing_id(number)),
    });
    let requests = Requests::get(ground.folder(), "memory", paths, CONNECTIONS)?;
    let lasts = Duration::from_secs(ground.extent.size(30, 2));
    let loaded = async {
        tokio::try_join!(
            async { requests.ask(&running.url, lasts).await.map(drop) },
            topic.produce(&events),
            queue.add(&mix.jobs)
        )
    };
    loaded.await?;
    let begun = Instant::now();
    while !topic.is_drained(&billing).await? || queue.left().await? > 0 {
        running.check()?;
        ensure!(
            begun.elapsed() < DEADLINE,
            "work is left after {} s",
            DEADLINE.as_secs()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let peak = meter::peak_mib(running.pid)?;
    running.stop().await?;
    billz.stop().await?;
    billing.drop().await?;
    orders.drop().await?;
    Ok(vec![(Figure::IdleMib, idle), (Figure::PeakMib, peak)])
}
