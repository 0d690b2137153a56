//! What one request, one event and one job cost as data grow.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bson::{Document, doc};

use super::{
    benchmark::Benchmark,
    billz::{Billz, sale},
    contenders::Service,
    creations, data, drain,
    events::{Events, Topic},
    figures::{Contender, Figure},
    ground::Ground,
    jobs::JobQueue,
    report::grouped,
    rest::{CONNECTIONS, Load, spread},
    wrk::Requests,
};

/// The last one only where it is asked for.
const BILLINGS: [u64; 5] = [1_000, 10_000, 100_000, 1_000_000, 10_000_000];
const JOBS: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];
const BILLING_DATABASE: &str = "growth-billing";
const ORDER_DATABASE: &str = "growth-orders";
const READ: &str = "`GET /api/billings/:id`";
const CREATE: &str = "`POST /api/billings`";
const EVENT: &str = "mixed events";
const JOB: &str = "`GET_ORDER`";
/// Each user has ten billings.
const BILLINGS_OF_A_USER: u64 = 10;
const DEADLINE: Duration = Duration::from_mins(10);

/// The work whose cost may not grow, with its cases from the smallest to the largest.
pub(super) fn series() -> Vec<(String, Vec<String>)> {
    let of_billings = |work: &str| {
        let cases = BILLINGS.iter().map(|size| case(work, *size, "billings")).collect();
        (format!("{work} as billings grow"), cases)
    };
    let jobs = JOBS.iter().map(|size| case(JOB, *size, "jobs waiting")).collect();
    vec![
        of_billings(READ),
        of_billings(CREATE),
        of_billings(EVENT),
        (format!("{JOB} as waiting jobs grow"), jobs),
    ]
}

fn case(work: &str, size: u64, what: &str) -> String {
    format!("{work}, {} {what}", grouped(&size.to_string()))
}

pub(super) async fn run(ground: &mut Ground) -> Result<()> {
    billings(ground).await?;
    jobs(ground).await
}

fn sizes<const N: usize>(ground: &Ground, all: [u64; N]) -> Vec<u64> {
    let most = match ground.extent {
        extent if extent.quick => 2,
        extent if extent.ten_million => N,
        _ => N - 1,
    };
    all.into_iter().take(most).collect()
}

async fn billings(ground: &mut Ground) -> Result<()> {
    let database = ground.database(BILLING_DATABASE);
    // The indexes must be there before the data, or making them would be measured.
    let service = Service::Api {
        database: BILLING_DATABASE,
    };
    let (running, _) = ground.start_ready(Contender::Ours, service).await?;
    running.stop().await?;
    let mut users = 0;
    for size in sizes(ground, BILLINGS) {
        let size_here = ground.extent.size(size, size / 50);
        let wanted_users = (size_here / BILLINGS_OF_A_USER).max(10);
        data::users(&database, users..wanted_users).await?;
        users = wanted_users;
        fill(&database, size_here, users).await?;
        let paths = spread(size_here, 5_000).map(|number| format!("/api/billings/{}", data::billing_id(number + 1)));
        let reads = Requests::get(ground.folder(), &format!("growth-{size}"), paths, CONNECTIONS)?;
        let posts = creations::requests(ground, &format!("growth-posts-{size}"), users)?;
        for round in 1..=ground.extent.rounds {
            for (work, requests) in [(READ, &reads), (CREATE, &posts)] {
                let load = Load {
                    benchmark: Benchmark::Growth,
                    case: &case(work, size, "billings"),
                    database: BILLING_DATABASE,
                    requests,
                };
                load.measure_process(ground, Contender::Ours, round).await?;
            }
            let events = Events::mixed(ground.extent.size(20_000, 400), &format!("{size}x{round}"));
            let topic = Topic::make(ground, drain::PARTITIONS).await?;
            topic.produce(&events).await?;
            let figures = drain::processes(ground, Contender::Ours, BILLING_DATABASE, &topic, &events, 1).await?;
            let case = case(EVENT, size, "billings");
            ground.record(Benchmark::Growth, &case, Contender::Ours, round, figures);
        }
    }
    creations::check_numbers(&database).await?;
    database.drop().await?;
    Ok(())
}

/// Adds billings, numbered from where the counter stands, until there are `size`.
async fn fill(database: &mongodb::Database, size: u64, users: u64) -> Result<()> {
    let counter = database
        .collection::<Document>("counters")
        .find_one(doc! { "_id": "billingId" })
        .await?;
    let last = counter
        .and_then(|counter| counter.get_i32("seq").ok())
        .unwrap_or_default();
    let next = u64::try_from(last)? + 1;
    if next <= size {
        data::billings(database, next..size + 1, users).await?;
    }
    Ok(())
}

async fn jobs(ground: &mut Ground) -> Result<()> {
    let measured = ground.extent.size(1_000, 20);
    let database = ground.database(ORDER_DATABASE);
    let billz = Billz::open(ground, usize::try_from(measured)?, 0, Duration::ZERO).await?;
    for size in sizes(ground, JOBS) {
        let size_here = ground.extent.size(size, size / 50);
        let queue = JobQueue::empty(ground).await?;
        for round in 1..=ground.extent.rounds {
            let missing = size_here.saturating_sub(queue.left().await?);
            add(&queue, missing, measured).await?;
            let figures = first_jobs(ground, &billz, &queue, measured).await?;
            let case = case(JOB, size, "jobs waiting");
            ground.record(Benchmark::Growth, &case, Contender::Ours, round, figures);
        }
    }
    billz.stop().await?;
    database.drop().await?;
    Ok(())
}

async fn add(queue: &JobQueue, number: u64, sales: u64) -> Result<()> {
    let mut added = 0;
    while added < number {
        let some: Vec<_> = (added..number.min(added + 10_000))
            .map(|number| {
                let order = sale(usize::try_from(number % sales).unwrap_or_default());
                ("GET_ORDER", serde_json::json!({"orderId": order}))
            })
            .collect();
        added += u64::try_from(some.len())?;
        queue.add(&some).await?;
    }
    Ok(())
}

/// Measures so many jobs at the head of the queue.
async fn first_jobs(ground: &mut Ground, billz: &Billz, queue: &JobQueue, number: u64) -> Result<Vec<(Figure, f64)>> {
    let full = queue.left().await?;
    let service = Service::Worker {
        database: ORDER_DATABASE,
        billz,
        in_hand: 20,
        rate: "off",
    };
    ground.quiet().await?;
    let mut running = ground.start(Contender::Ours, service).await?;
    let begun = Instant::now();
    let mut left = full;
    let check = |running: &mut super::contenders::Running| {
        ensure!(
            begun.elapsed() < DEADLINE,
            "jobs are left after {} s",
            DEADLINE.as_secs()
        );
        running.check()
    };
    while left == full {
        check(&mut running)?;
        tokio::time::sleep(Duration::from_millis(2)).await;
        left = queue.left().await?;
    }
    let rest: Vec<i32> = billz.pid().into_iter().collect();
    let meter = ground.meter(&[running.pid], &rest)?;
    let first = left;
    while left > full.saturating_sub(number) {
        check(&mut running)?;
        tokio::time::sleep(Duration::from_millis(2)).await;
        left = queue.left().await?;
    }
    let used = meter.stop()?;
    running.stop().await?;
    let done = first.checked_sub(left).filter(|done| *done > 0);
    let done = done.context("the jobs were done before they could be measured")?;
    Ok(used.figures_with_rate(done, true))
}
