//! Answers about many things that each serve all viewers for some seconds: sales by their ids, jobs by theirs.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Mutex as AsyncMutex, time::Instant};

use crate::section::Trouble;

/// How many answers are kept.
const MOST: usize = 200;

type Place<T> = Arc<AsyncMutex<Option<(Instant, Arc<T>)>>>;

/// Answers by what they are about.
pub(crate) struct Kept<T> {
    fresh: Duration,
    places: Mutex<HashMap<String, Place<T>>>,
}

impl<T> Kept<T> {
    /// Answers that are good for `fresh`.
    pub(crate) fn new(fresh: Duration) -> Self {
        Self {
            fresh,
            places: Mutex::default(),
        }
    }

    /// The answer about `key`; `ask` gets it where there is none that is fresh. Whoever comes first asks; the others wait for
    /// the same answer. An answer that is a trouble is kept for nobody.
    pub(crate) async fn get(
        &self,
        key: &str,
        ask: impl Future<Output = Result<T, Trouble>>,
    ) -> Result<Arc<T>, Trouble> {
        let place = self.place(key);
        let mut kept = place.lock().await;
        if let Some((at, answer)) = &*kept
            && at.elapsed() < self.fresh
        {
            return Ok(Arc::clone(answer));
        }
        let answer = Arc::new(ask.await?);
        *kept = Some((Instant::now(), Arc::clone(&answer)));
        Ok(answer)
    }

    /// Has the next viewer ask again, since something was changed.
    pub(crate) fn forget(&self, key: &str) {
        self.lock().remove(key);
    }

    fn place(&self, key: &str) -> Place<T> {
        let mut places = self.lock();
        if places.len() >= MOST && !places.contains_key(key) {
            // Who waits at a place that is dropped keeps it; nobody else finds it.
            places.clear();
        }
        Arc::clone(places.entry(key.to_owned()).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Place<T>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn one_question_serves_everybody_until_something_changes() {
        let (kept, asked) = (Kept::new(Duration::from_mins(1)), AtomicU32::new(0));
        let ask = async || Ok(asked.fetch_add(1, Ordering::Relaxed));
        let (one, other) = tokio::join!(kept.get("a", ask()), kept.get("a", ask()));
        assert_eq!((*one.unwrap(), *other.unwrap()), (0, 0));
        assert_eq!(*kept.get("b", ask()).await.unwrap(), 1);
        kept.forget("a");
        assert_eq!(*kept.get("a", ask()).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn a_trouble_is_kept_for_nobody_and_few_answers_are_kept() {
        let kept = Kept::new(Duration::from_mins(1));
        let trouble = async { Err(Trouble::Failed("broken".to_owned())) };
        assert!(kept.get("a", trouble).await.is_err());
        assert_eq!(*kept.get("a", async { Ok(7) }).await.unwrap(), 7);
        for number in 0..1_000 {
            kept.get(&number.to_string(), async { Ok(number) }).await.unwrap();
        }
        assert!(kept.lock().len() <= MOST);
    }
}
