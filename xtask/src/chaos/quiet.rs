//! Waits until there is nothing left to do: no job, no event, no unfinished order.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use billwright_services::progress;
use bson::{Document, doc};
use futures_util::TryStreamExt as _;
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer as _},
};
use tokio::time::Instant;

use super::{
    load::World,
    stage::{RedisPersistence, Stage, TOPIC},
};

/// How long that may take. What is waited for longest are the calls that Billz never answers, and retries.
const DEADLINE: Duration = Duration::from_mins(5);
/// How long an order may stay half way whose job ended without being able to say so, as while MongoDB was away: it is taken
/// back after ten minutes without a sign of life.
const HALF_WAY_DEADLINE: Duration = Duration::from_mins(13);
/// Jobs that are put off are let run at once when this much of the deadline is over.
const PROMOTE_AFTER: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(500);
/// How often a person is told what is waited for.
const TOLD_EVERY: Duration = Duration::from_secs(15);

/// Waits; an error says what is still under way.
pub(super) async fn wait(world: &World) -> Result<()> {
    let begun = Instant::now();
    let http = reqwest::Client::builder().timeout(Duration::from_secs(2)).build()?;
    let mut quiet_looks = 0;
    let mut told = begun;
    loop {
        let (left, half_way) = match left(world, &http).await {
            Ok(left) => left,
            Err(error) => (vec![format!("{error:#}")], Vec::new()),
        };
        let deadline = if left.is_empty() { HALF_WAY_DEADLINE } else { DEADLINE };
        let left = [left, half_way].concat();
        quiet_looks = if left.is_empty() { quiet_looks + 1 } else { 0 };
        // Twice: between two places a job is nowhere for a moment.
        if quiet_looks == 2 {
            return Ok(());
        }
        if begun.elapsed() > deadline {
            bail!("{} s after the last fault: {}", deadline.as_secs(), left.join("; "));
        }
        if !left.is_empty() && told.elapsed() > TOLD_EVERY {
            told = Instant::now();
            progress::tell(&format!(
                "seed {}: {} s after the last fault: {}",
                world.seed,
                begun.elapsed().as_secs(),
                left.join("; ")
            ));
        }
        if begun.elapsed() > PROMOTE_AFTER {
            drop(world.queue.promote_delayed().await);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// What is left to do, and apart from it the orders that are half way.
async fn left(world: &World, http: &reqwest::Client) -> Result<(Vec<String>, Vec<String>)> {
    let stage = &*world.stage;
    let mut left = stage.unready(http).await;
    let counts = world.queue.counts().await?;
    if counts.waiting + counts.active + counts.delayed > 0 {
        left.push(format!(
            "{} jobs wait, {} run, {} are put off",
            counts.waiting, counts.active, counts.delayed
        ));
    }
    let (applied, produced) = (applied(stage).await?, produced(stage)?);
    if applied != produced {
        left.push(format!("{applied} of {produced} messages of the topic are dealt with"));
    }
    // Where Redis forgot the queue it is not the jobs' fault.
    let half_way = match stage.persistence {
        RedisPersistence::Aof => half_way(stage).await?,
        RedisPersistence::None => Vec::new(),
    };
    Ok((left, half_way))
}

async fn half_way(stage: &Stage) -> Result<Vec<String>> {
    let open = doc! { "state": { "$in": ["running", "compensating"] } };
    let sagas = stage.billz.collection::<Document>("order_sagas").find(open).await?;
    let sagas: Vec<Document> = sagas.try_collect().await?;
    let shown = |saga: &Document| {
        let text = |field: &str| saga.get_str(field).unwrap_or("none").to_owned();
        format!(
            "an order is half way: {}, of {}, sale {}, because {}",
            text("state"),
            text("jobId"),
            text("billzId"),
            text("reason")
        )
    };
    Ok(sagas.iter().map(shown).collect())
}

/// How many messages of the topic the database says are dealt with.
pub(super) async fn applied(stage: &Stage) -> Result<i64> {
    let positions = stage.billing.collection::<Document>("event_positions");
    let found: Vec<Document> = positions.find(doc! {}).await?.try_collect().await?;
    Ok(found.iter().filter_map(|position| position.get_i64("next").ok()).sum())
}

/// How many messages the topic holds.
fn produced(stage: &Stage) -> Result<i64> {
    let consumer = consumer(stage)?;
    let patience = Duration::from_secs(5);
    let metadata = consumer.fetch_metadata(Some(TOPIC), patience)?;
    let topic = metadata
        .topics()
        .first()
        .context("the broker does not know the topic")?;
    let mut produced = 0;
    for partition in topic.partitions() {
        produced += consumer.fetch_watermarks(TOPIC, partition.id(), patience)?.1;
    }
    Ok(produced)
}

/// A consumer without a group, to look at topics.
pub(super) fn consumer(stage: &Stage) -> Result<BaseConsumer> {
    Ok(ClientConfig::new()
        .set("bootstrap.servers", stage.kafka.brokers())
        .set("group.id", "chaos-looks")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .create()?)
}
