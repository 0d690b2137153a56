//! What one process keeps to by itself: its share of the limit while Redis is away.

use std::time::Duration;

use rand::Rng;
use tokio::time::Instant;

use super::RateLimit;

/// When this process may make its next call without asking anybody.
#[derive(Debug)]
pub(super) struct Local {
    /// How far the shared slots lie apart.
    spacing: Duration,
    /// This process's part: one in so many slots.
    share: u32,
    last_grant: Option<Instant>,
    not_before: Option<Instant>,
}

impl Local {
    pub(super) fn new(spacing: Duration, share: u32) -> Self {
        Self {
            spacing,
            share,
            last_grant: None,
            not_before: None,
        }
    }

    /// Redis has just gone away. The first call waits a slot, since another process may have taken the last one, and then
    /// a random part of its share, since the other processes noticed at the same moment.
    pub(super) fn start(&mut self, now: Instant) {
        let share = self.spacing * self.share;
        let spread = share.saturating_sub(self.spacing).mul_f64(rand::rng().random::<f64>());
        self.not_before = self.not_before.max(Some(now + self.spacing + spread));
    }

    /// Nothing may be sent for `penalty`.
    pub(super) fn hold_back(&mut self, now: Instant, penalty: Duration) {
        self.not_before = self.not_before.max(Some(now + penalty));
    }

    /// A slot was taken, wherever it came from.
    pub(super) fn granted(&mut self, now: Instant) {
        self.last_grant = Some(now);
    }

    /// How long to wait for the next slot of this process's share; `None` if it is there.
    pub(super) fn wait(&self, now: Instant) -> Option<Duration> {
        let after_last = self.last_grant.map(|last| last + self.spacing * self.share);
        remaining(after_last.max(self.not_before), now)
    }

    /// How long the shared slots must be left alone because of this process's own last call; guards against a Redis that
    /// lost what it knew.
    pub(super) fn since_last_grant(&self, now: Instant, limit: RateLimit) -> Option<Duration> {
        let next = self.last_grant.map(|last| last + self.spacing - limit.tolerance());
        remaining(next, now)
    }
}

fn remaining(at: Option<Instant>, now: Instant) -> Option<Duration> {
    at.map(|at| at.saturating_duration_since(now))
        .filter(|left| !left.is_zero())
}
