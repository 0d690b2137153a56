//! A worker of the queue's library whose jobs do nothing but send MongoDB as many commands of each kind as ours do.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use bson::{Document, doc, oid::ObjectId};
use bullmq::{Error, Job, Worker, WorkerOptions, worker::CancellationToken};
use mongodb::Collection;
use serde_json::Value;

use super::super::{
    figures::{Figure, float},
    ground::Ground,
    jobs::{JobQueue, QUEUE, connection_options},
    queue::Commands,
};

/// The commands that count.
pub(in crate::bench) const KINDS: [&str; 7] = [
    "find",
    "aggregate",
    "insert",
    "update",
    "findAndModify",
    "delete",
    "commitTransaction",
];
const DEADLINE: Duration = Duration::from_mins(30);

pub(in crate::bench) async fn run(
    ground: &Ground,
    database: &str,
    queue: &JobQueue,
    total: usize,
    in_hand: u32,
    commands: &Commands,
) -> Result<Vec<(Figure, f64)>> {
    let store = super::client(ground, 64).await?.database(database);
    store.drop().await?;
    let documents = store.collection::<Document>("bare");
    let done = Arc::new(AtomicU64::new(0));
    let commands: Arc<Commands> = Arc::new(commands.clone());
    let processor = {
        let done = Arc::clone(&done);
        move |_: Job, _: CancellationToken| {
            let (documents, commands) = (documents.clone(), Arc::clone(&commands));
            let number = done.fetch_add(1, Ordering::Relaxed);
            async move {
                let sent = send(&documents, &commands, number).await;
                sent.map(|()| Value::Null)
                    .map_err(|error| Error::Unrecoverable(error.to_string()))
            }
        }
    };
    let options = WorkerOptions::new()
        .connection(connection_options(ground))
        .concurrency(usize::try_from(in_hand)?);
    let meter = ground.meter_own()?;
    let worker = Worker::with_options(QUEUE, processor, options).await?;
    let begun = Instant::now();
    while queue.left().await? > 0 {
        ensure!(
            begun.elapsed() < DEADLINE,
            "jobs are left after {} s",
            DEADLINE.as_secs()
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let used = meter.stop()?;
    worker.close(5_000).await?;
    ensure!(queue.failed().await? == 0, "MongoDB refused commands");
    store.drop().await?;
    Ok(used.figures_with_rate(u64::try_from(total)?, true))
}

/// The commands of one job. Where there is no whole number of them for each, some jobs send one more.
async fn send(documents: &Collection<Document>, commands: &Commands, number: u64) -> Result<(), mongodb::error::Error> {
    let id = ObjectId::new();
    let own = doc! { "_id": id };
    let change = doc! { "$set": { "state": "done", "text": "x".repeat(200) } };
    for (kind, each) in commands {
        for _ in 0..due(*each, number) {
            match kind.as_str() {
                "insert" => drop(documents.insert_one(doc! { "text": "x".repeat(400) }).await?),
                "update" => drop(documents.update_one(own.clone(), change.clone()).upsert(true).await?),
                "findAndModify" => drop(
                    documents
                        .find_one_and_update(own.clone(), change.clone())
                        .upsert(true)
                        .await?,
                ),
                "delete" => {
                    documents.delete_one(doc! { "_id": ObjectId::new() }).await?;
                }
                _ => drop(documents.find_one(own.clone()).await?),
            }
        }
    }
    Ok(())
}

/// How many commands of a kind the job of a number sends, so that so many are sent for `each` job on average.
fn due(each: f64, number: u64) -> u64 {
    let until = |jobs: u64| (each * float(jobs)).floor();
    let due = until(number + 1) - until(number);
    // At most a few: more than a thousand commands for a job are a mistake.
    (0..1_000).find(|so_many| float(*so_many) >= due).unwrap_or(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_commands_over_the_jobs() {
        let sent = |each, jobs| (0..jobs).map(|number| due(each, number)).sum::<u64>();
        assert_eq!(sent(2.0, 10), 20);
        assert_eq!(sent(0.25, 100), 25);
        assert_eq!(sent(1.7, 100), 170);
        assert_eq!(sent(0.0, 100), 0);
    }
}
