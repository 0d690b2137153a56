//! Three real processes, one sandbox that allows two calls a second as Billz does, one budget in Redis: a hundred calls at
//! once, of which Billz must never see more than two in any second.
//!
//! ```text
//! REDIS_URL=redis://127.0.0.1:6379 cargo run -p billwright-connectors --example budget_processes
//! ```
//!
//! Takes about 52 seconds. The tests show the same with a higher limit in less time.

use std::{process::Stdio, sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use billwright_connectors::{
    billz::{Billz, BillzSettings, CallContext, RedisTokenStore},
    breaker::{Breaker, BreakerSettings},
    budget::{Budget, BudgetSettings},
};
use billwright_domain::{CorrelationId, Phone, ShopId, SystemClock};
use billwright_sandbox::{RateLimit, SECRET_TOKEN, SHOP_ID, Sandbox, SandboxSettings};
use tokio::{process::Command, task::JoinSet};

const CALLS: [usize; 3] = [34, 33, 33];

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [billz_url, redis_url, prefix, calls] => worker(billz_url, redis_url, prefix, calls.parse()?).await,
        _ => parent().await,
    }
}

#[expect(clippy::print_stdout, reason = "an example shows what it saw")]
async fn parent() -> Result<()> {
    let redis_url = billwright_services::shared::redis_url().await?;
    let sandbox = Sandbox::start(SandboxSettings {
        rate_limit: Some(RateLimit::per_second(2)),
        ..SandboxSettings::default()
    })
    .await?;
    let prefix = format!("billwright-example-{}", uuid::Uuid::new_v4());
    let started = tokio::time::Instant::now();
    let mut workers = JoinSet::new();
    for calls in CALLS {
        let mut command = Command::new(std::env::current_exe()?);
        command.args([
            sandbox.billz_url(),
            redis_url.clone(),
            prefix.clone(),
            calls.to_string(),
        ]);
        workers.spawn(async move { command.stdin(Stdio::null()).kill_on_drop(true).status().await });
    }
    while let Some(status) = workers.join_next().await {
        ensure!(status??.success(), "a process failed");
    }
    let (ledger, took) = (sandbox.ledger(), started.elapsed());
    let refused = ledger.calls.iter().filter(|call| call.status == Some(429)).count();
    let peak = ledger.peak_billz_calls(Duration::from_secs(1));
    println!(
        "{} calls in {:.1} s, at most {peak} in any second, {refused} answered with 429",
        ledger.calls.len(),
        took.as_secs_f64()
    );
    ensure!(peak <= 2 && refused == 0, "the limit was exceeded");
    Ok(())
}

/// One process: all its calls at once.
async fn worker(billz_url: &str, redis_url: &str, prefix: &str, calls: usize) -> Result<()> {
    let secret = SECRET_TOKEN.to_owned().into();
    let redis = redis::Client::open(redis_url)?;
    let tokens = RedisTokenStore::new(redis.clone(), prefix, &secret)?;
    let shop = ShopId::parse(SHOP_ID)?;
    let settings = BillzSettings::new(billz_url.parse()?, secret, shop);
    let mut budget = BudgetSettings::new("2/s".parse()?, Some(redis), settings.host());
    prefix.clone_into(&mut budget.key_prefix);
    let clock = SystemClock::shared();
    let breaker = Breaker::new(BreakerSettings::default(), Arc::clone(&clock));
    let billz = Billz::new(settings, Budget::new(budget)?, breaker, clock, Some(Arc::new(tokens)))?;
    let phone = Phone::parse("998901112233")?;
    let mut under_way = JoinSet::new();
    for index in 0..calls {
        let calls = billz.calls(CallContext::ordinary(CorrelationId::parse(&format!("call-{index}"))?));
        let phone = phone.clone();
        under_way.spawn(async move { calls.find_client(&phone).await });
    }
    while let Some(outcome) = under_way.join_next().await {
        outcome?.context("a call failed")?;
    }
    Ok(())
}
