//! `notifications`: messages to the Telegram group that wait to be sent, and those that were. Equal failures fold into one
//! message with a count while it waits.

use std::time::Duration;

use bson::{DateTime, Document, doc, oid::ObjectId};
use chrono::Utc;
use futures_util::TryStreamExt;
use mongodb::options::ReturnDocument;

use super::leases::millis;
use crate::{Mongo, StoreError, values::moment};

/// How long a message that was dealt with is kept, for people.
pub const KEPT: Duration = Duration::from_hours(14 * 24);

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNotification {
    /// What it is about: `order_placed`, `payment_made`, `order_deleted`, `operation_failed`, `breaker_opened`,
    /// `breaker_closed`.
    pub kind: &'static str,
    /// Messages with the same key fold into one while the first of them waits. `None` never folds.
    pub fold: Option<String>,
    /// The text, in Telegram's HTML, with every interpolated value escaped.
    pub text: String,
    /// Where an earlier message with the same key went out less than this ago, the new one waits for the rest of it.
    pub spacing: Duration,
}

/// A message that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueNotification {
    /// Its `_id`.
    pub id: ObjectId,
    /// The text, in Telegram's HTML.
    pub text: String,
    /// How many equal messages it stands for.
    pub count: i64,
    /// How often it was tried already.
    pub attempts: i32,
}

/// The collection `notifications`.
#[derive(Debug, Clone)]
pub struct Notifications(Mongo);

impl Notifications {
    /// The collection in `mongo`.
    pub fn new(mongo: &Mongo) -> Self {
        Self(mongo.clone())
    }

    /// Puts a message into the queue, or folds it into the equal one that waits there.
    pub async fn add(&self, message: &NewNotification) -> Result<(), StoreError> {
        let collection = self.0.collection("notifications");
        let id = ObjectId::new();
        let Some(fold) = &message.fold else {
            let pipeline = vec![
                doc! { "$set": { "kind": message.kind, "text": { "$literal": &message.text }, "state": "waiting",
                "count": 1_i64, "attempts": 0, "createdAt": "$$NOW", "due": "$$NOW", "expiresAt": { "$add": ["$$NOW", millis(KEPT)] } } },
            ];
            collection.update_one(doc! { "_id": id }, pipeline).upsert(true).await?;
            return Ok(());
        };
        let last = collection
            .find_one(doc! { "fold": fold, "state": { "$in": ["sending", "sent"] } })
            .sort(doc! { "takenAt": -1 })
            .projection(doc! { "takenAt": 1 })
            .await?
            .and_then(|sent| sent.get_datetime("takenAt").ok().copied());
        let earliest = last.map_or(DateTime::from_millis(0), |last| {
            let spacing = i64::try_from(message.spacing.as_millis()).unwrap_or_default();
            DateTime::from_millis(last.timestamp_millis().saturating_add(spacing))
        });
        let pipeline = vec![doc! { "$set": {
            "_id": { "$ifNull": ["$_id", id] },
            "kind": message.kind,
            "fold": { "$literal": fold },
            "state": "waiting",
            "text": { "$literal": &message.text },
            "count": { "$add": [{ "$ifNull": ["$count", 0_i64] }, 1_i64] },
            "attempts": { "$ifNull": ["$attempts", 0] },
            "createdAt": { "$ifNull": ["$createdAt", "$$NOW"] },
            "due": { "$ifNull": ["$due", { "$max": ["$$NOW", earliest] }] },
            "expiresAt": { "$add": ["$$NOW", millis(KEPT)] },
        } }];
        loop {
            let folded = collection
                .update_one(doc! { "fold": fold, "state": "waiting" }, pipeline.clone())
                .upsert(true)
                .await
                .map_err(StoreError::from);
            match folded {
                // Another process put the first one there at the same moment: the unique index made this visible.
                Err(StoreError::Duplicate { .. }) => {}
                Err(other) => return Err(other),
                Ok(_) => return Ok(()),
            }
        }
    }

    /// The oldest message that is due, taken out of the folding so that its count stands still while it is sent.
    ///
    /// Only the holder of the sender's lease calls this; a message that an earlier holder took and never finished is
    /// given out again, which is what makes delivery at least once.
    pub async fn take_due(&self) -> Result<Option<DueNotification>, StoreError> {
        let filter = doc! { "state": { "$in": ["waiting", "sending"] }, "$expr": { "$lte": ["$due", "$$NOW"] } };
        let found = self
            .0
            .collection("notifications")
            .find_one_and_update(
                filter,
                doc! { "$set": { "state": "sending" }, "$inc": { "attempts": 1 }, "$currentDate": { "takenAt": true } },
            )
            .sort(doc! { "due": 1, "_id": 1 })
            .return_document(ReturnDocument::After)
            .await?;
        Ok(found.as_ref().map(read))
    }

    /// Writes down that a message was sent.
    pub async fn mark_sent(&self, id: ObjectId) -> Result<(), StoreError> {
        let pipeline = vec![
            doc! { "$set": { "state": "sent", "sentAt": "$$NOW", "expiresAt": { "$add": ["$$NOW", millis(KEPT)] } } },
            doc! { "$unset": "error" },
        ];
        self.0
            .collection("notifications")
            .update_one(doc! { "_id": id }, pipeline)
            .await?;
        Ok(())
    }

    /// Puts a message off, because `error` stood in the way.
    pub async fn put_off(&self, id: ObjectId, delay: Duration, error: &str) -> Result<(), StoreError> {
        let pipeline =
            vec![doc! { "$set": { "due": { "$add": ["$$NOW", millis(delay)] }, "error": { "$literal": error } } }];
        self.0
            .collection("notifications")
            .update_one(doc! { "_id": id }, pipeline)
            .await?;
        Ok(())
    }

    /// Gives a message up, because `error` will not go away by itself.
    pub async fn mark_failed(&self, id: ObjectId, error: &str) -> Result<(), StoreError> {
        let pipeline = vec![
            doc! { "$set": { "state": "failed", "error": { "$literal": error }, "failedAt": "$$NOW",
            "expiresAt": { "$add": ["$$NOW", millis(KEPT)] } } },
        ];
        self.0
            .collection("notifications")
            .update_one(doc! { "_id": id }, pipeline)
            .await?;
        Ok(())
    }

    /// How many messages wait.
    pub async fn waiting(&self) -> Result<u64, StoreError> {
        let waiting = doc! { "state": { "$in": ["waiting", "sending"] } };
        Ok(self.0.collection("notifications").count_documents(waiting).await?)
    }

    /// The messages in the given state, newest first, at most `limit`; for tests and pages.
    pub async fn list(&self, state: &str, limit: i64) -> Result<Vec<DueNotification>, StoreError> {
        let found: Vec<Document> = self
            .0
            .collection("notifications")
            .find(doc! { "state": state })
            .sort(doc! { "createdAt": -1 })
            .limit(limit)
            .await?
            .try_collect()
            .await?;
        Ok(found.iter().map(read).collect())
    }
}

/// The state of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotificationState {
    /// It is to be sent, or is being sent.
    Waiting,
    /// It was sent.
    Sent,
    /// It was given up.
    Failed,
}

impl NotificationState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Sent, Self::Failed];

    fn filter(self) -> Document {
        match self {
            Self::Waiting => doc! { "state": { "$in": ["waiting", "sending"] } },
            Self::Sent => doc! { "state": "sent" },
            Self::Failed => doc! { "state": "failed" },
        }
    }
}

/// A message as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationRow {
    /// Its `_id`.
    pub id: ObjectId,
    /// What it is about.
    pub kind: String,
    /// The text, in Telegram's HTML.
    pub text: String,
    /// How many equal messages it stands for.
    pub count: i64,
    /// How often it was tried.
    pub attempts: i32,
    /// What stood in the way last.
    pub error: Option<String>,
    /// When it was put into the queue.
    pub created_at: Option<chrono::DateTime<Utc>>,
    /// When it is to be sent, if it waits.
    pub due: Option<chrono::DateTime<Utc>>,
    /// When it was sent, or given up.
    pub ended_at: Option<chrono::DateTime<Utc>>,
}

impl Notifications {
    /// Messages in a state from `offset` on, newest first, at most `limit`.
    pub async fn page(
        &self,
        state: NotificationState,
        offset: u64,
        limit: u32,
    ) -> Result<Vec<NotificationRow>, StoreError> {
        let found: Vec<Document> = self
            .0
            .collection("notifications")
            .find(state.filter())
            .sort(doc! { "due": -1, "_id": -1 })
            .skip(offset)
            .limit(i64::from(limit))
            .await?
            .try_collect()
            .await?;
        Ok(found.iter().map(row).collect())
    }

    /// How many messages are in a state.
    pub async fn count(&self, state: NotificationState) -> Result<u64, StoreError> {
        Ok(self
            .0
            .collection("notifications")
            .count_documents(state.filter())
            .await?)
    }

    /// Sends a message once more that was sent or given up: a new one with the same text is put into the queue, which
    /// folds with none. `false` where there is no such message.
    pub async fn send_again(&self, id: ObjectId) -> Result<bool, StoreError> {
        let collection = self.0.collection("notifications");
        let filter = doc! { "_id": id, "state": { "$in": ["sent", "failed"] } };
        let Some(found) = collection.find_one(filter).await? else {
            return Ok(false);
        };
        let again = row(&found);
        let pipeline = vec![doc! { "$set": {
            "kind": { "$literal": &again.kind }, "text": { "$literal": &again.text }, "state": "waiting",
            "count": again.count, "attempts": 0, "createdAt": "$$NOW", "due": "$$NOW", "again": id,
            "expiresAt": { "$add": ["$$NOW", millis(KEPT)] },
        } }];
        collection
            .update_one(doc! { "_id": ObjectId::new() }, pipeline)
            .upsert(true)
            .await?;
        Ok(true)
    }
}

fn row(document: &Document) -> NotificationRow {
    let due = read(document);
    let at = |name: &str| document.get_datetime(name).ok().copied().map(moment);
    NotificationRow {
        id: due.id,
        text: due.text,
        count: due.count,
        attempts: document.get_i32("attempts").unwrap_or_default(),
        kind: document.get_str("kind").unwrap_or_default().to_owned(),
        error: document.get_str("error").ok().map(str::to_owned),
        created_at: at("createdAt"),
        due: at("due"),
        ended_at: at("sentAt").or(at("failedAt")),
    }
}

fn read(document: &Document) -> DueNotification {
    DueNotification {
        id: document.get_object_id("_id").unwrap_or_default(),
        text: document.get_str("text").unwrap_or_default().to_owned(),
        count: document.get_i64("count").unwrap_or(1),
        attempts: document.get_i32("attempts").unwrap_or(1),
    }
}
