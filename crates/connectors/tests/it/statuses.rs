//! What each status, and each way of not answering properly, means for a read and for a write.

use std::{sync::Arc, time::Duration};

use billwright_connectors::{
    billz::{BillzError, RefusalCode},
    budget::{Budget, BudgetSettings},
};
use billwright_domain::{Money, SystemClock};
use serde_json::json;
use tokio::time::Instant;

use crate::{
    Shelf, calls, client, client_with, context, id, settings,
    stub::{Say, Stub, raw_server},
};

const READ: &str = "/v2/order/sale";
const WRITE: &str = "/v2/order-payment/sale";

async fn read(stub: &Stub) -> BillzError {
    calls(&client(settings(stub.url())))
        .order(&id("sale"))
        .await
        .unwrap_err()
}

async fn write(stub: &Stub) -> BillzError {
    let billz = client(settings(stub.url()));
    calls(&billz)
        .pay(&id("sale"), &id("card"), Money::whole(5), "")
        .await
        .unwrap_err()
}

#[tokio::test]
async fn a_read_that_fails_once_succeeds() {
    let stub = Stub::start().await;
    stub.says(READ, Say::status(502));
    stub.says(
        READ,
        Say::json(&json!({"id": "sale", "order_detail": {"total_price": 0}})),
    );
    calls(&client(settings(stub.url()))).order(&id("sale")).await.unwrap();
}

#[tokio::test]
async fn a_deleted_sale_is_not_found() {
    let stub = Stub::start().await;
    stub.says(
        READ,
        Say::json(&json!({"id": "sale", "deleted": true, "order_detail": {"total_price": 0}})),
    );
    assert_eq!(read(&stub).await, BillzError::NotFound { call: "order" });
}

#[tokio::test]
async fn a_refusal_carries_billz_own_code_and_words() {
    let stub = Stub::start().await;
    let body = json!({"data": {"error_code": 20020, "error_message": "wrong payment amount: 230000, total 231000"}});
    for status in [200, 400, 500] {
        stub.says_only(WRITE, Say::bytes(status, body.to_string()));
        assert_eq!(
            write(&stub).await,
            BillzError::Refused {
                call: "pay",
                code: Some(RefusalCode::WrongAmount),
                text: "wrong payment amount: 230000, total 231000".to_owned()
            }
        );
    }
}

#[tokio::test]
async fn a_missing_method_is_explained() {
    let stub = Stub::start().await;
    stub.says_only(WRITE, Say::status(403));
    let error = write(&stub).await;
    assert!(
        error.to_string().contains("ask Billz to grant") && error.to_string().contains("`pay`"),
        "{error}"
    );
    assert!(!error.is_transient());
}

#[tokio::test]
async fn a_429_slows_every_call_down_for_as_long_as_billz_asks() {
    let stub = Stub::start().await;
    let redis = billwright_services::shared::redis_url().await.unwrap();
    let scope = uuid::Uuid::new_v4().to_string();
    let budget = || {
        let client = redis::Client::open(&*redis).unwrap();
        Budget::new(BudgetSettings::new("1000/s".parse().unwrap(), Some(client), &*scope)).unwrap()
    };
    let billz = client_with(settings(stub.url()), budget(), SystemClock::shared(), None);
    stub.says(WRITE, Say::status(429).header("retry-after", "1"));
    stub.says(WRITE, Say::json(&json!({"order_type": "SALE"})));
    let error = calls(&billz)
        .pay(&id("sale"), &id("card"), Money::whole(5), "")
        .await
        .unwrap_err();
    let told = Duration::from_secs(1);
    assert_eq!(error, BillzError::RateLimited { after: told });
    assert_eq!(error.retry_after(), Some(told));

    let other_process = client_with(settings(stub.url()), budget(), SystemClock::shared(), None);
    let started = Instant::now();
    calls(&other_process)
        .pay(&id("sale"), &id("card"), Money::whole(5), "")
        .await
        .unwrap();
    assert!(
        started.elapsed() > Duration::from_millis(900),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn an_answer_that_is_no_sale_is_shown_without_its_values() {
    let stub = Stub::start().await;
    stub.says_only(
        READ,
        Say::bytes(200, r#"{"name": "+998901112233", "order_items": [1]}"#),
    );
    let error = read(&stub).await;
    assert_eq!(error.outcome(), "bad_reply");
    assert!(!error.to_string().contains("998"), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_not_read_to_its_end() {
    let stub = Stub::start().await;
    let mut settings = settings(stub.url());
    settings.response_limit_bytes = 10_000;
    let billz = client(settings);
    let body = format!("{{\"x\": \"{}\"}}", "y".repeat(20_000));
    stub.says_only(READ, Say::bytes(200, body.clone()));
    stub.says_only(WRITE, Say::bytes(200, body.clone()));
    let error = calls(&billz).order(&id("sale")).await.unwrap_err();
    assert_eq!(error.outcome(), "unavailable", "{error}");
    let error = calls(&billz)
        .pay(&id("sale"), &id("card"), Money::whole(5), "")
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("longer than 10000 bytes") && error.outcome() == "outcome_unknown",
        "{error}"
    );
    // The status of a refusal says enough.
    stub.says_only(WRITE, Say::bytes(400, body));
    let error = calls(&billz)
        .pay(&id("sale"), &id("card"), Money::whole(5), "")
        .await
        .unwrap_err();
    assert_eq!(error.outcome(), "refused");
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let (stub, elsewhere) = (Stub::start().await, Stub::start().await);
    stub.says_only(
        READ,
        Say::status(307).header("location", format!("{}/x", elsewhere.url())),
    );
    read(&stub).await;
    assert!(elsewhere.asked().is_empty());
}

#[tokio::test]
async fn a_slow_answer_to_a_write_leaves_its_outcome_unknown() {
    let stub = Stub::start().await;
    stub.says_only(WRITE, Say::status(200).after(Duration::from_mins(1)));
    let shelf = Shelf::logged_in();
    let mut settings = settings(stub.url());
    settings.request_timeout = Duration::from_millis(300);
    let billz = client_with(settings, Budget::unlimited(), SystemClock::shared(), Some(shelf));
    let error = calls(&billz)
        .pay(&id("sale"), &id("card"), Money::whole(5), "")
        .await
        .unwrap_err();
    assert_eq!(error.outcome(), "outcome_unknown");
    assert!(error.to_string().contains("no answer within 0.3 s"), "{error}");
}

#[tokio::test]
async fn a_whole_operation_has_a_time_limit() {
    let stub = Stub::start().await;
    stub.says_only(READ, Say::status(200).after(Duration::from_mins(1)));
    let shelf = Shelf::logged_in();
    let mut settings = settings(stub.url());
    settings.operation_timeout = Duration::from_millis(300);
    let started = Instant::now();
    let billz = client_with(settings, Budget::unlimited(), SystemClock::shared(), Some(shelf));
    let error = calls(&billz).order(&id("sale")).await.unwrap_err();
    assert_eq!(error.outcome(), "unavailable");
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_got_nothing() {
    // Nobody listens on port 1; the login is what fails to be sent.
    let error = calls(&client(settings("http://127.0.0.1:1")))
        .delete_order(&id("sale"))
        .await
        .unwrap_err();
    assert_eq!(error.outcome(), "unavailable");
    assert!(error.to_string().contains("refused") && error.is_transient(), "{error}");

    // Logged in, and then the server goes away between two calls.
    let stub = Stub::start().await;
    let billz = client(settings(stub.url()));
    calls(&billz).delete_order(&id("sale")).await.unwrap();
    drop(stub);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut error = calls(&billz).delete_order(&id("sale")).await.unwrap_err();
    if error.outcome() == "outcome_unknown" {
        // The old connection was still half open at the first try.
        error = calls(&billz).delete_order(&id("sale")).await.unwrap_err();
    }
    assert_eq!(error.outcome(), "unavailable", "{error}");
}

#[tokio::test]
async fn what_is_no_http_at_all_is_no_answer() {
    for answer in [
        &b""[..],
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{}",
        b"SSH-2.0-x\r\n",
        b"HTTP/1.1 999999 \r\n\r\n",
    ] {
        let error = calls(&client(settings(&raw_server(answer).await)))
            .delete_order(&id("sale"))
            .await
            .unwrap_err();
        // It is the login that fails, and nothing else was sent.
        assert_eq!(error.outcome(), "unavailable", "{error}");
    }
}

#[tokio::test]
async fn a_read_can_be_given_up_and_a_write_only_before_it_is_sent() {
    let stub = Stub::start().await;
    stub.says_only(READ, Say::status(200).after(Duration::from_mins(1)));
    stub.says_only(
        WRITE,
        Say::json(&json!({"order_type": "SALE"})).after(Duration::from_millis(200)),
    );
    let billz = Arc::new(client(settings(stub.url())));
    let context = context();
    let in_flight = {
        let calls = billz.calls(context.clone());
        tokio::spawn(async move {
            let (sale, card) = (id("sale"), id("card"));
            tokio::join!(calls.order(&sale), calls.pay(&sale, &card, Money::whole(5), ""))
        })
    };
    while stub.asked().len() < 2 {
        tokio::task::yield_now().await;
    }
    context.cancel.cancel();
    let (read, write) = in_flight.await.unwrap();
    assert_eq!(read.unwrap_err(), BillzError::Cancelled);
    write.unwrap();
    let late = billz
        .calls(context)
        .pay(&id("sale"), &id("card"), Money::whole(5), "")
        .await
        .unwrap_err();
    assert_eq!(late, BillzError::Cancelled);
    assert_eq!(stub.asked().len(), 2);
}
