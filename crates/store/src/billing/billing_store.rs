//! The billing database as its users see it: one handle that every read and write goes through.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bson::RawDocumentBuf;
use mongodb::Collection;
use tokio::sync::OnceCell;

use super::{billings, changes::ChangeLog, users};
use crate::{Mongo, StoreError, Topology};

/// The billing database. Cheap to clone.
#[derive(Clone)]
pub struct BillingStore(Arc<Inner>);

struct Inner {
    mongo: Mongo,
    users: Collection<RawDocumentBuf>,
    billings: Collection<RawDocumentBuf>,
    change_log: Option<Arc<dyn ChangeLog>>,
    topology: OnceCell<Topology>,
    unique_indexes: AtomicBool,
}

impl BillingStore {
    /// The billing database behind `mongo`. Every change is told to `change_log`, in the transaction that makes it.
    pub fn new(mongo: Mongo, change_log: Option<Arc<dyn ChangeLog>>) -> Self {
        Self(Arc::new(Inner {
            users: mongo.database().collection(users::COLLECTION),
            billings: mongo.database().collection(billings::COLLECTION),
            mongo,
            change_log,
            topology: OnceCell::new(),
            unique_indexes: AtomicBool::new(false),
        }))
    }

    /// The connection pool.
    pub fn mongo(&self) -> &Mongo {
        &self.0.mongo
    }

    /// What the server can promise; asked once.
    pub async fn topology(&self) -> Result<Topology, StoreError> {
        self.0
            .topology
            .get_or_try_init(|| self.0.mongo.topology())
            .await
            .copied()
    }

    /// Notes that the unique indexes are in place, so that inserting alone decides whether a key is taken.
    pub fn unique_indexes_are_in_place(&self) {
        self.0.unique_indexes.store(true, Ordering::Release);
    }

    /// Whether the unique indexes are known to be in place.
    pub fn has_unique_indexes(&self) -> bool {
        self.0.unique_indexes.load(Ordering::Acquire)
    }

    pub(super) fn users(&self) -> &Collection<RawDocumentBuf> {
        &self.0.users
    }

    pub(super) fn billings(&self) -> &Collection<RawDocumentBuf> {
        &self.0.billings
    }

    pub(super) fn change_log(&self) -> Option<&Arc<dyn ChangeLog>> {
        self.0.change_log.as_ref()
    }
}

impl std::fmt::Debug for BillingStore {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("BillingStore")
            .field("database", &self.0.mongo.name())
            .finish_non_exhaustive()
    }
}
