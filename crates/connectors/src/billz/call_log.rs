//! What calls were made on one job's behalf, for people who want to know: names, outcomes and times, no personal data.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};

/// No more calls than this are kept; an operation that makes more is broken.
const MOST: usize = 500;

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRecord {
    /// The call's name, as in metrics.
    pub call: &'static str,
    /// `ok`, or the word of [`super::BillzError::outcome`].
    pub outcome: &'static str,
    /// When it was asked for.
    pub at: DateTime<Utc>,
    /// How long it took, with the wait for the budget.
    pub took: Duration,
}

/// The calls that were made so far. Cheap to clone; clones are the same log.
#[derive(Debug, Clone, Default)]
pub struct CallLog(Arc<Mutex<Vec<CallRecord>>>);

impl CallLog {
    pub(super) fn note(&self, record: CallRecord) {
        let mut calls = self.lock();
        if calls.len() < MOST {
            calls.push(record);
        }
    }

    /// The calls in the order in which they ended.
    pub fn calls(&self) -> Vec<CallRecord> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<CallRecord>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
