//! The vendor's shapes, read leniently: Billz documents examples rather than schemas, so that only what a decision needs
//! must be there.

use billwright_domain::{BillzClientId, BillzOrderId, BillzProductId, Money, PaymentTypeId, ShopId, input::decimal};
use rust_decimal::Decimal;
use serde_json::Value;

use super::sale::{Cart, Sale, SaleLine, SalePayment, SaleState, SaleSummary};
use crate::redact;

/// The text of a field, unless it is empty.
pub(super) fn text<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object
        .get(name)?
        .as_str()
        .map(str::trim)
        .filter(|text| !text.is_empty())
}

fn number(object: &Value, name: &str) -> Option<Decimal> {
    object.get(name).and_then(|value| decimal(value).ok().flatten())
}

fn money(object: &Value, name: &str) -> Option<Money> {
    object
        .get(name)
        .and_then(|value| Money::from_json(value).ok().flatten())
}

/// The rows of a list, whose key is named after the resource; `null` is an empty list. The error is the answer's shape.
pub(super) fn rows<'a>(answer: &'a Value, keys: &[&str]) -> Result<&'a [Value], String> {
    // A tenant whose lists come in the envelope has them inside `data`.
    [answer, &answer["data"]]
        .into_iter()
        .flat_map(|place| keys.iter().filter_map(|key| place.get(*key)))
        .find_map(|found| match found {
            Value::Null => Some(&[][..]),
            Value::Array(rows) => Some(rows.as_slice()),
            _ => None,
        })
        .ok_or_else(|| redact::shape(answer))
}

/// How many rows a list has altogether, as it says itself; the documentation's own example says 0 beside one row.
pub(super) fn count(answer: &Value) -> usize {
    number(answer, "count")
        .and_then(|count| usize::try_from(count).ok())
        .unwrap_or(0)
}

/// Whether an answer only says that a message was taken: nothing in it tells that something changed. So Billz answers where
/// it was not asked to answer in the same exchange, or does not heed that.
pub(super) fn is_acknowledgement(answer: &Value) -> bool {
    const SAYS_NOTHING: &[&str] = &["id", "message", "session_id", "correlation_id", "topic"];
    answer
        .as_object()
        .is_some_and(|fields| fields.keys().all(|name| SAYS_NOTHING.contains(&&**name)))
}

/// The id of what was made, at the top or inside `data`.
pub(super) fn made_id(answer: &Value) -> Option<&str> {
    text(&answer["data"], "id").or_else(|| text(answer, "id"))
}

/// The sale's object, at the top or inside `data`.
pub(super) fn sale_object(answer: Value) -> Value {
    if text(&answer, "id").is_some() && answer.get("order_detail").is_some() {
        return answer;
    }
    match answer {
        Value::Object(mut fields) if fields.get("data").is_some_and(|data| text(data, "id").is_some()) => {
            fields.remove("data").unwrap_or_default()
        }
        other => other,
    }
}

pub(super) fn is_deleted(sale: &Value) -> bool {
    sale["deleted"].as_bool() == Some(true)
}

pub(super) fn sale(answer: Value) -> Result<Sale, String> {
    let raw = sale_object(answer);
    match read_sale(&raw) {
        Some(sale) => Ok(Sale { raw, ..sale }),
        None => Err(redact::shape(&raw)),
    }
}

fn read_sale(raw: &Value) -> Option<Sale> {
    let detail = &raw["order_detail"];
    let lines = lines(&detail["order_items"])?;
    let total = match money(detail, "total_price").or_else(|| money(raw, "total_price")) {
        Some(total) => total,
        None if lines.is_empty() => Money::ZERO,
        None => return None,
    };
    let payments = match &detail["order_payments"] {
        Value::Array(rows) => rows.iter().filter_map(payment).collect(),
        _ => Vec::new(),
    };
    Some(Sale {
        id: BillzOrderId::parse(text(raw, "id")?).ok()?,
        number: text(raw, "order_number").map(str::to_owned),
        state: state(raw),
        total,
        customer: customer(raw),
        lines,
        comment: text(detail, "comment").unwrap_or_default().to_owned(),
        payments,
        raw: Value::Null,
    })
}

pub(super) fn summary(row: &Value) -> Option<SaleSummary> {
    let detail = &row["order_detail"];
    Some(SaleSummary {
        id: BillzOrderId::parse(text(row, "id")?).ok()?,
        number: text(row, "order_number").map(str::to_owned),
        state: state(row),
        total: money(detail, "total_price"),
        comment: text(detail, "comment").unwrap_or_default().to_owned(),
        shop: text(detail, "shop_id").and_then(|id| ShopId::parse(id).ok()),
        created_at: text(detail, "created_at")
            .or_else(|| text(row, "created_at"))
            .map(str::to_owned),
        quantity: number(detail, "total_products_measurement_value"),
    })
}

/// A sale that was never parked is paid without its `park_status` saying so; the time of its end tells.
fn state(raw: &Value) -> SaleState {
    let ended = |name| text(raw, name).is_some_and(|time| !time.starts_with("0001-01-01"));
    match text(raw, "park_status") {
        _ if ended("finished_at") || ended("sold_at") => SaleState::Paid,
        None => SaleState::Draft,
        Some("active") => SaleState::Parked,
        Some("expired") => SaleState::ParkExpired,
        Some("completed") => SaleState::Paid,
        Some(_) => SaleState::Unrecognised,
    }
}

fn customer(raw: &Value) -> Option<BillzClientId> {
    let detail = &raw["order_detail"];
    [
        text(&detail["customer"], "id"),
        text(detail, "customer_id"),
        text(raw, "customer_id"),
        text(&raw["customer"], "id"),
    ]
    .into_iter()
    .flatten()
    .find_map(|id| BillzClientId::parse(id).ok())
}

/// `None` where a line cannot be read: half a list would look like a missing line.
fn lines(value: &Value) -> Option<Vec<SaleLine>> {
    match value {
        Value::Null => Some(Vec::new()),
        Value::Array(rows) => rows.iter().map(line).collect(),
        _ => None,
    }
}

fn line(row: &Value) -> Option<SaleLine> {
    let product = text(row, "product_id").or_else(|| text(&row["product"], "id"))?;
    Some(SaleLine {
        product: BillzProductId::parse(product).ok()?,
        quantity: number(row, "measurement_value")?,
        total: money(row, "total_price"),
    })
}

fn payment(row: &Value) -> Option<SalePayment> {
    let payment_type = text(row, "company_payment_type_id").or_else(|| text(&row["company_payment_type"], "id"));
    Some(SalePayment {
        payment_type: payment_type.and_then(|id| PaymentTypeId::parse(id).ok()),
        paid: money(row, "paid_amount")?,
    })
}

/// The cart of a draft; whatever the answer does not hold, or holds in a shape of its own, is absent.
pub(super) fn cart(answer: &Value) -> Cart {
    let place = if answer.get("items").is_none() && answer["data"].is_object() {
        &answer["data"]
    } else {
        answer
    };
    Cart {
        lines: place.get("items").filter(|items| !items.is_null()).and_then(lines),
        total: total(answer),
        customer: customer(place),
        left_in_stock: number(&place["left_measurement_value"], "left_measurement_value"),
    }
}

/// The sale's total, wherever an answer holds it.
pub(super) fn total(answer: &Value) -> Option<Money> {
    [
        answer,
        &answer["order_detail"],
        &answer["data"],
        &answer["data"]["order_detail"],
    ]
    .into_iter()
    .find_map(|place| money(place, "total_price"))
}

#[cfg(test)]
mod tests {
    use billwright_hot_path::counted;
    use serde_json::json;

    use super::*;

    #[test]
    #[ignore = "counted by `cargo xtask instructions`"]
    fn hot_path_answer_with_a_sale() {
        let lines: Vec<_> = (1..=10)
            .map(|number| json!({"product_id": format!("product-{number}"), "measurement_value": 2, "total_price": 23_000}))
            .collect();
        let answer = json!({
            "id": "sale", "order_number": "4410233871", "park_status": "active", "finished_at": "", "deleted": false,
            "customer_id": "client",
            "order_detail": {"total_price": 230_000, "comment": "Order 1042", "customer": {"id": "client"},
                "order_items": lines, "order_payments": [{"company_payment_type_id": "card", "paid_amount": 230_000}]}
        })
        .to_string();
        let sale = counted(|| sale(serde_json::from_str(&answer).unwrap())).unwrap();
        assert_eq!(sale.lines.len(), 10);
    }
}
