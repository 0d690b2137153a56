//! One order's way when Billz is the bound: how much of the allowed calls is used, and how soon payments come. A
//! payment first waits until the worker has a hand free, and then for its turn among the calls; both are shown.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use billwright_sandbox::{CallRecord, OrderState};

use super::{
    benchmark::Benchmark,
    billz::{Billz, sale},
    contenders::Service,
    figures::{Contender, Figure, count, float, median, percentile},
    ground::Ground,
    jobs::{JobQueue, Mix, payment},
};

pub(super) const CASE: &str = "`PLACE_ORDER` of 3 products, 2 calls/s, queue full";
const DATABASE: &str = "order-path";
const DEADLINE: Duration = Duration::from_mins(1);
const PAYMENT_DEADLINE: Duration = Duration::from_mins(10);

/// How the run goes.
#[derive(Debug, Clone, Copy)]
struct Plan {
    /// Calls that Billz allows.
    per_second: u32,
    lasts: Duration,
    orders: usize,
    payments: usize,
}

pub(super) async fn run(ground: &mut Ground) -> Result<()> {
    let whole = Plan {
        per_second: 2,
        lasts: Duration::from_mins(2),
        orders: 60,
        payments: 6,
    };
    let tiny = Plan {
        per_second: 10,
        lasts: Duration::from_secs(6),
        orders: 20,
        payments: 2,
    };
    let plan = ground.extent.size(whole, tiny);
    for round in 1..=ground.extent.rounds {
        ground.quiet().await?;
        let figures = path(ground, plan).await.with_context(|| format!("round {round}"))?;
        ground.record(Benchmark::OrderPath, CASE, Contender::Ours, round, figures);
    }
    Ok(())
}

async fn path(ground: &mut Ground, plan: Plan) -> Result<Vec<(Figure, f64)>> {
    let database = ground.database(DATABASE);
    database.drop().await?;
    let mut mix = Mix::default();
    (mix.sales, mix.payable) = (plan.payments, plan.payments);
    for _ in 0..plan.orders {
        mix.place();
    }
    mix.store(&database).await?;
    let billz = Billz::sandbox_with(ground, mix.sales, mix.payable).await?;
    billz.limit(plan.per_second);
    let ledger = || billz.ledger().context("the sandbox has a ledger");
    let seeded = ledger()?.calls.len();
    let queue = JobQueue::empty(ground).await?;
    queue.add(&mix.jobs).await?;
    let service = Service::Worker {
        database: DATABASE,
        billz: &billz,
        in_hand: 20,
        rate: &format!("{}/s", plan.per_second),
    };
    let mut running = ground.start(Contender::Ours, service).await?;
    let begun = Instant::now();
    while ledger()?.calls[seeded..].iter().all(|call| !is_spent(call)) {
        running.check()?;
        ensure!(
            begun.elapsed() < DEADLINE,
            "no call was made after {} s",
            DEADLINE.as_secs()
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let begun = Instant::now();
    let first = ledger()?.calls.len();
    let mut put = Vec::new();
    for number in 0..plan.payments {
        tokio::time::sleep(plan.lasts / u32::try_from(plan.payments + 1)?).await;
        let ids = queue.add(&[payment(number)]).await?;
        put.push((sale(number), ids.into_iter().next().context("no job was added")?));
    }
    tokio::time::sleep(plan.lasts.saturating_sub(begun.elapsed())).await;
    let seconds = begun.elapsed().as_secs_f64();
    let ended = ledger()?;
    ensure!(
        queue.waiting().await? > 0,
        "the queue ran empty, so that the calls were not what was waited for"
    );
    let mut waited = Vec::new();
    let mut calls_before = Vec::new();
    for (sale, job) in &put {
        let (added, _) = queue.times(job).await?;
        let paying = loop {
            let calls = ledger()?.calls;
            let of_sale = |call: &CallRecord| call.at > added && call.order_id.as_deref() == Some(sale);
            if let Some(position) = calls.iter().position(of_sale) {
                break calls[..=position].to_vec();
            }
            running.check()?;
            ensure!(
                begun.elapsed() < PAYMENT_DEADLINE,
                "the payment of {sale} was not begun"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let (_, taken) = queue.times(job).await?;
        let taken = taken.context("a job that calls Billz was not begun")?;
        let (own, before) = paying.split_last().context("the list holds the call")?;
        waited.push(count(usize::try_from((own.at - added).num_milliseconds())?));
        calls_before.push(count(
            before.iter().filter(|call| call.at > taken && is_spent(call)).count(),
        ));
    }
    running.stop().await?;
    billz.stop().await?;
    let window = &ended.calls[first..];
    let spent = window.iter().filter(|call| is_spent(call)).count();
    let refused = window.iter().filter(|call| call.status == Some(429)).count();
    let placed = ended
        .orders
        .iter()
        .filter(|order| order.state == OrderState::Parked)
        .count();
    let no_payment = "no payment was put";
    Ok(vec![
        (
            Figure::BudgetShare,
            100.0 * count(spent) / (float(u64::from(plan.per_second)) * seconds),
        ),
        (Figure::OrdersPerMinute, count(placed) * 60.0 / seconds),
        (Figure::CallsBefore, percentile(&calls_before, 100).context(no_payment)?),
        (Figure::PaymentWaitMs, median(&waited).context(no_payment)?),
        (Figure::MostMs, percentile(&waited, 100).context(no_payment)?),
        (Figure::Refused, count(refused)),
    ])
}

/// Whether a call is one of those that Billz counts.
fn is_spent(call: &CallRecord) -> bool {
    !call.path.starts_with("/bot") && call.status != Some(429)
}
