//! Parts of a page that depend on something outside: there, or away, or not configured here, and never waited for long.

use std::time::Duration;

use billwright_store::StoreError;
use billwright_worker::admin::AdminError as QueueError;

use crate::text::Text;

/// How long a page waits for a dependency.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// Something outside that a page needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dependency {
    /// The Redis that holds the queue.
    Redis,
    /// A database.
    MongoDb,
    /// The brokers.
    Kafka,
    /// Billz.
    Billz,
}

impl Dependency {
    /// Its name, the same in every language.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Redis => "Redis",
            Self::MongoDb => "MongoDB",
            Self::Kafka => "Kafka",
            Self::Billz => "Billz",
        }
    }
}

/// A role that a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// The order worker.
    Worker,
    /// The billing product: its API or its consumer.
    Billing,
    /// The consumer of customer events.
    Events,
    /// Telegram notifications.
    Notifications,
    /// Any role at all.
    AnyRole,
}

/// Why something cannot be shown or done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// A dependency does not answer.
    Away {
        /// Which.
        dependency: Dependency,
        /// What was seen, in English, without secrets.
        seen: String,
    },
    /// The role is not configured in this process.
    NotConfigured(Needs),
    /// There is no such thing.
    NotFound(Text),
    /// As things stand it cannot be done.
    Refused(Text),
    /// Something broke.
    Failed(String),
}

impl Trouble {
    /// A dependency does not answer.
    pub(crate) fn away(dependency: Dependency, seen: impl Into<String>) -> Self {
        Self::Away {
            dependency,
            seen: seen.into(),
        }
    }

    /// A dependency has not answered within [`PATIENCE`].
    pub(crate) fn silent(dependency: Dependency) -> Self {
        Self::away(dependency, format!("no answer within {} s", PATIENCE.as_secs()))
    }

    /// Its heading.
    pub(crate) fn heading(&self) -> Text {
        match self {
            Self::Away { dependency, .. } => Text::of("trouble-away").with("name", dependency.name()),
            Self::NotConfigured(_) => Text::of("trouble-not-configured"),
            Self::NotFound(_) => Text::of("trouble-not-found"),
            Self::Refused(_) => Text::of("trouble-refused"),
            Self::Failed(_) => Text::of("trouble-failed"),
        }
    }

    /// What to know and to do.
    pub(crate) fn advice(&self) -> Text {
        match self {
            Self::Away { dependency, .. } => Text::of("trouble-away-advice").with("name", dependency.name()),
            Self::NotConfigured(Needs::Worker) => Text::of("trouble-needs-worker"),
            Self::NotConfigured(Needs::Billing) => Text::of("trouble-needs-billing"),
            Self::NotConfigured(Needs::Events) => Text::of("trouble-needs-events"),
            Self::NotConfigured(Needs::Notifications) => Text::of("trouble-needs-notifications"),
            Self::NotConfigured(Needs::AnyRole) => Text::of("trouble-needs-any-role"),
            Self::NotFound(text) | Self::Refused(text) => text.clone(),
            Self::Failed(_) => Text::of("trouble-failed-advice"),
        }
    }

    /// What was seen, word for word.
    pub(crate) fn seen(&self) -> Option<&str> {
        match self {
            Self::Away { seen, .. } | Self::Failed(seen) => Some(seen),
            Self::NotConfigured(_) | Self::NotFound(_) | Self::Refused(_) => None,
        }
    }
}

/// Whose failure it is that a call made.
pub(crate) trait Blames {
    /// What a page says about it.
    fn trouble(self, dependency: Dependency) -> Trouble;
}

impl Blames for StoreError {
    fn trouble(self, dependency: Dependency) -> Trouble {
        if self.is_transient() {
            Trouble::away(dependency, self.to_string())
        } else {
            Trouble::Failed(self.to_string())
        }
    }
}

impl Blames for QueueError {
    fn trouble(self, dependency: Dependency) -> Trouble {
        match self {
            Self::Unreachable(seen) => Trouble::away(dependency, seen),
            Self::NotFound { id, .. } => Trouble::NotFound(Text::of("trouble-no-job").with("id", id)),
            Self::WrongState { id, state, expected } => Trouble::Refused(
                Text::of("trouble-job-state")
                    .with("id", id)
                    .with("state", state)
                    .with("expected", expected),
            ),
            Self::Locked { id } => Trouble::Refused(Text::of("trouble-job-locked").with("id", id)),
            other => Trouble::Failed(other.to_string()),
        }
    }
}

impl Blames for billwright_events::admin::AdminError {
    fn trouble(self, dependency: Dependency) -> Trouble {
        match self {
            Self::Kafka(_) => Trouble::away(dependency, self.to_string()),
            Self::Store(error) => error.trouble(Dependency::MongoDb),
            Self::Busy => Trouble::Refused(Text::of("events-busy")),
            Self::NoTopic(topic) => Trouble::NotFound(Text::of("trouble-no-topic").with("topic", topic)),
            Self::NoMessage(place) => {
                Trouble::NotFound(Text::of("trouble-no-message").with("place", place.to_string()))
            }
        }
    }
}

/// Asks a dependency, for at most [`PATIENCE`].
pub(crate) async fn within<T, E: Blames>(
    dependency: Dependency,
    question: impl Future<Output = Result<T, E>>,
) -> Result<T, Trouble> {
    match tokio::time::timeout(PATIENCE, question).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(error.trouble(dependency)),
        Err(_) => Err(Trouble::silent(dependency)),
    }
}

/// A source that must be configured, or the word that it is not.
pub(crate) fn configured<T>(source: Option<&T>, needs: Needs) -> Result<&T, Trouble> {
    source.ok_or(Trouble::NotConfigured(needs))
}
