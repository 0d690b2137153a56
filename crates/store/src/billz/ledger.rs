//! The ledger `operations` as people look through it: what was done, long after Redis has forgotten the jobs. Every query
//! here has its index.

use bson::{Document, doc};
use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use serde_json::Value;

use crate::{
    Mongo, StoreError,
    values::{date, moment},
};

/// The states that an operation can be in.
pub const STATES: [&str; 4] = ["running", "waiting", "completed", "failed"];

/// Which operations are wanted; what is `None` does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LedgerFilter {
    /// The job's type.
    pub kind: Option<String>,
    /// One of [`STATES`].
    pub state: Option<String>,
    /// Last changed then or later.
    pub from: Option<DateTime<Utc>>,
    /// Last changed before then.
    pub to: Option<DateTime<Utc>>,
}

/// An operation as the ledger remembers it.
#[derive(Debug, Clone, PartialEq)]
pub struct LedgerEntry {
    /// The key: the hash of correlation id, type and payload.
    pub key: String,
    /// The job's type.
    pub kind: String,
    /// One of [`STATES`].
    pub state: String,
    /// The job that ran it last.
    pub job_id: String,
    /// Ties together what was done for one request.
    pub correlation_id: String,
    /// The order that it is about, if any.
    pub order_id: Option<String>,
    /// The payload without personal data.
    pub payload: Value,
    /// The result of one that is completed.
    pub result: Option<Value>,
    /// Why the last attempt failed.
    pub error: Option<String>,
    /// How often it was begun.
    pub attempts: i64,
    /// The steps that were taken: name, and whether what came of it is known.
    pub steps: Vec<(String, bool)>,
    /// When it was first seen.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// The collection `operations`, to look at.
#[derive(Debug, Clone)]
pub struct Ledger(Mongo);

impl Ledger {
    /// The collection in `mongo`.
    pub fn new(mongo: &Mongo) -> Self {
        Self(mongo.clone())
    }

    /// Operations from `offset` on, those that changed last first, at most `limit`.
    pub async fn list(&self, filter: &LedgerFilter, offset: u32, limit: u32) -> Result<Vec<LedgerEntry>, StoreError> {
        let mut query = Document::new();
        if let Some(kind) = &filter.kind {
            query.insert("type", kind);
        }
        if let Some(state) = &filter.state {
            query.insert("state", state);
        }
        let mut range = Document::new();
        if let Some(from) = filter.from {
            range.insert("$gte", date(from));
        }
        if let Some(to) = filter.to {
            range.insert("$lt", date(to));
        }
        if !range.is_empty() {
            query.insert("updatedAt", range);
        }
        self.find(query, offset, limit).await
    }

    /// The operation with this key.
    pub async fn get(&self, key: &str) -> Result<Option<LedgerEntry>, StoreError> {
        Ok(self.find(doc! { "_id": key }, 0, 1).await?.pop())
    }

    /// The operations that this job ran last, newest first.
    pub async fn of_job(&self, job_id: &str, limit: u32) -> Result<Vec<LedgerEntry>, StoreError> {
        self.find(doc! { "jobId": job_id }, 0, limit).await
    }

    /// The operations of one request, newest first.
    pub async fn of_correlation(&self, correlation_id: &str, limit: u32) -> Result<Vec<LedgerEntry>, StoreError> {
        self.find(doc! { "correlationId": correlation_id }, 0, limit).await
    }

    /// The operations about an order by any of its names (number, document id, id in Billz), newest first.
    pub async fn of_order(&self, names: &[String], limit: u32) -> Result<Vec<LedgerEntry>, StoreError> {
        self.find(doc! { "orderId": { "$in": names } }, 0, limit).await
    }

    async fn find(&self, query: Document, offset: u32, limit: u32) -> Result<Vec<LedgerEntry>, StoreError> {
        let found: Vec<Document> = self
            .0
            .collection("operations")
            .find(query)
            .sort(doc! { "updatedAt": -1 })
            .skip(offset.into())
            .limit(i64::from(limit))
            .await?
            .try_collect()
            .await?;
        Ok(found.iter().map(read).collect())
    }
}

fn read(document: &Document) -> LedgerEntry {
    let text = |name: &str| document.get_str(name).unwrap_or_default().to_owned();
    let optional = |name: &str| document.get_str(name).ok().map(str::to_owned);
    let json = |name: &str| {
        document
            .get_str(name)
            .ok()
            .and_then(|text| serde_json::from_str(text).ok())
    };
    let at = |name: &str| document.get_datetime(name).ok().copied().map(moment);
    let steps = document.get_document("journal").ok();
    LedgerEntry {
        key: text("_id"),
        kind: text("type"),
        state: text("state"),
        job_id: text("jobId"),
        correlation_id: text("correlationId"),
        order_id: optional("orderId"),
        payload: json("payload").unwrap_or_default(),
        result: json("result"),
        error: optional("error"),
        attempts: crate::billz::whole(document.get("attempts")),
        steps: steps
            .into_iter()
            .flatten()
            .map(|(name, step)| {
                let known = step.as_document().is_some_and(|step| step.contains_key("outcome"));
                (name.clone(), known)
            })
            .collect(),
        created_at: at("createdAt").unwrap_or_default(),
        updated_at: at("updatedAt").unwrap_or_default(),
        finished_at: at("finishedAt"),
    }
}
