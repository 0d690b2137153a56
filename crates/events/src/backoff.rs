//! How long to wait before something is tried again.

use std::time::Duration;

use rand::Rng;
use tokio_util::sync::CancellationToken;

/// Waits that double up to a limit, each made uneven so that processes do not try in step.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Backoff {
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Self { next: first, longest }
    }

    /// The next wait.
    pub(crate) fn next(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(self.longest);
        wait.mul_f64(rand::rng().random_range(0.5..=1.0))
    }

    /// Waits. Says whether the wait was over before `cancel` was.
    pub(crate) async fn wait(&mut self, cancel: &CancellationToken) -> bool {
        let wait = self.next();
        cancel.run_until_cancelled(tokio::time::sleep(wait)).await.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_its_limit() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let waits: Vec<_> = (0..8).map(|_| backoff.next()).collect();
        assert!(waits[0] <= Duration::from_millis(100) && waits[0] >= Duration::from_millis(50));
        assert!(waits[7] <= Duration::from_secs(1) && waits[7] >= Duration::from_millis(500));
    }
}
