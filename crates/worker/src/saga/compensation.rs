//! The way back: when an order cannot be placed nothing of it stays in Billz, and its document says why. A way back that is
//! barred is tried again, by the job's retries and then by the maintenance task, until it is open.

use billwright_connectors::billz::BillzCalls;

use super::{
    journal::SagaJournal,
    removal::{FirstCall, Removed, remove_sale},
};
use crate::{
    context::Context,
    drafts::{CREATE, Drafts, delete_strays, made},
    guard::Guard,
    job_error::{Decide, JobError},
    jobs::sale_lease,
    write_once::Journal,
};

/// What taking an order back came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TakenBack {
    /// Nothing of it is left in Billz, and its document says why.
    NothingLeft,
    /// It is paid: the payment whose answer was lost went through.
    PaidAfterAll,
}

/// Takes back what the journal says was, or may have been, made in Billz.
pub(crate) async fn take_back(
    journal: &mut SagaJournal<'_>,
    calls: &BillzCalls,
    guard: &Guard,
    context: &Context,
) -> Result<TakenBack, JobError> {
    match take_back_now(journal, calls, guard, context).await {
        Ok(TakenBack::NothingLeft) => {
            let reason = journal.saga.reason.clone().unwrap_or_default();
            if let Some(order) = journal.saga.order_id() {
                context
                    .orders
                    .mark_refused(&order, &reason, context.clock.now())
                    .await
                    .decide()?;
                context.reached("order:marked_refused").await;
            }
            journal.cancelled().await?;
            context.reached("saga:cancelled").await;
            metrics::counter!("billwright_saga_compensations_total", "outcome" => "done").increment(1);
            Ok(TakenBack::NothingLeft)
        }
        Ok(TakenBack::PaidAfterAll) => Ok(TakenBack::PaidAfterAll),
        Err(error) => {
            if let JobError::Retry(obstacle) | JobError::Reject(obstacle) = &error {
                metrics::counter!("billwright_saga_compensations_total", "outcome" => "failed").increment(1);
                tracing::warn!(order = %journal.saga.order, obstacle, "an order could not be taken back yet");
                journal.put_off(obstacle).await?;
            }
            Err(error)
        }
    }
}

async fn take_back_now(
    journal: &mut SagaJournal<'_>,
    calls: &BillzCalls,
    guard: &Guard,
    context: &Context,
) -> Result<TakenBack, JobError> {
    if journal.saga.sale().is_none() && journal.open(CREATE).is_some() {
        // Whether there is a draft at all is not known. Billz may still be making it.
        tokio::time::sleep(context.settle).await;
    }
    // An attempt may have ended between the making of the draft and the noting of the sale.
    if let Some(sale) = journal.saga.sale().or_else(|| made(journal)) {
        guard.acquire(&sale_lease(&sale)).await?;
        // Only a payment that began can have gone through, and only then is a read worth its call.
        let paying = journal.saga.step("pay").is_some();
        let parked = journal.saga.step("park").is_some();
        let first = if paying || parked {
            FirstCall::Read
        } else {
            FirstCall::Delete
        };
        if remove_sale(&sale, first, calls, journal, guard, context).await? == Removed::Paid {
            return Ok(TakenBack::PaidAfterAll);
        }
    }
    let (comment, operation) = (journal.saga.comment.clone(), journal.saga.operation.clone());
    let drafts = Drafts {
        shop: &context.shop_id,
        comment: &comment,
        operation: &operation,
        calls,
        guard,
        context,
    };
    delete_strays(journal, None, &drafts).await?;
    Ok(TakenBack::NothingLeft)
}
