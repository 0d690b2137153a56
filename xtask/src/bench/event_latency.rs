//! One event at a time on an idle system, from its producer until MongoDB shows what it did.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bson::{Document, doc};

use super::{
    benchmark::Benchmark,
    contenders::Service,
    events::{Said, Topic},
    figures::{Contender, Figure, percentile},
    ground::Ground,
};

pub(super) const CASE: &str = "one event, idle system";
const DATABASE: &str = "event-latency";
const DEADLINE: Duration = Duration::from_mins(2);
/// Between two events the system is idle again.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) async fn run(ground: &mut Ground) -> Result<()> {
    for round in 1..=ground.extent.rounds {
        for who in ground.turns(round, &[Contender::Ours, Contender::Peer]) {
            let figures = one_by_one(ground, who)
                .await
                .with_context(|| format!("{who}, round {round}"))?;
            ground.database(DATABASE).drop().await?;
            ground.record(Benchmark::EventLatency, CASE, who, round, figures);
        }
    }
    Ok(())
}

async fn one_by_one(ground: &mut Ground, who: Contender) -> Result<Vec<(Figure, f64)>> {
    let topic = Topic::make(ground, 1).await?;
    let service = Service::Events {
        database: DATABASE,
        topic: topic.name(),
        group: &format!("{}-group", topic.name()),
    };
    let mut running = ground.start(who, service).await?;
    // The first ones wait for the group, and for what is made only once.
    for number in 0..3 {
        appears(ground, &topic, format!("warm-{number}")).await?;
    }
    running.check()?;
    ground.quiet().await?;
    let meter = ground.meter(&[running.pid], &[])?;
    let mut times = Vec::new();
    for number in 0..ground.extent.size(200, 10) {
        tokio::time::sleep(PAUSE).await;
        times.push(appears(ground, &topic, format!("one-{number}")).await?);
    }
    let used = meter.stop()?;
    running.stop().await?;
    let nothing = "no event was measured";
    Ok(vec![
        (Figure::P50Ms, percentile(&times, 50).context(nothing)?),
        (Figure::P99Ms, percentile(&times, 99).context(nothing)?),
        (Figure::MostMs, percentile(&times, 100).context(nothing)?),
        (Figure::Foreign, used.foreign * 100.0),
    ])
}

/// Sends the creation of a user and looks for it again and again. How many milliseconds that took.
async fn appears(ground: &Ground, topic: &Topic, user: String) -> Result<f64> {
    let users = ground.database(DATABASE).collection::<Document>("users");
    let wanted = doc! { "userId": &user };
    let begun = Instant::now();
    topic.send(user, &Said::Created, 0).await?;
    while users.find_one(wanted.clone()).await?.is_none() {
        ensure!(
            begun.elapsed() < DEADLINE,
            "an event has no effect after {} s",
            DEADLINE.as_secs()
        );
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(begun.elapsed().as_secs_f64() * 1e3)
}
