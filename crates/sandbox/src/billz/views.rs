//! Sales in the shapes in which Billz shows them.

use chrono::SecondsFormat;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::reference::general_payment_type;
use crate::{
    clock,
    number::number,
    order::{CartDiscount, Line, Order, Phase},
    variants::{OrderPayments, PaidParkStatus},
    world::World,
};

/// Nobody outside knows what the uuid in `order_status` means; it is the same for every sale here.
const ORDER_STATUS: &str = "00000000-0000-4000-8000-000000000000";

/// The answer to a change of a cart.
pub(crate) fn cart(world: &World, order: &Order, product_id: Option<&str>) -> Value {
    let items: Vec<Value> = order
        .lines
        .iter()
        .zip(order.line_totals())
        .map(|(line, total)| item(line, total))
        .collect();
    let left = product_id.map_or(Decimal::ZERO, |id| world.available(id) - order.quantity_of(id));
    let (discount_unit, discount_value) = discount(order);
    json!({
        "order_id": order.id,
        "discount_unit": discount_unit,
        "discount_value": discount_value,
        "customer": customer(world, order),
        "items": items,
        "search_result": null,
        "left_measurement_value": {"product_id": product_id.unwrap_or(""), "left_measurement_value": number(left)},
        "returned_cashback": 0,
        "total_price": number(order.total()),
        "is_postponed": order.phase == Phase::Parked,
        "promo_codes": null,
        "free_price": order.lines.iter().any(|line| line.free_price),
        "order_version": order.version,
        "order_bill_version": 0,
    })
}

/// A sale as a read of it shows it.
pub(crate) fn full(world: &World, order: &Order) -> Value {
    let mut view = head(world, order);
    let items: Vec<Value> = order
        .lines
        .iter()
        .zip(order.line_totals())
        .map(|(line, total)| item(line, total))
        .collect();
    view["order_detail"]["order_items"] = Value::Array(items);
    if world.settings.variants.order_payments == OrderPayments::Visible {
        view["order_detail"]["order_payments"] = payments(world, order);
    }
    view
}

/// A sale as lists show it: without lines and payments, and with blanks.
pub(crate) fn note(world: &World, order: &Order) -> Value {
    let mut view = head(world, order);
    view["order_status"] = json!("");
    view["created_at"] = json!("");
    view["order_detail"]["customer"] = json!({"id": "", "name": ""});
    view["order_detail"]["created_at"] = json!(clock::stamp(clock::company_time(order.created)));
    view
}

fn head(world: &World, order: &Order) -> Value {
    let created = clock::company_time(order.created);
    let finished = clock::zulu(order.paid, SecondsFormat::Micros);
    let sold = clock::zulu(order.paid, SecondsFormat::Secs);
    let display = order
        .paid
        .map(|paid| clock::stamp(clock::company_time(paid)))
        .unwrap_or_default();
    let (discount_unit, discount_value) = discount(order);
    let shop_name = world
        .settings
        .shops
        .iter()
        .find(|shop| shop.id == order.shop_id)
        .map(|shop| shop.name.as_str());
    let cash_boxes = world.settings.shops.iter().flat_map(|shop| &shop.cash_boxes);
    let cashbox_name = cash_boxes
        .into_iter()
        .find(|(id, _)| *id == order.cashbox_id)
        .map(|(_, name)| name.as_str());
    let units: Decimal = order.lines.iter().map(|line| line.quantity).sum();
    json!({
        "id": order.id,
        "parent_id": "",
        "company_id": "company-sandbox",
        "order_number": order.number,
        "order_status": ORDER_STATUS,
        "order_type": "SALE",
        "customer_id": order.customer_id.as_deref().unwrap_or(""),
        "created_at": clock::stamp(created),
        "created_at_utc": clock::stamp(order.created.naive_utc()),
        "updated_at": clock::stamp(clock::company_time(order.updated)),
        "finished_at": finished,
        "display_finished_at": display,
        "sold_at": sold,
        "display_sold_at": display,
        "future_time": order.park_until.map(clock::stamp).unwrap_or_default(),
        "park_status": park_status(world, order),
        "deleted": order.deleted.is_some(),
        "deleted_at": order.deleted.map_or(0, |deleted| deleted.timestamp()),
        "debt": null,
        "exchange_disabled": false,
        "order_detail": {
            "total_price": number(order.total()),
            "has_discount": order.total() != order.lines.iter().map(|line| line.price * line.quantity).sum::<Decimal>(),
            "discount_value": discount_value,
            "discount_unit": discount_unit,
            "comment": order.comment,
            "cashbox_id": order.cashbox_id,
            "cashbox_name": cashbox_name.unwrap_or(""),
            "shop_id": order.shop_id,
            "shop": {"id": order.shop_id, "name": shop_name.unwrap_or("")},
            "user": {"id": "", "name": ""},
            "customer": customer(world, order),
            "version_number": order.version,
            "total_products_measurement_value": number(units),
        },
    })
}

fn park_status(world: &World, order: &Order) -> &'static str {
    match order.phase {
        Phase::Draft => "",
        Phase::Parked if order.is_expired(clock::company_time(world.now())) => "expired",
        Phase::Parked => "active",
        Phase::Paid => match world.settings.variants.paid_park_status {
            PaidParkStatus::Completed => "completed",
            PaidParkStatus::CompletedIfParked if order.was_parked => "completed",
            PaidParkStatus::CompletedIfParked | PaidParkStatus::Empty => "",
        },
    }
}

fn discount(order: &Order) -> (&'static str, Value) {
    match order.cart_discount {
        None => ("", Value::from(0)),
        Some(CartDiscount::Currency(total)) => ("CURRENCY", number(total)),
        Some(CartDiscount::Percentage(percent)) => ("PERCENTAGE", number(percent)),
    }
}

fn customer(world: &World, order: &Order) -> Value {
    match order.customer_id.as_deref().and_then(|id| world.client(id)) {
        None => json!({"id": "", "name": ""}),
        Some(client) => {
            json!({"id": client.id, "name": format!("{} {}", client.first_name, client.last_name).trim()})
        }
    }
}

fn item(line: &Line, total: Decimal) -> Value {
    let sale_price = if line.quantity.is_zero() {
        line.unit_price()
    } else {
        (total / line.quantity).round_dp(2)
    };
    let sellers: Vec<Value> = line.seller_ids.iter().map(|id| json!({"seller_id": id})).collect();
    json!({
        "id": line.id,
        "product_id": line.product_id,
        "product": {"id": line.product_id, "name": line.product_name, "sku": "", "barcode": ""},
        "measurement_value": number(line.quantity),
        "returned_measurement_value": 0,
        "price": number(line.price),
        "sale_price": number(sale_price),
        "total_price": number(total),
        "has_manual_discount": line.discounted_price.is_some(),
        "discount_value": line.discounted_price.map_or(Value::from(0), number),
        "discount_unit": if line.discounted_price.is_some() { "CURRENCY" } else { "" },
        "discount_percent": 0,
        "free_price": line.free_price,
        "used_wholesale_price": line.wholesale,
        "sellers": sellers,
    })
}

fn payments(world: &World, order: &Order) -> Value {
    let kinds = &world.settings.payment_types;
    let view = |payment: &crate::ledger::PaymentRecord| {
        let name = kinds
            .iter()
            .find(|kind| kind.id == payment.payment_type_id)
            .map(|kind| kind.name.as_str());
        json!({
            "id": payment.id,
            "company_payment_type_id": payment.payment_type_id,
            "company_payment_type": {
                "id": payment.payment_type_id,
                "name": name.unwrap_or(""),
                "payment_type_id": general_payment_type(&payment.payment_type_id),
            },
            "paid_amount": number(payment.amount),
            "returned_amount": 0,
            "gift_card_id": 0,
        })
    };
    Value::Array(order.payments.iter().map(view).collect())
}
