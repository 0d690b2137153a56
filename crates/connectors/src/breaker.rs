//! The circuit breaker: after several failures in a row calls are held back for a while, then one probe decides.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use billwright_domain::Clock;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;

/// When the breaker opens and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerSettings {
    /// After how many failures in a row it opens.
    pub failures: u32,
    /// For how long it opens first.
    pub open_for: Duration,
    /// A failed probe doubles the time up to this.
    pub open_for_at_most: Duration,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            failures: 5,
            open_for: Duration::from_secs(30),
            open_for_at_most: Duration::from_mins(5),
        }
    }
}

/// Where the breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls pass.
    Closed,
    /// Calls are held back; from `until` on the next one is the probe.
    Open {
        /// When the next call is let through.
        until: DateTime<Utc>,
    },
    /// One probe is under way, and everything else is held back.
    HalfOpen,
}

/// Calls are held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldBack {
    /// When it is worth trying again.
    pub until: DateTime<Utc>,
}

/// A circuit breaker. Cheap to clone; clones are the same breaker.
#[derive(Debug, Clone)]
pub struct Breaker(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: BreakerSettings,
    clock: Arc<dyn Clock>,
    record: Mutex<Record>,
    state: watch::Sender<BreakerState>,
}

#[derive(Debug, Default)]
struct Record {
    failures_in_a_row: u32,
    openings_in_a_row: u32,
}

/// Leave to make one call, which must be answered with how the call went. Dropped unanswered (the call was given up), it
/// counts as nothing, and a probe is open to the next caller.
#[derive(Debug)]
#[must_use]
pub struct Permit {
    breaker: Breaker,
    probe: bool,
    answered: bool,
}

impl Breaker {
    /// A closed breaker.
    pub fn new(settings: BreakerSettings, clock: Arc<dyn Clock>) -> Self {
        let breaker = Self(Arc::new(Inner {
            settings,
            clock,
            record: Mutex::default(),
            state: watch::Sender::new(BreakerState::Closed),
        }));
        Self::measure(BreakerState::Closed);
        breaker
    }

    /// Where it stands. An open breaker whose time has passed stays open until somebody makes a call.
    pub fn state(&self) -> BreakerState {
        *self.0.state.borrow()
    }

    /// Follows the state, for those who want to tell people or to pause.
    pub fn subscribe(&self) -> watch::Receiver<BreakerState> {
        self.0.state.subscribe()
    }

    /// Whether a call would be let through now; takes no probe.
    pub fn check(&self) -> Result<(), HeldBack> {
        match self.state() {
            BreakerState::Closed => Ok(()),
            BreakerState::Open { until } if self.0.clock.now() >= until => Ok(()),
            BreakerState::Open { until } => Err(HeldBack { until }),
            BreakerState::HalfOpen => Err(self.after_probe()),
        }
    }

    /// Leave for one call.
    pub fn permit(&self) -> Result<Permit, HeldBack> {
        let _record = self.record();
        let probe = match self.state() {
            BreakerState::Closed => false,
            BreakerState::Open { until } if self.0.clock.now() >= until => {
                self.change(BreakerState::HalfOpen);
                true
            }
            BreakerState::Open { until } => return Err(HeldBack { until }),
            BreakerState::HalfOpen => return Err(self.after_probe()),
        };
        Ok(Permit {
            breaker: self.clone(),
            probe,
            answered: false,
        })
    }

    /// Returns as soon as a call would be let through: at once while the breaker is closed.
    pub async fn ready(&self) {
        let mut state = self.subscribe();
        loop {
            let now = *state.borrow_and_update();
            let wait = match now {
                BreakerState::Closed => return,
                BreakerState::Open { until } => match (until - self.0.clock.now()).to_std() {
                    Ok(left) if !left.is_zero() => Some(left),
                    _ => return,
                },
                BreakerState::HalfOpen => None,
            };
            let changed = state.changed();
            match wait {
                // The sender lives in `self`, so `changed` cannot fail.
                None => drop(changed.await),
                Some(wait) => drop(tokio::time::timeout(wait, changed).await),
            }
        }
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.0.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn after_probe(&self) -> HeldBack {
        HeldBack {
            until: self.0.clock.now() + TimeDelta::seconds(1),
        }
    }

    /// To be called with the record locked, so that changes come one after the other.
    fn change(&self, state: BreakerState) {
        Self::measure(state);
        self.0.state.send_replace(state);
    }

    fn measure(state: BreakerState) {
        metrics::gauge!("billwright_billz_breaker_state").set(match state {
            BreakerState::Closed => 0,
            BreakerState::HalfOpen => 1,
            BreakerState::Open { .. } => 2,
        });
    }

    fn open(&self, record: &mut Record) {
        let settings = &self.0.settings;
        let doubled = settings.open_for.saturating_mul(1 << record.openings_in_a_row.min(16));
        let open_for = doubled.min(settings.open_for_at_most);
        record.openings_in_a_row += 1;
        record.failures_in_a_row = 0;
        let until = self.0.clock.now() + TimeDelta::from_std(open_for).unwrap_or(TimeDelta::MAX);
        tracing::warn!(breaker.until = %until, "calls to Billz are held back for {} s", open_for.as_secs_f32());
        self.change(BreakerState::Open { until });
    }
}

impl Permit {
    /// The other side answered, whatever it said.
    pub fn succeeded(mut self) {
        self.answered = true;
        let breaker = self.breaker.clone();
        let mut record = breaker.record();
        if self.probe {
            *record = Record::default();
            tracing::info!("Billz answers again: calls are let through");
            breaker.change(BreakerState::Closed);
        } else if breaker.state() == BreakerState::Closed {
            // An answer to a call from before the opening proves nothing about now.
            record.failures_in_a_row = 0;
        }
    }

    /// The other side did not answer, or only that it is broken.
    pub fn failed(mut self) {
        self.answered = true;
        let breaker = self.breaker.clone();
        let mut record = breaker.record();
        if self.probe {
            breaker.open(&mut record);
        } else if breaker.state() == BreakerState::Closed {
            record.failures_in_a_row += 1;
            if record.failures_in_a_row >= breaker.0.settings.failures {
                breaker.open(&mut record);
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.probe && !self.answered {
            let _record = self.breaker.record();
            let until = self.breaker.0.clock.now();
            self.breaker.change(BreakerState::Open { until });
        }
    }
}
