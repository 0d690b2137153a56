//! `GET /api/billings` without a limit: all of them, in one answer.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use futures_util::StreamExt as _;

use super::{
    bare,
    benchmark::Benchmark,
    contenders::Service,
    data,
    figures::{Contender, Figure},
    ground::Ground,
    rest::{CONNECTIONS, Load},
    wrk::Requests,
};

pub(super) const THOUSAND: &str = "list of 1,000 billings";
pub(super) const TWENTY_THOUSAND: &str = "list of 20,000 billings";
pub(super) const TWENTY_THOUSAND_ALONE: &str = "list of 20,000 billings, one reader";
pub(super) const MILLION: &str = "list of 1,000,000 billings, one reader";
const PATH: &str = "/api/billings";
const USERS: u64 = 1_000;

pub(super) async fn thousand(ground: &mut Ground) -> Result<()> {
    let database = "list-1000";
    data::billings(&ground.database(database), 1..ground.extent.size(1_001, 101), USERS).await?;
    let requests = Requests::get(ground.folder(), database, [PATH.to_owned()], CONNECTIONS)?;
    for round in 1..=ground.extent.rounds {
        for who in ground.turns(round, &[Contender::Ours, Contender::Peer, Contender::Bare]) {
            let load = Load {
                benchmark: Benchmark::List1000,
                case: THOUSAND,
                database,
                requests: &requests,
            };
            load.measure(ground, who, round, async |ground, lasts| {
                bare::cursor::run(ground, database, CONNECTIONS, lasts).await
            })
            .await?;
        }
    }
    ground.database(database).drop().await?;
    Ok(())
}

pub(super) async fn twenty_thousand(ground: &mut Ground) -> Result<()> {
    let database = "list-20000";
    data::billings(&ground.database(database), 1..ground.extent.size(20_001, 501), USERS).await?;
    let requests = Requests::get(ground.folder(), database, [PATH.to_owned()], 4)?;
    for round in 1..=ground.extent.rounds {
        for who in ground.turns(round, &[Contender::Ours, Contender::Peer]) {
            let load = Load {
                benchmark: Benchmark::List20000,
                case: TWENTY_THOUSAND,
                database,
                requests: &requests,
            };
            load.measure_process(ground, who, round).await?;
        }
        alone(ground, Benchmark::List20000, TWENTY_THOUSAND_ALONE, database, round).await?;
    }
    ground.database(database).drop().await?;
    Ok(())
}

pub(super) async fn million(ground: &mut Ground) -> Result<()> {
    let database = "list-1000000";
    data::billings(
        &ground.database(database),
        1..ground.extent.size(1_000_001, 2_001),
        USERS,
    )
    .await?;
    for round in 1..=ground.extent.rounds {
        alone(ground, Benchmark::List1000000, MILLION, database, round).await?;
    }
    ground.database(database).drop().await?;
    Ok(())
}

/// One reader of ours after another, each alone: when the first byte comes, and what the whole answer takes.
async fn alone(ground: &mut Ground, benchmark: Benchmark, case: &str, database: &str, round: u32) -> Result<()> {
    let who = Contender::Ours;
    let (running, _) = ground.start_ready(who, Service::Api { database }).await?;
    ground.quiet().await?;
    let meter = ground.meter(&[running.pid], &[])?;
    let mut first = Vec::new();
    let asked_for = 3;
    for _ in 0..asked_for {
        let asked = Instant::now();
        let answer = ground.http().get(format!("{}{PATH}", running.url)).send().await?;
        ensure!(
            answer.status().is_success(),
            "the list was answered with {}",
            answer.status()
        );
        let mut body = answer.bytes_stream();
        let mut last = body.next().await.context("the list has no body")??;
        first.push(asked.elapsed().as_secs_f64() * 1e3);
        while let Some(some) = body.next().await {
            last = some?;
        }
        ensure!(last.ends_with(b"]"), "the list was broken off");
    }
    let used = meter.stop()?;
    let mut figures = used.figures_with_rate(asked_for, false);
    figures.push((
        Figure::FirstByteMs,
        super::figures::median(&first).context("no list was read")?,
    ));
    ground.record(benchmark, case, who, round, figures);
    running.stop().await
}
