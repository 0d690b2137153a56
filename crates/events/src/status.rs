//! How the consumer is doing, for the dashboard, for readiness and for metrics.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use serde::Serialize;

/// What the consumer is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// It looks for the brokers.
    #[default]
    Connecting,
    /// It consumes.
    Consuming,
    /// It gave up looking for the brokers; a restart tries again.
    GaveUp,
    /// It was told to stop.
    Stopped,
}

/// How the consumer is doing.
#[derive(Debug, Clone, PartialEq, Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct EventsState {
    /// What it is at.
    pub phase: Phase,
    /// Whether a broker is connected.
    pub broker_connected: bool,
    /// What a person should know: the last failure, and what to do.
    pub detail: Option<String>,
    /// Topics that do not exist; they are waited for.
    pub missing_topics: Vec<String>,
    /// The partitions that this process has.
    pub partitions: Vec<PartitionState>,
    /// How many events wait for their customers, in all.
    pub set_aside: u64,
    /// How many messages went to the dead letters since the start.
    pub dead_letters: u64,
}

/// How a partition is doing.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PartitionState {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset of the next message to apply, once it is known.
    pub position: Option<i64>,
    /// The offset after the last message that the broker has, once it is known.
    pub end: Option<i64>,
    /// How many messages are still to be applied.
    pub lag: Option<i64>,
    /// How many messages a second were applied lately.
    pub rate: f64,
    /// Why it stands still, if it does.
    pub paused: Option<String>,
    /// Whether too many of its messages are bad.
    pub alarmed: bool,
    /// When a message was applied last.
    pub last_applied: Option<DateTime<Utc>>,
}

/// A partition: its topic and number.
pub(crate) type Place = (String, i32);

#[derive(Debug, Default)]
struct Partition {
    position: Option<i64>,
    end: Option<i64>,
    committed: Option<i64>,
    paused: Option<String>,
    alarmed: bool,
    last_applied: Option<DateTime<Utc>>,
    applied: u64,
    applied_at_tick: u64,
    rate: f64,
}

#[derive(Debug, Default)]
struct Inner {
    phase: Phase,
    broker_connected: bool,
    detail: Option<String>,
    missing_topics: Vec<String>,
    partitions: BTreeMap<Place, Partition>,
    set_aside: u64,
    dead_letters: u64,
    heard: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Status(Mutex<Inner>);

impl Status {
    pub(crate) fn state(&self) -> EventsState {
        let inner = self.lock();
        EventsState {
            phase: inner.phase,
            broker_connected: inner.broker_connected,
            detail: inner.detail.clone(),
            missing_topics: inner.missing_topics.clone(),
            partitions: inner
                .partitions
                .iter()
                .map(|((topic, number), partition)| PartitionState {
                    topic: topic.clone(),
                    partition: *number,
                    position: partition.position,
                    end: partition.end,
                    lag: partition.lag(),
                    rate: partition.rate,
                    paused: partition.paused.clone(),
                    alarmed: partition.alarmed,
                    last_applied: partition.last_applied,
                })
                .collect(),
            set_aside: inner.set_aside,
            dead_letters: inner.dead_letters,
        }
    }

    pub(crate) fn enter(&self, phase: Phase, detail: Option<String>) {
        let mut inner = self.lock();
        inner.phase = phase;
        inner.detail = detail;
    }

    /// The member gave a sign of life, which it does once a second, and says whether a broker is connected.
    pub(crate) fn broker_connected(&self, connected: bool) {
        let mut inner = self.lock();
        inner.broker_connected = connected;
        inner.heard += 1;
    }

    /// How often the member gave a sign of life; `None` while there is no member.
    pub(crate) fn heard(&self) -> Option<u64> {
        let inner = self.lock();
        (inner.phase == Phase::Consuming).then_some(inner.heard)
    }

    /// Whether this process has any partition.
    pub(crate) fn has_partitions(&self) -> bool {
        !self.lock().partitions.is_empty()
    }

    pub(crate) fn trouble(&self, detail: Option<String>) {
        self.lock().detail = detail;
    }

    pub(crate) fn topics_missing(&self, missing: Vec<String>) {
        self.lock().missing_topics = missing;
    }

    pub(crate) fn assigned(&self, place: &Place) {
        self.lock().partitions.entry(place.clone()).or_default();
    }

    pub(crate) fn revoked(&self, place: &Place) {
        self.lock().partitions.remove(place);
        let labels = [("topic", place.0.clone()), ("partition", place.1.to_string())];
        metrics::gauge!("billwright_events_lag", &labels).set(0.0);
    }

    /// Notes where a partition stands: `count` messages were applied to get there.
    pub(crate) fn moved(&self, place: &Place, position: i64, count: usize, now: DateTime<Utc>) {
        if let Some(partition) = self.lock().partitions.get_mut(place) {
            partition.position = Some(position);
            partition.end = partition.end.map(|end| end.max(position));
            partition.applied += u64::try_from(count).unwrap_or_default();
            if count > 0 {
                partition.last_applied = Some(now);
            }
        }
    }

    pub(crate) fn ends_at(&self, place: &Place, end: i64) {
        if let Some(partition) = self.lock().partitions.get_mut(place) {
            partition.end = Some(end.max(partition.position.unwrap_or_default()));
        }
    }

    pub(crate) fn pause(&self, place: &Place, reason: Option<String>) {
        if let Some(partition) = self.lock().partitions.get_mut(place) {
            partition.paused = reason;
        }
    }

    /// Notes whether too many messages are bad. Says whether that is news.
    pub(crate) fn alarm(&self, place: &Place, alarmed: bool) -> bool {
        self.lock()
            .partitions
            .get_mut(place)
            .is_some_and(|partition| std::mem::replace(&mut partition.alarmed, alarmed) != alarmed)
    }

    pub(crate) fn alarmed(&self) -> Vec<Place> {
        let inner = self.lock();
        let alarmed = inner.partitions.iter().filter(|(_, partition)| partition.alarmed);
        alarmed.map(|(place, _)| place.clone()).collect()
    }

    pub(crate) fn dead_letter(&self) {
        self.lock().dead_letters += 1;
    }

    pub(crate) fn set_aside(&self, count: u64) {
        self.lock().set_aside = count;
    }

    /// The positions, of the partitions in `only` or of all, that the broker has not been told yet; they count as told.
    pub(crate) fn to_commit(&self, only: Option<&[Place]>) -> Vec<(Place, i64)> {
        let mut inner = self.lock();
        let wanted = |place: &Place| only.is_none_or(|only| only.contains(place));
        inner
            .partitions
            .iter_mut()
            .filter(|(place, partition)| wanted(place) && partition.position != partition.committed)
            .filter_map(|(place, partition)| {
                partition.committed = partition.position;
                Some((place.clone(), partition.position?))
            })
            .collect()
    }

    /// Has the positions told again, since the broker did not take them.
    pub(crate) fn commit_failed(&self) {
        for partition in self.lock().partitions.values_mut() {
            partition.committed = None;
        }
    }

    /// Works out the rates over the last `seconds`, and publishes the lags.
    pub(crate) fn tick(&self, seconds: f64) {
        for ((topic, number), partition) in &mut self.lock().partitions {
            let applied = partition.applied - partition.applied_at_tick;
            partition.applied_at_tick = partition.applied;
            #[expect(clippy::cast_precision_loss, reason = "nobody applies 2^52 messages in a second")]
            let now = applied as f64 / seconds.max(0.001);
            // The last few seconds weigh most.
            partition.rate = if applied == 0 && partition.rate < 0.5 {
                0.0
            } else {
                partition.rate * 0.7 + now * 0.3
            };
            if let Some(lag) = partition.lag() {
                let labels = [("topic", topic.clone()), ("partition", number.to_string())];
                #[expect(clippy::cast_precision_loss, reason = "a lag of more than 2^52 messages is none")]
                metrics::gauge!("billwright_events_lag", &labels).set(lag as f64);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Partition {
    fn lag(&self) -> Option<i64> {
        Some((self.end? - self.position?).max(0))
    }
}
