//! Jobs, and what they made in Billz and in the worker's database.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use billwright_sandbox::{Decimal, OrderRecord, OrderState};
use serde_json::Value;

use crate::chaos::{
    book::PutJob,
    observed::{Observed, text, whole},
    queue::Standing,
};

fn completed(observed: &Observed) -> impl Iterator<Item = (&PutJob, &Value)> {
    observed.jobs.iter().filter_map(|(job, standing)| match standing {
        Standing::Completed(value) => Some((job, value)),
        _ => None,
    })
}

fn failed(observed: &Observed) -> impl Iterator<Item = (&PutJob, &String)> {
    observed.jobs.iter().filter_map(|(job, standing)| match standing {
        Standing::Failed(reason) => Some((job, reason)),
        _ => None,
    })
}

/// A job that Redis acknowledged was done, or failed. (By the time of this check nothing waits any more.) A Redis that
/// keeps nothing may have forgotten it.
pub(super) fn every_accepted_job_has_ended(observed: &Observed) -> Vec<String> {
    let accepted = observed.jobs.iter().filter(|(job, _)| job.accepted);
    accepted
        .filter_map(|(job, standing)| match standing {
            Standing::Missing if !observed.queue_lost => Some(format!("{} ({}) is gone", job.id, job.kind)),
            Standing::Unfinished => Some(format!("{} ({}) has not ended and does not wait", job.id, job.kind)),
            _ => None,
        })
        .collect()
}

/// A job that cannot be right was not carried out.
pub(super) fn what_is_wrong_is_refused(observed: &Observed) -> Vec<String> {
    completed(observed)
        .filter(|(job, _)| job.is_wrong)
        .map(|(job, value)| format!("{} ({} {}) was done: {value}", job.id, job.kind, job.payload))
        .collect()
}

/// A job that failed says why.
pub(super) fn a_failure_states_its_reason(observed: &Observed) -> Vec<String> {
    failed(observed)
        .filter(|(_, reason)| reason.trim().is_empty() || reason.contains("stalled more than"))
        .map(|(job, reason)| format!("{} ({}) failed with the reason `{reason}`", job.id, job.kind))
        .collect()
}

/// The same correlation id, type and payload is the same operation: all of its jobs that were done have its result.
pub(super) fn duplicates_have_one_result(observed: &Observed) -> Vec<String> {
    let mut results: HashMap<(&str, &str), (&str, &Value)> = HashMap::new();
    let mut found = Vec::new();
    for (job, value) in completed(observed).filter(|(job, _)| job.kind != "GET_ORDER") {
        let operation = (job.correlation_id.as_str(), job.kind.as_str());
        let (first, result) = *results.entry(operation).or_insert((&job.id, value));
        if result != value {
            found.push(format!(
                "{first} and {} ({}) are one operation with two results: {result} and {value}",
                job.id, job.kind
            ));
        }
    }
    found
}

/// Nobody is in Billz twice.
pub(super) fn a_client_is_made_once(observed: &Observed) -> Vec<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for client in &observed.ledger.clients {
        let digits = client.phone_number.chars().filter(char::is_ascii_digit).collect();
        *counts.entry(digits).or_default() += 1;
    }
    counts
        .into_iter()
        .filter(|(_, count)| *count > 1)
        .map(|(digits, count)| {
            format!(
                "{count} clients in Billz have the phone number that ends with {}",
                &digits[digits.len().saturating_sub(4)..]
            )
        })
        .collect()
}

/// The number of the order that a sale is of, as its comment tells it.
fn number_of(sale: &OrderRecord) -> Option<&str> {
    sale.comment.strip_prefix("Order ")?.split(" - ").next()
}

fn live(observed: &Observed) -> impl Iterator<Item = &OrderRecord> {
    observed.ledger.orders.iter().filter(|sale| !sale.deleted)
}

/// No order is placed twice: at most one sale that is not deleted names it, and at most one was ever paid.
pub(super) fn an_order_has_one_sale(observed: &Observed) -> Vec<String> {
    let mut sales: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for sale in live(observed) {
        if let Some(number) = number_of(sale) {
            sales.entry(number).or_default().push(&sale.id);
        }
    }
    sales
        .into_iter()
        .filter(|(_, sales)| sales.len() > 1)
        .map(|(number, sales)| format!("order {number} has {} sales: {}", sales.len(), sales.join(", ")))
        .collect()
}

fn units(sale: &OrderRecord) -> BTreeMap<String, Decimal> {
    let mut units: BTreeMap<String, Decimal> = BTreeMap::new();
    for line in &sale.lines {
        *units.entry(line.product_id.clone()).or_default() += line.quantity;
    }
    units
}

/// A sale that an order's document names has what was ordered, for the right total.
pub(super) fn a_sale_has_the_lines_of_its_order(observed: &Observed) -> Vec<String> {
    let placed: HashMap<&str, _> = observed
        .placed
        .iter()
        .map(|order| (order.number.as_str(), order))
        .collect();
    let mut found = Vec::new();
    for document in &observed.orders {
        let (Some(number), Some(id)) = (text(document, "orderID"), text(document, "billzId")) else {
            continue;
        };
        let (Some(order), Some(sale)) = (placed.get(number), observed.ledger.order(id)) else {
            continue;
        };
        if !matches!(sale.state, OrderState::Parked | OrderState::Paid | OrderState::Expired) {
            continue;
        }
        let expected: BTreeMap<String, Decimal> = order
            .lines
            .iter()
            .map(|(product, units)| (product.clone(), Decimal::from(*units)))
            .collect();
        if units(sale) != expected {
            found.push(format!(
                "order {number} has the lines {:?} in Billz, expected {expected:?}",
                units(sale)
            ));
        }
        if sale.total != Decimal::from(order.total) {
            found.push(format!(
                "order {number} comes to {} in Billz, expected {}",
                sale.total, order.total
            ));
        }
    }
    found
}

/// Of each product a sale made step by step has what was added: all that was done, and no more than was tried.
pub(super) fn a_line_is_added_once(observed: &Observed) -> Vec<String> {
    let mut sure: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    let mut possible: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    let mut counted = BTreeSet::new();
    let done: BTreeSet<&str> = completed(observed)
        .filter(|(job, _)| job.kind == "ADD_ITEM")
        .map(|(job, _)| job.correlation_id.as_str())
        .collect();
    for (job, _) in observed
        .jobs
        .iter()
        .filter(|(job, _)| job.kind == "ADD_ITEM" && !job.is_wrong)
    {
        let (Some(sale), Some(product)) = (job.payload["orderId"].as_str(), job.payload["productId"].as_str()) else {
            continue;
        };
        if !counted.insert(job.correlation_id.as_str()) {
            continue;
        }
        let units = job.payload["qty"].as_i64().unwrap_or_default();
        *possible.entry((sale, product)).or_default() += units;
        if done.contains(job.correlation_id.as_str()) {
            *sure.entry((sale, product)).or_default() += units;
        }
    }
    let mut found = Vec::new();
    for ((sale_id, product), most) in possible {
        let Some(sale) = observed.ledger.order(sale_id).filter(|sale| !sale.deleted) else {
            continue;
        };
        let least = sure.get(&(sale_id, product)).copied().unwrap_or_default();
        let there = units(sale).get(product).copied().unwrap_or_default();
        if there < Decimal::from(least) || there > Decimal::from(most) {
            found.push(format!(
                "sale {sale_id} has {there} of {product}, expected {least} (added) to {most} (tried to add)"
            ));
        }
    }
    found
}

/// A sale is paid with one payment, of its whole total; and one whose payment was confirmed is paid.
pub(super) fn a_sale_is_paid_once_and_in_full(observed: &Observed) -> Vec<String> {
    let mut found = Vec::new();
    let paid: BTreeSet<&str> = observed
        .ledger
        .payments
        .iter()
        .map(|payment| payment.order_id.as_str())
        .collect();
    for id in &paid {
        let times = observed.ledger.times_paid(id);
        if times > 1 {
            found.push(format!("sale {id} was paid {times} times"));
        }
        let sum: Decimal = observed
            .ledger
            .payments_of(id)
            .iter()
            .map(|payment| payment.amount)
            .sum();
        if let Some(sale) = observed.ledger.order(id)
            && (sale.total != sum && times == 1)
        {
            found.push(format!("{sum} was paid for sale {id}, which comes to {}", sale.total));
        }
    }
    for (job, value) in completed(observed) {
        let sale = match job.kind.as_str() {
            "MAKE_PAYMENT" => value["orderId"].as_str(),
            "PLACE_ORDER" if value["paid"] == true => value["billzOrderId"].as_str(),
            _ => None,
        };
        if let Some(sale) = sale.filter(|sale| !paid.contains(sale)) {
            found.push(format!("{} says that sale {sale} is paid, and it is not", job.id));
        }
    }
    found
}

/// Every sale that is not deleted is somebody's: an order's, or the result of a `CREATE_ORDER` that was done.
pub(super) fn no_sale_is_left_behind(observed: &Observed) -> Vec<String> {
    // A Redis that forgot a job has left what the job had begun.
    if observed.queue_lost {
        return Vec::new();
    }
    let jobs_about = |id: &str| {
        let about = observed.jobs.iter().filter(|(job, _)| job.payload["orderId"] == id);
        about.map(|(job, _)| job.kind.clone()).collect::<Vec<_>>().join(", ")
    };
    left_behind(observed)
        .filter(|sale| !(observed.clocks_jumped && is_nameless(sale)))
        .map(|sale| {
            format!(
                "sale {} ({:?}, comment `{}`) belongs to nobody; jobs about it: {}",
                sale.id,
                sale.state,
                sale.comment,
                jobs_about(&sale.id)
            )
        })
        .collect()
}

/// An empty draft that Billz kept no comment of. One whose answer was lost is known only by when it was made, which cannot be
/// compared where clocks are apart.
fn is_nameless(sale: &OrderRecord) -> bool {
    sale.state == OrderState::Draft && sale.lines.is_empty() && sale.comment.is_empty()
}

/// How many such drafts belong to nobody.
pub(in crate::chaos) fn nameless_drafts(observed: &Observed) -> usize {
    left_behind(observed).filter(|sale| is_nameless(sale)).count()
}

/// Sales that belong to nobody.
fn left_behind(observed: &Observed) -> impl Iterator<Item = &OrderRecord> {
    let of_orders = observed.orders.iter().filter_map(|order| text(order, "billzId"));
    let of_jobs = completed(observed)
        .filter(|(job, _)| job.kind == "CREATE_ORDER")
        .filter_map(|(_, value)| value["orderId"].as_str());
    let known: BTreeSet<&str> = of_orders.chain(of_jobs).collect();
    live(observed).filter(move |sale| !known.contains(sale.id.as_str()))
}

/// What an order's document says of its sale is what Billz says.
pub(super) fn orders_equal_the_ledger(observed: &Observed) -> Vec<String> {
    let mut found = Vec::new();
    for document in &observed.orders {
        let number = text(document, "orderID").unwrap_or("without a number");
        let unfinished = observed.sagas.iter().any(|saga| {
            saga.get("_id") == document.get("_id") && matches!(text(saga, "state"), Some("running" | "compensating"))
        });
        if unfinished && observed.queue_lost {
            continue;
        }
        let Some(id) = text(document, "billzId") else {
            continue;
        };
        let Some(sale) = observed.ledger.order(id) else {
            found.push(format!("order {number} names sale {id}, which Billz does not have"));
            continue;
        };
        if sale.deleted {
            found.push(format!("order {number} names sale {id}, which is deleted"));
        }
        // Until then `isPaid` is what the shop was told by the client.
        let paid_in_billz = sale.state == OrderState::Paid;
        if document.contains_key("datePaid") != paid_in_billz {
            found.push(format!(
                "order {number}: datePaid is {:?}, and sale {id} is {:?}",
                document.get("datePaid"),
                sale.state
            ));
        }
        let said = if paid_in_billz { "paidAmount" } else { "billzAmount" };
        if let Some(amount) = whole(document, said)
            && sale.total != Decimal::from(amount)
        {
            found.push(format!(
                "order {number}: {said} is {amount}, and sale {id} comes to {}",
                sale.total
            ));
        }
    }
    found
}

/// For every job that failed for good there is a message, or its share in one that counts equal failures.
pub(super) fn every_failure_was_told(observed: &Observed) -> Vec<String> {
    let failures = failed(observed).count();
    let told: i64 = observed
        .notifications
        .iter()
        .filter(|message| text(message, "kind") == Some("operation_failed"))
        .map(|message| whole(message, "count").unwrap_or(1))
        .sum();
    if i64::try_from(failures).unwrap_or(i64::MAX) > told {
        vec![format!("{failures} jobs failed for good, and messages tell of {told}")]
    } else {
        Vec::new()
    }
}
