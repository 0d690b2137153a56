//! When something is wrong. No I/O: what was seen goes in, what is wrong comes out.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use chrono::{DateTime, Utc};

use crate::config::AlertsConfig;

/// Something that people are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Alert {
    /// The oldest waiting job is too old.
    OldestJob,
    /// Jobs wait, and no worker is connected.
    NoWorker,
    /// Billz has not been reached for long.
    BreakerOpen,
    /// Events come in faster than they are applied.
    EventLag,
    /// Messages went to the dead letters.
    DeadLetters,
    /// Too large a share of the messages is bad.
    BadMessages,
}

impl Alert {
    /// All of them.
    pub(crate) const ALL: [Self; 6] = [
        Self::OldestJob,
        Self::NoWorker,
        Self::BreakerOpen,
        Self::EventLag,
        Self::DeadLetters,
        Self::BadMessages,
    ];

    /// Its name, in metrics, in MongoDB and in the runbook.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OldestJob => "oldest_job",
            Self::NoWorker => "no_worker",
            Self::BreakerOpen => "breaker_open",
            Self::EventLag => "event_lag",
            Self::DeadLetters => "dead_letters",
            Self::BadMessages => "bad_messages",
        }
    }

    /// The alert of a name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|alert| alert.name() == name)
    }

    /// What people are told.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::OldestJob => "Jobs wait too long",
            Self::NoWorker => "No worker takes jobs",
            Self::BreakerOpen => "Billz is still away",
            Self::EventLag => "Events pile up",
            Self::DeadLetters => "Messages went to the dead letters",
            Self::BadMessages => "Too many messages are bad",
        }
    }

    /// How long it must be wrong before people are told.
    fn patience(self, config: &AlertsConfig) -> Duration {
        match self {
            Self::NoWorker => config.no_worker.unwrap_or_default(),
            Self::BreakerOpen => config.breaker_open.unwrap_or_default(),
            // A burst grows at one look and shrinks at the next.
            Self::EventLag => config.interval,
            Self::OldestJob | Self::DeadLetters | Self::BadMessages => Duration::ZERO,
        }
    }
}

/// What was seen. `None` where nothing is known, and then nothing is wrong either: what cannot be reached is told by
/// readiness.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Observation {
    /// The queue.
    pub(crate) queue: Option<QueueObservation>,
    /// Whether the breaker before Billz is open.
    pub(crate) breaker_open: Option<bool>,
    /// How far behind the partitions of this process are.
    pub(crate) lags: Vec<LagObservation>,
    /// How many messages went to the dead letters within the last ten minutes.
    pub(crate) dead_letters: Option<u64>,
    /// The partitions with too many bad messages.
    pub(crate) bad: Vec<String>,
}

/// What was seen of the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueueObservation {
    /// How many jobs could run.
    pub(crate) waiting: u64,
    /// How long the oldest of them has waited, where the worker runs.
    pub(crate) oldest: Option<Duration>,
    /// How many workers are connected.
    pub(crate) workers: Option<u64>,
}

/// How far behind a partition is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LagObservation {
    /// Which one.
    pub(crate) partition: String,
    /// How many events it is behind.
    pub(crate) lag: u64,
    /// Whether it is known not to have caught up since the look before.
    pub(crate) stands: bool,
}

/// What is wrong, each with a sentence. What fires already ends at half the limit only, so that it does not flicker.
pub(crate) fn judge(seen: &Observation, config: &AlertsConfig, firing: &BTreeSet<Alert>) -> BTreeMap<Alert, String> {
    let mut wrong = BTreeMap::new();
    let limit = |alert: Alert, limit: u64| if firing.contains(&alert) { limit / 2 } else { limit };
    if let Some(queue) = &seen.queue {
        if let (Some(most), Some(oldest)) = (config.oldest_job, queue.oldest)
            && oldest.as_secs() >= limit(Alert::OldestJob, most.as_secs()).max(1)
        {
            let sentence = format!(
                "The oldest of {} waiting jobs has waited for {}.",
                queue.waiting,
                spoken(oldest)
            );
            wrong.insert(Alert::OldestJob, sentence);
        }
        if config.no_worker.is_some() && queue.workers == Some(0) && queue.waiting > 0 {
            wrong.insert(
                Alert::NoWorker,
                format!("{} jobs wait, and no worker is connected.", queue.waiting),
            );
        }
    }
    if config.breaker_open.is_some() && seen.breaker_open == Some(true) {
        wrong.insert(
            Alert::BreakerOpen,
            "Billz cannot be reached; jobs wait in the queue and go on by themselves.".to_owned(),
        );
    }
    if let Some(most) = config.event_lag {
        let is_firing = firing.contains(&Alert::EventLag);
        let behind = seen.lags.iter().filter(|lag| lag.stands || is_firing);
        let furthest = behind.max_by_key(|lag| lag.lag);
        if let Some(lag) = furthest.filter(|lag| lag.lag > limit(Alert::EventLag, most)) {
            wrong.insert(
                Alert::EventLag,
                format!("Partition {} is {} events behind.", lag.partition, lag.lag),
            );
        }
    }
    if let (Some(most), Some(count)) = (config.dead_letters, seen.dead_letters)
        && count >= most
    {
        wrong.insert(
            Alert::DeadLetters,
            format!("{count} messages could not be applied within ten minutes."),
        );
    }
    if config.bad_messages && !seen.bad.is_empty() {
        wrong.insert(Alert::BadMessages, format!("Partitions: {}.", seen.bad.join(", ")));
    }
    wrong
}

/// Remembers since when something is wrong, for what must last before people are told.
#[derive(Debug, Default)]
pub(crate) struct Persistence(BTreeMap<Alert, DateTime<Utc>>);

impl Persistence {
    /// What of `wrong` has lasted long enough. What fires already has, even where this process began to look just now.
    pub(crate) fn lasting(
        &mut self,
        wrong: BTreeMap<Alert, String>,
        config: &AlertsConfig,
        firing: &BTreeSet<Alert>,
        now: DateTime<Utc>,
    ) -> BTreeMap<Alert, String> {
        self.0.retain(|alert, _| wrong.contains_key(alert));
        for alert in wrong.keys() {
            self.0.entry(*alert).or_insert(now);
        }
        let lasts = |alert: &Alert| {
            let since = self.0.get(alert).copied().unwrap_or(now);
            firing.contains(alert) || (now - since).to_std().unwrap_or_default() >= alert.patience(config)
        };
        wrong.into_iter().filter(|(alert, _)| lasts(alert)).collect()
    }
}

/// A length of time for people.
pub(crate) fn spoken(length: Duration) -> String {
    let seconds = length.as_secs();
    match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, seconds) => format!("{seconds} s"),
        (0, 0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (0, hours, minutes, _) => format!("{hours} h {minutes} min"),
        (days, hours, _, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::config::{Reader, Source};

    fn config() -> AlertsConfig {
        AlertsConfig::read(&mut Reader::new(&Source::default())).unwrap()
    }

    fn alerts(seen: &Observation, firing: &[Alert]) -> Vec<Alert> {
        let firing = firing.iter().copied().collect();
        judge(seen, &config(), &firing).into_keys().collect()
    }

    fn queue(waiting: u64, oldest_s: u64, workers: Option<u64>) -> Observation {
        Observation {
            queue: Some(QueueObservation {
                waiting,
                oldest: (waiting > 0).then(|| Duration::from_secs(oldest_s)),
                workers,
            }),
            ..Observation::default()
        }
    }

    fn lags(lags: &[(u64, bool)]) -> Observation {
        let lags = lags.iter().enumerate().map(|(number, (lag, stands))| LagObservation {
            partition: format!("customers/{number}"),
            lag: *lag,
            stands: *stands,
        });
        Observation {
            lags: lags.collect(),
            ..Observation::default()
        }
    }

    fn lag(lag: u64, stands: bool) -> Observation {
        lags(&[(lag, stands)])
    }

    #[test]
    fn nothing_known_is_nothing_wrong() {
        assert!(alerts(&Observation::default(), &[]).is_empty());
        assert!(
            alerts(&queue(5, 1, None), &[]).is_empty(),
            "Redis does not tell who is connected"
        );
    }

    #[test]
    fn an_old_job_fires_at_the_limit_and_ends_at_half_of_it() {
        let limit = config().oldest_job.unwrap().as_secs();
        assert_eq!(alerts(&queue(1, limit, Some(1)), &[]), [Alert::OldestJob]);
        assert!(alerts(&queue(1, limit - 1, Some(1)), &[]).is_empty());
        assert_eq!(
            alerts(&queue(1, limit - 1, Some(1)), &[Alert::OldestJob]),
            [Alert::OldestJob]
        );
        assert!(alerts(&queue(1, limit / 2 - 1, Some(1)), &[Alert::OldestJob]).is_empty());
        assert!(alerts(&queue(0, 0, Some(1)), &[Alert::OldestJob]).is_empty());
    }

    #[test]
    fn no_worker_is_wrong_only_while_jobs_wait() {
        assert_eq!(alerts(&queue(1, 1, Some(0)), &[]), [Alert::NoWorker]);
        assert!(alerts(&queue(0, 0, Some(0)), &[]).is_empty());
        assert!(alerts(&queue(1, 1, Some(1)), &[Alert::NoWorker]).is_empty());
    }

    #[test]
    fn a_lag_that_shrinks_does_not_fire_but_does_not_end_it_either() {
        let limit = config().event_lag.unwrap();
        assert_eq!(alerts(&lag(limit + 1, true), &[]), [Alert::EventLag]);
        assert!(alerts(&lag(limit + 1, false), &[]).is_empty());
        assert!(alerts(&lag(limit, true), &[]).is_empty());
        assert_eq!(alerts(&lag(limit + 1, false), &[Alert::EventLag]), [Alert::EventLag]);
        assert!(alerts(&lag(limit / 2, false), &[Alert::EventLag]).is_empty());
    }

    #[test]
    fn a_partition_that_stands_is_seen_beside_one_that_catches_up_from_further_behind() {
        let limit = config().event_lag.unwrap();
        let seen = lags(&[(limit * 9, false), (limit + 1, true)]);
        let wrong = judge(&seen, &config(), &BTreeSet::new());
        assert!(wrong[&Alert::EventLag].contains("customers/1"), "{wrong:?}");
    }

    #[test]
    fn dead_letters_bad_messages_and_the_breaker_fire() {
        let seen = Observation {
            dead_letters: Some(1),
            bad: vec!["customers/1".to_owned()],
            breaker_open: Some(true),
            ..Observation::default()
        };
        assert_eq!(
            alerts(&seen, &[]),
            [Alert::BreakerOpen, Alert::DeadLetters, Alert::BadMessages]
        );
    }

    #[test]
    fn an_alert_that_is_turned_off_never_fires() {
        let off = AlertsConfig {
            oldest_job: None,
            no_worker: None,
            ..config()
        };
        let seen = queue(1, 1_000_000, Some(0));
        assert!(judge(&seen, &off, &BTreeSet::new()).is_empty());
    }

    #[test]
    fn what_must_last_is_told_once_it_has_lasted_without_a_break() {
        let config = config();
        let wrong = || BTreeMap::from([(Alert::NoWorker, String::new()), (Alert::OldestJob, String::new())]);
        let begin = DateTime::UNIX_EPOCH;
        let after = |seconds| begin + TimeDelta::seconds(seconds);
        let patience = i64::try_from(config.no_worker.unwrap().as_secs()).unwrap();
        let mut persistence = Persistence::default();
        let nothing = BTreeSet::new();
        let mut told =
            |wrong, at| -> Vec<Alert> { persistence.lasting(wrong, &config, &nothing, at).into_keys().collect() };
        assert_eq!(told(wrong(), begin), [Alert::OldestJob]);
        assert_eq!(told(wrong(), after(patience)), [Alert::OldestJob, Alert::NoWorker]);
        assert!(told(BTreeMap::new(), after(patience + 1)).is_empty());
        assert_eq!(told(wrong(), after(patience + 2)), [Alert::OldestJob]);
        // A process that was restarted goes on with what fires.
        let firing = BTreeSet::from([Alert::NoWorker]);
        let goes_on = Persistence::default().lasting(wrong(), &config, &firing, begin);
        assert!(goes_on.contains_key(&Alert::NoWorker));
    }

    #[test]
    fn every_alert_has_a_chapter_in_the_runbook() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/RUNBOOK.md");
        let runbook = std::fs::read_to_string(path).unwrap();
        for alert in Alert::ALL {
            let anchor = format!("## {}", alert.name());
            assert!(runbook.lines().any(|line| line == anchor), "`{anchor}` is missing");
            assert_eq!(Alert::named(alert.name()), Some(alert));
        }
    }
}
