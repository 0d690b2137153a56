//! The consumer of customer events, `Customer.*`, from Kafka into the billing database.
//!
//! [`start`] joins the consumer group. Each partition has a worker that applies its messages batch by batch: effects and
//! position are written in one MongoDB transaction, so that each event takes effect exactly once, and the position that is
//! stored with the data wins over the one that the broker knows. What can never be applied goes to the dead letters, what
//! comes before its customer waits, and what MongoDB cannot take right now is tried until it can.

pub mod admin;
mod assignment;
mod backoff;
mod bad_share;
mod batch;
mod consumer;
pub mod customer;
pub mod dead_letters;
pub mod envelope;
mod event_spans;
mod fold;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod invalid;
mod kafka;
mod messages;
mod partition;
mod position;
mod publisher;
mod runtime;
pub mod security;
pub mod settings;
mod status;
mod topics;
mod waiting;

use std::sync::Arc;

use billwright_domain::{Clock, HealthBoard};
use billwright_store::Mongo;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::runtime::Runtime;
pub use self::{
    security::{Security, VARIABLES as SECURITY_VARIABLES},
    settings::{BadMessageLimits, BatchLimits, EventsSettings},
    status::{EventsState, PartitionState, Phase},
};

/// The running consumer.
pub struct EventsHandle {
    runtime: Arc<Runtime>,
    consumer: JoinHandle<()>,
}

/// Starts to consume. This returns at once, whether or not Kafka and MongoDB are there: what is away is waited for, and its
/// condition posted as `events.kafka` and `events.mongodb`. After `cancel` the batches under way are finished.
///
/// Must be called within a tokio runtime of several threads.
pub fn start(
    settings: EventsSettings,
    mongo: Mongo,
    clock: Arc<dyn Clock>,
    health: HealthBoard,
    cancel: CancellationToken,
) -> EventsHandle {
    let runtime = Arc::new(Runtime::new(settings, mongo, clock, health));
    let consumer = tokio::spawn(consumer::run(Arc::clone(&runtime), cancel));
    EventsHandle { runtime, consumer }
}

/// A look at the running consumer, and a hand on it. Cheap to clone.
#[derive(Clone)]
pub struct EventsControl(Arc<Runtime>);

impl EventsControl {
    /// How the consumer is doing.
    pub fn state(&self) -> EventsState {
        self.0.status.state()
    }

    /// Lets partitions go on that are paused because too many of their messages are bad.
    pub fn resume(&self) {
        self.0.resumed.notify_waiters();
    }
}

impl std::fmt::Debug for EventsControl {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("EventsControl").finish_non_exhaustive()
    }
}

impl EventsHandle {
    /// For those who look at the consumer while somebody else waits for its end.
    pub fn control(&self) -> EventsControl {
        EventsControl(Arc::clone(&self.runtime))
    }

    /// How the consumer is doing.
    pub fn state(&self) -> EventsState {
        self.runtime.status.state()
    }

    /// Lets partitions go on that are paused because too many of their messages are bad.
    pub fn resume(&self) {
        self.runtime.resumed.notify_waiters();
    }

    /// Waits until `cancel`, and then until everything that was under way is done.
    pub async fn finished(self) {
        // A panic was reported where it happened, and there is nothing left to wait for.
        let _ = self.consumer.await;
    }
}
