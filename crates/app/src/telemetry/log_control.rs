//! Log levels that can be changed while the process runs, for a while or until told otherwise.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use billwright_domain::Clock;
use chrono::{DateTime, Utc};
use tracing_subscriber::{EnvFilter, Registry, reload};

/// How long SIGUSR1 makes our own crates talkative.
pub(crate) const DEBUG_LASTS: Duration = Duration::from_mins(10);

/// What the libraries below us are held to: they log what they recover from by themselves.
const QUIET: &str = "mongodb=warn,rdkafka=warn,hyper=warn,reqwest=warn,bullmq=warn,opentelemetry=warn";

/// Changes what is logged while the process runs. Cheap to clone.
#[derive(Clone)]
pub(crate) struct LogControl(Arc<Control>);

struct Control {
    handle: reload::Handle<EnvFilter, Registry>,
    configured: String,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    filter: String,
    until: Option<DateTime<Utc>>,
    /// Counts the changes, so that a change whose time is over does not undo a later one.
    change: u64,
}

/// What is logged right now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogLevels {
    /// The filter that holds, in the form of `LOG_LEVEL`.
    pub(crate) filter: String,
    /// The filter of the configuration, which holds again afterwards.
    pub(crate) configured: String,
    /// When the configured filter returns; `None` where it holds, or where the change has no end.
    pub(crate) until: Option<DateTime<Utc>>,
}

impl LogControl {
    /// Control over the filter behind `handle`, which began as `configured`.
    pub(super) fn new(handle: reload::Handle<EnvFilter, Registry>, configured: String, clock: Arc<dyn Clock>) -> Self {
        let state = State {
            filter: configured.clone(),
            until: None,
            change: 0,
        };
        Self(Arc::new(Control {
            handle,
            configured,
            clock,
            state: Mutex::new(state),
        }))
    }

    /// What is logged right now.
    pub(crate) fn levels(&self) -> LogLevels {
        let state = self.state();
        LogLevels {
            filter: state.filter.clone(),
            configured: self.0.configured.clone(),
            until: state.until,
        }
    }

    /// Logs by `filter` from now on, and by the configured one again after `lasting`, if that is given. Must be called
    /// within the asynchronous runtime. A filter that cannot be read changes nothing; the error says what is expected.
    pub(crate) fn set(&self, filter: &str, lasting: Option<Duration>) -> Result<(), String> {
        let change = self.apply(filter, lasting)?;
        let lasting_s = lasting.map(|lasting| lasting.as_secs());
        tracing::warn!(filter, lasting_s, "log levels changed");
        if let Some(lasting) = lasting {
            let control = self.clone();
            tokio::spawn(async move {
                tokio::time::sleep(lasting).await;
                control.over(change);
            });
        }
        Ok(())
    }

    /// Logs by the configured filter again.
    pub(crate) fn reset(&self) {
        match self.apply(&self.0.configured, None) {
            Ok(_) => tracing::warn!(filter = self.0.configured, "log levels are as configured again"),
            Err(reason) => tracing::error!(reason, "log levels could not be reset"),
        }
    }

    /// What SIGUSR1 does: debug for our own crates, or the configured filter again where something else holds.
    pub(crate) fn toggle_debug(&self) {
        if self.levels().filter != self.0.configured {
            self.reset();
        } else if let Err(reason) = self.set(&format!("{},billwright=debug", self.0.configured), Some(DEBUG_LASTS)) {
            tracing::error!(reason, "log levels could not be changed");
        }
    }

    fn over(&self, change: u64) {
        if self.state().change == change {
            self.reset();
        }
    }

    fn apply(&self, filter: &str, lasting: Option<Duration>) -> Result<u64, String> {
        let parsed = parse_filter(filter)?;
        let until = lasting
            .map(|lasting| chrono::TimeDelta::from_std(lasting).map(|lasting| self.0.clock.now() + lasting))
            .transpose()
            .map_err(|_| "a time limit of at most some years".to_owned())?;
        let mut state = self.state();
        self.0
            .handle
            .reload(parsed)
            .map_err(|error| format!("a process that still logs ({error})"))?;
        filter.trim().clone_into(&mut state.filter);
        state.until = until;
        state.change += 1;
        Ok(state.change)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for LogControl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("LogControl").field(&self.levels()).finish()
    }
}

/// Reads a filter in the form of `LOG_LEVEL`.
pub(crate) fn parse_filter(text: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(format!("{QUIET},{text}"))
        .map_err(|_| "a level (`info`) or a filter (`info,billwright_worker=debug`)".to_owned())
}

#[cfg(test)]
mod tests {
    use billwright_domain::SystemClock;
    use tracing::Level;
    use tracing_subscriber::{Layer as _, layer::SubscriberExt as _};

    use super::*;

    /// Whether a place in the code logs is remembered once for all threads, so that these tests would disturb each other.
    static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

    fn control() -> (impl tracing::Subscriber + Send + Sync, LogControl) {
        let (filter, handle) = reload::Layer::new(parse_filter("info").unwrap());
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(std::io::sink)
            .with_filter(filter);
        let control = LogControl::new(handle, "info".to_owned(), SystemClock::shared());
        (tracing_subscriber::registry().with(layer), control)
    }

    fn debug_is_on() -> bool {
        tracing::enabled!(target: "billwright_worker", Level::DEBUG)
    }

    #[tokio::test]
    async fn a_change_ends_by_itself_and_does_not_undo_a_later_one() {
        let _alone = ALONE.lock().await;
        let (subscriber, control) = control();
        let _guard = tracing::subscriber::set_default(subscriber);
        assert!(!debug_is_on());
        control
            .set("info,billwright=debug", Some(Duration::from_millis(20)))
            .unwrap();
        assert!(debug_is_on() && control.levels().until.is_some());
        while debug_is_on() {
            tokio::task::yield_now().await;
        }
        let after = control.levels();
        assert_eq!((after.filter.as_str(), after.until), ("info", None));

        let first = control.apply("debug", None).unwrap();
        control.set("info,billwright=debug", None).unwrap();
        control.over(first);
        assert!(debug_is_on(), "the end of the first change undid the second");
    }

    #[tokio::test]
    async fn the_signal_makes_our_own_crates_talk_for_a_while_and_then_again_not() {
        let _alone = ALONE.lock().await;
        let (subscriber, control) = control();
        let _guard = tracing::subscriber::set_default(subscriber);
        control.toggle_debug();
        assert!(debug_is_on() && control.levels().until.is_some());
        assert!(!tracing::enabled!(target: "mongodb::client", Level::DEBUG));
        control.toggle_debug();
        assert!(!debug_is_on());
    }

    #[tokio::test]
    async fn a_filter_that_cannot_be_read_changes_nothing() {
        let _alone = ALONE.lock().await;
        let (subscriber, control) = control();
        let _guard = tracing::subscriber::set_default(subscriber);
        let before = control.levels();
        assert!(control.set("a=b=c", None).unwrap_err().contains("a level (`info`)"));
        assert_eq!(control.levels(), before);
    }
}
