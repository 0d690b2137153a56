//! Requests that are refused because there are too many of them: every one is counted, and the log hears of them now and then.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// How often the log hears of refusals at most. Under a flood a line for each would be a flood of its own.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Of what there are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TooMany {
    /// Connections.
    Connections,
    /// Requests whose answers have not been sent.
    Requests,
    /// Requests with a large body, or one of unknown size.
    LargeBodies,
    /// Requests that wait for one of those in hand to end.
    Waiting,
    /// Billings that wait to be made.
    Creations,
}

impl TooMany {
    fn as_str(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Requests => "requests",
            Self::LargeBodies => "large_bodies",
            Self::Waiting => "waiting",
            Self::Creations => "creations",
        }
    }

    /// Counts a refusal, and says so in the log unless it has been said lately.
    pub(crate) fn note(self) {
        static TOLD: Mutex<Seldom> = Mutex::new(Seldom::NEVER);
        metrics::counter!("billwright_http_refused_total", "too_many" => self.as_str()).increment(1);
        let told = TOLD.lock().unwrap_or_else(PoisonError::into_inner).told(Instant::now());
        if let Some(refused) = told {
            tracing::warn!(
                refused,
                too_many = self.as_str(),
                "requests are refused with 503 and `Retry-After`, since there are too many; \
                 `billwright_http_refused_total` counts them all"
            );
        }
    }
}

/// Something that happens often and is told seldom.
struct Seldom {
    told_at: Option<Instant>,
    since: u64,
}

impl Seldom {
    const NEVER: Self = Self {
        told_at: None,
        since: 0,
    };

    /// How often it has happened since it was last told, where it is time to tell.
    fn told(&mut self, now: Instant) -> Option<u64> {
        self.since += 1;
        if self.told_at.is_some_and(|at| now < at + TOLD_EVERY) {
            return None;
        }
        self.told_at = Some(now);
        Some(std::mem::take(&mut self.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_is_a_line_now_and_then_that_counts_them() {
        let mut seldom = Seldom::NEVER;
        let begun = Instant::now();
        assert_eq!(seldom.told(begun), Some(1));
        for _ in 0..1000 {
            assert_eq!(seldom.told(begun + TOLD_EVERY / 2), None);
        }
        assert_eq!(seldom.told(begun + TOLD_EVERY), Some(1001));
        assert_eq!(seldom.told(begun + TOLD_EVERY), None);
    }
}
