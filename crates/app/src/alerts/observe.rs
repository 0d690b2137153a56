//! One look at everything: sets the gauges, and gathers what the rules want to know.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use billwright_connectors::breaker::BreakerState;
use billwright_domain::Condition;
use billwright_events::{EventsControl, EventsState, PartitionState};
use billwright_store::billz::notifications::Notifications;
use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Watched,
    rules::{LagObservation, Observation, QueueObservation},
};
use crate::commands::QUEUE;

/// The time over which dead letters are counted.
const WINDOW: TimeDelta = TimeDelta::minutes(10);
/// How long one look at a dependency may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Looks, and remembers what it needs to see changes.
pub(super) struct Observer {
    watched: Watched,
    places: BTreeSet<(String, i32)>,
    lags: BTreeMap<String, u64>,
    dead_letters: VecDeque<(DateTime<Utc>, u64)>,
}

impl Observer {
    pub(super) fn new(watched: Watched) -> Self {
        Self {
            watched,
            places: BTreeSet::new(),
            lags: BTreeMap::new(),
            dead_letters: VecDeque::new(),
        }
    }

    pub(super) async fn look(&mut self) -> Observation {
        let (queue, ..) = tokio::join!(self.queue(), self.notifications(), self.billing_database());
        self.dependencies();
        let breaker_open = self.watched.breaker.as_ref().map(|breaker| {
            // While the one call is tried it is not known to work yet.
            !matches!(breaker.state(), BreakerState::Closed)
        });
        let seen = Observation {
            queue,
            breaker_open,
            ..Observation::default()
        };
        match self.watched.events.as_ref().map(EventsControl::state) {
            Some(state) => self.events(&state, seen),
            None => seen,
        }
    }

    fn events(&mut self, state: &EventsState, seen: Observation) -> Observation {
        let named = |partition: &PartitionState| format!("{}/{}", partition.topic, partition.partition);
        let mut places = BTreeSet::new();
        for partition in &state.partitions {
            let place = (partition.topic.clone(), partition.partition);
            show(&place, partition.paused.is_some(), partition.alarmed);
            places.insert(place);
        }
        // What another process has now is its business.
        for gone in self.places.difference(&places) {
            show(gone, false, false);
        }
        self.places = places;
        let lags = state.partitions.iter().filter_map(|partition| {
            let lag = u64::try_from(partition.lag?).ok()?;
            Some((named(partition), lag))
        });
        let lags: BTreeMap<String, u64> = lags.collect();
        let observed = lags.iter().map(|(partition, lag)| LagObservation {
            partition: partition.clone(),
            lag: *lag,
            stands: self.lags.get(partition).is_some_and(|before| lag >= before),
        });
        let observed = observed.collect();
        self.lags = lags;
        let alarmed = state.partitions.iter().filter(|partition| partition.alarmed);
        Observation {
            lags: observed,
            dead_letters: Some(self.dead_letters_lately(state.dead_letters, self.watched.clock.now())),
            bad: alarmed.map(named).collect(),
            ..seen
        }
    }

    /// How many were added within the window, of a count since the start.
    fn dead_letters_lately(&mut self, total: u64, now: DateTime<Utc>) -> u64 {
        self.dead_letters.push_back((now, total));
        // The last look before the window is where it begins.
        while self.dead_letters.get(1).is_some_and(|(at, _)| *at <= now - WINDOW) {
            self.dead_letters.pop_front();
        }
        let outside = self.dead_letters.front().filter(|(at, _)| *at <= now - WINDOW);
        // Before the first look there were none.
        total.saturating_sub(outside.map_or(0, |(_, total)| *total))
    }

    async fn queue(&self) -> Option<QueueObservation> {
        let watch = self.watched.queue.as_ref()?;
        // Redis being away is told by readiness.
        let sight = tokio::time::timeout(PATIENCE, watch.look()).await.ok()?.ok()?;
        for (state, count) in &sight.counts {
            metrics::gauge!("bullmq_job_count", "queue" => QUEUE, "state" => *state).set(as_f64(*count));
        }
        let now_ms = self.watched.clock.now().timestamp_millis();
        let oldest = sight.oldest_waiting_since_ms.map(|since| {
            let waited = now_ms.saturating_sub_unsigned(since);
            Duration::from_millis(u64::try_from(waited).unwrap_or_default())
        });
        let age = oldest.map_or(0.0, |oldest| oldest.as_secs_f64());
        metrics::gauge!("billwright_queue_oldest_job_age_seconds", "queue" => QUEUE).set(age);
        if let Some(workers) = sight.workers {
            metrics::gauge!("billwright_queue_workers", "queue" => QUEUE).set(as_f64(workers));
        }
        Some(QueueObservation {
            waiting: sight.waiting(),
            // Processes with the worker tell of it once between them; those without know only whether there is one.
            oldest: oldest.filter(|_| self.watched.billz.is_some()),
            workers: sight.workers,
        })
    }

    async fn notifications(&self) {
        let Some(mongo) = &self.watched.billz else { return };
        if let Ok(Ok(waiting)) = tokio::time::timeout(PATIENCE, Notifications::new(mongo).waiting()).await {
            metrics::gauge!("billwright_notifications_waiting").set(as_f64(waiting));
        }
    }

    /// The worker times its own database itself.
    async fn billing_database(&self) {
        let Some(mongo) = &self.watched.billing else { return };
        let began = std::time::Instant::now();
        if let Ok(Ok(())) = tokio::time::timeout(PATIENCE, mongo.ping()).await {
            metrics::histogram!("billwright_mongodb_ping_seconds", "database" => "billing")
                .record(began.elapsed().as_secs_f64());
        }
    }

    fn dependencies(&self) {
        for (dependency, health) in self.watched.health.all() {
            let condition = match health.condition {
                Condition::Up => 1.0,
                Condition::Degraded => 0.5,
                Condition::Down => 0.0,
            };
            metrics::gauge!("billwright_dependency_condition", "dependency" => dependency).set(condition);
        }
    }
}

/// Shows how a partition fares.
fn show((topic, partition): &(String, i32), paused: bool, alarmed: bool) {
    let labels = [("topic", topic.clone()), ("partition", partition.to_string())];
    metrics::gauge!("billwright_events_paused", &labels).set(f64::from(u8::from(paused)));
    metrics::gauge!("billwright_events_bad_messages", &labels).set(f64::from(u8::from(alarmed)));
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a double, and counts stay far below 2^53"
)]
fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use billwright_domain::{HealthBoard, SystemClock};

    use super::*;

    #[test]
    fn dead_letters_count_for_ten_minutes() {
        let mut observer = Observer::new(Watched {
            health: HealthBoard::default(),
            clock: SystemClock::shared(),
            queue: None,
            billz: None,
            billing: None,
            breaker: None,
            events: None,
            telegram: None,
        });
        let at = |minutes| DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes);
        assert_eq!(
            observer.dead_letters_lately(2, at(0)),
            2,
            "those before the first look count"
        );
        assert_eq!(observer.dead_letters_lately(3, at(5)), 3);
        assert_eq!(observer.dead_letters_lately(3, at(10)), 1);
        assert_eq!(observer.dead_letters_lately(3, at(15)), 0);
        assert_eq!(observer.dead_letters_lately(7, at(16)), 4);
    }
}
