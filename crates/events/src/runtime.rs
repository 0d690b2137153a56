//! What all parts of the consumer share.

use std::{sync::Arc, time::Duration};

use billwright_domain::{Clock, Condition, HealthBoard};
use billwright_store::{
    Mongo, StoreError, Topology,
    billing::{
        BillingStore,
        apply::CustomerEvents,
        changes::ChangeLog,
        counters::{self, CounterState},
        indexes,
        outbox::Outbox,
    },
};
use tokio::sync::{Notify, OnceCell};
use tokio_util::sync::CancellationToken;

use crate::{backoff::Backoff, settings::EventsSettings, status::Status};

/// The name under which the broker's condition is posted.
pub(crate) const KAFKA: &str = "events.kafka";

/// The name under which MongoDB's condition is posted.
const MONGODB: &str = "events.mongodb";

pub(crate) struct Runtime {
    pub(crate) settings: Arc<EventsSettings>,
    pub(crate) mongo: Mongo,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) health: HealthBoard,
    pub(crate) status: Status,
    /// Wakes partitions that are paused for bad messages.
    pub(crate) resumed: Notify,
    customers: OnceCell<CustomerEvents>,
}

impl Runtime {
    pub(crate) fn new(settings: EventsSettings, mongo: Mongo, clock: Arc<dyn Clock>, health: HealthBoard) -> Self {
        Self {
            settings: Arc::new(settings),
            mongo,
            clock,
            health,
            status: Status::default(),
            resumed: Notify::new(),
            customers: OnceCell::new(),
        }
    }

    /// The customers' collections, once MongoDB is there; `None` if `cancel` comes first.
    pub(crate) async fn customers(&self, cancel: &CancellationToken) -> Option<&CustomerEvents> {
        let mut backoff = retries();
        loop {
            match cancel
                .run_until_cancelled(self.customers.get_or_try_init(|| self.open()))
                .await?
            {
                Ok(customers) => {
                    self.mongodb_works();
                    return Some(customers);
                }
                Err(error) => self.mongodb_failed(&error),
            }
            if !backoff.wait(cancel).await {
                return None;
            }
        }
    }

    async fn open(&self) -> Result<CustomerEvents, StoreError> {
        let mut change_log: Option<Arc<dyn ChangeLog>> = None;
        if self.settings.events_out_topic.is_some() {
            let outbox = Outbox::new(self.mongo.clone(), Arc::clone(&self.clock));
            outbox.ensure_indexes().await?;
            change_log = Some(Arc::new(outbox));
        }
        let store = BillingStore::new(self.mongo.clone(), None);
        for complaint in indexes::ensure_for_events(&store).await? {
            tracing::warn!("{complaint}");
        }
        if let CounterState::Repaired { from, to } = counters::repair(&self.mongo, false).await? {
            tracing::warn!(
                from,
                to,
                "the counter of billings was behind the billings and was moved"
            );
        }
        let customers = CustomerEvents::open(self.mongo.clone(), change_log).await?;
        if customers.topology() == Topology::Standalone {
            tracing::warn!(
                "MongoDB is no replica set, so there are no transactions: events are applied at least once, with effects \
                 that can be repeated, rather than exactly once"
            );
        }
        Ok(customers)
    }

    pub(crate) fn mongodb_works(&self) {
        if self.health.post(MONGODB, Condition::Up, "") {
            tracing::info!("MongoDB is there; events are applied");
        }
    }

    pub(crate) fn mongodb_failed(&self, error: &StoreError) {
        if self.health.post(MONGODB, Condition::Down, error.to_string()) {
            tracing::warn!(
                error = error as &dyn std::error::Error,
                "events wait for MongoDB: {error}"
            );
        }
    }

    /// MongoDB gave no answer in time.
    pub(crate) fn mongodb_silent(&self) {
        let silent = "MongoDB gives no answer; events wait until it does";
        if self.health.post(MONGODB, Condition::Down, silent) {
            tracing::warn!("{silent}");
        }
    }
}

/// How failures that may pass are tried again, for ever.
pub(crate) fn retries() -> Backoff {
    Backoff::new(Duration::from_millis(100), Duration::from_secs(5))
}
