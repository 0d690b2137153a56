//! `operations`: the ledger of what was asked for and what came of it, so that an operation takes effect once whichever
//! worker gets it, and however late. It outlives Redis's trimming of jobs by far.

use std::time::Duration;

use billwright_domain::CorrelationId;
use bson::{Document, doc};
use futures_util::TryStreamExt;
use serde_json::Value;

use super::leases::{millis, upsert};
use crate::{Mongo, StoreError};

/// How long the ledger remembers an operation.
pub const KEPT: Duration = Duration::from_hours(30 * 24);

/// An operation as the ledger knows it.
#[derive(Debug, Clone)]
pub struct Operation<'a> {
    /// The hash of correlation id, type and payload.
    pub key: &'a str,
    /// The job's type.
    pub kind: &'a str,
    /// Ties together what was done for one request.
    pub correlation_id: &'a CorrelationId,
    /// The job that runs it.
    pub job_id: &'a str,
    /// The order that it is about, if any.
    pub order_id: Option<&'a str>,
    /// The payload without personal data, for people.
    pub payload: &'a Value,
}

/// What the ledger says when an operation is about to run.
#[derive(Debug, Clone, PartialEq)]
pub enum Claim {
    /// It is ours to run, until the claim runs out.
    Granted {
        /// What earlier attempts wrote down; empty on the first.
        journal: Document,
    },
    /// It was done already, by this job or by another; this is what came of it.
    Done {
        /// The job that did it.
        job_id: String,
        /// Its result.
        result: Value,
    },
    /// Another worker is running it right now.
    Busy,
}

/// The collection `operations`.
#[derive(Debug, Clone)]
pub struct Operations(Mongo);

impl Operations {
    /// The collection in `mongo`.
    pub fn new(mongo: &Mongo) -> Self {
        Self(mongo.clone())
    }

    /// Claims `operation` for `owner`, who must be unique to one attempt, for `length`.
    pub async fn claim(&self, operation: &Operation<'_>, owner: &str, length: Duration) -> Result<Claim, StoreError> {
        let pipeline = vec![
            doc! { "$set": { "free": { "$and": [
                { "$ne": ["$state", "completed"] },
                { "$or": [
                    { "$eq": ["$owner", owner] },
                    { "$lte": [{ "$ifNull": ["$until", 0] }, { "$toLong": "$$NOW" }] },
                ] },
            ] } } },
            doc! { "$set": {
                "owner": { "$cond": ["$free", owner, "$owner"] },
                "until": { "$cond": ["$free", { "$add": [{ "$toLong": "$$NOW" }, millis(length)] }, "$until"] },
                "state": { "$cond": ["$free", "running", "$state"] },
                "attempts": { "$cond": ["$free", { "$add": [{ "$ifNull": ["$attempts", 0] }, 1] }, "$attempts"] },
                "jobId": { "$cond": ["$free", { "$literal": operation.job_id }, "$jobId"] },
                "type": { "$literal": operation.kind },
                "correlationId": { "$literal": operation.correlation_id.as_str() },
                "orderId": { "$ifNull": ["$orderId", { "$literal": operation.order_id }] },
                "payload": { "$ifNull": ["$payload", { "$literal": operation.payload.to_string() }] },
                "createdAt": { "$ifNull": ["$createdAt", "$$NOW"] },
                "updatedAt": "$$NOW",
                "expiresAt": { "$ifNull": ["$expiresAt", { "$add": ["$$NOW", millis(KEPT)] }] },
            } },
            doc! { "$unset": "free" },
        ];
        let found = upsert(&self.0, "operations", operation.key, pipeline).await?;
        if found.get_str("state").ok() == Some("completed") {
            let text = found.get_str("result").unwrap_or("null");
            return Ok(Claim::Done {
                job_id: found.get_str("jobId").unwrap_or_default().to_owned(),
                result: serde_json::from_str(text).map_err(|problem| StoreError::Corrupt {
                    collection: "operations",
                    id: operation.key.to_owned(),
                    problem: problem.to_string(),
                })?,
            });
        }
        if found.get_str("owner").ok() == Some(owner) {
            return Ok(Claim::Granted {
                journal: found.get_document("journal").cloned().unwrap_or_default(),
            });
        }
        Ok(Claim::Busy)
    }

    /// Prolongs the claim on `key`. Says whether it is still held.
    pub async fn renew(&self, key: &str, owner: &str, length: Duration) -> Result<bool, StoreError> {
        let pipeline = vec![doc! { "$set": { "until": { "$add": [{ "$toLong": "$$NOW" }, millis(length)] } } }];
        let held = doc! { "_id": key, "owner": owner, "$expr": { "$gt": ["$until", { "$toLong": "$$NOW" }] } };
        Ok(self
            .0
            .collection("operations")
            .update_one(held, pipeline)
            .await?
            .matched_count
            == 1)
    }

    /// Writes down what the attempts after this one must know. Says whether the claim is still held.
    pub async fn write_journal(&self, key: &str, owner: &str, journal: &Document) -> Result<bool, StoreError> {
        let pipeline = vec![doc! { "$set": { "journal": { "$literal": journal }, "updatedAt": "$$NOW" } }];
        let held = doc! { "_id": key, "owner": owner };
        Ok(self
            .0
            .collection("operations")
            .update_one(held, pipeline)
            .await?
            .matched_count
            == 1)
    }

    /// Whether another operation of this type about the same order took `step`, does not know yet what came of it, and will
    /// find out: it is running, or will be tried again. One that was not heard of for `at_most` does not count.
    pub async fn has_open_step(
        &self,
        kind: &str,
        order_id: &str,
        step: &str,
        own_key: &str,
        at_most: Duration,
    ) -> Result<bool, StoreError> {
        let others = doc! {
            "orderId": order_id, "type": kind, "state": { "$in": ["running", "waiting"] }, "_id": { "$ne": own_key },
            "$expr": { "$gt": ["$updatedAt", { "$subtract": ["$$NOW", millis(at_most)] }] },
        };
        let found: Vec<Document> = self
            .0
            .collection("operations")
            .find(others)
            .projection(doc! { "journal": 1 })
            .await?
            .try_collect()
            .await?;
        Ok(found.iter().any(|operation| {
            let journal = operation.get_document("journal").ok();
            let taken = journal.and_then(|journal| journal.get_document(step).ok());
            taken.is_some_and(|taken| !taken.contains_key("outcome"))
        }))
    }

    /// Writes down the result. Says whether the claim was still held.
    pub async fn complete(&self, key: &str, owner: &str, result: &Value) -> Result<bool, StoreError> {
        let pipeline = vec![
            doc! { "$set": {
                "state": "completed",
                "result": { "$literal": result.to_string() },
                "finishedAt": "$$NOW",
                "updatedAt": "$$NOW",
                "expiresAt": { "$add": ["$$NOW", millis(KEPT)] },
                "until": 0_i64,
            } },
            doc! { "$unset": ["owner", "error"] },
        ];
        let held = doc! { "_id": key, "owner": owner };
        Ok(self
            .0
            .collection("operations")
            .update_one(held, pipeline)
            .await?
            .matched_count
            == 1)
    }

    /// Ends an attempt without a result: `state` is `waiting` where another attempt follows, `failed` where none does.
    /// Either way the operation may be claimed again, by a retry or by a person's.
    pub async fn release(&self, key: &str, owner: &str, state: &str, error: &str) -> Result<(), StoreError> {
        let pipeline = vec![
            doc! { "$set": {
                "state": state, "error": { "$literal": error }, "updatedAt": "$$NOW", "until": 0_i64,
            } },
            doc! { "$unset": "owner" },
        ];
        self.0
            .collection("operations")
            .update_one(doc! { "_id": key, "owner": owner }, pipeline)
            .await?;
        Ok(())
    }
}
