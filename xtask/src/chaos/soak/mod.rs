//! `cargo xtask soak`: the load of [`super`] for an hour with nothing broken, at about half of what can be served. Meanwhile
//! it is looked at what processes take and what is stored ([`samples`]): the one must be flat, and the other only grow
//! where there is a reason ([`growth`]). In the end what must hold after chaos must hold here too.

mod growth;
mod samples;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use billwright_services::progress;
use rand::Rng as _;
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior};

use self::samples::Sample;
use super::{
    AbortOnDrop,
    book::lock,
    duration,
    faults::{Injected, Injector},
    judge,
    load::{Load, World},
    report::Outcome,
    rest, say,
    stage::{BILLZ_CALLS_PER_SECOND, RedisPersistence, Stage},
    start_all, tell,
};
use crate::{interrupt::interrupted, test_bed};

/// How often everything is looked at, and how many looks a short run has at least.
const LOOK_EVERY: Duration = Duration::from_secs(30);
const FEWEST_LOOKS: u32 = 40;
/// Readers among whom the reads are divided.
const READERS: u64 = 4;
/// How long a reader waits for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long, and how much.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The seed of the load; drawn by chance where none is given.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How long it goes on: `90s`, `60m`.
    #[arg(long, default_value = "60m", value_parser = duration)]
    duration: Duration,
    /// How many Billwright processes there are.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=9))]
    processes: u8,
    /// How many reads a second there are beside the load of `chaos`.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    reads: u64,
    /// Write what came of it to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Test this binary, say an optimised one, instead of building one.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// Goes on for so long. An error says that something did not hold.
pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    drop(rustls::crypto::ring::default_provider().install_default());
    let seed = arguments.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let tested = match &arguments.program {
        Some(given) => given.clone(),
        None => test_bed::build().await?,
    };
    let logs = tempfile::Builder::new().prefix("billwright-soak-").tempdir()?;
    // A copy, since a build in the meantime must not change what is tested.
    let program = logs.path().join("billwright");
    std::fs::copy(&tested, &program).with_context(|| format!("cannot copy {}", tested.display()))?;
    let outcome = tokio::select! {
        outcome = Box::pin(soak(arguments, seed, &program, logs.path())) => outcome,
        asked = interrupted() => { asked?; bail!("interrupted") }
    };
    let holds = outcome.as_ref().is_ok_and(|outcome| outcome.violations.is_empty());
    if !holds {
        say(&format!("the logs are kept in {}", logs.keep().display()));
    }
    say(&outcome?.shown());
    if !holds {
        bail!("something did not hold");
    }
    Ok(())
}

async fn soak(arguments: &Arguments, seed: u64, program: &Path, logs: &Path) -> Result<Outcome> {
    let processes = usize::from(arguments.processes);
    let stage = Arc::new(Stage::set_on(None, seed, processes, RedisPersistence::Aof, program, logs).await?);
    start_all(&stage).await?;
    let world = World::new(seed, stage, arguments.duration);
    // Nothing is injected; it watches the processes, and stops them in the end.
    let injector = Injector::new(world.clone(), arguments.duration);
    let begun = Instant::now();
    let watching = AbortOnDrop(tokio::spawn(Arc::clone(&injector).watch()));
    let telling = AbortOnDrop(tokio::spawn(tell(world.clone(), Arc::clone(&injector), begun)));
    let looks: Arc<Mutex<Vec<Sample>>> = Arc::default();
    let looking = AbortOnDrop(tokio::spawn(look(
        world.clone(),
        arguments.duration,
        Arc::clone(&looks),
    )));
    let load = Load::begin(&world).await?;
    let reads = Arc::new(AtomicU64::new(0));
    let readers: Vec<_> = (0..READERS)
        .map(|number| read(world.clone(), number, arguments.reads, Arc::clone(&reads)))
        .map(|reading| AbortOnDrop(tokio::spawn(reading)))
        .collect();
    tokio::time::sleep_until(world.until()).await;
    let lasted = begun.elapsed();
    drop((looking, readers));
    let calm = Instant::now();
    progress::during("waiting for the last answers", load.end()).await?;
    let rest = rest(&world, calm).await;
    drop((telling, watching));
    let samples = std::mem::take(&mut *lock(&looks));
    let rates = rates(&world, lasted, reads.load(Ordering::Relaxed));
    let (survived, mut violations) = judge(&world, &injector, &Injected::default(), &rest).await?;
    violations.extend(samples::check(&samples));
    say(&format!("{rates}\n{}", samples::table(&samples)));
    let outcome = Outcome {
        seed,
        command: format!(
            "cargo xtask soak --seed {seed} --duration {}s --processes {processes} --reads {}",
            arguments.duration.as_secs(),
            arguments.reads
        ),
        lasted: Duration::ZERO,
        quiet_after: rest.ok(),
        injected: Injected::default(),
        survived,
        not_covered: Vec::new(),
        violations,
    };
    if let Some(file) = &arguments.report {
        let report = json!({"lastedSeconds": lasted.as_secs(), "rates": rates, "outcome": outcome.json(), "samples": samples::json(&samples)});
        let report = serde_json::to_string_pretty(&report)?;
        std::fs::write(file, report).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(outcome)
}

/// Looks at everything again and again. What cannot be seen for a moment is left out.
async fn look(world: World, length: Duration, looks: Arc<Mutex<Vec<Sample>>>) {
    let begun = Instant::now();
    let mut every = tokio::time::interval(LOOK_EVERY.min(length / FEWEST_LOOKS));
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        match Sample::take(&world.stage, begun.elapsed()).await {
            Ok(sample) => lock(&looks).push(sample),
            Err(error) => progress::tell(&format!("a look failed: {error:#}")),
        }
    }
}

/// Reads users, billings and lists, which must be answered; `a_second` by all readers together.
async fn read(world: World, number: u64, a_second: u64, reads: Arc<AtomicU64>) {
    let mut chance = world.chances("reader", number);
    let Ok(http) = reqwest::Client::builder().timeout(PATIENCE).build() else {
        return;
    };
    #[expect(clippy::cast_precision_loss, reason = "both are small")]
    let pace = Duration::from_secs_f64(READERS as f64 / a_second as f64);
    let mut every = tokio::time::interval(pace);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while Instant::now() < world.until() {
        every.tick().await;
        let members = &world.stage.fleet.members;
        let url = &members[chance.random_range(0..members.len())].url;
        let path = match chance.random_range(0..10) {
            0..7 => format!("/api/users/api-{}-0", chance.random_range(0..READERS)),
            7..9 => "/api/billings?limit=50".to_owned(),
            _ => "/api/users?limit=20&sort=userId".to_owned(),
        };
        let answer = async {
            let response = http.get(format!("{url}{path}")).send().await?;
            let status = response.status().as_u16();
            response.bytes().await?;
            Ok::<_, reqwest::Error>(status)
        };
        match answer.await {
            // A user may have been deleted.
            Ok(200 | 404) => {
                reads.fetch_add(1, Ordering::Relaxed);
            }
            // On a machine that others keep busy an answer may be late, or say so. What was not counted is seen in the rate.
            Ok(429 | 503) | Err(_) => {}
            Ok(status) => world
                .book
                .complain(super::load::ANSWERS, format!("GET {path} was answered with {status}")),
        }
    }
}

/// How much went through, against what could.
fn rates(world: &World, lasted: Duration, reads: u64) -> String {
    let stage = &*world.stage;
    let per_second = |count: u64| {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let count = count as f64;
        count / lasted.as_secs_f64()
    };
    let ledger = stage.sandbox.ledger();
    let calls = ledger.calls_dropped + ledger.calls.len() as u64;
    let writes = lock(&world.book.api).answered;
    let events = lock(&world.book.events).produced;
    format!(
        "{} s with {} processes: {:.1} calls a second of Billz, whose budget is {BILLZ_CALLS_PER_SECOND}, and Telegram; {:.1} jobs, \
         {:.1} writes, {:.1} reads and {:.1} events a second",
        lasted.as_secs(),
        stage.fleet.members.len(),
        per_second(calls),
        per_second(world.book.jobs().len() as u64),
        per_second(writes),
        per_second(reads),
        per_second(events)
    )
}
