//! `cargo xtask upgrade`: an older version is replaced by this one and then put back, process by process on the same queue,
//! databases and group, while the load of [`super`] goes on. One replacement each way is killed half way. In the end what
//! must hold after chaos must hold here too, and the older version must know what the newer one did ([`compatible`]).

mod compatible;
mod programs;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use rand::Rng as _;
use tokio::time::Instant;

use super::{
    AbortOnDrop, START_DEADLINE,
    book::lock,
    disk, duration,
    faults::{Injected, Injector},
    judge,
    load::{Load, World},
    quiet, ready,
    report::Outcome,
    rest, say,
    stage::{RedisPersistence, Stage},
    start_all, tell,
};
use crate::interrupt::interrupted;

const PROCESSES: usize = 3;

/// Which versions, and how long each phase lasts.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The seed of the load; drawn by chance where none is given.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How long each of the nine phases lasts at least: `90s`, `2m`. A request that lost its answer keeps its key for
    /// a while, so that in a shorter one all writers may happen to wait.
    #[arg(long, default_value = "90s", value_parser = duration)]
    phase: Duration,
    /// Take this binary for the newer version instead of building this one.
    #[arg(long, value_name = "FILE")]
    program_new: Option<PathBuf>,
    /// Take this binary for the older version instead of building one.
    #[arg(long, value_name = "FILE")]
    program_old: Option<PathBuf>,
    /// Build the older version from this commit; by default the last release, else a commit named in the source.
    #[arg(long, value_name = "COMMIT", conflicts_with = "program_old")]
    old_commit: Option<String>,
    /// Set by this program itself.
    #[arg(long, hide = true)]
    own_mounts: bool,
}

/// One of the two versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    Old,
    New,
}

impl fmt::Display for Version {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Self::Old => "N",
            Self::New => "N+1",
        })
    }
}

/// How a phase begins.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Everything stays as it is.
    Stay(Version),
    /// A process is told to stop, and the other version started in its place.
    Replace(usize, Version),
    /// A process is killed, the other version started in its place and killed too, and then started again.
    KillHalfWay(usize, Version),
}

/// The way there and back.
const COURSE: [Step; 9] = [
    Step::Stay(Version::Old),
    Step::Replace(0, Version::New),
    Step::KillHalfWay(1, Version::New),
    Step::Replace(2, Version::New),
    Step::Stay(Version::New),
    Step::Replace(0, Version::Old),
    Step::KillHalfWay(1, Version::Old),
    Step::Replace(2, Version::Old),
    Step::Stay(Version::Old),
];

impl fmt::Display for Step {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stay(version) => write!(to, "all are {version}"),
            Self::Replace(at, version) => write!(to, "process {} becomes {version}", at + 1),
            Self::KillHalfWay(at, version) => write!(to, "process {} becomes {version}, killed half way", at + 1),
        }
    }
}

/// What went through in one phase.
#[derive(Debug, Clone)]
struct Passed {
    name: String,
    lasted: Duration,
    /// From the step until every process was ready, where there was one.
    ready_after: Option<Duration>,
    jobs: u64,
    writes: u64,
    events: u64,
}

/// The two binaries.
struct Programs {
    old: PathBuf,
    new: PathBuf,
}

impl Programs {
    fn of(&self, version: Version) -> &Path {
        match version {
            Version::Old => &self.old,
            Version::New => &self.new,
        }
    }
}

/// Goes the whole way. An error says that something did not hold.
pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    if !arguments.own_mounts {
        disk::own_namespace();
    }
    drop(rustls::crypto::ring::default_provider().install_default());
    let seed = arguments.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let old = match &arguments.program_old {
        Some(given) => given.clone(),
        None => programs::older(arguments.old_commit.as_deref()).await?,
    };
    let new = match &arguments.program_new {
        Some(given) => given.clone(),
        None => programs::newer().await?,
    };
    let logs = tempfile::Builder::new().prefix("billwright-upgrade-").tempdir()?;
    // Copies, since a build in the meantime must not change what is tested.
    let programs = Programs {
        old: logs.path().join("billwright-old"),
        new: logs.path().join("billwright-new"),
    };
    for (from, to) in [(&old, &programs.old), (&new, &programs.new)] {
        std::fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    }
    let outcome = tokio::select! {
        outcome = Box::pin(there_and_back(arguments, seed, &programs, logs.path())) => outcome,
        asked = interrupted() => { asked?; bail!("interrupted") }
    };
    let holds = outcome.as_ref().is_ok_and(|outcome| outcome.violations.is_empty());
    if !holds {
        say(&format!("the logs are kept in {}", logs.keep().display()));
    }
    say(&outcome?.shown());
    if !holds {
        bail!("something did not hold between the versions");
    }
    Ok(())
}

async fn there_and_back(arguments: &Arguments, seed: u64, programs: &Programs, logs: &Path) -> Result<Outcome> {
    let stage = Stage::set(seed, PROCESSES, RedisPersistence::Aof, &programs.old, logs).await?;
    let stage = Arc::new(stage);
    start_all(&stage).await?;
    let world = World::new(seed, stage, arguments.phase);
    let injector = Injector::new(world.clone(), arguments.phase);
    let watching = AbortOnDrop(tokio::spawn(Arc::clone(&injector).watch()));
    let begun = Instant::now();
    let telling = AbortOnDrop(tokio::spawn(tell(world.clone(), Arc::clone(&injector), begun)));
    world.go_on_for(arguments.phase + START_DEADLINE);
    let load = Load::begin(&world).await?;
    let mut passed = Vec::new();
    let mut failed_checks = Vec::new();
    for (number, step) in (0..).zip(COURSE) {
        let phase = phase(&world, &injector, programs, step, number, arguments.phase).await?;
        say(&phase.shown());
        passed.push(phase);
        if matches!(step, Step::Stay(_)) {
            for version in [Version::Old, Version::New] {
                failed_checks.extend(compatible::check(&world, programs.of(version), version).await?);
            }
        }
    }
    let lasted = begun.elapsed();
    world.go_on_for(Duration::ZERO);
    let calm = Instant::now();
    load.end().await?;
    let again = compatible::ask_again(&world).await?;
    let rest = rest(&world, calm).await;
    let between = [
        (
            "every_phase_lets_work_through",
            compatible::every_phase_lets_work_through(&passed),
        ),
        ("check_accepts_what_either_version_left", failed_checks),
        (
            "what_was_done_is_known",
            compatible::what_was_done_is_known(&world, &again).await?,
        ),
        (
            "every_document_is_read",
            compatible::every_document_is_read(&world).await?,
        ),
    ];
    say(&format!("{} jobs of before were asked for again", again.len()));
    drop((telling, watching));
    let (survived, mut violations) = judge(&world, &injector, &injector.injected(), &rest).await?;
    violations.extend(
        between
            .into_iter()
            .filter_map(|(name, found)| compatible::violation(name, found)),
    );
    Ok(Outcome {
        seed,
        command: format!(
            "cargo xtask upgrade --seed {seed} --phase {}s",
            arguments.phase.as_secs()
        ),
        lasted,
        quiet_after: rest.ok(),
        injected: as_faults(&passed),
        survived,
        not_covered: Vec::new(),
        violations,
    })
}

/// One phase: its step, and then load until it has lasted long enough.
async fn phase(
    world: &World,
    injector: &Injector,
    programs: &Programs,
    step: Step,
    number: u64,
    length: Duration,
) -> Result<Passed> {
    world.go_on_for(length + START_DEADLINE);
    let stage = &*world.stage;
    let begun = Instant::now();
    let before = through(world).await?;
    let is_stay = matches!(step, Step::Stay(_));
    match step {
        Step::Stay(_) => {}
        Step::Replace(at, version) => {
            let member = &stage.fleet.members[at];
            injector.stop(member).await;
            member.set_program(programs.of(version));
            injector.start(member).await?;
        }
        Step::KillHalfWay(at, version) => {
            let member = &stage.fleet.members[at];
            injector.kill(member).await?;
            member.set_program(programs.of(version));
            injector.start(member).await?;
            // Any moment of its start may be its last.
            let lives = world.chances("half way", number).random_range(50..2_000);
            tokio::time::sleep(Duration::from_millis(lives)).await;
            injector.kill(member).await?;
            injector.start(member).await?;
        }
    }
    ready(stage).await.with_context(|| format!("while: {step}"))?;
    let ready_after = (!is_stay).then(|| begun.elapsed());
    tokio::time::sleep_until(begun + length).await;
    let after = through(world).await?;
    Ok(Passed {
        name: step.to_string(),
        lasted: begun.elapsed(),
        ready_after,
        jobs: after.0.saturating_sub(before.0),
        writes: after.1.saturating_sub(before.1),
        events: after.2.saturating_sub(before.2),
    })
}

/// How many jobs have ended, writes are answered and events are applied by now.
async fn through(world: &World) -> Result<(u64, u64, u64)> {
    let jobs = world.queue.counts().await?.ended;
    let writes = lock(&world.book.api).answered;
    let events = u64::try_from(quiet::applied(&world.stage).await?)?;
    Ok((jobs, writes, events))
}

impl Passed {
    fn shown(&self) -> String {
        let ready_after = self
            .ready_after
            .map(|after| format!(", ready after {:.1} s", after.as_secs_f64()));
        format!(
            "  {:<42}{:>5.0} s: {} jobs, {} writes, {} events{}",
            self.name,
            self.lasted.as_secs_f64(),
            self.jobs,
            self.writes,
            self.events,
            ready_after.unwrap_or_default()
        )
    }
}

/// The replacements, told like faults.
fn as_faults(passed: &[Passed]) -> Injected {
    let mut injected = Injected::default();
    for phase in passed {
        if let Some(ready_after) = phase.ready_after {
            injected.counts.insert(phase.name.clone(), 1);
            injected.recoveries.insert(phase.name.clone(), vec![ready_after]);
        }
    }
    injected
}
