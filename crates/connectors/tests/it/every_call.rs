//! What holds for every call alike: each status, a slow answer, a broken one, none at all.

use std::time::Duration;

use billwright_connectors::{
    billz::{Billz, BillzCalls, BillzError, Line, NewClient, OrderQuery},
    budget::Budget,
};
use billwright_domain::{Money, Quantity, SystemClock};
use chrono::NaiveDate;

use crate::{
    Shelf, calls, client_with, id, settings,
    stub::{Say, Stub},
};

const READS: &[&str] = &[
    "find_client",
    "order",
    "order_as_it_is",
    "find_orders",
    "shops",
    "cashboxes",
    "payment_types",
    "sellers",
];
const WRITES: &[&str] = &[
    "create_client",
    "create_order",
    "add_item",
    "attach_client",
    "discount",
    "park",
    "return_from_park",
    "pay",
    "delete_order",
];

async fn make(call: &str, calls: &BillzCalls) -> Result<(), BillzError> {
    let sale = id("sale");
    let day = NaiveDate::from_ymd_opt(2026, 11, 29).unwrap();
    let client = NewClient {
        first_name: "Aziza".to_owned(),
        last_name: None,
        phone: id("998901112233"),
    };
    let line = Line {
        product: id("product"),
        quantity: Quantity::new(1.into()).unwrap(),
        seller: None,
    };
    let query = OrderQuery {
        shop: id("shop-main"),
        from: day,
        to: day,
        comment: None,
    };
    match call {
        "find_client" => calls.find_client(&client.phone).await.map(drop),
        "order" => calls.order(&sale).await.map(drop),
        "order_as_it_is" => calls.order_as_it_is(&sale).await.map(drop),
        "find_orders" => calls.find_orders(&query).await.map(drop),
        "shops" => calls.shops().await.map(drop),
        "cashboxes" => calls.cashboxes().await.map(drop),
        "payment_types" => calls.payment_types().await.map(drop),
        "sellers" => calls.sellers().await.map(drop),
        "create_client" => calls.create_client(&client).await.map(drop),
        "create_order" => calls.create_order(&query.shop, "1042").await.map(drop),
        "add_item" => calls.add_item(&sale, &line).await.map(drop),
        "attach_client" => calls.attach_client(&sale, &id("client")).await.map(drop),
        "discount" => calls.discount(&sale, Money::whole(5)).await.map(drop),
        "park" => calls.park(&sale, "", day.and_hms_opt(0, 0, 0).unwrap()).await.map(drop),
        "return_from_park" => calls.return_from_park(&sale).await,
        "pay" => calls.pay(&sale, &id("card"), Money::whole(5), "").await,
        "delete_order" => calls.delete_order(&sale).await,
        other => panic!("{other} is no call"),
    }
}

fn billz(url: &str, request_timeout: Duration) -> Billz {
    let mut settings = settings(url);
    settings.request_timeout = request_timeout;
    settings.cashbox_id = Some(id("cashbox"));
    client_with(
        settings,
        Budget::unlimited(),
        SystemClock::shared(),
        Some(Shelf::logged_in()),
    )
}

/// Makes every call; checks what became of it and how often it was sent.
async fn assert_each(stub: &Stub, billz: &Billz, shown: &str, of_read: (&str, usize), of_write: (&str, usize)) {
    let calls = calls(billz);
    for (names, (outcome, times)) in [(READS, of_read), (WRITES, of_write)] {
        for name in names {
            let before = stub.asked().len();
            let error = make(name, &calls).await.unwrap_err();
            assert_eq!(error.outcome(), outcome, "{name}, {shown}: {error}");
            assert_eq!(stub.asked().len() - before, times, "{name}, {shown}");
        }
    }
}

#[tokio::test]
async fn every_status_of_every_call() {
    let stub = Stub::start().await;
    let billz = billz(stub.url(), Duration::from_secs(20));
    for (status, of_read, of_write) in [
        (302, ("bad_reply", 1), "outcome_unknown"),
        (400, ("refused", 1), "refused"),
        (403, ("forbidden", 1), "forbidden"),
        (404, ("not_found", 1), "not_found"),
        (408, ("unavailable", 2), "unavailable"),
        (409, ("refused", 1), "refused"),
        (422, ("refused", 1), "refused"),
        (425, ("unavailable", 2), "unavailable"),
        (429, ("rate_limited", 1), "rate_limited"),
        (500, ("unavailable", 2), "outcome_unknown"),
        (502, ("unavailable", 2), "outcome_unknown"),
        (503, ("unavailable", 2), "outcome_unknown"),
        (504, ("unavailable", 2), "outcome_unknown"),
    ] {
        stub.says_elsewhere(Say::status(status));
        assert_each(&stub, &billz, &status.to_string(), of_read, (of_write, 1)).await;
    }
}

#[tokio::test]
async fn every_broken_answer_to_every_call() {
    let stub = Stub::start().await;
    let billz = billz(stub.url(), Duration::from_secs(20));
    for body in ["", "<html>", "[]", "null", "\"ok\"", "{\"id\": \"sa", "\u{0}"] {
        stub.says_elsewhere(Say::bytes(200, body));
        assert_each(&stub, &billz, body, ("bad_reply", 1), ("outcome_unknown", 1)).await;
    }
    let envelope = r#"{"status_code": 400, "error": {"code": "BAD_REQUEST", "message": "no"}}"#;
    stub.says_elsewhere(Say::bytes(200, envelope));
    assert_each(&stub, &billz, envelope, ("refused", 1), ("refused", 1)).await;
}

#[tokio::test]
async fn no_answer_in_time_to_every_call() {
    let stub = Stub::start().await;
    let billz = billz(stub.url(), Duration::from_millis(150));
    stub.says_elsewhere(Say::status(200).after(Duration::from_mins(1)));
    let calls = calls(&billz);
    let each = READS.iter().chain(WRITES).map(|name| {
        let calls = &calls;
        async move { (name, make(name, calls).await.unwrap_err()) }
    });
    for (name, error) in futures_util::future::join_all(each).await {
        let expected = if READS.contains(name) {
            "unavailable"
        } else {
            "outcome_unknown"
        };
        assert_eq!(error.outcome(), expected, "{name}: {error}");
    }
}

#[tokio::test]
async fn nobody_there_for_every_call() {
    let billz = billz("http://127.0.0.1:1", Duration::from_secs(20));
    let calls = calls(&billz);
    for name in READS.iter().chain(WRITES) {
        let error = make(name, &calls).await.unwrap_err();
        assert_eq!(error.outcome(), "unavailable", "{name}: {error}");
    }
}
