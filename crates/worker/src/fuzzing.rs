//! What must hold for any bytes that stand in the queue as a job's data or options.

use std::time::Duration;

use billwright_bad_input::{LONGEST_ERROR, LONGEST_SENTENCE, assert_can_be_told, first_line};
use billwright_connectors::telegram::{MESSAGE_LIMIT, cut};
use billwright_domain::{CorrelationId, ShopId, identifiers::LONGEST_IDENTIFIER, input::MOST_PROBLEMS};
use billwright_store::billz::operation_log::redacted;
use bullmq::JobOptions;
use serde_json::Value;

use crate::{
    bullmq_queue::options::{ProducerOptions, repaired},
    envelope::{Envelope, Identity, operation_key},
    job_error::JobError,
    jobs::{Defaults, Job, action_of, unknown},
    notify::Notice,
    retry_policy::RetryPolicy,
};

/// A job: its options on the first line, and its data.
pub fn job(input: &[u8]) {
    let (options, data) = first_line(input);
    check_options(options);
    if let Ok(data) = serde_json::from_slice::<Value>(data) {
        check_data(&data);
    }
}

fn check_options(raw: &str) {
    let options = ProducerOptions::read(raw);
    let policy = RetryPolicy::default();
    assert!(policy.attempts_for(options.retries) > 0, "a job is tried once at least");
    for failures in [0, 1, 2, 40, u32::MAX] {
        let delay = policy.delay(options.retries, failures);
        assert!(delay <= Duration::from_hours(24), "a wait of {delay:?}");
    }
    let good = repaired(raw).unwrap_or_else(|| raw.to_owned());
    assert!(
        serde_json::from_str::<JobOptions>(&good).is_ok(),
        "the library does not take repaired options: {good}"
    );
    assert_eq!(repaired(&good), None, "repaired options are repaired again");
}

fn check_data(data: &Value) {
    let identity = Identity::of(data);
    let envelope = match Envelope::read(data) {
        Ok(envelope) => envelope,
        Err(error) => return check_refusal(&error, LONGEST_SENTENCE),
    };
    let known = identity.kind != "unknown";
    assert_eq!(
        known,
        crate::jobs::TYPES.contains(&&*envelope.kind),
        "two minds about a type"
    );
    assert_eq!(identity.correlation_id, envelope.correlation_id, "two correlation ids");

    let written = envelope.payload.to_string();
    let payload: Value = serde_json::from_str(&written).unwrap_or_default();
    assert_eq!(
        payload, envelope.payload,
        "printed and read again it is another payload"
    );
    if let Ok(id) = CorrelationId::parse("c") {
        let key = |payload| operation_key(&id, &envelope.kind, payload);
        assert_eq!(key(&payload), key(&envelope.payload), "one operation has two keys");
    }
    let shown = redacted(&envelope.payload);
    assert_eq!(redacted(&shown), shown, "redacted twice is more than once");

    let Some(defaults) = defaults() else { return };
    match Job::decode(&envelope.kind, &payload, &defaults) {
        Ok(Job::Unknown(kind)) => check_refusal(&unknown(&kind), LONGEST_SENTENCE),
        Ok(job) => {
            let again = Job::decode(&envelope.kind, &envelope.payload, &defaults);
            assert_eq!(format!("{again:?}"), format!("Ok({job:?})"), "one payload is two jobs");
            assert_eq!(job.kind(), envelope.kind);
            assert!(!action_of(job.kind()).is_empty());
            assert!(job.order_id().is_none_or(|id| !id.is_empty()), "an order without an id");
        }
        Err(problems) => {
            assert!(known, "an unknown job has no payload to be wrong");
            assert!((1..=MOST_PROBLEMS).contains(&problems.listed().len()), "{problems}");
            let error = JobError::from_problems(identity.kind, &problems);
            check_refusal(&error, LONGEST_ERROR);
            let id = "x".repeat(LONGEST_IDENTIFIER);
            let text = Notice::operation_failed(identity.kind, &error.text(), Some(&id), "1").text;
            assert!(
                cut(&text).encode_utf16().count() <= MESSAGE_LIMIT,
                "a message that Telegram refuses"
            );
        }
    }
}

/// What is wrong with a job stays wrong: nobody tries it again.
fn check_refusal(error: &JobError, longest: usize) {
    assert!(matches!(error, JobError::Reject(_)), "tried again in vain: {error:?}");
    assert_can_be_told(&error.text(), longest);
}

fn defaults() -> Option<Defaults> {
    let local_now = chrono::NaiveDate::from_ymd_opt(2026, 11, 29)?.and_hms_opt(12, 0, 0)?;
    Some(Defaults {
        shop_id: ShopId::parse("shop-1").ok()?,
        local_now,
        park_until: local_now,
        timezone: chrono_tz::Asia::Tashkent,
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn any_job_is_read_or_refused() {
        billwright_bad_input::try_mutations("job", 4_000, super::job);
    }
}
