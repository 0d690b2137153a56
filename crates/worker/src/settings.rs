//! What the worker must be told.

use std::{fmt, sync::Arc, time::Duration};

use billwright_connectors::billz::look;
use billwright_domain::ShopId;
use chrono_tz::Tz;
use futures_util::future::BoxFuture;
use secrecy::SecretString;

use crate::RetryPolicy;

/// How to reach Redis.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// The address with user name, password and database index: `redis://…`, or `rediss://…` for TLS.
    pub url: SecretString,
}

type AtBoundary = dyn Fn(&str) -> BoxFuture<'static, ()> + Send + Sync;

/// Called at every step's boundary with the boundary's name. Tests make it never return, to let a worker die there.
#[derive(Clone)]
pub struct Checkpoint(Arc<AtBoundary>);

impl Checkpoint {
    /// A checkpoint that calls `at`.
    pub fn new(at: impl Fn(&str) -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(at))
    }

    pub(crate) async fn reached(&self, boundary: &str) {
        (self.0)(boundary).await;
    }
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Checkpoint")
    }
}

/// What the worker must be told. [`WorkerSettings::new`] fills in what has a default.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// The queue's name.
    pub queue: String,
    /// What the names of BullMQ's keys begin with.
    pub prefix: String,
    /// The Redis that holds the queue.
    pub redis: RedisSettings,
    /// The worker's name, as `getWorkers` shows it.
    pub name: String,
    /// How many jobs run at a time. Billz's budget of calls is the bound, so that more jobs at a time make each of them
    /// slower and none of them sooner.
    pub concurrency: usize,
    /// How long a job, an operation or an order stays ours without a sign of life.
    pub lock_duration: Duration,
    /// How often jobs without a living worker are looked for.
    pub stalled_interval: Duration,
    /// How often a job may lose its worker before it is failed. Operations survive that, so that this only ends a job
    /// that kills its worker.
    pub max_stalled_count: u32,
    /// How jobs are retried whose producer did not say.
    pub retry: RetryPolicy,
    /// How long a stop waits for the jobs that are under way.
    pub grace: Duration,
    /// The shop that drafts belong to unless told otherwise.
    pub shop_id: ShopId,
    /// The zone of the shop's local times.
    pub timezone: Tz,
    /// How long an order is parked unless told otherwise.
    pub park_for: Duration,
    /// How long Billz is given before a second look at a write whose answer was lost is believed.
    pub settle: Duration,
    /// How often orders are looked for that no job will finish any more.
    pub look_after_every: Duration,
    /// For tests only.
    pub checkpoint: Option<Checkpoint>,
}

impl WorkerSettings {
    /// Settings with their defaults.
    pub fn new(redis: RedisSettings, shop_id: ShopId) -> Self {
        let lock_duration = Duration::from_secs(30);
        Self {
            queue: "billz-operations".to_owned(),
            prefix: "bull".to_owned(),
            redis,
            name: "billwright".to_owned(),
            concurrency: 16,
            lock_duration,
            stalled_interval: lock_duration / 3,
            max_stalled_count: 10,
            retry: RetryPolicy::default(),
            grace: Duration::from_secs(30),
            shop_id,
            timezone: chrono_tz::Asia::Tashkent,
            park_for: Duration::from_hours(30 * 24),
            settle: look::SETTLE,
            look_after_every: Duration::from_secs(10),
            checkpoint: None,
        }
    }
}
