//! When somebody is told that something is wrong.

use std::time::Duration;

use super::Reader;
use crate::env_vars::{
    ALERT_BAD_MESSAGES, ALERT_BREAKER_OPEN_SECONDS, ALERT_DEAD_LETTERS, ALERT_EVENT_LAG, ALERT_INTERVAL_SECONDS,
    ALERT_NO_WORKER_SECONDS, ALERT_OLDEST_JOB_SECONDS, ALERT_OVER_AFTER_SECONDS, ALERT_RUNBOOK_URL,
};

/// When somebody is told that something is wrong. `None` turns an alert off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AlertsConfig {
    /// How old the oldest waiting job may be.
    pub(crate) oldest_job: Option<Duration>,
    /// How long jobs may wait without a worker.
    pub(crate) no_worker: Option<Duration>,
    /// How long the breaker may be open.
    pub(crate) breaker_open: Option<Duration>,
    /// How many events a partition may be behind while it does not catch up.
    pub(crate) event_lag: Option<u64>,
    /// How many messages may go to the dead letters within ten minutes.
    pub(crate) dead_letters: Option<u64>,
    /// Whether too large a share of bad messages is told.
    pub(crate) bad_messages: bool,
    /// How often is looked.
    pub(crate) interval: Duration,
    /// How long something must be fine before it counts as over.
    pub(crate) over_after: Duration,
    /// Where the runbook is.
    pub(crate) runbook: String,
}

impl AlertsConfig {
    /// Reads all of it.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let on = |limit: u64| (limit > 0).then_some(limit);
        let seconds = |limit: u64| on(limit).map(Duration::from_secs);
        let oldest_job = reader.number(&ALERT_OLDEST_JOB_SECONDS, 0..=86_400 * 30);
        let no_worker = reader.number(&ALERT_NO_WORKER_SECONDS, 0..=86_400);
        let breaker_open = reader.number(&ALERT_BREAKER_OPEN_SECONDS, 0..=86_400);
        let event_lag = reader.number(&ALERT_EVENT_LAG, 0..=u64::MAX);
        let dead_letters = reader.number(&ALERT_DEAD_LETTERS, 0..=u64::MAX);
        let bad_messages = reader.boolean(&ALERT_BAD_MESSAGES);
        let interval = reader.number(&ALERT_INTERVAL_SECONDS, 1..=3_600);
        let over_after = reader.number(&ALERT_OVER_AFTER_SECONDS, 1..=86_400);
        let runbook = reader.text(&ALERT_RUNBOOK_URL);
        if let (Some(interval), Some(over_after)) = (interval, over_after)
            && over_after < 2 * interval
        {
            reader.refuse(
                &ALERT_OVER_AFTER_SECONDS,
                "at least twice `ALERT_INTERVAL_SECONDS`, or alerts would end between two looks",
            );
        }
        Some(Self {
            oldest_job: seconds(oldest_job?),
            no_worker: seconds(no_worker?),
            breaker_open: seconds(breaker_open?),
            event_lag: on(event_lag?),
            dead_letters: on(dead_letters?),
            bad_messages: bad_messages?,
            interval: Duration::from_secs(interval?),
            over_after: Duration::from_secs(over_after?),
            runbook: runbook?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Source;

    #[test]
    fn zero_turns_an_alert_off_and_an_end_between_two_looks_is_refused() {
        let source = Source::of(&[("ALERT_EVENT_LAG", "0"), ("ALERT_OLDEST_JOB_SECONDS", "5")]);
        let mut reader = Reader::new(&source);
        let config = AlertsConfig::read(&mut reader).unwrap();
        assert!(reader.finish().is_ok());
        assert_eq!(
            (config.event_lag, config.oldest_job),
            (None, Some(Duration::from_secs(5)))
        );

        let source = Source::of(&[("ALERT_INTERVAL_SECONDS", "60"), ("ALERT_OVER_AFTER_SECONDS", "60")]);
        let mut reader = Reader::new(&source);
        AlertsConfig::read(&mut reader);
        let report = reader.finish().unwrap_err().to_string();
        assert!(report.contains("ALERT_OVER_AFTER_SECONDS"), "{report}");
    }
}
