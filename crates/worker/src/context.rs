//! What every job may use.

use std::{sync::Arc, time::Duration};

use billwright_connectors::billz::Billz;
use billwright_domain::{Clock, ShopId};
use billwright_store::{
    Mongo,
    billz::{
        cards::Cards, clients::Clients, job_attempts::JobAttempts, leases::Leases, operation_log::OperationLog,
        operations::Operations, order_sagas::OrderSagas, orders::Orders, sale_claims::SaleClaims, sellers::Sellers,
    },
};
use chrono::{NaiveDateTime, TimeDelta};
use chrono_tz::Tz;

use crate::{Checkpoint, RetryPolicy, WorkerSettings, guard::LocalQueues, notify::Notify};

/// What every job may use. Shared by all jobs of a process.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) billz: Billz,
    pub(crate) orders: Orders,
    pub(crate) clients: Clients,
    pub(crate) cards: Cards,
    pub(crate) sellers: Sellers,
    pub(crate) log: OperationLog,
    pub(crate) operations: Operations,
    pub(crate) attempts: JobAttempts,
    pub(crate) sagas: OrderSagas,
    pub(crate) sale_claims: SaleClaims,
    pub(crate) leases: Leases,
    pub(crate) queues: LocalQueues,
    pub(crate) notify: Notify,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) shop_id: ShopId,
    pub(crate) timezone: Tz,
    pub(crate) park_for: Duration,
    pub(crate) settle: Duration,
    pub(crate) lease_length: Duration,
    pub(crate) retry: RetryPolicy,
    checkpoint: Option<Checkpoint>,
}

impl Context {
    pub(crate) fn new(
        settings: &WorkerSettings,
        billz: Billz,
        mongo: &Mongo,
        notify: Notify,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            billz,
            orders: Orders::new(mongo),
            clients: Clients::new(mongo),
            cards: Cards::new(mongo),
            sellers: Sellers::new(mongo),
            log: OperationLog::new(mongo),
            operations: Operations::new(mongo),
            attempts: JobAttempts::new(mongo),
            sagas: OrderSagas::new(mongo),
            sale_claims: SaleClaims::new(mongo),
            leases: Leases::new(mongo),
            queues: LocalQueues::default(),
            notify,
            clock,
            shop_id: settings.shop_id.clone(),
            timezone: settings.timezone,
            park_for: settings.park_for,
            settle: settings.settle,
            lease_length: settings.lock_duration,
            retry: settings.retry,
            checkpoint: settings.checkpoint.clone(),
        }
    }

    /// The shop's local time.
    pub(crate) fn local_now(&self) -> NaiveDateTime {
        self.clock.now().with_timezone(&self.timezone).naive_local()
    }

    /// Until when an order is parked unless told otherwise, by the shop's local time.
    pub(crate) fn default_park_until(&self) -> NaiveDateTime {
        let length = TimeDelta::from_std(self.park_for).unwrap_or(TimeDelta::days(30));
        self.local_now() + length
    }

    /// A boundary between two steps, at which a test may let the worker die.
    pub(crate) async fn reached(&self, boundary: &str) {
        if let Some(checkpoint) = &self.checkpoint {
            checkpoint.reached(boundary).await;
        }
    }
}
