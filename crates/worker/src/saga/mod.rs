//! `PLACE_ORDER` as a saga: every step is written down before it is taken and after it was, so that a retry, or another
//! worker after a crash, goes on where this one stopped, and a step whose answer was lost is looked up before it is
//! repeated. What cannot be placed is taken back: see [`compensation`].

pub(crate) mod compensation;
pub(crate) mod journal;
mod placing;
pub(crate) mod removal;

use billwright_connectors::billz::{BillzError, Sale, SaleState};
use billwright_domain::{BillzClientId, BillzOrderId, OrderDraft};
use billwright_store::billz::{order_sagas::SagaState, orders::OrderRecord};
use serde::Serialize;
use serde_json::Value;

use self::{
    compensation::{TakenBack, take_back},
    journal::SagaJournal,
    removal::{FirstCall, Removed, remove_sale},
};
use crate::{
    job_error::{Decide, JobError},
    jobs::{Attempt, Done, sale_lease},
    notify::Notice,
};

/// The return value.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the contract names the fields")]
struct Placed<'a> {
    /// Our own order: its number, else its document's id.
    order_id: &'a str,
    billz_order_id: &'a BillzOrderId,
    billz_client_id: Option<&'a BillzClientId>,
    items: Vec<Value>,
    parked: bool,
    paid: bool,
    already_placed: bool,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    warnings: &'a [String],
}

/// Places the order, or finds that it is placed.
pub(crate) async fn place(draft: &OrderDraft, attempt: &mut Attempt<'_>) -> Result<Done, JobError> {
    let context = attempt.context;
    // Whoever names the order by its number waits for whoever makes the document with that number.
    if let Some(number) = &draft.reference.number {
        attempt.guard.acquire(&format!("order-number:{number}")).await?;
    }
    let order = context
        .orders
        .find_or_create(draft, context.clock.now())
        .await
        .decide()?;
    context.reached("order:found").await;
    let lease = attempt.guard.acquire(&order_lease(&order)).await?;
    let saga = context.sagas.take_over(&order.id, lease.fence).await.decide()?;
    let saga = saga.ok_or_else(|| JobError::HandBack("the attempt lost its hold on the order".to_owned()))?;
    let mut journal = SagaJournal::new(saga, context);
    let ours = journal.saga.operation == attempt.operation;
    match journal.saga.state {
        SagaState::Running if ours => {}
        SagaState::Placed if ours => return placing::result_again(draft, &order, &journal),
        SagaState::Compensating if ours => return end_in_failure(draft, &order, &mut journal, attempt).await,
        SagaState::Cancelled
            if ours
                && journal.saga.reason.is_some()
                && journal.saga.job_id == attempt.job.id()
                && attempt.job.failures() == 0 =>
        {
            // The attempt that took everything back died before it could fail the job.
            return Err(JobError::Reject(journal.saga.reason.clone().unwrap_or_default()));
        }
        _ => {
            if let Some(done) = settle_earlier(draft, &order, &mut journal, attempt).await? {
                return Ok(done);
            }
            let comment = draft.comment(order.id.as_str());
            journal
                .begin(attempt.operation, attempt.job.id(), attempt.correlation_id, &comment)
                .await?;
            context.reached("saga:begun").await;
        }
    }
    match placing::place(draft, &order, &mut journal, attempt).await {
        Ok(done) => Ok(done),
        Err(JobError::Reject(reason)) => {
            journal.give_up(&reason).await?;
            context.reached("saga:given_up").await;
            end_in_failure(draft, &order, &mut journal, attempt).await
        }
        Err(JobError::Retry(reason)) if attempt.is_last => {
            journal
                .give_up(&format!("gave up after the last attempt: {reason}"))
                .await?;
            end_in_failure(draft, &order, &mut journal, attempt).await
        }
        Err(other) => Err(other),
    }
}

/// The name of the lease on an order's document.
pub(crate) fn order_lease(order: &OrderRecord) -> String {
    format!("order:{}", order.id)
}

/// Takes back what was made, and fails the job for the reason that is written down; unless the order turns out to be paid.
async fn end_in_failure(
    draft: &OrderDraft,
    order: &OrderRecord,
    journal: &mut SagaJournal<'_>,
    attempt: &mut Attempt<'_>,
) -> Result<Done, JobError> {
    let reason = journal.saga.reason.clone().unwrap_or_default();
    match take_back(journal, &attempt.calls, attempt.guard, attempt.context).await {
        Ok(TakenBack::NothingLeft) => {
            attempt
                .step("order could not be placed; nothing of it is left in Billz", 100)
                .await;
            Err(JobError::Reject(reason))
        }
        Ok(TakenBack::PaidAfterAll) => placing::paid_after_all(draft, order, journal, attempt).await,
        Err(JobError::Retry(obstacle) | JobError::Reject(obstacle)) => {
            let left = journal.saga.billz_id.as_deref().unwrap_or("without a known id");
            let text = format!(
                "{reason}; the sale {left} is still in Billz and is being taken back, which failed for now: {obstacle}"
            );
            // Where no attempt follows, the maintenance task goes on with it.
            Err(if attempt.is_last {
                JobError::Reject(text)
            } else {
                JobError::Retry(text)
            })
        }
        Err(other) => Err(other),
    }
}

/// Deals with what an earlier operation left of this order: a sale that is placed is the answer; anything else is taken
/// back, since what Billz was told of it may differ from what it is to be told now.
async fn settle_earlier(
    draft: &OrderDraft,
    order: &OrderRecord,
    journal: &mut SagaJournal<'_>,
    attempt: &mut Attempt<'_>,
) -> Result<Option<Done>, JobError> {
    let unfinished =
        matches!(journal.saga.state, SagaState::Running | SagaState::Compensating) && !journal.saga.steps.is_empty();
    let sale_id = journal
        .saga
        .sale()
        .filter(|_| journal.saga.state != SagaState::Cancelled);
    let sale_id = sale_id.or_else(|| order.billz_id.clone());
    if let Some(sale_id) = &sale_id {
        attempt.guard.acquire(&sale_lease(sale_id)).await?;
        match attempt.calls.order(sale_id).await {
            Ok(sale) if sale.state.is_parked() && unfinished && journal.saga.state == SagaState::Compensating => {}
            Ok(sale) if sale.state == SaleState::Paid || sale.state.is_parked() => {
                return already_placed(draft, order, &sale, journal, attempt).await.map(Some);
            }
            Ok(_) => {}
            Err(BillzError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error).decide(),
        }
    }
    if unfinished {
        journal.give_up("another operation places the order").await?;
        return match take_back(journal, &attempt.calls, attempt.guard, attempt.context).await? {
            TakenBack::NothingLeft => Ok(None),
            TakenBack::PaidAfterAll => placing::paid_after_all(draft, order, journal, attempt).await.map(Some),
        };
    }
    if let Some(sale_id) = &sale_id {
        // A draft that nobody's journal knows: the historical worker left it half built.
        journal.saga.steps.clear();
        let removed = remove_sale(
            sale_id,
            FirstCall::Delete,
            &attempt.calls,
            journal,
            attempt.guard,
            attempt.context,
        )
        .await?;
        if removed == Removed::Paid {
            return Err(JobError::Retry(
                "the sale was paid by somebody else just now".to_owned(),
            ));
        }
        attempt.step("a half-built draft was deleted", 5).await;
    }
    Ok(None)
}

async fn already_placed(
    draft: &OrderDraft,
    order: &OrderRecord,
    sale: &Sale,
    journal: &mut SagaJournal<'_>,
    attempt: &Attempt<'_>,
) -> Result<Done, JobError> {
    let context = attempt.context;
    let paid = sale.is_paid();
    context
        .orders
        .mark_placed(&order.id, &sale.id, sale.total, paid, context.clock.now())
        .await
        .decide()?;
    journal.saga.billz_id = Some(sale.id.to_string());
    journal.placed().await?;
    attempt.step("the order was placed already", 100).await;
    let items = sale
        .lines
        .iter()
        .map(|line| placing::item(&line.product, line.quantity))
        .collect();
    Ok(Done::quietly(Placed {
        order_id: shown_number(draft, order),
        billz_order_id: &sale.id,
        billz_client_id: sale.customer.as_ref(),
        items,
        parked: !paid,
        paid,
        already_placed: true,
        warnings: &[],
    }))
}

/// What people call the order.
fn shown_number<'a>(draft: &'a OrderDraft, order: &'a OrderRecord) -> &'a str {
    draft
        .reference
        .number
        .as_deref()
        .or(order.number.as_deref())
        .unwrap_or(order.id.as_str())
}

/// The group is told of an order that was placed.
fn placed_notice(
    draft: &OrderDraft,
    order: &OrderRecord,
    sale: &BillzOrderId,
    paid: bool,
    warnings: &[String],
) -> Notice {
    Notice::order_placed(shown_number(draft, order), sale, draft.total, paid, warnings)
}
