//! Taking a sale out of Billz: returned from the park if it is parked, then deleted.

use billwright_connectors::billz::{BillzCalls, BillzError, SaleState, look};
use billwright_domain::BillzOrderId;
use billwright_store::bson::{Document, doc};

use crate::{
    context::Context,
    guard::Guard,
    job_error::{Decide, JobError},
    jobs::cancel_postpone::ReturnOnce,
    write_once::{Journal, Looked, Write, write_once},
};

/// What became of a sale that was to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removed {
    /// It is gone, by this or before.
    Gone,
    /// It is paid and stays.
    Paid,
}

/// What to do first with a sale of which nothing is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FirstCall {
    /// Delete it: most likely it is a draft.
    Delete,
    /// Read it: it may be paid by a call whose answer was lost.
    Read,
}

/// Removes a sale. The caller holds its lease.
pub(crate) async fn remove_sale(
    order: &BillzOrderId,
    first: FirstCall,
    calls: &BillzCalls,
    journal: &mut impl Journal,
    guard: &Guard,
    context: &Context,
) -> Result<Removed, JobError> {
    let mut refusal = None;
    if first == FirstCall::Delete {
        let delete = DeleteOnce {
            order,
            step: DeleteOnce::DRAFT,
        };
        // What an earlier attempt was refused says nothing of now: it may have returned the sale from the park since.
        let is_known = journal.outcome(DeleteOnce::DRAFT).is_some();
        match write_once(&delete, calls, journal, guard, context).await? {
            Deletion::Gone => return Ok(Removed::Gone),
            Deletion::Refused(text) => refusal = Some(text).filter(|_| !is_known),
        }
    }
    let sale = match calls.order(order).await {
        Err(BillzError::NotFound { .. }) => return Ok(Removed::Gone),
        other => other.decide()?,
    };
    match sale.state {
        SaleState::Paid => return Ok(Removed::Paid),
        SaleState::Unrecognised => {
            return Err(JobError::reject(
                "the sale is in a state that is not documented, so it was not deleted",
            ));
        }
        SaleState::Draft => {
            if let Some(text) = refusal {
                // Asked again the next time: what barred it may be gone by then.
                journal.withdraw(DeleteOnce::DRAFT).await?;
                return Err(JobError::Reject(text));
            }
        }
        SaleState::Parked | SaleState::ParkExpired => {
            write_once(&ReturnOnce { order }, calls, journal, guard, context).await?;
        }
    }
    let delete = DeleteOnce {
        order,
        step: DeleteOnce::RETURNED,
    };
    let outcome = write_once(&delete, calls, journal, guard, context).await;
    let returned = journal.outcome(&ReturnOnce { order }.step()).is_some();
    let told = |text: String| {
        if returned {
            format!("{text}; the sale was taken out of the park for that, and is a draft now")
        } else {
            text
        }
    };
    match outcome {
        Ok(Deletion::Gone) => Ok(Removed::Gone),
        Ok(Deletion::Refused(text)) => {
            journal.withdraw(DeleteOnce::RETURNED).await?;
            Err(JobError::Reject(told(text)))
        }
        Err(JobError::Reject(text)) => Err(JobError::Reject(told(text))),
        Err(JobError::Retry(text)) => Err(JobError::Retry(told(text))),
        Err(other) => Err(other),
    }
}

/// What deleting a sale came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Deletion {
    /// It is gone, by this or before.
    Gone,
    /// Billz refused, in its own words.
    Refused(String),
}

/// Deletes a draft.
struct DeleteOnce<'a> {
    order: &'a BillzOrderId,
    step: &'static str,
}

impl DeleteOnce<'_> {
    /// The step that deletes what most likely is a draft.
    const DRAFT: &'static str = "delete_draft";
    /// The step that deletes what was returned from the park, or was read before.
    const RETURNED: &'static str = "delete_returned";
}

impl Write for DeleteOnce<'_> {
    type Answer = Deletion;

    fn step(&self) -> String {
        self.step.to_owned()
    }

    fn outcome(&self, answer: &Deletion) -> Document {
        match answer {
            Deletion::Gone => Document::new(),
            Deletion::Refused(text) => doc! { "refused": text },
        }
    }

    fn recall(&self, outcome: &Document) -> Option<Deletion> {
        Some(
            outcome
                .get_str("refused")
                .map_or(Deletion::Gone, |text| Deletion::Refused(text.to_owned())),
        )
    }

    async fn send(&self, calls: &BillzCalls) -> Result<Deletion, BillzError> {
        match calls.delete_order(self.order).await {
            Ok(()) | Err(BillzError::NotFound { .. }) => Ok(Deletion::Gone),
            Err(refused @ BillzError::Refused { .. }) => Ok(Deletion::Refused(refused.to_string())),
            Err(other) => Err(other),
        }
    }

    async fn look(&self, calls: &BillzCalls, _before: &Document) -> Result<Looked<Deletion>, BillzError> {
        Ok(match look::deleted(&calls.order(self.order).await)? {
            look::Looked::Done => Looked::Done(Deletion::Gone),
            look::Looked::NotDone => Looked::NotDone,
            look::Looked::Conflicting(text) => Looked::Done(Deletion::Refused(text)),
        })
    }
}
