//! Several processes on one queue, and several on one topic.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{
    benchmark::Benchmark,
    drain,
    events::{Events, Topic},
    figures::Contender,
    ground::Ground,
    jobs::Mix,
    queue,
};

const WORKERS: [u32; 3] = [1, 2, 4];
const CONSUMERS: [u32; 3] = [1, 2, 3];
const DATABASE: &str = "scaling";
const WHO: Contender = Contender::Ours;

pub(super) async fn run(ground: &mut Ground) -> Result<()> {
    let mix_size = ground.extent.size(5_000, 60);
    let events = Events::mixed(ground.extent.size(100_000, 1_000), "");
    let topic = Topic::make(ground, drain::PARTITIONS).await?;
    topic.produce(&events).await?;
    for round in 1..=ground.extent.rounds {
        for processes in WORKERS {
            let case = format!("mixed jobs, Billz at 20 ms, 20 in hand each, processes: {processes}");
            let setting = queue::Setting {
                latency: Duration::from_millis(20),
                in_hand: 20,
                processes,
            };
            let drained = queue::drained(ground, WHO, setting, &Mix::of(mix_size)).await;
            let (figures, _) = drained.with_context(|| format!("{case}, round {round}"))?;
            ground.record(Benchmark::Scaling, &case, WHO, round, figures);
        }
        for processes in CONSUMERS {
            let case = format!("{}, processes: {processes}", drain::CASE);
            let drained = drain::processes(ground, WHO, DATABASE, &topic, &events, processes).await;
            let figures = drained.with_context(|| format!("{case}, round {round}"))?;
            ground.database(DATABASE).drop().await?;
            ground.record(Benchmark::Scaling, &case, WHO, round, figures);
        }
    }
    Ok(())
}
