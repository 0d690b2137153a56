//! A full queue, drained: mixed jobs, Billz at two latencies, three numbers of jobs in hand.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use bson::{Bson, doc};

use super::{
    bare,
    benchmark::Benchmark,
    billz::Billz,
    contenders::{Running, Service},
    figures::{Contender, Figure, count, float},
    ground::Ground,
    jobs::{JobQueue, Mix},
};

const DATABASE: &str = "queue";
const LATENCIES_MS: [u64; 2] = [0, 20];
const IN_HAND: [u32; 3] = [5, 50, 200];
const BEGIN_DEADLINE: Duration = Duration::from_mins(1);
const DEADLINE: Duration = Duration::from_mins(30);
const CONTENDERS: [Contender; 3] = [Contender::Ours, Contender::Peer, Contender::Bare];

/// How many commands of each kind MongoDB was sent for each job.
pub(super) type Commands = BTreeMap<String, f64>;

/// The cases by name.
pub(super) fn cases() -> Vec<String> {
    combinations()
        .map(|(latency, in_hand)| case(latency, in_hand))
        .collect()
}

fn combinations() -> impl Iterator<Item = (u64, u32)> {
    LATENCIES_MS
        .into_iter()
        .flat_map(|latency| IN_HAND.into_iter().map(move |in_hand| (latency, in_hand)))
}

fn case(latency: u64, in_hand: u32) -> String {
    format!("mixed jobs, Billz at {latency} ms, {in_hand} in hand")
}

pub(super) async fn run(ground: &mut Ground) -> Result<()> {
    let total = ground.extent.size(20_000, 60);
    // What ours sends to MongoDB is what the bare loop must send: without a run of ours there is none of it.
    let mut commands = BTreeMap::new();
    for round in 1..=ground.extent.rounds {
        for (latency, in_hand) in combinations() {
            let case = case(latency, in_hand);
            for who in ground.turns(round, &CONTENDERS) {
                let setting = Setting {
                    latency: Duration::from_millis(latency),
                    in_hand,
                    processes: 1,
                };
                let outcome = match (who, commands.get(&case)) {
                    (Contender::Bare, None) => continue,
                    (Contender::Bare, Some(commands)) => {
                        ground.quiet().await?;
                        let queue = JobQueue::empty(ground).await?;
                        queue.add(&Mix::of(total).jobs).await?;
                        bare::processor::run(ground, DATABASE, &queue, total, in_hand, commands)
                            .await
                            .map(|figures| (figures, None))
                    }
                    _ => drained(ground, who, setting, &Mix::of(total))
                        .await
                        .map(|(figures, commands)| (figures, Some(commands))),
                };
                let (figures, sent) = outcome.with_context(|| format!("{case}, {who}, round {round}"))?;
                if let (Contender::Ours, Some(sent)) = (who, sent) {
                    commands.insert(case.clone(), sent);
                }
                ground.record(Benchmark::Queue, &case, who, round, figures);
            }
        }
    }
    Ok(())
}

/// How a queue is drained.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting {
    pub(super) latency: Duration,
    /// Of each process.
    pub(super) in_hand: u32,
    pub(super) processes: u32,
}

/// Fills an empty queue, starts the workers and waits until every job has ended. Time counts from the first job that is
/// taken. Also says what MongoDB was sent for each job.
pub(super) async fn drained(
    ground: &mut Ground,
    who: Contender,
    setting: Setting,
    mix: &Mix,
) -> Result<(Vec<(Figure, f64)>, Commands)> {
    let database = ground.database(DATABASE);
    database.drop().await?;
    mix.store(&database).await?;
    let billz = Billz::open(ground, mix.sales, mix.payable, setting.latency).await?;
    let asked_before = billz.asked(ground).await?;
    let queue = JobQueue::empty(ground).await?;
    queue.add(&mix.jobs).await?;
    let total = u64::try_from(mix.jobs.len())?;
    ground.quiet().await?;
    let service = Service::Worker {
        database: DATABASE,
        billz: &billz,
        in_hand: setting.in_hand,
        rate: "off",
    };
    let mut running = Vec::new();
    for _ in 0..setting.processes {
        running.push(ground.start(who, service).await?);
    }
    let begun = Instant::now();
    while queue.waiting().await? >= total {
        watch(&mut running, begun, BEGIN_DEADLINE, "has not begun").await?;
    }
    let pids: Vec<i32> = running.iter().map(|running| running.pid).collect();
    let rest: Vec<i32> = billz.pid().into_iter().collect();
    let before = command_counts(ground).await?;
    let meter = ground.meter(&pids, &rest)?;
    let begun = Instant::now();
    while queue.left().await? > 0 {
        watch(&mut running, begun, DEADLINE, "has jobs left").await?;
    }
    let used = meter.stop()?;
    let commands = per_job(&before, &command_counts(ground).await?, float(total));
    let failed = queue.failed().await?;
    let asked = billz.asked(ground).await?;
    for running in running {
        running.stop().await?;
    }
    billz.stop().await?;
    let mut figures = used.figures_with_rate(total, true);
    figures.extend([
        (Figure::Commands, commands.values().sum()),
        (Figure::Calls, float(asked.calls - asked_before.calls)),
        (Figure::Failed, float(failed)),
        (Figure::PaidTwice, float(asked.paid_twice)),
        (Figure::ClientsTwice, float(asked.clients_twice)),
    ]);
    Ok((figures, commands))
}

async fn watch(running: &mut [Running], since: Instant, deadline: Duration, what: &str) -> Result<()> {
    for one in running {
        one.check()?;
    }
    if since.elapsed() > deadline {
        bail!("the worker {what} after {} s", deadline.as_secs());
    }
    tokio::time::sleep(Duration::from_millis(10)).await;
    Ok(())
}

/// How often MongoDB has been sent each command that reads or writes documents.
async fn command_counts(ground: &Ground) -> Result<BTreeMap<String, i64>> {
    let status = ground
        .client()
        .database("admin")
        .run_command(doc! { "serverStatus": 1 })
        .await?;
    let commands = status.get_document("metrics")?.get_document("commands")?;
    let total = |name: &str| {
        let total = commands.get_document(name).ok()?.get("total")?;
        Some((name.to_owned(), integer(total)?))
    };
    Ok(bare::processor::KINDS.into_iter().filter_map(total).collect())
}

fn integer(value: &Bson) -> Option<i64> {
    value.as_i64().or_else(|| value.as_i32().map(i64::from))
}

fn per_job(before: &BTreeMap<String, i64>, after: &BTreeMap<String, i64>, jobs: f64) -> Commands {
    after
        .iter()
        .map(|(kind, total)| {
            let sent = total - before.get(kind).copied().unwrap_or_default();
            (kind.clone(), count(usize::try_from(sent).unwrap_or_default()) / jobs)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_commands_for_each_job() {
        let before = BTreeMap::from([("insert".to_owned(), 100)]);
        let after = BTreeMap::from([("insert".to_owned(), 150), ("find".to_owned(), 5)]);
        let expected = BTreeMap::from([("insert".to_owned(), 5.0), ("find".to_owned(), 0.5)]);
        assert_eq!(per_job(&before, &after, 10.0), expected);
    }

    #[test]
    fn has_a_case_for_each_combination() {
        assert_eq!(cases().len(), 6);
        assert_eq!(cases()[0], "mixed jobs, Billz at 0 ms, 5 in hand");
    }
}
