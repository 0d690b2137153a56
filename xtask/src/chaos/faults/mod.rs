//! The injector: breaks what the seed draws, when, and for how long, and mends it again.

mod kinds;
mod servers;

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context as _, Result};
use billwright_sandbox::FaultRule;
use rand::Rng as _;
use tokio::{task::JoinSet, time::Instant};

use self::kinds::{Break, Server, Target};
use super::{
    book::lock,
    fleet::{CLOCK_IS_READ_EVERY, Member},
    link::Passage,
    load::World,
    stage::RedisPersistence,
};

/// How many things may be broken at a time.
const AT_ONCE: usize = 2;
/// How soon after its start a process may still be ended by SIGTERM without a word: it has not asked for the signal yet.
const DEAF: Duration = Duration::from_secs(5);

/// The invariants that are checked here, while it goes on.
pub(super) const STOPS: &str = "a_process_stops_when_it_is_told";
pub(super) const LIVES: &str = "no_process_ends_by_itself";

/// What was injected, and how long it took until all was well again.
#[derive(Debug, Clone, Default)]
pub(super) struct Injected {
    /// How often, by kind.
    pub(super) counts: BTreeMap<String, u64>,
    /// From the end of a fault until every process was ready, where nothing else broke meanwhile.
    pub(super) recoveries: BTreeMap<String, Vec<Duration>>,
    /// Whether Redis ever forgot everything.
    pub(super) queue_lost: bool,
    /// Whether a process's clock, or that of Billz, ever jumped.
    pub(super) clocks_jumped: bool,
}

/// How long a process is down of the time for which something would be broken. It takes a while to be ready again, and as
/// long as it is not, the load only reaches the others.
fn down_for(length: Duration) -> Duration {
    length / 2
}

/// Breaks things until the world says that it is enough.
pub(super) struct Injector {
    world: World,
    long: bool,
    broken: Mutex<HashSet<Target>>,
    /// Since when each process runs that does.
    started: Mutex<BTreeMap<String, Instant>>,
    injected: Mutex<Injected>,
    /// The fault that ended last, if nothing was broken since.
    mended: Mutex<Option<(String, Instant)>>,
}

impl Injector {
    pub(super) fn new(world: World, duration: Duration) -> Arc<Self> {
        let members = world.stage.fleet.members.iter();
        let started = members.map(|member| (member.name.clone(), Instant::now()));
        Arc::new(Self {
            long: duration >= Duration::from_mins(3),
            broken: Mutex::default(),
            started: Mutex::new(started.collect()),
            injected: Mutex::default(),
            mended: Mutex::default(),
            world,
        })
    }

    /// Breaks and mends until it is enough, and returns with everything mended.
    pub(super) async fn run(self: Arc<Self>) -> Result<()> {
        let mut chance = self.world.chances("faults", 0);
        let processes = self.world.stage.fleet.members.len();
        let mut essential = VecDeque::new();
        if !self.long {
            essential.extend(Break::essential(&mut chance, processes));
        }
        let mut under_way = JoinSet::new();
        loop {
            let pause = Duration::from_millis(chance.random_range(500..4_000));
            // Drawn whether it can be injected or not, so that the rest of the schedule does not depend on it.
            let drawn = Break::draw(&mut chance, processes, self.long);
            let is_essential = !essential.is_empty();
            let (what, length) = essential.pop_front().unwrap_or(drawn);
            if Instant::now() + pause + length > self.world.until() {
                break;
            }
            tokio::time::sleep(pause).await;
            let free = {
                let mut broken = lock(&self.broken);
                broken.len() < AT_ONCE && broken.insert(what.target())
            };
            if !free && is_essential {
                essential.push_back((what, length));
            } else if free {
                let injector = Arc::clone(&self);
                under_way.spawn(async move { injector.inject(what, length).await });
            }
            while let Some(ended) = under_way.try_join_next() {
                ended??;
            }
        }
        while let Some(ended) = under_way.join_next().await {
            ended??;
        }
        self.calm().await
    }

    /// What was injected so far.
    pub(super) fn injected(&self) -> Injected {
        lock(&self.injected).clone()
    }

    /// Everything as it should be.
    async fn calm(&self) -> Result<()> {
        let stage = &self.world.stage;
        for link in [&stage.links.mongodb, &stage.links.redis, &stage.links.kafka] {
            link.set(Passage::Open);
        }
        stage.sandbox.faults().clear();
        stage.restock();
        for member in &stage.fleet.members {
            if stage.fleet.has_clocks() {
                stage.fleet.write_clock(member, 0)?;
            }
            self.start(member).await?;
        }
        Ok(())
    }

    async fn inject(&self, what: Break, length: Duration) -> Result<()> {
        let (kind, target) = (what.kind(), what.target());
        *lock(&self.mended) = None;
        let possible = self
            .act(&what, length)
            .await
            .with_context(|| format!("while injecting: {kind}"))?;
        lock(&self.broken).remove(&target);
        if possible {
            *lock(&self.injected).counts.entry(kind.clone()).or_default() += 1;
            if lock(&self.broken).is_empty() {
                *lock(&self.mended) = Some((kind, Instant::now()));
            }
        }
        Ok(())
    }

    /// Breaks and mends one thing. Says whether that could be done here.
    async fn act(&self, what: &Break, length: Duration) -> Result<bool> {
        let stage = &*self.world.stage;
        match what {
            Break::KillProcess(at) => {
                let member = &stage.fleet.members[*at];
                self.kill(member).await?;
                tokio::time::sleep(down_for(length)).await;
                self.start(member).await?;
            }
            Break::StopProcess(at) => {
                let member = &stage.fleet.members[*at];
                self.stop(member).await;
                tokio::time::sleep(down_for(length)).await;
                self.start(member).await?;
            }
            Break::PauseProcess(at) => stage.fleet.members[*at].pause(length).await?,
            Break::ProcessClock(at, minutes) => {
                if !stage.fleet.has_clocks() {
                    return Ok(false);
                }
                let member = &stage.fleet.members[*at];
                lock(&self.injected).clocks_jumped = true;
                stage.fleet.write_clock(member, *minutes)?;
                // A process may not have looked at its clock any sooner.
                tokio::time::sleep(CLOCK_IS_READ_EVERY + length).await;
                stage.fleet.write_clock(member, 0)?;
            }
            Break::KillServer(server) => {
                stage.kill(*server).await?;
                self.note_loss(*server);
                tokio::time::sleep(length).await;
                stage.restart(*server).await?;
            }
            Break::StopServer(server) => {
                stage.stop(*server).await?;
                self.note_loss(*server);
                tokio::time::sleep(length).await;
                stage.restart(*server).await?;
            }
            Break::PauseServer(server) => stage.pause(*server, length).await?,
            Break::FullDisk => return stage.fill_disk(length).await,
            Break::Link(server, passage) => {
                let link = stage.link(*server);
                link.set(*passage);
                tokio::time::sleep(length).await;
                link.set(Passage::Open);
            }
            Break::Billz(rules) => {
                self.add(rules)?;
                tokio::time::sleep(length).await;
                stage.restock();
            }
            Break::Telegram(rules) => {
                self.add(rules)?;
                tokio::time::sleep(length).await;
            }
            Break::BillzClock(minutes) => {
                lock(&self.injected).clocks_jumped = true;
                let step = chrono::TimeDelta::minutes(*minutes);
                stage.sandbox.advance_clock(step);
                tokio::time::sleep(length).await;
                stage.sandbox.advance_clock(-step);
            }
        }
        Ok(true)
    }

    fn add(&self, rules: &[FaultRule]) -> Result<()> {
        for rule in rules {
            let added = self.world.stage.sandbox.faults().add(rule.clone());
            added.map_err(|problem| anyhow::anyhow!("the sandbox refuses a fault: {problem}"))?;
        }
        Ok(())
    }

    fn note_loss(&self, server: Server) {
        let keeps = self.world.stage.persistence == RedisPersistence::Aof;
        if server == Server::Redis && !keeps {
            lock(&self.injected).queue_lost = true;
        }
    }

    /// Starts a process, if it is down.
    pub(super) async fn start(&self, member: &Member) -> Result<()> {
        lock(&self.started)
            .entry(member.name.clone())
            .or_insert_with(Instant::now);
        self.world.stage.fleet.start(member).await
    }

    /// SIGKILL to a process.
    pub(super) async fn kill(&self, member: &Member) -> Result<()> {
        lock(&self.started).remove(&member.name);
        member.kill().await
    }

    /// SIGTERM to a process, which must end well within its time.
    pub(super) async fn stop(&self, member: &Member) {
        let begun = lock(&self.started).remove(&member.name);
        let deaf = begun.is_none_or(|begun| begun.elapsed() < DEAF);
        match member.terminate().await {
            Ok(None | Some(0)) => {}
            // How a shell reports that a signal ended a program.
            Ok(Some(143)) if deaf => {}
            Ok(Some(status)) => {
                let text = format!("{} ended with status {status} after SIGTERM, expected 0", member.name);
                self.world.book.complain(STOPS, text);
            }
            Err(error) => self.world.book.complain(STOPS, format!("{error:#}")),
        }
    }

    /// Watches the processes until the task is dropped: what they take of the machine, whether they are ready, and whether
    /// one ends although nobody told it to.
    pub(super) async fn watch(self: Arc<Self>) {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(1)).build();
        let Ok(http) = http else { return };
        loop {
            for member in &self.world.stage.fleet.members {
                member.measure().await;
                if let Err(error) = member.check_running().await {
                    self.world.book.complain(LIVES, format!("{error:#}"));
                    drop(self.kill(member).await);
                    drop(self.start(member).await);
                }
            }
            let mended = lock(&self.mended).clone();
            if let Some((kind, since)) = mended
                && self.world.stage.all_ready(&http).await
                && lock(&self.mended).take().is_some_and(|(_, still)| still == since)
            {
                let mut injected = lock(&self.injected);
                injected.recoveries.entry(kind).or_default().push(since.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}
