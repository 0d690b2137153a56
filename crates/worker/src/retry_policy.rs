//! How long a job waits after a transient failure, and after how many it ends: the producer's wish, else our own policy.

use std::time::Duration;

use rand::Rng;

/// Our own policy, for producers who did not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often a job is tried altogether.
    pub attempts: u32,
    /// The wait after the first failure; each further one doubles it.
    pub base: Duration,
    /// No wait is longer.
    pub cap: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 5,
            base: Duration::from_secs(1),
            cap: Duration::from_mins(5),
        }
    }
}

/// How the producer wants to wait between attempts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Backoff {
    /// Not at all.
    None,
    /// Always as long.
    Fixed {
        /// How long.
        delay: Duration,
        /// Which share of it is left to chance, from 0 to 1.
        jitter: f64,
    },
    /// Twice as long each time.
    Exponential {
        /// The first wait.
        delay: Duration,
        /// Which share of it is left to chance, from 0 to 1.
        jitter: f64,
    },
    /// By a strategy that only the producer's own workers know; ours stands in for it.
    Custom,
}

/// What the producer said about retries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ProducerRetries {
    /// How often the job is to be tried altogether; `None` where the producer did not say.
    pub(crate) attempts: Option<u32>,
    /// How to wait in between.
    pub(crate) backoff: Backoff,
}

/// No wait that a producer asks for is longer.
const LONGEST: Duration = Duration::from_hours(24);

impl RetryPolicy {
    /// How often a job is tried altogether.
    pub(crate) fn attempts_for(&self, producer: ProducerRetries) -> u32 {
        producer.attempts.unwrap_or(self.attempts).max(1)
    }

    /// How long to wait after the failure number `failures` (from 1).
    pub(crate) fn delay(&self, producer: ProducerRetries, failures: u32) -> Duration {
        match (producer.attempts, producer.backoff) {
            (Some(_), Backoff::None) => Duration::ZERO,
            (Some(_), Backoff::Fixed { delay, jitter }) => with_jitter(delay.min(LONGEST), jitter),
            (Some(_), Backoff::Exponential { delay, jitter }) => with_jitter(doubled(delay, failures, LONGEST), jitter),
            // Full jitter: whatever made many jobs fail together does not make them come back together.
            (None, _) | (_, Backoff::Custom) => with_jitter(doubled(self.base, failures, self.cap), 1.0),
        }
    }
}

fn doubled(base: Duration, failures: u32, cap: Duration) -> Duration {
    let factor = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    base.saturating_mul(factor).min(cap)
}

fn with_jitter(delay: Duration, jitter: f64) -> Duration {
    if jitter <= 0.0 || jitter.is_nan() || delay.is_zero() {
        return delay;
    }
    delay.mul_f64(1.0 - jitter.min(1.0) * rand::rng().random::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING_SAID: ProducerRetries = ProducerRetries {
        attempts: None,
        backoff: Backoff::None,
    };

    #[test]
    fn our_own_policy_grows_to_its_cap_and_ends() {
        let policy = RetryPolicy::default();
        assert_eq!(policy.attempts_for(NOTHING_SAID), 5);
        for (failures, longest) in [(1, 1), (2, 2), (3, 4), (9, 256), (10, 300), (4_000_000, 300)] {
            for _ in 0..50 {
                assert!(policy.delay(NOTHING_SAID, failures) <= Duration::from_secs(longest));
            }
        }
    }

    #[test]
    fn the_producers_wish_is_honoured() {
        let policy = RetryPolicy::default();
        let delay = Duration::from_millis(200);
        let wish = |backoff| ProducerRetries {
            attempts: Some(3),
            backoff,
        };
        assert_eq!(policy.attempts_for(wish(Backoff::None)), 3);
        assert_eq!(policy.delay(wish(Backoff::None), 1), Duration::ZERO);
        assert_eq!(policy.delay(wish(Backoff::Fixed { delay, jitter: 0.0 }), 7), delay);
        let exponential = wish(Backoff::Exponential { delay, jitter: 0.0 });
        assert_eq!(policy.delay(exponential, 3), Duration::from_millis(800));
        assert_eq!(policy.delay(exponential, 80), LONGEST);
        let half = wish(Backoff::Fixed { delay, jitter: 0.5 });
        for _ in 0..50 {
            assert!((100..=200).contains(&policy.delay(half, 1).as_millis()));
        }
    }
}
