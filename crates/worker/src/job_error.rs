//! Why a job did not end well, sorted by what happens next. Every error that comes from outside is sorted by its type:
//! `.decide()`.

use std::time::Duration;

use billwright_connectors::billz::BillzError;
use billwright_domain::Problems;
use billwright_store::StoreError;

/// Why a job did not end well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum JobError {
    /// A transient failure: the job is tried again, by the producer's wish or our policy, and this counts as an attempt.
    Retry(String),
    /// The job can never succeed: it fails at once.
    Reject(String),
    /// Billz asks to slow down: the whole worker waits, and nothing counts as an attempt.
    SlowDown(Duration),
    /// Somebody else works on the same thing: the job looks again later, and this counts as nothing.
    Later {
        /// When to look again.
        after: Duration,
        /// Who or what is waited for.
        reason: String,
    },
    /// The job goes back as it came: the worker stops, or Billz's breaker is open. This counts as nothing.
    HandBack(String),
}

impl JobError {
    /// A rejection with what was wrong.
    pub(crate) fn reject(reason: impl Into<String>) -> Self {
        Self::Reject(reason.into())
    }

    /// The sentence for people.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Retry(text) | Self::Reject(text) | Self::HandBack(text) => text.clone(),
            Self::Later { reason, .. } => reason.clone(),
            Self::SlowDown(after) => format!("Billz asks to slow down for {} s", after.as_secs_f32()),
        }
    }
}

impl JobError {
    /// The rejection of a payload, which names every wrong field.
    pub(crate) fn from_problems(kind: &str, problems: &Problems) -> Self {
        Self::Reject(format!("the payload of {kind} is wrong: {problems}"))
    }
}

/// Sorts an outer error by its type.
pub(crate) trait Decide<T> {
    /// The value, or what the error means for the job.
    fn decide(self) -> Result<T, JobError>;
}

impl<T> Decide<T> for Result<T, BillzError> {
    fn decide(self) -> Result<T, JobError> {
        self.map_err(|error| match error {
            BillzError::RateLimited { after } => JobError::SlowDown(after),
            BillzError::BreakerOpen { .. } | BillzError::Cancelled => JobError::HandBack(error.to_string()),
            BillzError::Unavailable { .. } | BillzError::OutcomeUnknown { .. } | BillzError::BadReply { .. } => {
                JobError::Retry(error.to_string())
            }
            BillzError::Refused { .. }
            | BillzError::Unauthorized { .. }
            | BillzError::Forbidden { .. }
            | BillzError::NotFound { .. } => JobError::Reject(error.to_string()),
        })
    }
}

impl<T> Decide<T> for Result<T, StoreError> {
    fn decide(self) -> Result<T, JobError> {
        self.map_err(|error| {
            if error.is_transient() {
                JobError::Retry(error.to_string())
            } else {
                JobError::Reject(error.to_string())
            }
        })
    }
}
