//! What the consumer of customer events can be told.

use std::time::Duration;

use billwright_domain::billing::FirstBillingDefaults;

use crate::security::Security;

/// Everything that the consumer needs to know. [`EventsSettings::new`] fills in the defaults.
#[derive(Debug, Clone)]
pub struct EventsSettings {
    /// The brokers to start from, comma separated: `host:port,…`.
    pub brokers: String,
    /// The topics to consume.
    pub topics: Vec<String>,
    /// The consumer group.
    pub group_id: String,
    /// How the client calls itself towards the broker.
    pub client_id: String,
    /// A name that stays the same over restarts makes this a static member: the group keeps its partitions for it while it
    /// restarts. Every process needs a name of its own.
    pub group_instance_id: Option<String>,
    /// How often connecting is tried at start before the consumer gives up; 0 is for ever.
    pub max_retries: u32,
    /// How to talk to the brokers.
    pub security: Security,
    /// How long the group waits for a member that went silent before it gives its partitions to others.
    pub session_timeout: Duration,
    /// What the first billing of a customer is where the event does not say.
    pub first_billing: FirstBillingDefaults,
    /// How long an event waits for its customer before it goes to the dead letters.
    pub set_aside_expiry: Duration,
    /// How often events that wait are looked through.
    pub set_aside_sweep: Duration,
    /// When too many messages are bad.
    pub bad_messages: BadMessageLimits,
    /// What is appended to a topic's name for the topic of its dead letters.
    pub dead_letter_suffix: String,
    /// The topic to which changes of users and billings are published; none by default.
    pub events_out_topic: Option<String>,
    /// How much is applied at once.
    pub batch: BatchLimits,
}

/// When too many messages of a partition are bad. The share is that of the last [`BadMessageLimits::window`] messages.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BadMessageLimits {
    /// From this share (0 to 1) on an alarm is raised.
    pub alarm_share: f64,
    /// From this share (0 to 1) on the partition is paused.
    pub pause_share: f64,
    /// How many messages are looked at, and how many it takes before anything is concluded.
    pub window: usize,
    /// How long a partition stays paused before it is tried again.
    pub pause: Duration,
}

/// How much one transaction applies at most. A batch is never waited for: it is what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// In events; at most [`BatchLimits::MOST_EVENTS`].
    pub events: usize,
    /// In bytes of values.
    pub bytes: usize,
}

impl BatchLimits {
    /// More than this in one transaction helps nobody, and more than 65,535 first billings could not be numbered.
    pub const MOST_EVENTS: usize = 20_000;
}

impl EventsSettings {
    /// The defaults, for the brokers `brokers` (comma separated).
    pub fn new(brokers: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            topics: vec!["customers".to_owned()],
            group_id: "telecomx-billing-consumer".to_owned(),
            client_id: "telecomx-billing-service".to_owned(),
            group_instance_id: None,
            max_retries: 5,
            security: Security::default(),
            session_timeout: Duration::from_secs(10),
            first_billing: FirstBillingDefaults::default(),
            set_aside_expiry: Duration::from_hours(7 * 24),
            set_aside_sweep: Duration::from_secs(2),
            bad_messages: BadMessageLimits::default(),
            dead_letter_suffix: ".dlq".to_owned(),
            events_out_topic: None,
            batch: BatchLimits::default(),
        }
    }

    /// The topic of the dead letters of `topic`.
    pub fn dead_letter_topic(&self, topic: &str) -> String {
        format!("{topic}{}", self.dead_letter_suffix)
    }
}

impl Default for BadMessageLimits {
    fn default() -> Self {
        Self {
            alarm_share: 0.1,
            pause_share: 0.5,
            window: 500,
            pause: Duration::from_mins(5),
        }
    }
}

impl Default for BatchLimits {
    fn default() -> Self {
        Self {
            events: 1000,
            bytes: 4 * 1024 * 1024,
        }
    }
}
