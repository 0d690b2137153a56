//! Writes down what an attempt did, for the people who look at its job: `job_attempts`.

use std::time::Duration;

use billwright_connectors::billz::CallLog;
use billwright_domain::Phone;
use billwright_store::billz::job_attempts::{AttemptCall, JobAttempt, JobAttempts};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::job_error::JobError;

/// No attempt waits for longer than this to be written down.
const PATIENCE: Duration = Duration::from_secs(2);

/// An attempt that has ended.
pub(crate) struct Record<'a> {
    pub(crate) job_id: &'a str,
    pub(crate) kind: &'static str,
    pub(crate) correlation_id: &'a str,
    pub(crate) operation: &'a str,
    pub(crate) order_id: Option<String>,
    pub(crate) payload: &'a Value,
    /// Which attempt, from 1.
    pub(crate) number: u32,
    /// Whether no attempt follows if this one failed.
    pub(crate) is_last: bool,
    pub(crate) began_at: DateTime<Utc>,
    pub(crate) ended_at: DateTime<Utc>,
    pub(crate) calls: &'a CallLog,
    pub(crate) result: &'a Result<Value, JobError>,
}

/// Writes it down. Nothing depends on it, so that a failure to write is no failure of the job.
pub(crate) async fn write(attempts: &JobAttempts, record: Record<'_>) {
    let calls = record.calls.calls();
    let (outcome, error) = match record.result {
        Ok(_) => ("completed", None),
        Err(error @ JobError::Reject(_)) => ("failed", Some(error.text())),
        Err(error @ JobError::Retry(_)) if record.is_last => ("failed", Some(error.text())),
        Err(error @ JobError::Retry(_)) => ("retried", Some(error.text())),
        Err(error @ JobError::HandBack(_)) => ("handed_back", Some(error.text())),
        Err(error @ (JobError::Later { .. } | JobError::SlowDown(_))) => ("put_off", Some(error.text())),
    };
    // A job that waits for another one looks every second whether it may go on.
    if calls.is_empty() && matches!(outcome, "handed_back" | "put_off") {
        return;
    }
    let entry = JobAttempt {
        job_id: record.job_id.to_owned(),
        kind: record.kind.to_owned(),
        correlation_id: record.correlation_id.to_owned(),
        operation: record.operation.to_owned(),
        order_id: record.order_id,
        phone_hash: phone_of(record.payload).map(|phone| phone_hash(&phone)),
        number: record.number,
        began_at: record.began_at,
        ended_at: record.ended_at,
        outcome: outcome.to_owned(),
        error,
        calls: calls
            .into_iter()
            .map(|call| AttemptCall {
                call: call.call.to_owned(),
                outcome: call.outcome.to_owned(),
                at: call.at,
                took: call.took,
            })
            .collect(),
    };
    match tokio::time::timeout(PATIENCE, attempts.add(&entry)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "an attempt was not written down"),
        Err(_) => tracing::debug!("an attempt was not written down in time"),
    }
}

/// The phone number that a payload is about.
pub(crate) fn phone_of(payload: &Value) -> Option<Phone> {
    Phone::from_json(payload.get("clientPhone")?).ok().flatten()
}

/// What stands for a phone number where it is searched for; the number itself stands nowhere.
pub(crate) fn phone_hash(phone: &Phone) -> String {
    let mut hash = Sha256::new();
    hash.update("job_attempts.phone:");
    hash.update(phone.digits());
    hex::encode(&hash.finalize()[..16])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_is_found_again_however_it_was_written_and_cannot_be_read() {
        let phone = phone_of(&json!({"clientPhone": "+998 90 111-22-33"})).unwrap();
        let same = phone_of(&json!({"clientPhone": 998_901_112_233_u64})).unwrap();
        assert_eq!(phone_hash(&phone), phone_hash(&same));
        assert!(!phone_hash(&phone).contains("998901112233"));
        assert_eq!(
            phone_of(&json!({"clientPhone": "none", "phone": "+998901112233"})),
            None
        );
    }
}
