//! The queue as a person sees it: jobs are added, listed, shown, retried, removed and promoted, from the command line and
//! the operations pages.

use std::time::Duration;

use billwright_domain::{CorrelationId, Phone, ShopId};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

pub mod saga;

pub use crate::bullmq_queue::admin::{
    AdminError, EnqueueOptions, JobCounts, JobEnd, JobList, JobState, JobSummary, JobView, QueueAddress, QueueAdmin,
    browse::{Browsed, JobFilter, Matching, Wanted},
    run_now::Standing,
};
use crate::{
    envelope::{Envelope, operation_key},
    jobs::{Defaults, Job},
};

/// A job that was just added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Enqueued {
    /// The job's id.
    pub job_id: String,
    /// Its type.
    pub r#type: String,
    /// The correlation id, made up where none was given.
    pub correlation_id: String,
}

/// Checks a job and adds it. A type or a payload that the worker would refuse is refused here.
pub async fn enqueue(
    queue: &QueueAdmin,
    kind: &str,
    payload: &Value,
    options: &EnqueueOptions,
    now_ms: i64,
) -> Result<Enqueued, AdminError> {
    check(kind, payload)?;
    let correlation_id = options
        .correlation_id
        .clone()
        .unwrap_or_else(|| Uuid::now_v7().to_string());
    CorrelationId::parse(&correlation_id)
        .map_err(|mismatch| AdminError::Invalid(format!("the correlation id is wrong: {mismatch}")))?;
    let data = json!({
        "type": kind,
        "payload": payload,
        "correlationId": correlation_id,
        "timestamp": now_ms,
    });
    Ok(Enqueued {
        job_id: queue.add(kind, data, options).await?,
        r#type: kind.to_owned(),
        correlation_id,
    })
}

/// Whether the worker would take a payload of this type, as far as that can be told without Billz and MongoDB.
pub fn check(kind: &str, payload: &Value) -> Result<(), AdminError> {
    let invalid = |problem: crate::job_error::JobError| AdminError::Invalid(problem.text());
    let envelope = Envelope::read(&json!({"type": kind, "payload": payload})).map_err(invalid)?;
    let local_now = chrono::NaiveDateTime::MIN;
    let defaults = Defaults {
        shop_id: ShopId::parse("default").map_err(|mismatch| AdminError::Invalid(mismatch.to_string()))?,
        local_now,
        park_until: local_now,
        timezone: chrono_tz::UTC,
    };
    match Job::decode(&envelope.kind, &envelope.payload, &defaults) {
        Ok(Job::Unknown(unknown)) => Err(invalid(crate::jobs::unknown(&unknown))),
        Ok(_) => Ok(()),
        Err(problems) => Err(AdminError::Invalid(format!(
            "the payload of {kind} is wrong: {problems}"
        ))),
    }
}

/// What stands for a phone number in `job_attempts`; the number itself stands nowhere.
pub fn phone_hash(phone: &Phone) -> String {
    crate::attempt_record::phone_hash(phone)
}

/// The key under which the ledger knows what a job with this data does; `None` for data that names no operation.
pub fn operation_of(data: &Value) -> Option<String> {
    let envelope = Envelope::read(data).ok()?;
    Some(operation_key(
        &envelope.correlation_id?,
        &envelope.kind,
        &envelope.payload,
    ))
}

/// Waits until a job has ended.
pub async fn wait(queue: &QueueAdmin, job_id: &str, at_most: Duration) -> Result<JobEnd, AdminError> {
    let waited = tokio::time::timeout(at_most, async {
        loop {
            if let Some(end) = queue.end_of(job_id).await? {
                return Ok(end);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    waited.await.unwrap_or_else(|_| {
        Err(AdminError::StillRunning {
            id: job_id.to_owned(),
            after: at_most,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_worker_would_refuse_is_refused_before_it_is_added() {
        assert!(check("GET_ORDER", &json!({"orderId": "o"})).is_ok());
        let text = check("GET_ORDER", &json!({})).unwrap_err().to_string();
        assert!(text.contains("`orderId`"), "{text}");
        assert!(check("NOPE", &json!({})).unwrap_err().to_string().contains("GET_ORDER"));
        assert!(check("GET_ORDER", &json!([])).is_err());
    }
}
