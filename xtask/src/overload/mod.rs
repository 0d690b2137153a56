//! `cargo xtask overload`: one process with all roles is offered ten times what it can serve, while its queue holds
//! thousands of jobs and its topic thousands of events. It must stay small, refuse what it cannot do in words that a client
//! understands, go on answering the rest in good time, say that it lives, and be as quick as before once the storm is over.

mod client;
mod probe;
mod report;
mod traffic;

use std::{collections::BTreeSet, future::ready, net::SocketAddr, path::PathBuf, pin::pin, time::Duration};

use anyhow::{Context as _, Result, bail};
use billwright_sandbox::ORDER_ID;
use billwright_services::progress;
use billwright_worker::{
    RedisSettings,
    admin::{EnqueueOptions, QueueAddress, QueueAdmin},
};
use bson::{Document, doc};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use mongodb::Database;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rdkafka::{
    ClientConfig,
    producer::{FutureProducer, FutureRecord},
};
use serde_json::json;
use tokio::{runtime::Runtime, time::Instant};

use self::{
    probe::Probe,
    report::{Recovery, Report, Storm},
    traffic::{Traffic, percentile},
};
use crate::{
    interrupt::interrupted,
    process::Usage,
    test_bed::{Limits, TestBed, build},
};

/// How many times as much as can be served is offered.
const TIMES: f64 = 10.0;
/// Callers by whom it is found out what can be served.
const CALLERS: u64 = 64;
/// Callers by whom it is measured how quick the service is when it is at ease.
const FEW_CALLERS: u64 = 4;
/// How long each of the two is measured.
const MEASURED: Duration = Duration::from_secs(5);
/// Callers in the storm: more than there may be connections.
const STORM_CALLERS: u64 = 5_000;
/// Jobs that wait when the storm begins, each of them one call of Billz.
const JOBS: u64 = 3_000;
/// Calls of Billz a second, so that the jobs last as long as the storm does.
const BILLZ_CALLS_PER_SECOND: u32 = 50;
/// Events that wait when the storm begins, and about how many customers.
const EVENTS: u64 = 20_000;
const CUSTOMERS: u64 = 4_000;
/// Jobs and events that are under way to Redis and Kafka at a time.
const PUT_AT_A_TIME: usize = 32;
const PRODUCED_AT_A_TIME: usize = 1_000;
/// How long the service may take to be as quick as before.
const RECOVERS_WITHIN: Duration = Duration::from_secs(30);
/// How long jobs and events may take until all of them are done.
const WORKS_OFF_WITHIN: Duration = Duration::from_mins(3);
const PAUSE: Duration = Duration::from_millis(200);
/// Stands for requests of which none is carried out.
const NOT_AT_ALL: Duration = Duration::from_hours(1);

/// How much is to be offered.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How long ten times too much is offered, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(5..=3600))]
    seconds: u64,
    /// Write what came of it to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Test this binary, say an optimised one, instead of building one.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// Runs it. An error says what did not hold.
pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    allow_connections()?;
    let limits = Limits::BillzCallsPerSecond(BILLZ_CALLS_PER_SECOND);
    let start = async {
        match &arguments.program {
            Some(program) => {
                let program = std::path::absolute(program)?;
                Box::pin(TestBed::start_built(ready(Ok(program)), limits, Vec::new())).await
            }
            None => Box::pin(TestBed::start_built(build(), limits, Vec::new())).await,
        }
    };
    let bed = tokio::select! {
        bed = start => bed?,
        asked = interrupted() => return asked.map_err(Into::into),
    };
    let report = tokio::select! {
        report = Box::pin(storm(&bed, Duration::from_secs(arguments.seconds))) => report,
        asked = interrupted() => { asked?; bail!("interrupted") }
    };
    let log = bed.log();
    bed.stop().await?;
    let mut report = report?;
    report.told_of_refusals = log.lines().filter(|line| line.contains("requests are refused")).count();
    report.log_lines = log.lines().count();
    say(&report.shown());
    if let Some(file) = &arguments.report {
        let json = serde_json::to_string_pretty(&report.json())?;
        std::fs::write(file, json).with_context(|| format!("cannot write {}", file.display()))?;
    }
    let broken = report.broken();
    if !broken.is_empty() {
        let (mut file, path) = tempfile::Builder::new()
            .prefix("billwright-overload-")
            .suffix(".log")
            .tempfile()?
            .keep()?;
        std::io::Write::write_all(&mut file, log.as_bytes())?;
        say(&format!("the log is kept in {}", path.display()));
    }
    if !broken.is_empty() {
        bail!("the service did not stand it: {}", broken.join("; "));
    }
    Ok(())
}

/// The callers need a handle each.
fn allow_connections() -> Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let wanted = (STORM_CALLERS + 1_000).min(hard);
    if soft < wanted {
        setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).context("the callers cannot have a connection each")?;
    }
    Ok(())
}

async fn storm(bed: &TestBed, length: Duration) -> Result<Report> {
    let address: SocketAddr = bed.places.billwright_url.trim_start_matches("http://").parse()?;
    let traffic = Traffic::to(address);
    let callers = Callers::new()?;
    let prepared = traffic.clone();
    progress::during(
        "making the users whom it is about",
        callers.run(async move { prepared.prepare().await }),
    )
    .await?;
    let at_ease = quickness(&callers, &traffic).await?;
    let asked = traffic.clone();
    let served = progress::during(
        "finding out what can be served",
        callers.run(async move { asked.closed_loop(CALLERS, MEASURED).await }),
    )
    .await?;
    if !served.wrong.is_empty() || served.accepted.is_empty() {
        bail!("what can be served cannot be found out: {:?}", served.wrong);
    }
    let capacity = a_second(served.accepted.len(), MEASURED);
    let before = bed.usage().unwrap_or_default();
    let queue = fill(bed).await?;
    let offered = capacity * TIMES;
    let probe = Probe::start(address);
    let begun = Instant::now();
    let stormed = traffic.clone();
    let storming = callers.run(async move { stormed.open_loop(STORM_CALLERS, offered, length).await });
    let (tally, most) = progress::during("offering ten times as much", while_watching(bed, storming)).await;
    let (lasted, probed) = (begun.elapsed(), probe.stop());
    let tally = tally?;
    let recovery = progress::during(
        "waiting until it is as quick as before",
        recover(&callers, &traffic, at_ease),
    )
    .await?;
    let worked_off = progress::during("waiting for the jobs and events", work_off(bed, &queue)).await?;
    Ok(Report {
        capacity,
        storm: Storm {
            length,
            lasted,
            offered,
            tally,
            probed,
        },
        before,
        most,
        after: bed.usage().unwrap_or_default(),
        recovery,
        worked_off,
        kept: kept(bed, &traffic).await?,
        told_of_refusals: 0,
        log_lines: 0,
    })
}

/// A thread of the callers' own, so that they take one processor at most and do not keep the sandbox waiting.
struct Callers(Option<Runtime>);

impl Callers {
    fn new() -> Result<Self> {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        Ok(Self(Some(runtime.worker_threads(1).enable_all().build()?)))
    }

    async fn run<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> Result<T> {
        let runtime = self.0.as_ref().context("the callers have been sent away")?;
        Ok(runtime.spawn(future).await?)
    }
}

impl Drop for Callers {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// How long half of the requests take at most where few make them.
async fn quickness(callers: &Callers, traffic: &Traffic) -> Result<Duration> {
    let traffic = traffic.clone();
    let tally = callers
        .run(async move { traffic.closed_loop(FEW_CALLERS, MEASURED).await })
        .await?;
    if tally.accepted.is_empty() {
        return Ok(NOT_AT_ALL);
    }
    Ok(percentile(&tally.accepted, 50))
}

/// Waits for `future`, and notes the most that the process takes meanwhile.
async fn while_watching<T>(bed: &TestBed, future: impl Future<Output = T>) -> (T, Usage) {
    let mut most = Usage::default();
    let mut future = pin!(future);
    loop {
        if let Some(now) = bed.usage() {
            most = most.or_more(now);
        }
        tokio::select! {
            ended = &mut future => return (ended, most),
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// Puts thousands of jobs and events, so that there is work enough beside the requests.
async fn fill(bed: &TestBed) -> Result<QueueAdmin> {
    let address = QueueAddress {
        redis: RedisSettings {
            url: bed.places.redis_url.clone().into(),
        },
        queue: "billz-operations".to_owned(),
        prefix: bed.places.bullmq_prefix.clone(),
    };
    let queue = QueueAdmin::connect(&address).await?;
    let jobs = stream::iter(0..JOBS).map(|number| {
        let data = json!({
            "type": "GET_ORDER", "payload": {"orderId": ORDER_ID}, "correlationId": format!("storm-{number}"), "timestamp": 1,
        });
        let queue = &queue;
        async move { queue.add("job", data, &EnqueueOptions::default()).await }
    });
    let jobs = jobs.buffer_unordered(PUT_AT_A_TIME).try_for_each(async |_| Ok(()));
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", &bed.places.kafka_brokers)
        .create()?;
    let events = stream::iter(0..EVENTS).map(|number| {
        let user_id = format!("customer-{}", number % CUSTOMERS);
        let kind = if number < CUSTOMERS {
            "Customer.Created"
        } else {
            "Customer.Updated"
        };
        let event =
            json!({"type": kind, "payload": {"userId": user_id, "address": {"city": format!("City {number}")}}});
        let (event, producer, topic) = (event.to_string(), &producer, &bed.places.kafka_topic);
        async move {
            let record = FutureRecord::to(topic).key(&user_id).payload(&event);
            producer.send(record, WORKS_OFF_WITHIN).await
        }
    });
    let events = events
        .buffered(PRODUCED_AT_A_TIME)
        .map_err(|(error, _)| error)
        .try_for_each(async |_| Ok(()));
    progress::during("filling the queue and the topic", async {
        tokio::try_join!(async { Ok(jobs.await?) }, async { anyhow::Ok(events.await?) })
    })
    .await?;
    Ok(queue)
}

/// Waits until the service is as quick as before.
async fn recover(callers: &Callers, traffic: &Traffic, at_ease: Duration) -> Result<Recovery> {
    let begun = Instant::now();
    loop {
        let quickness = quickness(callers, traffic).await?;
        let recovery = Recovery {
            at_ease,
            after: quickness,
            took: begun.elapsed(),
        };
        if recovery.is_full() || begun.elapsed() > RECOVERS_WITHIN {
            return Ok(recovery);
        }
    }
}

/// Waits until every job is done and every event applied. `None` where that takes too long.
async fn work_off(bed: &TestBed, queue: &QueueAdmin) -> Result<Option<Duration>> {
    let begun = Instant::now();
    let database = billing(bed).await?;
    while begun.elapsed() < WORKS_OFF_WITHIN {
        let counts = queue.counts().await?;
        let positions = database.collection::<Document>("event_positions").find(doc! {}).await?;
        let positions: Vec<Document> = positions.try_collect().await?;
        let applied: i64 = positions
            .iter()
            .filter_map(|position| position.get_i64("next").ok())
            .sum();
        let is_done = counts.waiting + counts.active + counts.delayed + counts.prioritized == 0;
        if is_done && u64::try_from(applied) == Ok(EVENTS) {
            return Ok(Some(begun.elapsed()));
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(None)
}

async fn billing(bed: &TestBed) -> Result<Database> {
    let client = mongodb::Client::with_uri_str(&bed.places.billing_mongodb_uri).await?;
    client
        .default_database()
        .context("the connection string names a database")
}

/// Compares what the service said is stored with what is.
async fn kept(bed: &TestBed, traffic: &Traffic) -> Result<report::Kept> {
    let database = billing(bed).await?;
    let all = async |collection: &str, field: &str| -> Result<BTreeSet<String>> {
        let collection = database.collection::<Document>(collection);
        let found = collection.find(doc! {}).projection(doc! { field: 1 });
        let found: Vec<Document> = found.await?.try_collect().await?;
        Ok(found
            .iter()
            .filter_map(|document| document.get_str(field).ok().map(str::to_owned))
            .collect())
    };
    let (users, billings) = (all("users", "userId").await?, all("billings", "billingId").await?);
    let counters = database.collection::<Document>("counters");
    let counter = counters
        .find_one(doc! { "_id": "billingId" })
        .await?
        .unwrap_or_default();
    let last_number = counter
        .get_i64("seq")
        .or_else(|_| counter.get_i32("seq").map(i64::from))
        .unwrap_or(0);
    let stored = traffic.stored();
    let lost = stored
        .users
        .difference(&users)
        .chain(stored.billings.difference(&billings));
    Ok(report::Kept {
        users: stored.users.len(),
        billings: stored.billings.len(),
        lost: lost.cloned().collect(),
        customers: users.iter().filter(|id| id.starts_with("customer-")).count(),
        there: billings.len(),
        last_number,
    })
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn a_second(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

#[expect(clippy::print_stdout, reason = "the command's answer")]
fn say(text: &str) {
    println!("{text}");
}
