//! The way forward: draft, client, seller, lines, discount, total, and then parked or paid.

use billwright_connectors::billz::{Line, NewClient};
use billwright_domain::{BillzClientId, BillzOrderId, BillzProductId, BillzSellerId, Money, OrderDraft, PaymentTypeId};
use billwright_store::{
    billz::orders::OrderRecord,
    bson::{Document, doc},
};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{Placed, journal::SagaJournal, placed_notice, shown_number};
use crate::{
    drafts::{Drafts, clear_strays},
    job_error::{Decide, JobError},
    jobs::{
        Attempt, Done, add_client::AttachOnce, add_item::AddOnce, create_client::find_or_create,
        create_discount::DiscountOnce, make_payment::PayOnce, payment_type, phone_lease, postpone_order::ParkOnce,
        sale_lease,
    },
    write_once::{Journal, Write, write_once},
};

/// What is looked up in our own database before Billz is told anything, so that a wrong order makes no draft.
struct Prepared {
    client: PreparedClient,
    seller: Option<BillzSellerId>,
    payment_type: Option<PaymentTypeId>,
}

enum PreparedClient {
    Known(BillzClientId),
    New(NewClient),
}

/// The client's id in Billz, in the outcome of the step of this name.
const CLIENT: &str = "client";

/// Goes the way to its end from wherever the journal says that it stands.
pub(super) async fn place(
    draft: &OrderDraft,
    order: &OrderRecord,
    journal: &mut SagaJournal<'_>,
    attempt: &mut Attempt<'_>,
) -> Result<Done, JobError> {
    let context = attempt.context;
    let prepared = prepare(draft, attempt).await?;
    for warning in &draft.warnings {
        journal.warn(warning.clone());
    }
    let sale = create_draft(journal, attempt).await?;
    context
        .orders
        .set_sale(&order.id, &sale, context.clock.now())
        .await
        .decide()?;
    context.reached("order:sale_stored").await;
    attempt.guard.acquire(&sale_lease(&sale)).await?;
    attempt.step(&format!("draft {sale} created in Billz"), 15).await;

    let client = client_in_billz(draft, &prepared.client, journal, attempt).await?;
    let attach = AttachOnce {
        order: &sale,
        client: &client,
    };
    take(&attach, journal, attempt).await?;
    attempt.step("client attached", 30).await;

    let mut total = add_lines(draft, &sale, prepared.seller.as_ref(), journal, attempt).await?;
    if !draft.discount.is_zero() {
        let new_total = draft.sub_total.checked_sub(draft.discount).unwrap_or(Money::ZERO);
        let discount = DiscountOnce {
            order: &sale,
            new_total,
        };
        total = take(&discount, journal, attempt).await?;
        attempt
            .step(&format!("discount given, new total {new_total}"), 75)
            .await;
    }

    let (total, paid) = park_or_pay(draft, &sale, total, prepared.payment_type.as_ref(), journal, attempt).await?;
    let comment = journal.saga.comment.clone();
    if let Some(warning) = clear_strays(journal, &sale, &drafts(&comment, attempt), attempt.is_last).await? {
        attempt.step(&format!("warning: {warning}"), 90).await;
        journal.warn(warning);
    }
    context
        .orders
        .mark_placed(&order.id, &sale, total, paid, context.clock.now())
        .await
        .decide()?;
    context.reached("order:marked").await;
    journal.placed().await?;
    context.reached("saga:placed").await;
    attempt.step(if paid { "sale paid" } else { "sale parked" }, 95).await;
    Ok(result(draft, order, &sale, &client, paid, journal))
}

async fn prepare(draft: &OrderDraft, attempt: &Attempt<'_>) -> Result<Prepared, JobError> {
    let context = attempt.context;
    let Some(client) = context.clients.find(&draft.client).await.decide()? else {
        return Err(JobError::reject(format!(
            "field `clientIdSys`: found `{}`, expected the id of a document in `clients`",
            draft.client
        )));
    };
    let known = client
        .billz_id
        .as_deref()
        .and_then(|id| BillzClientId::parse(id.trim()).ok());
    let client = if let Some(known) = known {
        PreparedClient::Known(known)
    } else {
        let phone = client.phone.ok_or_else(|| {
            JobError::reject(format!(
                "the client `{}` has no phone number that could be one, and no `billzId`; correct the document in \
                     `clients`",
                draft.client
            ))
        })?;
        PreparedClient::New(NewClient {
            first_name: if client.first_name.is_empty() {
                phone.international()
            } else {
                client.first_name
            },
            last_name: client.last_name,
            phone,
        })
    };
    let seller = match &draft.created_by {
        Some(user) => context.sellers.external_id(user).await.decide()?,
        None => None,
    };
    let payment_type = match draft.pays() {
        Some(card) => Some(payment_type(context, card).await?),
        None => None,
    };
    Ok(Prepared {
        client,
        seller: seller.and_then(|id| BillzSellerId::parse(&id).ok()),
        payment_type,
    })
}

fn drafts<'a>(comment: &'a str, attempt: &'a Attempt<'_>) -> Drafts<'a> {
    Drafts {
        shop: &attempt.context.shop_id,
        comment,
        operation: attempt.operation,
        calls: &attempt.calls,
        guard: attempt.guard,
        context: attempt.context,
    }
}

async fn create_draft(journal: &mut SagaJournal<'_>, attempt: &Attempt<'_>) -> Result<BillzOrderId, JobError> {
    let comment = journal.saga.comment.clone();
    let sale = drafts(&comment, attempt).create(journal).await?;
    attempt.context.reached("draft:claimed").await;
    journal.know_sale(&sale).await?;
    attempt.context.reached("draft:known").await;
    Ok(sale)
}

async fn client_in_billz(
    draft: &OrderDraft,
    prepared: &PreparedClient,
    journal: &mut SagaJournal<'_>,
    attempt: &Attempt<'_>,
) -> Result<BillzClientId, JobError> {
    let context = attempt.context;
    let client = match prepared {
        PreparedClient::Known(known) => known.clone(),
        PreparedClient::New(new) => {
            let (client, created) = find_or_create(new, &attempt.calls, journal, attempt.guard, context).await?;
            context
                .clients
                .set_billz_id(&draft.client, client.as_str(), context.clock.now())
                .await
                .decide()?;
            context.reached("client:stored").await;
            attempt.guard.release_one(&phone_lease(&new.phone)).await;
            let line = if created {
                "client created in Billz"
            } else {
                "client found in Billz"
            };
            attempt.step(line, 25).await;
            client
        }
    };
    if journal.outcome(CLIENT).is_none() {
        journal.note(CLIENT, doc! { "client": client.as_str() });
    }
    Ok(client)
}

/// Adds what is missing. Returns the total that the last answer held.
async fn add_lines(
    draft: &OrderDraft,
    sale: &BillzOrderId,
    seller: Option<&BillzSellerId>,
    journal: &mut SagaJournal<'_>,
    attempt: &Attempt<'_>,
) -> Result<Option<Money>, JobError> {
    let mut total = None;
    for (number, line) in (1_u32..).zip(&draft.lines) {
        let wanted = Line {
            product: line.product.clone(),
            quantity: line.quantity,
            seller: seller.cloned(),
        };
        let add = AddOnce {
            order: sale,
            line: &wanted,
            before: Decimal::ZERO,
        };
        total = take(&add, journal, attempt).await?.total;
        let share = 30 + 40 * number / u32::try_from(draft.lines.len()).unwrap_or(u32::MAX);
        let text = format!("{} of product {} added", line.quantity, line.product);
        attempt.step(&text, u8::try_from(share).unwrap_or(70)).await;
    }
    Ok(total)
}

/// Compares the total, then parks, or pays where the order is to be paid and the total is right. Returns the total in
/// Billz and whether it was paid.
async fn park_or_pay(
    draft: &OrderDraft,
    sale: &BillzOrderId,
    mut total: Option<Money>,
    payment_type: Option<&PaymentTypeId>,
    journal: &mut SagaJournal<'_>,
    attempt: &Attempt<'_>,
) -> Result<(Money, bool), JobError> {
    let pay_began = journal.open(PayOnce::STEP).is_some() || journal.outcome(PayOnce::STEP).is_some();
    if let Some(payment_type) = payment_type {
        if total.is_none() && !pay_began {
            total = Some(attempt.calls.order(sale).await.decide()?.total);
        }
        if pay_began || total == Some(draft.total) {
            let pay = PayOnce {
                order: sale,
                payment_type,
                amount: draft.total,
                comment: &journal.saga.comment.clone(),
            };
            take(&pay, journal, attempt).await?;
            return Ok((draft.total, true));
        }
    }
    let comment = journal.saga.comment.clone();
    let park = ParkOnce {
        order: sale,
        comment: &comment,
        until: attempt.context.default_park_until(),
    };
    // Known before parking unless Billz told no total so far; then its answer tells.
    if let Some(total) = total {
        compare(draft, total, payment_type.is_some(), journal, attempt).await;
    }
    let parked = take(&park, journal, attempt).await?;
    if total.is_none() {
        compare(draft, parked, payment_type.is_some(), journal, attempt).await;
    }
    Ok((parked, false))
}

async fn compare(
    draft: &OrderDraft,
    total: Money,
    was_to_be_paid: bool,
    journal: &mut SagaJournal<'_>,
    attempt: &Attempt<'_>,
) {
    if total == draft.total {
        return;
    }
    let consequence = if was_to_be_paid {
        "parked instead of paid"
    } else {
        "parked all the same"
    };
    let warning = format!(
        "the total in Billz is {total}, the order says {}: {consequence}",
        draft.total
    );
    attempt.step(&format!("warning: {warning}"), 80).await;
    journal.warn(warning);
}

async fn take<W: Write>(
    write: &W,
    journal: &mut SagaJournal<'_>,
    attempt: &Attempt<'_>,
) -> Result<W::Answer, JobError> {
    write_once(write, &attempt.calls, journal, attempt.guard, attempt.context).await
}

/// One entry of the result's `items`.
pub(super) fn item(product: &BillzProductId, quantity: Decimal) -> Value {
    let qty = billwright_domain::Quantity::new(quantity).map_or_else(|_| json!(quantity.to_string()), |it| json!(it));
    json!({"productId": product, "qty": qty})
}

fn result(
    draft: &OrderDraft,
    order: &OrderRecord,
    sale: &BillzOrderId,
    client: &BillzClientId,
    paid: bool,
    journal: &SagaJournal<'_>,
) -> Done {
    let warnings = &journal.saga.warnings;
    let value = Placed {
        order_id: shown_number(draft, order),
        billz_order_id: sale,
        billz_client_id: Some(client),
        items: draft
            .lines
            .iter()
            .map(|line| item(&line.product, line.quantity.amount()))
            .collect(),
        parked: !paid,
        paid,
        already_placed: false,
        warnings,
    };
    let notice = placed_notice(draft, order, sale, paid, warnings);
    let done = Done::with_notice(value, notice);
    Done {
        warnings: warnings.clone(),
        ..done
    }
}

/// The result of an attempt that placed the order and died before it could say so.
pub(super) fn result_again(
    draft: &OrderDraft,
    order: &OrderRecord,
    journal: &SagaJournal<'_>,
) -> Result<Done, JobError> {
    let lost = || JobError::reject("the order is placed, but its journal cannot be read; look at `order_sagas`");
    let sale = journal.saga.sale().ok_or_else(lost)?;
    let client = journal.outcome(CLIENT).and_then(|outcome| {
        outcome
            .get_str("client")
            .ok()
            .and_then(|id| BillzClientId::parse(id).ok())
    });
    let paid = journal.outcome(PayOnce::STEP).is_some();
    Ok(result(draft, order, &sale, &client.ok_or_else(lost)?, paid, journal))
}

/// The order was about to be taken back when Billz said that it is paid: so it is placed.
pub(super) async fn paid_after_all(
    draft: &OrderDraft,
    order: &OrderRecord,
    journal: &mut SagaJournal<'_>,
    attempt: &Attempt<'_>,
) -> Result<Done, JobError> {
    let context = attempt.context;
    let sale = journal
        .saga
        .sale()
        .ok_or_else(|| JobError::reject("a paid sale without an id"))?;
    context
        .orders
        .mark_placed(&order.id, &sale, draft.total, true, context.clock.now())
        .await
        .decide()?;
    journal.settle(PayOnce::STEP, Document::new()).await?;
    journal.placed().await?;
    attempt.step("sale paid", 95).await;
    result_again(draft, order, journal)
}
