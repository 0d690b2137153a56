//! The budget of calls: all workers behind one address together never exceed the limit that Billz sets.
//!
//! The slots are evenly spaced and lie in Redis, told by Redis's clock. Nobody books ahead: of each process only the
//! first waiting payment and the first waiting ordinary call stand in Redis, and when a slot comes the oldest payment
//! takes it, else the oldest ordinary call, whichever process it belongs to. So a payment waits one slot at most however
//! many ordinary calls wait, and a call that is given up leaves nothing behind. While Redis is away each process goes on
//! at a fixed share of the limit.

mod limit;
mod local;
mod shared;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use limit::RateLimit;
use local::Local;
use shared::{Shared, Ticket};

/// Slots lie this much farther apart than the limit asks for, so that two calls whose way to Billz takes unequally long
/// do not meet in one window.
pub(crate) const MARGIN_PERCENT: u32 = 4;

/// How long calls back off after a 429 that does not say how long, where Redis cannot tell how many came before.
const PENALTY: Duration = Duration::from_secs(2);

/// No 429 holds everybody back for longer.
const LONGEST_PENALTY: Duration = Duration::from_mins(10);

/// How urgent a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// It belongs to a payment and takes the next free slot.
    Payment,
    /// Everything else, in the order of arrival.
    Ordinary,
}

impl Urgency {
    fn name(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::Ordinary => "ordinary",
        }
    }
}

/// The wait was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cancelled;

/// What a budget must be told.
#[derive(Debug, Clone)]
pub struct BudgetSettings {
    /// The limit that all processes together keep to.
    pub limit: RateLimit,
    /// The Redis that they share. Without one the process has the whole limit to itself.
    pub redis: Option<redis::Client>,
    /// What the names of our keys begin with.
    pub key_prefix: String,
    /// Whom the limit is about: the host of Billz.
    pub scope: String,
    /// While Redis is away a process goes on at this fraction of the limit: 4 is a quarter.
    pub local_share: u32,
}

impl BudgetSettings {
    /// A budget shared through `redis` for the calls to `scope`.
    pub fn new(limit: RateLimit, redis: Option<redis::Client>, scope: impl Into<String>) -> Self {
        Self {
            limit,
            redis,
            key_prefix: "billwright".to_owned(),
            scope: scope.into(),
            local_share: 4,
        }
    }
}

/// Where the slots come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BudgetSource {
    /// There is no limit.
    Off,
    /// Redis, together with all other processes.
    Shared,
    /// This process alone, at its share: Redis is away, or was never given.
    Local,
}

/// How the budget stands in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetState {
    /// Where the slots come from.
    pub source: BudgetSource,
    /// How many payment calls wait for a slot.
    pub payments_waiting: usize,
    /// How many ordinary calls wait for a slot.
    pub ordinary_waiting: usize,
}

/// The budget. Cheap to clone; clones are the same budget.
#[derive(Debug, Clone)]
pub struct Budget(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    limit: RateLimit,
    payments: Line,
    ordinary: Line,
    local: Mutex<Local>,
    shared: Option<Shared>,
}

/// The calls of one urgency that wait in this process. The lock hands itself on in the order of arrival, and its holder
/// is the one that stands in Redis.
#[derive(Debug, Default)]
struct Line {
    first: tokio::sync::Mutex<()>,
    waiting: AtomicUsize,
}

/// What became of trying to take a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claim {
    Granted,
    /// Not yet; to be tried again after this.
    Wait(Duration),
}

impl Budget {
    /// A budget by these settings. Opens no connection yet.
    pub fn new(settings: BudgetSettings) -> Result<Self, redis::RedisError> {
        if settings.limit.is_off() {
            return Ok(Self::unlimited());
        }
        let share = if settings.redis.is_some() {
            settings.local_share.max(1)
        } else {
            1
        };
        let shared = match settings.redis {
            Some(client) => Some(Shared::new(
                client,
                &settings.key_prefix,
                &settings.scope,
                settings.limit,
            )?),
            None => None,
        };
        Ok(Self(Some(Arc::new(Inner {
            limit: settings.limit,
            payments: Line::default(),
            ordinary: Line::default(),
            local: Mutex::new(Local::new(settings.limit.spacing(), share)),
            shared,
        }))))
    }

    /// No limit: costs nothing.
    pub fn unlimited() -> Self {
        Self(None)
    }

    /// Waits for a slot and takes it; tells how long it took. Dropping the future gives the place up, as `cancel` does.
    pub async fn acquire(&self, urgency: Urgency, cancel: &CancellationToken) -> Result<Duration, Cancelled> {
        if cancel.is_cancelled() {
            return Err(Cancelled);
        }
        let Some(inner) = &self.0 else {
            return Ok(Duration::ZERO);
        };
        let arrived = Instant::now();
        let outcome = tokio::select! {
            biased;
            () = cancel.cancelled() => Err(Cancelled),
            () = inner.take_slot(urgency, arrived) => Ok(arrived.elapsed()),
        };
        metrics::histogram!("billwright_billz_budget_wait_seconds", "urgency" => urgency.name())
            .record(arrived.elapsed().as_secs_f64());
        outcome
    }

    /// Billz answered 429: holds everybody back for `after`, or, where Billz did not say, for a time that grows with each
    /// 429. Tells for how long.
    pub async fn slow_down(&self, after: Option<Duration>) -> Duration {
        let after = after.map(|after| after.min(LONGEST_PENALTY));
        let Some(inner) = &self.0 else {
            return after.unwrap_or(PENALTY);
        };
        let shared = match &inner.shared {
            Some(shared) => shared.slow_down(after).await,
            None => None,
        };
        let penalty = shared.or(after).unwrap_or(PENALTY);
        inner.local().hold_back(Instant::now(), penalty);
        tracing::warn!(
            budget.penalty_ms = penalty.as_millis(),
            "Billz asks to slow down: all calls wait"
        );
        penalty
    }

    /// How it stands in this process.
    pub fn state(&self) -> BudgetState {
        let Some(inner) = &self.0 else {
            return BudgetState {
                source: BudgetSource::Off,
                payments_waiting: 0,
                ordinary_waiting: 0,
            };
        };
        BudgetState {
            source: match &inner.shared {
                Some(shared) if !shared.is_away() => BudgetSource::Shared,
                _ => BudgetSource::Local,
            },
            payments_waiting: inner.payments.waiting.load(Ordering::Relaxed),
            ordinary_waiting: inner.ordinary.waiting.load(Ordering::Relaxed),
        }
    }
}

impl Inner {
    fn local(&self) -> MutexGuard<'_, Local> {
        self.local.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self, urgency: Urgency) -> &Line {
        match urgency {
            Urgency::Payment => &self.payments,
            Urgency::Ordinary => &self.ordinary,
        }
    }

    async fn take_slot(&self, urgency: Urgency, arrived: Instant) {
        let line = self.line(urgency);
        let _waiting = Waiting::one_more(&line.waiting, urgency);
        let _first = line.first.lock().await;
        let mut ticket = self.shared.as_ref().map(Shared::ticket);
        loop {
            match self.claim(urgency, arrived, ticket.as_mut()).await {
                Claim::Granted => return,
                Claim::Wait(wait) => tokio::time::sleep(wait).await,
            }
        }
    }

    async fn claim(&self, urgency: Urgency, arrived: Instant, ticket: Option<&mut Ticket<'_>>) -> Claim {
        let (Some(shared), Some(ticket)) = (&self.shared, ticket) else {
            return self.claim_locally(urgency);
        };
        let now = Instant::now();
        if !shared.is_due(now) {
            return self.claim_locally(urgency);
        }
        // While other processes may still believe that Redis is away, the local share holds as well.
        if shared.is_on_probation(now)
            && let Some(wait) = self.local().wait(now)
        {
            return Claim::Wait(wait);
        }
        let floor = {
            let local = self.local();
            if shared.is_away() {
                local.wait(now)
            } else {
                local.since_last_grant(now, self.limit)
            }
        };
        match shared
            .claim(urgency, arrived.elapsed(), floor.unwrap_or_default(), ticket)
            .await
        {
            Ok(Claim::Granted) => {
                self.local().granted(Instant::now());
                Claim::Granted
            }
            Ok(wait) => wait,
            Err(newly_away) => {
                if newly_away {
                    self.local().start(Instant::now());
                }
                self.claim_locally(urgency)
            }
        }
    }

    fn claim_locally(&self, urgency: Urgency) -> Claim {
        let now = Instant::now();
        let mut local = self.local();
        if let Some(wait) = local.wait(now) {
            return Claim::Wait(wait);
        }
        if urgency == Urgency::Ordinary && self.payments.waiting.load(Ordering::Relaxed) > 0 {
            return Claim::Wait(Duration::from_millis(5));
        }
        local.granted(now);
        Claim::Granted
    }
}

/// Counts one waiting call for as long as it lives.
struct Waiting<'a>(&'a AtomicUsize, Urgency);

impl<'a> Waiting<'a> {
    fn one_more(count: &'a AtomicUsize, urgency: Urgency) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        metrics::gauge!("billwright_billz_budget_waiting", "urgency" => urgency.name()).increment(1);
        Self(count, urgency)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
        metrics::gauge!("billwright_billz_budget_waiting", "urgency" => self.1.name()).decrement(1);
    }
}
