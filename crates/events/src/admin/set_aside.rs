//! Applies what waits for a customer at once, rather than with the next sweep.

use std::sync::Arc;

use billwright_domain::{Clock, UserId};
use billwright_store::{
    Mongo,
    billing::{
        apply::{ApplyError, CustomerEvents},
        changes::ChangeLog,
        outbox::Outbox,
    },
};

use super::AdminError;
use crate::{settings::EventsSettings, waiting};

/// How often it is tried while others change the customer.
const ATTEMPTS: u32 = 5;

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppliedNow {
    /// So many events took effect, in the order in which they came.
    Events(usize),
    /// There is still no such customer, so that they go on waiting.
    CustomerUnknown,
}

/// Applies all that waits for `user`: one event before another could not be right.
pub async fn apply_now(
    settings: &EventsSettings,
    mongo: &Mongo,
    clock: &Arc<dyn Clock>,
    user: &UserId,
) -> Result<AppliedNow, AdminError> {
    let change_log: Option<Arc<dyn ChangeLog>> = settings
        .events_out_topic
        .is_some()
        .then(|| Arc::new(Outbox::new(mongo.clone(), Arc::clone(clock))) as _);
    let customers = CustomerEvents::open(mongo.clone(), change_log).await?;
    for _ in 0..ATTEMPTS {
        match waiting::apply(&customers, &[user], settings, clock.now()).await {
            Ok(Some(events)) => return Ok(AppliedNow::Events(events)),
            Ok(None) => return Ok(AppliedNow::CustomerUnknown),
            Err(ApplyError::Moved) => {}
            Err(ApplyError::Store(error)) if error.is_write_conflict() => {}
            Err(ApplyError::Store(error)) => return Err(error.into()),
            // Waiting events make out at most the one first billing of this customer.
            Err(ApplyError::TooLarge) => break,
        }
    }
    Err(AdminError::Busy)
}
