//! Writes whose answer was not asked for over HTTP: Billz takes note, and does them a little later.

use std::time::Duration;

use billwright_sandbox::{CASHBOX_ID, OrderState, PAYMENT_TYPE_ID, PRODUCT_ID, SHOP_ID, SandboxSettings};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Shop, payment, until};

/// Slow enough that a test sees the state before.
fn slow_queue() -> SandboxSettings {
    SandboxSettings {
        drafts: Vec::new(),
        queue_delay: Duration::from_millis(700),
        ..SandboxSettings::default()
    }
}

/// Sends without the header; the query may still ask for the answer.
async fn quiet(shop: &Shop, method: Method, path: &str, body: Value) -> Value {
    let url = format!("{}{path}", shop.sandbox.billz_url());
    let request = shop.http.request(method, url).bearer_auth(&shop.token).json(&body);
    request.send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn a_write_without_the_channel_is_acknowledged_and_done_later() {
    let shop = Shop::with(slow_queue()).await;
    let answer = quiet(
        &shop,
        Method::POST,
        "/v2/order",
        json!({"shop_id": SHOP_ID, "cashbox_id": CASHBOX_ID}),
    )
    .await;
    assert_eq!(answer.as_object().unwrap().keys().collect::<Vec<_>>(), ["id"]);
    assert!(shop.sandbox.ledger().orders.is_empty());
    until(|| shop.sandbox.ledger().orders.len() == 1).await;
    let order = shop.sandbox.ledger().orders[0].id.clone();
    assert_ne!(
        answer["id"],
        json!(order),
        "the id of the message is not the id of the sale"
    );
    assert!(shop.sandbox.ledger().calls_named("create_order")[0].effect);
}

#[tokio::test]
async fn the_header_the_query_or_the_response_type_brings_the_true_answer() {
    let shop = Shop::open().await;
    let body = json!({"shop_id": SHOP_ID, "cashbox_id": CASHBOX_ID});
    let answer = quiet(&shop, Method::POST, "/v2/order?Billz-Response-Channel=HTTP", body).await;
    assert_eq!(answer["status_code"], 200);
    let order = answer["id"].as_str().unwrap();
    let line = json!({"product_id": PRODUCT_ID, "sold_measurement_value": 2, "response_type": "HTTP"});
    let answer = quiet(&shop, Method::POST, &format!("/v2/order-product/{order}"), line).await;
    assert_eq!(answer["total_price"], 100);
    let channels: Vec<bool> = shop
        .sandbox
        .ledger()
        .calls
        .iter()
        .map(|call| call.answer_over_http)
        .collect();
    assert_eq!(channels, [true, true, true]);
}

#[tokio::test]
async fn a_read_right_after_an_acknowledgement_shows_the_old_state() {
    let shop = Shop::with(slow_queue()).await;
    let order = shop.filled().await;
    quiet(
        &shop,
        Method::POST,
        &format!("/v2/order-payment/{order}"),
        payment(&json!(100)),
    )
    .await;
    assert_eq!(shop.read(&order).await["sold_at"], "");
    until(|| shop.sandbox.ledger().order(&order).unwrap().state == OrderState::Paid).await;
    assert_ne!(shop.read(&order).await["sold_at"], "");
}

#[tokio::test]
async fn a_refusal_of_an_acknowledged_write_is_never_seen() {
    let shop = Shop::open().await;
    let order = shop.filled().await;
    let wrong = json!({"payments": [{"company_payment_type_id": PAYMENT_TYPE_ID, "paid_amount": 1}]});
    let answer = quiet(&shop, Method::POST, &format!("/v2/order-payment/{order}"), wrong).await;
    assert!(answer["id"].is_string());
    // The queue is worked off in its order: once this draft is there, the payment has had its turn.
    let drafts = shop.sandbox.ledger().orders.len();
    quiet(
        &shop,
        Method::POST,
        "/v2/order",
        json!({"shop_id": SHOP_ID, "cashbox_id": CASHBOX_ID}),
    )
    .await;
    until(|| shop.sandbox.ledger().orders.len() > drafts).await;
    assert_eq!(shop.sandbox.ledger().times_paid(&order), 0);
    assert!(!shop.sandbox.ledger().calls_named("pay")[0].effect);
}
