//! What customer events do to the billing database: the customers of a batch are read, and then everything that the
//! batch changes is written in one transaction together with the position that it brings the partition to.
//!
//! Whatever was read is checked again by the writes, so that a customer whom somebody else changed meanwhile, or a
//! position that another consumer moved, fails the transaction as [`ApplyError::Moved`] instead of being overwritten.

mod plan;
mod tell;
mod writes;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use billwright_domain::{
    UserId,
    billing::NewBilling,
    user::{NewUser, UserChange},
};
use billwright_trace_context::TraceContext;
use bson::{Bson, RawDocumentBuf, doc};
use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use mongodb::{
    ClientSession, Collection,
    error::UNKNOWN_TRANSACTION_COMMIT_RESULT,
    options::{ReadConcern, WriteConcern},
};
use tokio::sync::Mutex;

use plan::Plan;
use tell::Told;
use writes::Writes;

use super::{
    billings,
    changes::ChangeLog,
    counters,
    positions::{self, PositionMove},
    set_aside::{self, SetAsideEvent},
    users,
};
use crate::{Mongo, StoreError, Topology, values};

/// What Billwright remembers of each customer beside the historical collections.
pub const COLLECTION: &str = "event_customers";

/// The most first billings that one batch may make.
pub const MOST_BILLINGS: usize = u16::MAX as usize;

/// Why a batch was not applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Somebody else moved the position or changed a customer since they were read: read them again.
    #[error("the position or a customer changed since it was read")]
    Moved,
    /// More first billings than one transaction can number.
    #[error("a batch makes more than {MOST_BILLINGS} first billings; make it smaller")]
    TooLarge,
    /// MongoDB failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is remembered of a customer, also after the customer was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CustomerRecord {
    /// Whether the first billing was made.
    pub billed: bool,
    /// The time that the last applied event stated for itself.
    pub last_stated: Option<DateTime<Utc>>,
    /// A digest of that event, which tells a repetition from another event of the same millisecond.
    pub last_digest: i64,
    /// Counts the changes of this record; zero where nothing is stored yet.
    revision: i64,
}

/// A user as stored, as far as events change it.
#[derive(Debug, Clone)]
pub struct StoredUser {
    id: Bson,
    fields: RawDocumentBuf,
}

/// A customer as read before a batch.
#[derive(Debug, Clone, Default)]
pub struct CustomerSnapshot {
    /// The user, if there is one.
    pub user: Option<StoredUser>,
    /// What is remembered.
    pub record: CustomerRecord,
    /// Whether there is any billing; looked up only for those of whom it was asked.
    pub has_billing: bool,
    /// Events that wait for the user to appear, in the order in which they came.
    pub waiting: Vec<SetAsideEvent>,
}

/// What happens to a user.
#[derive(Debug, Clone, PartialEq)]
pub enum UserWrite {
    /// Nothing.
    Keep,
    /// The user is new.
    Insert(NewUser),
    /// The named fields of the stored user are set.
    Change(UserChange),
    /// The stored user is deleted, if there is one, and this new one takes its place.
    Replace(NewUser),
    /// The stored user is deleted, if there is one.
    Delete,
}

/// Everything that a batch does to one customer.
#[derive(Debug, Clone)]
pub struct CustomerWrite {
    /// The customer.
    pub user_id: UserId,
    /// The customer as it was read.
    pub before: CustomerSnapshot,
    /// What happens to the user.
    pub user: UserWrite,
    /// Whether the billings that were there before the batch are deleted.
    pub deletes_billings: bool,
    /// The first billing, if it is to be made.
    pub first_billing: Option<NewBilling>,
    /// What is remembered from now on.
    pub record: CustomerRecord,
    /// The trace of the event that changes the customer, where that is not the current one.
    pub trace: Option<TraceContext>,
}

/// Everything that one transaction writes.
#[derive(Debug, Default)]
pub struct Unit<'a> {
    /// The move of the partition's position; none where no partition is read, as for events that waited.
    pub position: Option<PositionMove<'a>>,
    /// The customers that change.
    pub customers: Vec<CustomerWrite>,
    /// Events that wait from now on.
    pub set_aside: Vec<SetAsideEvent>,
    /// Events that waited and no longer do.
    pub released: Vec<SetAsideEvent>,
}

/// Reads and writes what customer events are about.
pub struct CustomerEvents {
    mongo: Mongo,
    topology: Topology,
    change_log: Option<Arc<dyn ChangeLog>>,
    // Transactions that take numbers conflict on the counter; taking turns within the process costs less than retrying.
    numbers: Mutex<()>,
}

impl CustomerEvents {
    /// Prepares the collections. Every change is told to `change_log`, in the transaction that makes it.
    pub async fn open(mongo: Mongo, change_log: Option<Arc<dyn ChangeLog>>) -> Result<Self, StoreError> {
        let topology = mongo.topology().await?;
        set_aside::ensure_indexes(&mongo).await?;
        let opened = Self {
            mongo,
            topology,
            change_log,
            numbers: Mutex::new(()),
        };
        opened.forget_customers_of_an_emptied_database().await?;
        Ok(opened)
    }

    /// What the server can promise.
    pub fn topology(&self) -> Topology {
        self.topology
    }

    /// The database.
    pub fn mongo(&self) -> &Mongo {
        &self.mongo
    }

    /// Reads the customers `users` as they are now. Only for those in `creating` it is looked up whether they have any
    /// billing.
    pub async fn load(
        &self,
        users: &[&UserId],
        creating: &[&UserId],
    ) -> Result<HashMap<UserId, CustomerSnapshot>, StoreError> {
        let ids = texts(users);
        let (mut stored, mut records, billed, mut waiting) = tokio::try_join!(
            self.stored_users(&ids),
            self.records(&ids),
            self.having_billings(texts(creating)),
            set_aside::of_customers(&self.mongo, users),
        )?;
        Ok(users
            .iter()
            .map(|user| {
                let snapshot = CustomerSnapshot {
                    user: stored.remove(user.as_str()),
                    record: records.remove(user.as_str()).unwrap_or_default(),
                    has_billing: billed.contains(user.as_str()),
                    waiting: waiting.remove(*user).unwrap_or_default(),
                };
                ((*user).clone(), snapshot)
            })
            .collect())
    }

    /// Writes `unit`: all of it or nothing. On a server without transactions every write is repeatable instead, and the
    /// position moves last.
    pub async fn apply(&self, unit: &Unit<'_>, now: DateTime<Utc>) -> Result<(), ApplyError> {
        let numbers = unit
            .customers
            .iter()
            .filter(|customer| customer.first_billing.is_some())
            .count();
        let _turn = if numbers > 0 {
            Some(self.numbers.lock().await)
        } else {
            None
        };
        if self.topology == Topology::Standalone {
            return self.write(None, unit, numbers, now).await;
        }
        let mut session = self.mongo.client().start_session().await.map_err(StoreError::from)?;
        session
            .start_transaction()
            .read_concern(ReadConcern::snapshot())
            .write_concern(WriteConcern::majority())
            .await
            .map_err(StoreError::from)?;
        if let Err(error) = self.write(Some(&mut session), unit, numbers, now).await {
            // The server ends the transaction by itself if it cannot be told.
            let _ = session.abort_transaction().await;
            return Err(error);
        }
        // The driver has tried a second time already when the outcome is unknown; the caller finds out by the position.
        match session.commit_transaction().await {
            Err(error) if error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT) => {
                Err(StoreError::Unavailable(error).into())
            }
            other => Ok(other.map_err(StoreError::from)?),
        }
    }

    async fn write(
        &self,
        mut session: Option<&mut ClientSession>,
        unit: &Unit<'_>,
        numbers: usize,
        now: DateTime<Utc>,
    ) -> Result<(), ApplyError> {
        // The numbers come first: the transaction's view of the counter begins here, and so does its hold on it.
        let mut numbers = match u16::try_from(numbers) {
            Ok(0) => None,
            count => {
                let count = count.unwrap_or(u16::MAX);
                Some(counters::take_numbers(&self.mongo, session.as_deref_mut(), count).await?)
            }
        };
        let plan = Plan::of(unit, &mut numbers, now)?;
        let told = match &self.change_log {
            Some(_) => self.about_to_go(session.as_deref_mut(), unit).await?,
            None => Told::default(),
        };
        let mut writes = Writes {
            mongo: &self.mongo,
            session,
        };
        writes.delete(users::COLLECTION, &plan.user_deletes).await?;
        writes.delete(billings::COLLECTION, &plan.billing_deletes).await?;
        writes.insert(users::COLLECTION, &plan.user_inserts).await?;
        writes.update(users::COLLECTION, &plan.user_updates).await?;
        writes.insert(billings::COLLECTION, &plan.billing_inserts).await?;
        let set_aside: Vec<_> = unit.set_aside.iter().map(set_aside::statement).collect();
        writes.update(set_aside::COLLECTION, &set_aside).await?;
        let released: Vec<_> = unit.released.iter().map(set_aside::key).collect();
        writes.delete_each(set_aside::COLLECTION, &released).await?;
        writes.insert(COLLECTION, &plan.record_inserts).await?;
        writes.update(COLLECTION, &plan.record_updates).await?;
        if let Some(log) = &self.change_log {
            self.tell(log.as_ref(), writes.session.as_deref_mut(), unit, &plan, &told)
                .await?;
        }
        if let Some(step) = &unit.position {
            // Two consumers that both start a partition meet in its `_id`.
            match writes
                .update(positions::COLLECTION, &[positions::statement(step, now)])
                .await
            {
                Err(ApplyError::Store(StoreError::Duplicate { .. })) => return Err(ApplyError::Moved),
                other => other?,
            }
        }
        Ok(())
    }

    async fn stored_users(&self, ids: &[&str]) -> Result<HashMap<String, StoredUser>, StoreError> {
        let mut found = self
            .raw(users::COLLECTION)
            .find(doc! { "userId": { "$in": ids.to_vec() } })
            .projection(doc! { "userId": 1, "address": 1, "phone": 1, "isActive": 1 })
            .batch_size(10_000)
            .await?;
        let mut stored = HashMap::new();
        while let Some(fields) = found.try_next().await? {
            let (Ok(user_id), Ok(Some(id))) = (fields.get_str("userId"), fields.get("_id")) else {
                continue;
            };
            let (user_id, id) = (user_id.to_owned(), Bson::try_from(id).unwrap_or_default());
            stored.insert(user_id, StoredUser { id, fields });
        }
        Ok(stored)
    }

    async fn records(&self, ids: &[&str]) -> Result<HashMap<String, CustomerRecord>, StoreError> {
        let mut found = self
            .raw(COLLECTION)
            .find(doc! { "_id": { "$in": ids.to_vec() } })
            .batch_size(10_000)
            .await?;
        let mut records = HashMap::new();
        while let Some(record) = found.try_next().await? {
            let read = CustomerRecord {
                billed: record.get_bool("billed").unwrap_or_default(),
                last_stated: record.get_datetime("lastStated").ok().map(values::moment),
                last_digest: record.get_i64("lastDigest").unwrap_or_default(),
                revision: record.get_i64("revision").unwrap_or_default(),
            };
            records.insert(record.get_str("_id").unwrap_or_default().to_owned(), read);
        }
        Ok(records)
    }

    async fn having_billings(&self, ids: Vec<&str>) -> Result<HashSet<String>, StoreError> {
        let mut having = HashSet::new();
        if ids.is_empty() {
            return Ok(having);
        }
        let mut found = self
            .raw(billings::COLLECTION)
            .find(doc! { "userId": { "$in": ids } })
            .projection(doc! { "_id": 0, "userId": 1 })
            .batch_size(10_000)
            .await?;
        while let Some(billing) = found.try_next().await? {
            having.insert(billing.get_str("userId").unwrap_or_default().to_owned());
        }
        Ok(having)
    }

    /// What is remembered of customers means something only beside their data. Where somebody emptied users, billings and
    /// counter, to start anew, it would make every event look as if it had been applied.
    async fn forget_customers_of_an_emptied_database(&self) -> Result<(), StoreError> {
        let signs_of_life = [
            (users::COLLECTION, doc! {}),
            (billings::COLLECTION, doc! {}),
            // A counter that gave no number says nothing.
            (counters::COLLECTION, doc! { "seq": { "$gt": 0 } }),
        ];
        for (name, filter) in signs_of_life {
            if self.raw(name).find_one(filter).await?.is_some() {
                return Ok(());
            }
        }
        if self.raw(COLLECTION).find_one(doc! {}).await?.is_none() {
            return Ok(());
        }
        tracing::warn!(
            database = self.mongo.name(),
            "users, billings and counters are empty although events were applied here before: starting anew"
        );
        for name in [COLLECTION, positions::COLLECTION, set_aside::COLLECTION] {
            self.raw(name).delete_many(doc! {}).await?;
        }
        Ok(())
    }

    fn raw(&self, name: &str) -> Collection<RawDocumentBuf> {
        self.mongo.database().collection(name)
    }
}

/// When the last event that was applied to a customer says that it happened, if one said so.
pub async fn last_event_of(mongo: &Mongo, user: &UserId) -> Result<Option<DateTime<Utc>>, StoreError> {
    let record = mongo
        .collection(COLLECTION)
        .find_one(doc! { "_id": user.as_str() })
        .await?;
    Ok(record.and_then(|record| record.get_datetime("lastStated").ok().map(|date| values::moment(*date))))
}

fn texts<'a>(users: &[&'a UserId]) -> Vec<&'a str> {
    users.iter().map(|user| user.as_str()).collect()
}
