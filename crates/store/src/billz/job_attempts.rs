//! `job_attempts`: one entry for each attempt at a job that did something, with the Billz calls that it made. For people:
//! nothing depends on it, and it holds no personal data but a hash of the phone number that a job was about.

use std::time::Duration;

use bson::{Bson, Document, doc};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::TryStreamExt;

use crate::{
    Mongo, StoreError,
    billz::operations::KEPT,
    database::primary_only,
    values::{date, moment},
};

/// One Billz call of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptCall {
    /// The call's name.
    pub call: String,
    /// `ok`, or what kind of failure it met.
    pub outcome: String,
    /// When it was asked for.
    pub at: DateTime<Utc>,
    /// How long it took, with the wait for the budget.
    pub took: Duration,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobAttempt {
    /// The job.
    pub job_id: String,
    /// Its type.
    pub kind: String,
    /// Ties together what was done for one request.
    pub correlation_id: String,
    /// The operation in the ledger.
    pub operation: String,
    /// The order that it is about, if any.
    pub order_id: Option<String>,
    /// The hash of the phone number that it is about, if any.
    pub phone_hash: Option<String>,
    /// Which attempt, from 1.
    pub number: u32,
    /// When it began.
    pub began_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
    /// How it ended: `completed`, `failed`, `retried`, `put_off` or `handed_back`.
    pub outcome: String,
    /// Why it did not succeed.
    pub error: Option<String>,
    /// The Billz calls.
    pub calls: Vec<AttemptCall>,
}

/// The collection `job_attempts`.
#[derive(Debug, Clone)]
pub struct JobAttempts(Mongo);

impl JobAttempts {
    /// The collection in `mongo`.
    pub fn new(mongo: &Mongo) -> Self {
        Self(mongo.clone())
    }

    /// Adds an entry.
    pub async fn add(&self, attempt: &JobAttempt) -> Result<(), StoreError> {
        self.0
            .collection("job_attempts")
            .insert_one(document(attempt))
            .write_concern(primary_only())
            .await?;
        Ok(())
    }

    /// The attempts at one job, the newest first, at most `limit`. Where the queue was emptied and numbers its jobs anew there
    /// are those of earlier jobs too.
    pub async fn of_job(&self, job_id: &str, limit: u32) -> Result<Vec<JobAttempt>, StoreError> {
        self.find(doc! { "jobId": job_id }, limit).await
    }

    /// The newest attempts at jobs about the phone number with this hash.
    pub async fn of_phone(&self, phone_hash: &str, limit: u32) -> Result<Vec<JobAttempt>, StoreError> {
        self.find(doc! { "phoneHash": phone_hash }, limit).await
    }

    async fn find(&self, filter: Document, limit: u32) -> Result<Vec<JobAttempt>, StoreError> {
        let found: Vec<Document> = self
            .0
            .collection("job_attempts")
            .find(filter)
            .sort(doc! { "beganAt": -1 })
            .limit(i64::from(limit))
            .await?
            .try_collect()
            .await?;
        Ok(found.iter().map(read).collect())
    }
}

fn document(attempt: &JobAttempt) -> Document {
    let calls: Vec<Bson> = attempt
        .calls
        .iter()
        .map(|call| {
            let took = i64::try_from(call.took.as_millis()).unwrap_or(i64::MAX);
            Bson::Document(doc! { "call": &call.call, "outcome": &call.outcome, "at": date(call.at), "tookMs": took })
        })
        .collect();
    let kept = TimeDelta::from_std(KEPT).unwrap_or(TimeDelta::MAX);
    let expires = attempt
        .ended_at
        .checked_add_signed(kept)
        .unwrap_or(DateTime::<Utc>::MAX_UTC);
    let mut document = doc! {
        "jobId": &attempt.job_id,
        "type": &attempt.kind,
        "correlationId": &attempt.correlation_id,
        "operation": &attempt.operation,
        "number": i64::from(attempt.number),
        "beganAt": date(attempt.began_at),
        "endedAt": date(attempt.ended_at),
        "outcome": &attempt.outcome,
        "calls": calls,
        "expiresAt": date(expires),
    };
    let texts = [
        ("orderId", &attempt.order_id),
        ("phoneHash", &attempt.phone_hash),
        ("error", &attempt.error),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            document.insert(name, text);
        }
    }
    document
}

fn read(document: &Document) -> JobAttempt {
    let text = |name: &str| document.get_str(name).unwrap_or_default().to_owned();
    let optional = |name: &str| document.get_str(name).ok().map(str::to_owned);
    let at = |name: &str| document.get_datetime(name).copied().map(moment).unwrap_or_default();
    let calls = document.get_array("calls").map(Vec::as_slice).unwrap_or_default();
    JobAttempt {
        job_id: text("jobId"),
        kind: text("type"),
        correlation_id: text("correlationId"),
        operation: text("operation"),
        order_id: optional("orderId"),
        phone_hash: optional("phoneHash"),
        number: document
            .get_i64("number")
            .ok()
            .and_then(|number| u32::try_from(number).ok())
            .unwrap_or_default(),
        began_at: at("beganAt"),
        ended_at: at("endedAt"),
        outcome: text("outcome"),
        error: optional("error"),
        calls: calls.iter().filter_map(Bson::as_document).map(read_call).collect(),
    }
}

fn read_call(call: &Document) -> AttemptCall {
    let text = |name: &str| call.get_str(name).unwrap_or_default().to_owned();
    let took = call
        .get_i64("tookMs")
        .ok()
        .and_then(|millis| u64::try_from(millis).ok());
    AttemptCall {
        call: text("call"),
        outcome: text("outcome"),
        at: call.get_datetime("at").copied().map(moment).unwrap_or_default(),
        took: Duration::from_millis(took.unwrap_or_default()),
    }
}
