//! `operations_audit`: who did what on the operations pages. An entry is written before the action and completed after it,
//! so that an action whose process died in the middle is seen as begun.

use std::time::Duration;

use bson::{Document, doc, oid::ObjectId};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::TryStreamExt;

use crate::{
    Mongo, StoreError,
    values::{date, moment},
};

/// How long entries are kept.
pub const KEPT: Duration = Duration::from_hours(400 * 24);

/// An action that is about to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAuditEntry {
    /// When.
    pub at: DateTime<Utc>,
    /// Who, by the name in `DASHBOARD_USERS`.
    pub who: String,
    /// With which role.
    pub role: String,
    /// From which address.
    pub address: String,
    /// The action, as `job.retry`.
    pub action: String,
    /// The page that it was asked of, which names what it is about; no personal data.
    pub target: String,
}

/// How an action ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditOutcome {
    /// Not known: it is under way, or its process died.
    Begun,
    /// It was done.
    Done,
    /// It could not be done as things stand.
    Refused,
    /// Something broke; it may have been done in part.
    Failed,
}

impl AuditOutcome {
    /// Every outcome.
    pub const ALL: [Self; 4] = [Self::Begun, Self::Done, Self::Refused, Self::Failed];

    /// The outcome's word, as it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// An entry as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its `_id`.
    pub id: ObjectId,
    /// What was to be done.
    pub entry: NewAuditEntry,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// What there is to say about it; no personal data.
    pub detail: Option<String>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
}

/// The collection `operations_audit`.
#[derive(Debug, Clone)]
pub struct Audit(Mongo);

impl Audit {
    /// The collection in `mongo`.
    pub fn new(mongo: &Mongo) -> Self {
        Self(mongo.clone())
    }

    /// Writes down what is about to be done.
    pub async fn begin(&self, entry: &NewAuditEntry) -> Result<ObjectId, StoreError> {
        let id = ObjectId::new();
        let kept = TimeDelta::from_std(KEPT).unwrap_or(TimeDelta::MAX);
        let expires = entry.at.checked_add_signed(kept).unwrap_or(DateTime::<Utc>::MAX_UTC);
        let document = doc! {
            "_id": id,
            "at": date(entry.at),
            "who": &entry.who,
            "role": &entry.role,
            "address": &entry.address,
            "action": &entry.action,
            "target": &entry.target,
            "outcome": AuditOutcome::Begun.as_str(),
            "expiresAt": date(expires),
        };
        self.0.collection("operations_audit").insert_one(document).await?;
        Ok(id)
    }

    /// Writes down how it ended.
    pub async fn end(
        &self,
        id: ObjectId,
        outcome: AuditOutcome,
        detail: Option<&str>,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut set = doc! { "outcome": outcome.as_str(), "endedAt": date(at) };
        if let Some(detail) = detail {
            set.insert("detail", detail);
        }
        self.0
            .collection("operations_audit")
            .update_one(doc! { "_id": id }, doc! { "$set": set })
            .await?;
        Ok(())
    }

    /// Entries from `offset` on, newest first, at most `limit`.
    pub async fn list(&self, offset: u64, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        let found: Vec<Document> = self
            .0
            .collection("operations_audit")
            .find(doc! {})
            .sort(doc! { "at": -1, "_id": -1 })
            .skip(offset)
            .limit(i64::from(limit))
            .await?
            .try_collect()
            .await?;
        Ok(found.iter().map(read).collect())
    }

    /// About how many entries there are.
    pub async fn count(&self) -> Result<u64, StoreError> {
        Ok(self.0.collection("operations_audit").estimated_document_count().await?)
    }
}

fn read(document: &Document) -> AuditEntry {
    let text = |name: &str| document.get_str(name).unwrap_or_default().to_owned();
    let at = |name: &str| document.get_datetime(name).ok().copied().map(moment);
    let outcome = document.get_str("outcome").unwrap_or_default();
    AuditEntry {
        id: document.get_object_id("_id").unwrap_or_default(),
        entry: NewAuditEntry {
            at: at("at").unwrap_or_default(),
            who: text("who"),
            role: text("role"),
            address: text("address"),
            action: text("action"),
            target: text("target"),
        },
        outcome: AuditOutcome::ALL
            .into_iter()
            .find(|known| known.as_str() == outcome)
            .unwrap_or(AuditOutcome::Begun),
        detail: document.get_str("detail").ok().map(str::to_owned),
        ended_at: at("endedAt"),
    }
}
