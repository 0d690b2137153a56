//! What the generators put in, written down as they do it: the model that the end is compared with.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;

/// A job as it was put on the queue.
#[derive(Debug, Clone, Default)]
pub(super) struct PutJob {
    /// Its id, which the generator chose, so that putting it again puts it once.
    pub(super) id: String,
    /// `type` in its envelope.
    pub(super) kind: String,
    /// `payload` in its envelope.
    pub(super) payload: Value,
    /// `correlationId` in its envelope.
    pub(super) correlation_id: String,
    /// Whether the worker must refuse it.
    pub(super) is_wrong: bool,
    /// Whether Redis acknowledged it.
    pub(super) accepted: bool,
}

/// An order of `PLACE_ORDER`.
#[derive(Debug, Clone, Default)]
pub(super) struct PlacedOrder {
    /// `orderID`.
    pub(super) number: String,
    /// Units by product.
    pub(super) lines: BTreeMap<String, i64>,
    /// What Billz must come to: the sum of the lines without the discount.
    pub(super) total: i64,
}

/// A user of the billing API as it must be in the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ExpectedUser {
    pub(super) city: Option<String>,
    pub(super) active: bool,
}

/// A billing as it must be in the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ExpectedBilling {
    pub(super) user_id: String,
    pub(super) total: i64,
    pub(super) paid: bool,
}

/// What the writers of the API did.
#[derive(Debug, Clone, Default)]
pub(super) struct ApiBook {
    /// Users that exist, by `userId`.
    pub(super) users: BTreeMap<String, ExpectedUser>,
    /// Billings that exist, by `billingId`.
    pub(super) billings: BTreeMap<String, ExpectedBilling>,
    /// Numbers of billings that were deleted.
    pub(super) deleted: BTreeSet<String>,
    /// Writes that were answered.
    pub(super) answered: u64,
    /// Requests that got no answer, or one that says "try again", and were sent again.
    pub(super) repeated: u64,
}

/// What the producers of events did.
#[derive(Debug, Clone, Default)]
pub(super) struct EventBook {
    /// Customers that exist, by `userId`.
    pub(super) users: BTreeMap<String, ExpectedUser>,
    /// How many events wait for a customer who does not exist.
    pub(super) waiting: BTreeMap<String, usize>,
    /// How many first billings were made, those that are deleted again included.
    pub(super) first_billings: u64,
    /// Where the messages lie that can never be applied: partition and offset.
    pub(super) poison: BTreeSet<(i32, i64)>,
    /// Events that the broker acknowledged.
    pub(super) produced: u64,
}

/// Something that was seen to be wrong while the run went on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Complaint {
    /// The invariant that it breaks.
    pub(super) invariant: &'static str,
    /// What was seen.
    pub(super) text: String,
}

/// Everything that was put in.
#[derive(Debug, Default)]
pub(super) struct Book {
    jobs: Mutex<Vec<PutJob>>,
    orders: Mutex<Vec<PlacedOrder>>,
    phones: Mutex<BTreeSet<String>>,
    pub(super) api: Mutex<ApiBook>,
    pub(super) events: Mutex<EventBook>,
    complaints: Mutex<Vec<Complaint>>,
}

impl Book {
    /// Notes a job before it is put on the queue.
    pub(super) fn job(&self, job: PutJob) {
        lock(&self.jobs).push(job);
    }

    /// Notes that Redis acknowledged a job.
    pub(super) fn accepted(&self, id: &str) {
        if let Some(job) = lock(&self.jobs).iter_mut().rev().find(|job| job.id == id) {
            job.accepted = true;
        }
    }

    /// Notes an order.
    pub(super) fn order(&self, order: PlacedOrder) {
        lock(&self.orders).push(order);
    }

    /// Notes the digits of somebody's phone number, which nobody may ever read in a log.
    pub(super) fn phone(&self, digits: String) {
        lock(&self.phones).insert(digits);
    }

    /// Notes that an invariant was seen to be broken.
    pub(super) fn complain(&self, invariant: &'static str, text: String) {
        lock(&self.complaints).push(Complaint { invariant, text });
    }

    pub(super) fn jobs(&self) -> Vec<PutJob> {
        lock(&self.jobs).clone()
    }

    pub(super) fn orders(&self) -> Vec<PlacedOrder> {
        lock(&self.orders).clone()
    }

    pub(super) fn phones(&self) -> BTreeSet<String> {
        lock(&self.phones).clone()
    }

    pub(super) fn complaints(&self) -> Vec<Complaint> {
        lock(&self.complaints).clone()
    }
}

/// What a panic of another task left half done is still the best that is known.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
