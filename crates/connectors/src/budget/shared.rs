//! The slots in Redis, and what is known about whether Redis is there.

use std::{
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use redis::{Script, aio::ConnectionManager};
use tokio::time::Instant;

use super::{Claim, RateLimit, Urgency};
use crate::link;

static CLAIM: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("claim.lua")));
static SLOW_DOWN: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("slow_down.lua")));

/// The longest time between two looks at Redis while waiting.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A waiting call that does not look again for so long is forgotten: its process is gone.
const LEASE: Duration = Duration::from_secs(4);
/// How often a process tries whether Redis is back.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// How long after Redis came back the local share holds too: until every other process has tried and noticed.
const PROBATION: Duration = Duration::from_millis(2500);
/// The first penalty for a 429 that does not say how long, and the longest that such ones grow to.
const FIRST_PENALTY: Duration = Duration::from_secs(1);
const LONGEST_UNASKED_PENALTY: Duration = Duration::from_mins(1);

/// The slots in Redis.
#[derive(Debug)]
pub(super) struct Shared {
    connection: ConnectionManager,
    key: Arc<str>,
    limit: RateLimit,
    process: u64,
    tickets: AtomicU64,
    link: Mutex<Link>,
}

#[derive(Debug, Default)]
struct Link {
    /// While Redis is away: when it is tried next.
    away: Option<Instant>,
    probation_ends: Option<Instant>,
}

/// A waiting call's name in Redis. Dropped before its slot came, it takes itself off the list.
#[derive(Debug)]
pub(super) struct Ticket<'a> {
    shared: &'a Shared,
    number: u64,
    listed: bool,
}

impl Shared {
    pub(super) fn new(
        client: redis::Client,
        key_prefix: &str,
        scope: &str,
        limit: RateLimit,
    ) -> Result<Self, redis::RedisError> {
        Ok(Self {
            connection: link::lazy(client)?,
            key: format!("{key_prefix}:billz-budget:{scope}").into(),
            limit,
            process: rand::random(),
            tickets: AtomicU64::new(0),
            link: Mutex::default(),
        })
    }

    fn link(&self) -> MutexGuard<'_, Link> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ticket(&self) -> Ticket<'_> {
        Ticket {
            shared: self,
            number: self.tickets.fetch_add(1, Ordering::Relaxed),
            listed: false,
        }
    }

    pub(super) fn is_away(&self) -> bool {
        self.link().away.is_some()
    }

    pub(super) fn is_on_probation(&self, now: Instant) -> bool {
        self.link().probation_ends.is_some_and(|ends| now < ends)
    }

    /// Whether to ask Redis now: always while it is there, else once in a while. Whoever is told yes while Redis is away
    /// is the only one until the next time.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let mut link = self.link();
        match link.away {
            None => true,
            Some(probe) if now >= probe => {
                link.away = Some(now + PROBE_EVERY);
                true
            }
            Some(_) => false,
        }
    }

    /// Tries to take the next slot. The error says whether Redis was there until now.
    pub(super) async fn claim(
        &self,
        urgency: Urgency,
        age: Duration,
        floor: Duration,
        ticket: &mut Ticket<'_>,
    ) -> Result<Claim, bool> {
        let spacing = self.limit.spacing();
        let grace = (spacing / 4).clamp(Duration::from_millis(5), Duration::from_millis(50));
        let mut connection = self.connection.clone();
        ticket.listed = true;
        let mut call = CLAIM.key(&*self.key);
        call.arg(micros(spacing))
            .arg(micros(self.limit.tolerance()))
            .arg(micros(grace))
            .arg(micros(floor))
            .arg(u8::from(urgency == Urgency::Ordinary))
            .arg(micros(age))
            .arg(ticket.name())
            .arg(micros(LEASE));
        let answer: Result<(u8, u64), _> = link::in_time(call.invoke_async(&mut connection)).await;
        match answer {
            Ok((granted, wait)) => {
                self.is_back();
                ticket.listed = granted == 0;
                Ok(match granted {
                    0 => Claim::Wait(Duration::from_micros(wait).min(LOOK_EVERY)),
                    _ => Claim::Granted,
                })
            }
            Err(reason) => {
                ticket.listed = false;
                Err(self.is_gone(&reason))
            }
        }
    }

    /// Holds everybody back, for `after` or a time that grows. `None` if Redis is away.
    pub(super) async fn slow_down(&self, after: Option<Duration>) -> Option<Duration> {
        let mut connection = self.connection.clone();
        let mut call = SLOW_DOWN.key(&*self.key);
        match after {
            Some(after) => call.arg(micros(after)),
            None => call.arg(-1),
        };
        call.arg(micros(FIRST_PENALTY)).arg(micros(LONGEST_UNASKED_PENALTY));
        let answer: Result<u64, _> = link::in_time(call.invoke_async(&mut connection)).await;
        answer.ok().map(Duration::from_micros)
    }

    fn is_back(&self) {
        let mut link = self.link();
        if link.away.take().is_some() {
            link.probation_ends = Some(Instant::now() + PROBATION);
            tracing::info!("Redis is back: the budget of Billz calls is shared again");
        }
    }

    fn is_gone(&self, reason: &str) -> bool {
        let mut link = self.link();
        let newly = link.away.is_none();
        link.away = Some(Instant::now() + PROBE_EVERY);
        link.probation_ends = None;
        if newly {
            tracing::warn!(
                redis.error = reason,
                "Redis is away: Billz calls go on at this process's share of the limit"
            );
        }
        newly
    }
}

impl Ticket<'_> {
    fn name(&self) -> String {
        format!("{:016x}-{}", self.shared.process, self.number)
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if !self.listed {
            return;
        }
        // Left on the list until its lease ends it would cost every slot a moment's grace.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let mut connection = self.shared.connection.clone();
            let (key, field) = (Arc::clone(&self.shared.key), format!("w:{}", self.name()));
            runtime.spawn(async move {
                let mut withdraw = redis::cmd("HDEL");
                withdraw.arg(&*key).arg(field);
                let _lease_ends_it_otherwise: Result<(), _> =
                    link::in_time(withdraw.query_async(&mut connection)).await;
            });
        }
    }
}

fn micros(duration: Duration) -> u64 {
    // Rounded up, so that slots are never closer than they should be.
    u64::try_from(duration.as_nanos().div_ceil(1000)).unwrap_or(u64::MAX)
}
