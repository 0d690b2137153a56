//! Starts the worker and keeps it going: waits for Redis and MongoDB without end, pauses while Billz or MongoDB is away,
//! and stops without losing or burning a job.

use std::{sync::Arc, time::Duration};

use billwright_connectors::{billz::Billz, breaker::BreakerState, telegram::Telegram};
use billwright_domain::{Clock, Condition, HealthBoard};
use billwright_store::{
    Mongo,
    billz::{indexes, notifications::Notifications},
};
use tokio::{sync::watch, task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    WorkerSettings,
    bullmq_queue::{QueueWorker, RedisLink, follower, worker::Pause},
    context::Context,
    maintenance,
    notify::{Notice, Notify},
    runner::Runner,
    telegram_sender,
};

/// What the worker is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerState {
    /// It waits for something before it can begin.
    Waiting(String),
    /// It fetches jobs.
    Running,
    /// It fetches nothing, for this reason, and goes on by itself.
    Paused(String),
    /// It finishes what is under way.
    Stopping,
    /// It has ended.
    Stopped,
}

/// The running worker.
#[derive(Debug)]
pub struct WorkerHandle {
    state: watch::Receiver<WorkerState>,
    task: JoinHandle<()>,
}

impl WorkerHandle {
    /// What the worker is doing right now.
    pub fn state(&self) -> WorkerState {
        self.state.borrow().clone()
    }

    /// Follows what the worker is doing.
    pub fn follow(&self) -> watch::Receiver<WorkerState> {
        self.state.clone()
    }

    /// Returns once the worker has ended, after its token was cancelled.
    pub async fn finished(self) {
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the worker ended badly");
        }
    }
}

const REDIS: &str = "worker.redis";
const MONGODB: &str = "worker.mongodb";
const BILLZ: &str = "worker.billz";

/// Starts the worker. Returns at once: what is away is waited for, and seen on `health`. Cancelling `cancel` stops it
/// gracefully: nothing more is fetched, what is under way gets `settings.grace`, and the rest goes back to the queue.
pub fn start(
    settings: WorkerSettings,
    billz: Billz,
    telegram: Option<Telegram>,
    mongo: Mongo,
    clock: Arc<dyn Clock>,
    health: HealthBoard,
    cancel: CancellationToken,
) -> WorkerHandle {
    let (state, follow) = watch::channel(WorkerState::Waiting("it is starting".to_owned()));
    let supervisor = Supervisor {
        settings,
        billz,
        telegram,
        mongo,
        clock,
        health,
        cancel,
        state,
    };
    WorkerHandle {
        state: follow,
        task: tokio::spawn(supervisor.run()),
    }
}

struct Supervisor {
    settings: WorkerSettings,
    billz: Billz,
    telegram: Option<Telegram>,
    mongo: Mongo,
    clock: Arc<dyn Clock>,
    health: HealthBoard,
    cancel: CancellationToken,
    state: watch::Sender<WorkerState>,
}

impl Supervisor {
    async fn run(self) {
        let link = match RedisLink::new(&self.settings.redis, &self.settings.queue, &self.settings.prefix) {
            Ok(link) => link,
            Err(error) => {
                let text = format!("the address of Redis is none: {error}; set REDIS_URL or REDIS_HOST");
                tracing::error!("{text}");
                self.health.post(REDIS, Condition::Down, text.clone());
                self.state.send_replace(WorkerState::Waiting(text));
                self.cancel.cancelled().await;
                self.state.send_replace(WorkerState::Stopped);
                return;
            }
        };
        // The tasks beside the jobs outlive them: what is under way at a stop still wants its notices queued and its leases renewed.
        let beside = CancellationToken::new();
        let (redis_up, redis) = watch::channel(false);
        let (mongo_up, mongo) = watch::channel(false);
        tokio::spawn(watch_redis(link.clone(), self.health.clone(), redis_up, beside.clone()));
        tokio::spawn(watch_mongo(
            self.mongo.clone(),
            self.health.clone(),
            mongo_up,
            beside.clone(),
        ));
        self.health.post(BILLZ, Condition::Up, "");

        let notifications = self.telegram.as_ref().map(|_| Notifications::new(&self.mongo));
        let notify = Notify::new(notifications);
        let context = Arc::new(Context::new(
            &self.settings,
            self.billz.clone(),
            &self.mongo,
            notify.clone(),
            self.clock.clone(),
        ));
        let given_up = CancellationToken::new();
        let runner = Runner::new(context.clone(), given_up.clone());
        if let Some(worker) = self.begin(&link, runner, redis, mongo.clone()).await {
            tracing::info!(queue = %link.keys.base(), concurrency = self.settings.concurrency, "the worker fetches jobs");
            tokio::spawn(follower::follow(link.clone(), beside.clone()));
            tokio::spawn(maintenance::run(
                context,
                link.clone(),
                self.settings.look_after_every,
                beside.clone(),
            ));
            if let Some(telegram) = self.telegram.clone() {
                tokio::spawn(telegram_sender::run(
                    self.mongo.clone(),
                    telegram,
                    self.clock.clone(),
                    beside.clone(),
                ));
            }
            let worker = Arc::new(worker);
            tokio::spawn(watch_breaker(
                self.billz.clone(),
                worker.clone(),
                self.health.clone(),
                notify,
                beside.clone(),
            ));
            self.attend(&worker, mongo).await;
            self.stop(&worker, &link, &given_up).await;
        }
        beside.cancel();
        self.state.send_replace(WorkerState::Stopped);
        tracing::info!("the worker has stopped");
    }

    /// Waits for Redis and MongoDB, then starts fetching. `None` where the stop came first.
    async fn begin(
        &self,
        link: &RedisLink,
        runner: Runner,
        mut redis: watch::Receiver<bool>,
        mut mongo: watch::Receiver<bool>,
    ) -> Option<QueueWorker> {
        let waiting = |what: &str| {
            self.state.send_replace(WorkerState::Waiting(what.to_owned()));
        };
        loop {
            waiting("Redis is away");
            self.cancel.run_until_cancelled(redis.wait_for(|up| *up)).await?.ok()?;
            waiting("MongoDB is away");
            self.cancel.run_until_cancelled(mongo.wait_for(|up| *up)).await?.ok()?;
            let runner = runner.clone();
            let start = QueueWorker::start(&self.settings, link, move |job| runner.clone().run(job));
            match tokio::time::timeout(Duration::from_secs(15), start).await {
                Ok(Ok(worker)) => return Some(worker),
                Ok(Err(error)) => tracing::warn!(error, "the queue's worker did not start; it is tried again"),
                Err(_) => tracing::warn!("the queue's worker took too long to start; it is tried again"),
            }
            self.cancel
                .run_until_cancelled(tokio::time::sleep(Duration::from_secs(1)))
                .await?;
        }
    }

    /// Pauses and resumes until the stop.
    async fn attend(&self, worker: &QueueWorker, mut mongo: watch::Receiver<bool>) {
        loop {
            worker.pause(Pause::MongoDb, !*mongo.borrow_and_update());
            self.show(worker);
            tokio::select! {
                () = self.cancel.cancelled() => return,
                _ = mongo.changed() => {}
                // The breaker's watcher pauses by itself; what people see follows.
                () = tokio::time::sleep(Duration::from_millis(500)) => {}
            }
        }
    }

    fn show(&self, worker: &QueueWorker) {
        let reason = worker.paused().into_iter().next().map(|pause| match pause {
            Pause::Breaker => "Billz cannot be reached",
            Pause::MongoDb => "MongoDB is away",
            Pause::Stopping => "it is stopping",
        });
        let now = reason.map_or(WorkerState::Running, |reason| WorkerState::Paused(reason.to_owned()));
        self.state.send_if_modified(|state| {
            let changed = *state != now;
            *state = now;
            changed
        });
    }

    /// Fetches nothing more, lets what is under way finish within the grace period, and hands the rest back.
    async fn stop(&self, worker: &QueueWorker, link: &RedisLink, given_up: &CancellationToken) {
        self.state.send_replace(WorkerState::Stopping);
        worker.pause(Pause::Stopping, true);
        let grace = self.settings.grace;
        let jobs = worker.active().await;
        tracing::info!(jobs, grace_s = grace.as_secs(), "the worker stops");
        let began = Instant::now();
        let cut = async {
            tokio::time::sleep_until(began + grace).await;
            given_up.cancel();
        };
        // A write to Billz that is under way is finished even then, since its answer is worth more than a quick end.
        let close = worker.close(link, grace + HAND_BACK);
        tokio::join!(close, async {
            tokio::select! {
                () = cut => {}
                () = drained(worker) => {}
            }
        });
    }
}

/// How long jobs that were given up may take to end. The process itself waits for five seconds beyond the grace period.
const HAND_BACK: Duration = Duration::from_secs(4);

async fn drained(worker: &QueueWorker) {
    while worker.active().await > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn watch_redis(link: RedisLink, health: HealthBoard, up: watch::Sender<bool>, stop: CancellationToken) {
    loop {
        let began = std::time::Instant::now();
        match link.ping().await {
            Ok(()) => {
                metrics::histogram!("billwright_redis_ping_seconds").record(began.elapsed().as_secs_f64());
                if health.post(REDIS, Condition::Up, "") {
                    tracing::info!("Redis is there");
                }
                up.send_replace(true);
            }
            Err(reason) => {
                if health.post(REDIS, Condition::Down, reason.clone()) {
                    tracing::warn!(reason, "Redis is away; the worker waits for it");
                }
                up.send_replace(false);
            }
        }
        let pause = if *up.borrow() {
            Duration::from_secs(2)
        } else {
            Duration::from_millis(500)
        };
        if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
    }
}

async fn watch_mongo(mongo: Mongo, health: HealthBoard, up: watch::Sender<bool>, stop: CancellationToken) {
    let mut indexed = false;
    loop {
        let began = std::time::Instant::now();
        let answer = tokio::time::timeout(Duration::from_secs(3), mongo.ping()).await;
        let reason = match answer {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("no answer within 3 s".to_owned()),
        };
        match reason {
            None => {
                metrics::histogram!("billwright_mongodb_ping_seconds", "database" => "billz")
                    .record(began.elapsed().as_secs_f64());
                if health.post(MONGODB, Condition::Up, "") {
                    tracing::info!("the worker's MongoDB is there");
                }
                up.send_replace(true);
            }
            Some(reason) => {
                if health.post(MONGODB, Condition::Down, reason.clone()) {
                    tracing::warn!(reason, "the worker's MongoDB is away; jobs wait in the queue");
                }
                up.send_replace(false);
            }
        }
        if *up.borrow() && !indexed {
            match indexes::ensure(&mongo).await {
                Ok(reports) => {
                    indexed = true;
                    for report in reports {
                        tracing::warn!("{report}");
                    }
                }
                Err(error) => tracing::warn!(%error, "the indexes could not be made yet"),
            }
        }
        let pause = if *up.borrow() {
            Duration::from_secs(2)
        } else {
            Duration::from_millis(500)
        };
        if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
    }
}

/// While the breaker is open jobs wait in the queue, not in memory. When it is due one job at a time is let through, which
/// makes the probe.
async fn watch_breaker(
    billz: Billz,
    worker: Arc<QueueWorker>,
    health: HealthBoard,
    notify: Notify,
    stop: CancellationToken,
) {
    let breaker = billz.breaker().clone();
    let mut states = breaker.subscribe();
    let mut open = false;
    loop {
        let now = *states.borrow_and_update();
        match now {
            BreakerState::Open { until } => {
                worker.pause(Pause::Breaker, true);
                health.post(
                    BILLZ,
                    Condition::Down,
                    format!("Billz cannot be reached; the next attempt is at {until}"),
                );
                if !open {
                    open = true;
                    tracing::warn!(%until, "the breaker opened: jobs wait in the queue");
                    notify.tell(&Notice::breaker_opened()).await;
                }
                let due = async {
                    tokio::select! {
                        () = breaker.ready() => true,
                        _ = states.changed() => false,
                    }
                };
                match stop.run_until_cancelled(due).await {
                    None => return,
                    Some(true) => {
                        worker.one_at_a_time(true);
                        worker.pause(Pause::Breaker, false);
                    }
                    Some(false) => continue,
                }
            }
            BreakerState::HalfOpen => {
                health.post(
                    BILLZ,
                    Condition::Degraded,
                    "one call is tried after Billz could not be reached",
                );
            }
            BreakerState::Closed => {
                worker.one_at_a_time(false);
                worker.pause(Pause::Breaker, false);
                health.post(BILLZ, Condition::Up, "");
                if open {
                    open = false;
                    tracing::info!("the breaker closed: Billz can be reached again");
                    notify.tell(&Notice::breaker_closed()).await;
                }
            }
        }
        match stop.run_until_cancelled(states.changed()).await {
            Some(Ok(())) => {}
            _ => return,
        }
    }
}
