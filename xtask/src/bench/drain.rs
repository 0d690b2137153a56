//! Events that wait in a topic, drained into MongoDB.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::{
    bare,
    benchmark::Benchmark,
    contenders::{Running, Service},
    events::{Events, Topic},
    figures::{Contender, Figure},
    ground::Ground,
};

pub(super) const CASE: &str = "mixed events, 6 partitions";
pub(super) const PARTITIONS: usize = 6;
const DATABASE: &str = "drain";
/// How long a consumer may take until it has joined its group, and until the topic is drained.
const JOIN_DEADLINE: Duration = Duration::from_mins(2);
const DRAIN_DEADLINE: Duration = Duration::from_mins(30);

pub(super) async fn run(ground: &mut Ground) -> Result<()> {
    let all = Events::mixed(ground.extent.size(100_000, 1_000), "");
    let topic = Topic::make(ground, PARTITIONS).await?;
    topic.produce(&all).await?;
    // One by one is eleven times slower, and a rate is a rate.
    let few = Events::mixed(all.count() / 10, "");
    let short = Topic::make(ground, PARTITIONS).await?;
    short.produce(&few).await?;
    let contenders = [
        Contender::Ours,
        Contender::Peer,
        Contender::PeerOneByOne,
        Contender::Bare,
    ];
    for round in 1..=ground.extent.rounds {
        for who in ground.turns(round, &contenders) {
            let (topic, events) = match who {
                Contender::PeerOneByOne => (&short, &few),
                _ => (&topic, &all),
            };
            let drained = match who {
                Contender::Bare => {
                    ground.quiet().await?;
                    bare::events::run(ground, DATABASE, topic, events).await
                }
                _ => processes(ground, who, DATABASE, topic, events, 1).await,
            };
            let figures = drained.with_context(|| format!("{who}, round {round}"))?;
            ground.database(DATABASE).drop().await?;
            ground.record(Benchmark::Drain, CASE, who, round, figures);
        }
    }
    Ok(())
}

/// Starts so many processes of `who` and waits until they have drained the topic. Time counts from the first effect,
/// since joining a group takes seconds of waiting; that is a figure of its own. In the end everything must be as it
/// should.
pub(super) async fn processes(
    ground: &mut Ground,
    who: Contender,
    database: &str,
    topic: &Topic,
    events: &Events,
    number: u32,
) -> Result<Vec<(Figure, f64)>> {
    ground.quiet().await?;
    let group = format!("bench-{}", uuid::Uuid::new_v4().simple());
    let store = ground.database(database);
    let service = Service::Events {
        database,
        topic: topic.name(),
        group: &group,
    };
    let begun = Instant::now();
    let mut running = Vec::new();
    for _ in 0..number {
        running.push(ground.start(who, service).await?);
    }
    while !events.have_begun(&store).await? {
        watch(&mut running, begun, JOIN_DEADLINE, "has not begun")?;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let joined = begun.elapsed();
    let pids: Vec<i32> = running.iter().map(|running| running.pid).collect();
    let meter = ground.meter(&pids, &[])?;
    let begun = Instant::now();
    while !topic.is_drained(&store).await? {
        watch(&mut running, begun, DRAIN_DEADLINE, "has not drained the topic")?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let used = meter.stop()?;
    events.check(&store).await?;
    for running in running {
        running.stop().await?;
    }
    let mut figures = used.figures_with_rate(events.count(), false);
    figures.push((Figure::JoinSeconds, joined.as_secs_f64()));
    Ok(figures)
}

fn watch(running: &mut [Running], since: Instant, deadline: Duration, what: &str) -> Result<()> {
    for one in running {
        one.check()?;
    }
    if since.elapsed() > deadline {
        bail!("the consumer {what} after {} s", deadline.as_secs());
    }
    Ok(())
}
