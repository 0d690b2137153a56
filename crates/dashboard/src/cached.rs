//! An answer that serves all viewers for a few seconds. One question is asked at a time, however many wait for its answer,
//! and nobody waits for longer than [`PATIENCE`]: whoever comes later finds the answer there.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use tokio::time::Instant;

use crate::section::{Dependency, PATIENCE, Trouble};

type Answer<T> = Shared<BoxFuture<'static, Result<Arc<T>, Trouble>>>;

/// An answer that serves all viewers for a few seconds.
pub(crate) struct Cached<T> {
    dependency: Dependency,
    fresh: Duration,
    asked: Mutex<Option<(Instant, Answer<T>)>>,
}

impl<T: Send + Sync + 'static> Cached<T> {
    /// An answer of `dependency` that is good for `fresh`.
    pub(crate) fn new(dependency: Dependency, fresh: Duration) -> Self {
        Self {
            dependency,
            fresh,
            asked: Mutex::default(),
        }
    }

    /// The answer; `ask` gets it where there is none that is fresh.
    pub(crate) async fn get<F>(&self, ask: impl FnOnce() -> F) -> Result<Arc<T>, Trouble>
    where
        F: Future<Output = Result<T, Trouble>> + Send + 'static,
    {
        let answer = self.asked(ask);
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(Trouble::away(
                self.dependency,
                format!("no answer within {} s", PATIENCE.as_secs()),
            )),
        }
    }

    /// Has the next viewer ask again, since something was changed.
    pub(crate) fn forget(&self) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn asked<F>(&self, ask: impl FnOnce() -> F) -> Answer<T>
    where
        F: Future<Output = Result<T, Trouble>> + Send + 'static,
    {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, answer)) = &*asked
            && (answer.peek().is_none() || at.elapsed() < self.fresh)
        {
            return answer.clone();
        }
        // A task of its own, so that a viewer who leaves takes nobody's answer along.
        let task = tokio::spawn(ask());
        let answer = async move {
            match task.await {
                Ok(answer) => answer.map(Arc::new),
                Err(_) => Err(Trouble::Failed("the question was broken off".to_owned())),
            }
        };
        let answer = answer.boxed().shared();
        *asked = Some((Instant::now(), answer.clone()));
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_viewers_ask_once_and_again_when_the_answer_is_old() {
        let (cached, asked) = (
            Cached::new(Dependency::Kafka, Duration::from_secs(5)),
            Arc::new(AtomicU32::new(0)),
        );
        let ask = || {
            let asked = Arc::clone(&asked);
            async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Ok(asked.fetch_add(1, Ordering::Relaxed))
            }
        };
        let answers = join_all((0..50).map(|_| cached.get(ask))).await;
        assert!(answers.iter().all(|answer| answer == &Ok(Arc::new(0))));
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(cached.get(ask).await, Ok(Arc::new(1)));
        cached.forget();
        assert_eq!(cached.get(ask).await, Ok(Arc::new(2)));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_long_and_the_answer_is_there_for_the_next() {
        let cached = Cached::new(Dependency::Kafka, Duration::from_secs(5));
        let slow = || async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            Ok(7)
        };
        assert!(matches!(cached.get(slow).await, Err(Trouble::Away { .. })));
        assert_eq!(cached.get(slow).await, Ok(Arc::new(7)));
    }
}
