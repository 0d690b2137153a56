//! What pages read and act on. Each source is there only where its role is configured in this process, which pages say
//! instead of failing.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use billwright_connectors::{billz::Billz, telegram::Telegram};
use billwright_domain::{Clock, HealthBoard};
use billwright_events::{EventsControl, EventsSettings};
use billwright_store::Mongo;
use billwright_worker::{
    QueueSight, QueueWatch,
    admin::{QueueAddress, QueueAdmin},
};
use chrono::{DateTime, Utc};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::section::{Dependency, PATIENCE, Trouble, within};

/// What pages read and act on.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The queue of the order worker.
    pub queue: Option<QueueSource>,
    /// The order worker's database.
    pub billz_database: Option<Mongo>,
    /// The database of users and billings.
    pub billing_database: Option<Mongo>,
    /// The consumer of customer events.
    pub events: Option<EventsSettings>,
    /// The running consumer, once it runs in this process.
    pub consumer: Arc<OnceLock<EventsControl>>,
    /// Whether changes of users and billings are published.
    pub publishes_changes: bool,
    /// The Billz client of the order worker; its budget and breaker are this process's.
    pub billz: Option<Billz>,
    /// Where notifications go; none where they are off.
    pub telegram: Option<Telegram>,
    /// The condition of this process's dependencies.
    pub health: HealthBoard,
    /// This process.
    pub process: Process,
    /// The configuration that is in effect.
    pub settings: Vec<EffectiveSetting>,
    /// What is logged, to be changed while the process runs.
    pub log_level: Option<Arc<dyn LogLevel>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Cancelled once the process stops.
    pub stop: CancellationToken,
}

impl Sources {
    /// Sources of a process that has no role.
    pub fn none(clock: Arc<dyn Clock>) -> Self {
        Self {
            queue: None,
            billz_database: None,
            billing_database: None,
            events: None,
            consumer: Arc::default(),
            publishes_changes: false,
            billz: None,
            telegram: None,
            health: HealthBoard::default(),
            process: Process::default(),
            settings: Vec::new(),
            log_level: None,
            clock,
            stop: CancellationToken::new(),
        }
    }

    /// Where the operations pages keep what is theirs: the worker's database, else the billing database.
    pub fn operations_database(&self) -> Option<&Mongo> {
        self.billz_database.as_ref().or(self.billing_database.as_ref())
    }
}

/// A process as the dashboards of all processes show it.
#[derive(Debug, Clone, Default)]
pub struct Process {
    /// Where it runs, and its number there.
    pub name: String,
    /// Its version.
    pub version: &'static str,
    /// Its roles.
    pub roles: Vec<String>,
}

/// A value of the configuration as it is in effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectiveSetting {
    /// The variable.
    pub name: &'static str,
    /// The heading under which it is documented.
    pub section: &'static str,
    /// The value that holds, its secrets masked.
    pub shown_value: String,
    /// Where the value comes from: a flag, the environment, a file, or the default.
    pub origin: String,
    /// What holds when it is unset.
    pub default: &'static str,
    /// What it is for.
    pub about: &'static str,
}

/// What is logged, to be changed while the process runs.
pub trait LogLevel: fmt::Debug + Send + Sync {
    /// What is logged now, as in `LOG_LEVEL`.
    fn current(&self) -> String;
    /// What the configuration says.
    fn configured(&self) -> String;
    /// When the configuration holds again, if that was told.
    fn until(&self) -> Option<DateTime<Utc>>;
    /// Logs this from now on, and as the configuration says again after `lasting`. The error says what was expected.
    fn change(&self, filter: &str, lasting: Option<Duration>) -> Result<(), String>;
}

/// The queue. Connects at the first question, so that Redis may be away at the start.
#[derive(Debug, Clone)]
pub struct QueueSource(Arc<LazyQueue>);

#[derive(Debug)]
struct LazyQueue {
    address: QueueAddress,
    watch: Result<QueueWatch, String>,
    admin: OnceCell<QueueAdmin>,
}

impl QueueSource {
    /// The queue at `address`. Must be called within a tokio runtime.
    pub fn new(address: QueueAddress) -> Self {
        Self(Arc::new(LazyQueue {
            watch: QueueWatch::new(&address),
            address,
            admin: OnceCell::new(),
        }))
    }

    /// The queue in figures.
    pub(crate) async fn look(&self) -> Result<QueueSight, Trouble> {
        let watch = self
            .0
            .watch
            .as_ref()
            .map_err(|problem| Trouble::Failed(problem.clone()))?;
        match tokio::time::timeout(PATIENCE, watch.look()).await {
            Ok(sight) => sight.map_err(|seen| Trouble::away(Dependency::Redis, seen)),
            Err(_) => Err(Trouble::silent(Dependency::Redis)),
        }
    }

    /// The queue, connected. Every call to it belongs into [`within`], since the library waits for long.
    pub(crate) async fn admin(&self) -> Result<&QueueAdmin, Trouble> {
        let connect = self.0.admin.get_or_try_init(|| QueueAdmin::connect(&self.0.address));
        within(Dependency::Redis, connect).await
    }
}
