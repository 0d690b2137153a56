//! `cargo xtask chaos`: both products under load while everything around them, and they themselves, break; and then what
//! must hold all the same.
//!
//! A seed decides what is put in ([`load`]), what breaks when and for how long ([`faults`]), and which habits the chances
//! of the sandbox show; what the machine makes of the order in which things meet is left to it. In the end everything is
//! mended, the run waits until there is nothing left to do ([`quiet`]), looks at what is there ([`observed`]) and compares
//! it with what was put in ([`book`]), one function for each thing that must hold ([`invariants`]).

mod book;
mod disk;
mod faults;
mod fleet;
mod invariants;
mod link;
mod load;
mod observed;
mod queue;
mod quiet;
mod report;
pub(crate) mod soak;
mod stage;
pub(crate) mod upgrade;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use billwright_services::progress;
use tokio::time::Instant;

use self::{
    book::lock,
    faults::{Injected, Injector},
    invariants::Violation,
    load::{Load, World},
    observed::Observed,
    report::{Outcome, Survived},
    stage::{RedisPersistence, Stage},
};
use crate::{interrupt::interrupted, test_bed};

/// How long the processes may take until they are ready for the first time.
const START_DEADLINE: Duration = Duration::from_mins(3);
/// How often a person is told how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(15);

/// How much is to be broken.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Repeat the run of this seed; may be given several times.
    #[arg(long, value_name = "N")]
    seed: Vec<u64>,
    /// Run so many seeds drawn by chance, after those that are given; one where none is given.
    #[arg(long, value_name = "K")]
    seeds: Option<u32>,
    /// How long things break, for each seed: `90s`, `10m`.
    #[arg(long, default_value = "10m", value_parser = duration)]
    duration: Duration,
    /// How many Billwright processes there are.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=9))]
    processes: u8,
    /// Whether Redis keeps the queue when it is killed.
    #[arg(long, value_enum, default_value = "aof")]
    redis_persistence: RedisPersistence,
    /// Write what came of it to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Test this binary, say an optimised one, instead of building one.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Set by this program itself.
    #[arg(long, hide = true)]
    own_mounts: bool,
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let parsed = match text.strip_suffix('m') {
        Some(minutes) => minutes.parse::<u64>().map(|minutes| minutes.saturating_mul(60)),
        None => text.strip_suffix('s').unwrap_or(text).parse::<u64>(),
    };
    match parsed {
        Ok(seconds @ 10..=86_400) => Ok(Duration::from_secs(seconds)),
        _ => Err("expected a time from `10s` to `1440m`".to_owned()),
    }
}

/// Runs every seed. An error says which of them broke something.
pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    if !arguments.own_mounts {
        disk::own_namespace();
    }
    drop(rustls::crypto::ring::default_provider().install_default());
    // A copy, since a build in the meantime must not change what is tested.
    let folder = tempfile::tempdir()?;
    let program = folder.path().join("billwright");
    let tested = match &arguments.program {
        Some(given) => given.clone(),
        None => test_bed::build().await?,
    };
    tokio::fs::copy(&tested, &program)
        .await
        .with_context(|| format!("cannot copy {}", tested.display()))?;
    let drawn = arguments.seeds.unwrap_or(u32::from(arguments.seed.is_empty()));
    let seeds = arguments
        .seed
        .iter()
        .copied()
        .chain((0..drawn).map(|_| u64::from(rand::random::<u32>())));
    let mut outcomes = Vec::new();
    let mut broken = Vec::new();
    for seed in seeds {
        say(&format!("seed {seed}: {}", arguments.command(seed)));
        let outcome = tokio::select! {
            outcome = run_seed(arguments, seed, &program) => outcome,
            asked = interrupted() => { asked?; bail!("interrupted during seed {seed}") }
        };
        match outcome {
            Ok(outcome) => {
                say(&outcome.shown());
                if !outcome.violations.is_empty() {
                    broken.push(seed);
                }
                outcomes.push(outcome.json());
            }
            Err(error) => {
                say(&format!(
                    "seed {seed}: the run itself failed: {error:#}\n  to repeat: {}",
                    arguments.command(seed)
                ));
                broken.push(seed);
            }
        }
        if let Some(file) = &arguments.report {
            let report = serde_json::to_string_pretty(&outcomes)?;
            std::fs::write(file, report).with_context(|| format!("cannot write {}", file.display()))?;
        }
    }
    if !broken.is_empty() {
        let seeds: Vec<String> = broken.iter().map(u64::to_string).collect();
        bail!("something did not hold with seed {}", seeds.join(", "));
    }
    Ok(())
}

impl Arguments {
    /// The command that repeats a seed.
    fn command(&self, seed: u64) -> String {
        let persistence = match self.redis_persistence {
            RedisPersistence::Aof => "aof",
            RedisPersistence::None => "none",
        };
        format!(
            "cargo xtask chaos --seed {seed} --duration {}s --processes {} --redis-persistence {persistence}",
            self.duration.as_secs(),
            self.processes
        )
    }
}

async fn run_seed(arguments: &Arguments, seed: u64, program: &Path) -> Result<Outcome> {
    let logs = tempfile::Builder::new().prefix("billwright-chaos-").tempdir()?;
    let outcome = Box::pin(in_folder(arguments, seed, program, logs.path())).await;
    if !outcome.as_ref().is_ok_and(|outcome| outcome.violations.is_empty()) {
        say(&format!("the logs are kept in {}", logs.keep().display()));
    }
    outcome
}

async fn in_folder(arguments: &Arguments, seed: u64, program: &Path, logs: &Path) -> Result<Outcome> {
    let processes = usize::from(arguments.processes);
    let stage = Arc::new(Stage::set(seed, processes, arguments.redis_persistence, program, logs).await?);
    start_all(&stage).await?;
    let world = World::new(seed, stage, arguments.duration);
    let injector = Injector::new(world.clone(), arguments.duration);
    let watching = AbortOnDrop(tokio::spawn(Arc::clone(&injector).watch()));
    let telling = AbortOnDrop(tokio::spawn(tell(world.clone(), Arc::clone(&injector), Instant::now())));
    let load = Load::begin(&world).await?;
    let injecting = tokio::spawn(Arc::clone(&injector).run());
    injecting.await??;
    let calm = Instant::now();
    progress::during("waiting for the last answers", load.end()).await?;
    let rest = rest(&world, calm).await;
    drop((telling, watching));
    let injected = injector.injected();
    let (survived, violations) = judge(&world, &injector, &injected, &rest).await?;
    Ok(Outcome {
        seed,
        command: arguments.command(seed),
        lasted: arguments.duration,
        quiet_after: rest.ok(),
        injected,
        survived,
        not_covered: not_covered(&world.stage),
        violations,
    })
}

/// Starts every process for the first time.
async fn start_all(stage: &Stage) -> Result<()> {
    for member in &stage.fleet.members {
        stage.fleet.start(member).await?;
    }
    progress::during("waiting until every process is ready", ready(stage)).await
}

/// Waits until nothing is left to do. Returns how long that took since `calm`, or what is left all the same.
async fn rest(world: &World, calm: Instant) -> Result<Duration> {
    quiet::wait(world).await?;
    Ok(calm.elapsed())
}

/// Stops every process, looks at what is there, and finds what should be otherwise.
async fn judge(
    world: &World,
    injector: &Injector,
    injected: &Injected,
    rest: &Result<Duration>,
) -> Result<(Survived, Vec<Violation>)> {
    for member in &world.stage.fleet.members {
        injector.stop(member).await;
    }
    let observed = Observed::look(world, injected).await?;
    let restless = rest.as_ref().err().map(|left| Violation {
        invariant: "it_comes_to_rest".to_owned(),
        found: vec![format!("{left:#}")],
    });
    let violations = restless.into_iter().chain(invariants::check(&observed));
    Ok((Survived::of(&observed), violations.collect()))
}

/// What this machine does not let us break.
fn not_covered(stage: &Stage) -> Vec<&'static str> {
    let mut missing = Vec::new();
    if stage.disk.is_none() {
        missing
            .push("a full disk under MongoDB (no file system can be mounted: run as root, or allow user namespaces)");
    }
    if !stage.fleet.has_clocks() {
        missing.push("jumps of a process's clock (install the package `libfaketime`)");
    }
    missing
}

async fn ready(stage: &Stage) -> Result<()> {
    let http = reqwest::Client::builder().timeout(Duration::from_secs(2)).build()?;
    let begun = Instant::now();
    while !stage.all_ready(&http).await {
        for member in &stage.fleet.members {
            member.check_running().await?;
        }
        if begun.elapsed() > START_DEADLINE {
            bail!("the processes are not ready after {} s", START_DEADLINE.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

async fn tell(world: World, injector: Arc<Injector>, begun: Instant) {
    loop {
        tokio::time::sleep(TOLD_EVERY).await;
        let writes = lock(&world.book.api).answered;
        let events = lock(&world.book.events).produced;
        progress::tell(&format!(
            "seed {}: {} s, {} jobs, {writes} writes, {events} events, {} faults",
            world.seed,
            begun.elapsed().as_secs(),
            world.book.jobs().len(),
            injector.injected().counts.values().sum::<u64>()
        ));
    }
}

/// A task that ends with whoever started it.
struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[expect(clippy::print_stdout, reason = "the command's answer")]
fn say(text: &str) {
    println!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations() {
        assert_eq!(duration("10m").unwrap(), Duration::from_mins(10));
        assert_eq!(duration("90s").unwrap(), Duration::from_secs(90));
        for wrong in ["", "5s", "m", "-10s", "2h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
