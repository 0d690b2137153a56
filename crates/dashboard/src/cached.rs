//! Answers that serve all viewers for a few seconds. One question is asked at a time, however many wait for its answer, and
//! nobody waits for long: whoever comes later finds the answer there.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use tokio::time::Instant;

use crate::section::{Dependency, PATIENCE, Trouble};

/// How long a trouble serves everybody at most: it may be over already.
const TROUBLE_FRESH: Duration = Duration::from_secs(1);
/// How many answers a [`CachedMap`] keeps.
const MOST: usize = 200;

/// An answer, and since when it has been there.
type Answered<T> = (Instant, Result<Arc<T>, Trouble>);
type Answer<T> = Shared<BoxFuture<'static, Answered<T>>>;

/// An answer that serves all viewers for a few seconds.
pub(crate) struct Cached<T> {
    terms: Terms,
    asked: Mutex<Option<Answer<T>>>,
}

/// Who is asked, for how long an answer is good, and how long a viewer waits for one.
#[derive(Debug, Clone, Copy)]
struct Terms {
    dependency: Dependency,
    fresh: Duration,
    patience: Duration,
}

impl Terms {
    fn new(dependency: Dependency, fresh: Duration) -> Self {
        Self {
            dependency,
            fresh,
            patience: PATIENCE,
        }
    }
}

impl<T: Send + Sync + 'static> Cached<T> {
    /// An answer of `dependency` that is good for `fresh`. Viewers wait for it as long as for anything, [`PATIENCE`].
    pub(crate) fn new(dependency: Dependency, fresh: Duration) -> Self {
        Self::on(Terms::new(dependency, fresh))
    }

    fn on(terms: Terms) -> Self {
        Self {
            terms,
            asked: Mutex::default(),
        }
    }

    /// The answer; `ask` gets it where there is none that is fresh.
    pub(crate) async fn get<F>(&self, ask: impl FnOnce() -> F) -> Result<Arc<T>, Trouble>
    where
        F: Future<Output = Result<T, Trouble>> + Send + 'static,
    {
        let Terms {
            dependency, patience, ..
        } = self.terms;
        let answer = self.asked(ask);
        match tokio::time::timeout(patience, answer).await {
            Ok((_, answer)) => answer,
            Err(_) => Err(Trouble::away(
                dependency,
                format!("no answer within {} s", patience.as_secs()),
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
        if let Some(answer) = &*asked {
            let is_good = match answer.clone().now_or_never() {
                None => true,
                Some((at, Ok(_))) => at.elapsed() < self.terms.fresh,
                Some((at, Err(_))) => at.elapsed() < self.terms.fresh.min(TROUBLE_FRESH),
            };
            if is_good {
                return answer.clone();
            }
        }
        // A task of its own, so that a viewer who leaves takes nobody's answer along.
        let question = ask();
        let task = tokio::spawn(async move {
            let answer = question.await.map(Arc::new);
            (Instant::now(), answer)
        });
        let answer = task.map(|answered| {
            answered.unwrap_or_else(|_| {
                let broken_off = Trouble::Failed("the question was broken off".to_owned());
                (Instant::now(), Err(broken_off))
            })
        });
        let answer = answer.boxed().shared();
        *asked = Some(answer.clone());
        answer
    }
}

/// Answers about many things, by what they are about: sales by their ids, jobs by theirs.
pub(crate) struct CachedMap<T> {
    terms: Terms,
    answers: Mutex<HashMap<String, Arc<Cached<T>>>>,
}

impl<T: Send + Sync + 'static> CachedMap<T> {
    /// Answers of `dependency` that are good for `fresh`.
    pub(crate) fn new(dependency: Dependency, fresh: Duration) -> Self {
        Self {
            terms: Terms::new(dependency, fresh),
            answers: Mutex::default(),
        }
    }

    /// The same where viewers wait for as long as this.
    pub(crate) fn with_patience(mut self, patience: Duration) -> Self {
        self.terms.patience = patience;
        self
    }

    /// The answer about `key`; `ask` gets it where there is none that is fresh.
    pub(crate) async fn get<F>(&self, key: &str, ask: impl FnOnce() -> F) -> Result<Arc<T>, Trouble>
    where
        F: Future<Output = Result<T, Trouble>> + Send + 'static,
    {
        let cached = self.about(key);
        cached.get(ask).await
    }

    /// Has the next viewer ask again, since something was changed.
    pub(crate) fn forget(&self, key: &str) {
        self.lock().remove(key);
    }

    fn about(&self, key: &str) -> Arc<Cached<T>> {
        let mut answers = self.lock();
        if answers.len() >= MOST && !answers.contains_key(key) {
            // Who waits for an answer that is dropped still gets it; nobody else finds it.
            answers.clear();
        }
        let cached = answers.entry(key.to_owned());
        Arc::clone(cached.or_insert_with(|| Arc::new(Cached::on(self.terms))))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Cached<T>>>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
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

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_waited_for_grows_old_and_a_trouble_soon_does() {
        let cached = Cached::new(Dependency::Kafka, Duration::from_secs(5));
        let slow = || async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            Ok(7)
        };
        assert!(cached.get(slow).await.is_err());
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert_eq!(cached.get(|| async { Ok(8) }).await, Ok(Arc::new(8)));
        cached.forget();
        let broken = || async { Err(Trouble::Failed("broken".to_owned())) };
        assert!(cached.get(broken).await.is_err());
        assert!(
            cached.get(|| async { Ok(9) }).await.is_err(),
            "it serves those who come at once"
        );
        tokio::time::sleep(TROUBLE_FRESH).await;
        assert_eq!(cached.get(|| async { Ok(9) }).await, Ok(Arc::new(9)));
    }

    #[tokio::test(start_paused = true)]
    async fn many_who_wait_for_a_trouble_wait_together_and_each_thing_has_its_own_answer() {
        let map = CachedMap::new(Dependency::Billz, Duration::from_secs(20)).with_patience(Duration::from_secs(5));
        let began = Instant::now();
        let slow = || async {
            tokio::time::sleep(Duration::from_secs(4)).await;
            Err::<u32, _>(Trouble::Failed("broken".to_owned()))
        };
        let answers = join_all((0..50).map(|_| map.get("a", slow))).await;
        assert!(answers.iter().all(Result::is_err));
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        assert_eq!(map.get("b", || async { Ok(1) }).await, Ok(Arc::new(1)));
        assert_eq!(map.get("b", || async { Ok(2) }).await, Ok(Arc::new(1)));
        map.forget("b");
        assert_eq!(map.get("b", || async { Ok(2) }).await, Ok(Arc::new(2)));
        for number in 0..1_000 {
            map.get(&number.to_string(), || async move { Ok(number) })
                .await
                .unwrap();
        }
        assert!(map.lock().len() <= MOST);
    }
}
