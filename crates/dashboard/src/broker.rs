//! What pages ask the brokers: one look serves all viewers for some seconds.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use billwright_events::{
    EventsSettings,
    admin::{
        self, Owner, PartitionLag,
        dead_letters::{self, DeadLetterRow},
    },
};
use billwright_store::Mongo;
use tokio::time::Instant;

use crate::{
    cached::Cached,
    section::{Blames as _, Dependency, Trouble},
};

/// How long a look at the partitions is good for.
const PARTITIONS_FRESH: Duration = Duration::from_secs(4);
/// How long a look at the dead letters is good for.
const LETTERS_FRESH: Duration = Duration::from_secs(8);
/// How many of the newest dead letters are looked at.
pub(crate) const NEWEST_LETTERS: u32 = 500;
/// Over at most how long a rate is measured. A longer time says nothing of now.
const RATE_OVER: Duration = Duration::from_mins(2);

/// A partition as the brokers and the database know it, whichever process reads it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PartitionLook {
    pub(crate) lag: PartitionLag,
    pub(crate) owner: Option<Owner>,
    /// How many messages a second were applied since the last look; unknown at the first one.
    pub(crate) rate: Option<f64>,
}

/// What pages ask the brokers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Broker(Arc<Inner>);

struct Inner {
    settings: EventsSettings,
    mongo: Mongo,
    partitions: Cached<Vec<PartitionLook>>,
    letters: Cached<Vec<DeadLetterRow>>,
    last: Mutex<Option<(Instant, Positions)>>,
}

/// Positions by topic and partition.
type Positions = HashMap<(String, i32), i64>;

impl Broker {
    pub(crate) fn new(settings: EventsSettings, mongo: Mongo) -> Self {
        Self(Arc::new(Inner {
            settings,
            mongo,
            partitions: Cached::new(Dependency::Kafka, PARTITIONS_FRESH),
            letters: Cached::new(Dependency::Kafka, LETTERS_FRESH),
            last: Mutex::default(),
        }))
    }

    pub(crate) fn settings(&self) -> &EventsSettings {
        &self.0.settings
    }

    pub(crate) fn mongo(&self) -> &Mongo {
        &self.0.mongo
    }

    /// How each partition is doing.
    pub(crate) async fn partitions(&self) -> Result<Arc<Vec<PartitionLook>>, Trouble> {
        let broker = self.clone();
        self.0.partitions.get(|| async move { broker.look().await }).await
    }

    /// The newest dead letters, the newest first.
    pub(crate) async fn letters(&self) -> Result<Arc<Vec<DeadLetterRow>>, Trouble> {
        let settings = self.0.settings.clone();
        let ask = || async move {
            let letters = dead_letters::list(&settings, NEWEST_LETTERS).await;
            letters.map_err(|error| error.trouble(Dependency::Kafka))
        };
        self.0.letters.get(ask).await
    }

    /// Has the next viewer look anew.
    pub(crate) fn forget(&self) {
        self.0.partitions.forget();
        self.0.letters.forget();
    }

    async fn look(&self) -> Result<Vec<PartitionLook>, Trouble> {
        let settings = &self.0.settings;
        let (lags, owners) = tokio::join!(admin::lag(settings, &self.0.mongo), admin::owners(settings));
        let lags = lags.map_err(|error| error.trouble(Dependency::Kafka))?;
        // A login that may not look at groups still sees the partitions.
        let mut owners: HashMap<(String, i32), Owner> = owners
            .unwrap_or_default()
            .into_iter()
            .map(|owner| ((owner.topic.clone(), owner.partition), owner))
            .collect();
        let now = Instant::now();
        let place = |lag: &PartitionLag| (lag.topic.clone(), lag.partition);
        let positions: Positions = lags
            .iter()
            .filter_map(|lag| Some((place(lag), lag.position?)))
            .collect();
        let mut last = self.0.last.lock().unwrap_or_else(PoisonError::into_inner);
        let looks = lags
            .into_iter()
            .map(|lag| PartitionLook {
                owner: owners.remove(&place(&lag)),
                rate: last
                    .as_ref()
                    .and_then(|(at, before)| rate(*before.get(&place(&lag))?, lag.position?, now.duration_since(*at))),
                lag,
            })
            .collect();
        *last = Some((now, positions));
        Ok(looks)
    }
}

/// Messages a second.
fn rate(before: i64, now: i64, time: Duration) -> Option<f64> {
    if time.is_zero() || time > RATE_OVER {
        return None;
    }
    // A position that went back was reset.
    let moved = u32::try_from(now - before).unwrap_or_default();
    Some(f64::from(moved) / time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_of_now_or_unknown() {
        assert_eq!(rate(10, 30, Duration::from_secs(4)), Some(5.0));
        assert_eq!(rate(30, 10, Duration::from_secs(4)), Some(0.0));
        assert_eq!(rate(10, 30, Duration::from_hours(1)), None);
        assert_eq!(rate(10, 30, Duration::ZERO), None);
    }
}
