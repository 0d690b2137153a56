//! The exact request of every write, and what is read from the documented answer.

use billwright_connectors::billz::{Line, NewClient, SaleState};
use billwright_domain::{Money, Quantity};
use chrono::NaiveDate;
use serde_json::{Value, json};

use crate::{
    calls, client, id, settings,
    stub::{Asked, Say, Stub},
};

pub(crate) const ORDER: &str = "cccccccc-0000-4000-8000-000000000003";
const CHANNEL: &str = "Billz-Response-Channel=HTTP";

fn assert_write(asked: &Asked, line: &str, body: &Value) {
    assert_eq!(asked.line, format!("{line}?{CHANNEL}"));
    assert_eq!(asked.header("billz-response-channel"), "HTTP");
    assert_common(asked);
    assert_eq!(asked.body, *body);
}

pub(crate) fn assert_read(asked: &Asked, line: &str) {
    assert_eq!(asked.line, line);
    assert_eq!(asked.header("billz-response-channel"), "");
    assert_common(asked);
    assert_eq!(asked.body, Value::Null);
}

fn assert_common(asked: &Asked) {
    assert_eq!(asked.header("authorization"), "Bearer token-1");
    assert_eq!(asked.header("platform-id"), "7d4a4c38-dd84-4902-b744-0488b80a4c01");
    assert_eq!(asked.header("x-correlation-id"), "correlation-1");
    assert_eq!(asked.header("accept"), "application/json");
    let sends_body = asked.body != Value::Null;
    assert_eq!(
        asked.header("content-type"),
        if sends_body { "application/json" } else { "" }
    );
}

pub(crate) fn money(text: &str) -> Money {
    Money::from_json(&json!(text)).unwrap().unwrap()
}

pub(crate) fn sale(park_status: &str) -> Value {
    json!({
        "id": ORDER, "order_number": "4410233871", "order_type": "SALE", "park_status": park_status, "finished_at": "",
        "sold_at": "", "deleted": false, "customer_id": "client-1",
        "order_detail": {
            "total_price": 230_000, "comment": "Order 1042",
            "order_items": [{"product_id": "product-1", "measurement_value": 2, "total_price": 230_000}],
            "order_payments": [{"company_payment_type_id": "card", "paid_amount": 230_000, "returned_amount": 0}]
        }
    })
}

#[tokio::test]
async fn logs_in_with_the_secret_token() {
    let stub = Stub::start().await;
    calls(&client(settings(stub.url()))).shops().await.unwrap_err();
    let login = &stub.logins()[0];
    assert_eq!(login.line, "POST /v1/auth/login");
    assert_eq!(login.body, json!({"secret_token": billwright_sandbox::SECRET_TOKEN}));
    assert_eq!(login.header("authorization"), "");
    assert_eq!(login.header("x-correlation-id"), "correlation-1");
}

#[tokio::test]
async fn creates_a_client() {
    let stub = Stub::start().await;
    stub.says("/v1/client", Say::json(&json!({"id": "client-1"})));
    let mut new = NewClient {
        first_name: "Aziza".to_owned(),
        last_name: Some("Karimova".to_owned()),
        phone: id("998901112233"),
    };
    let billz = client(settings(stub.url()));
    assert_eq!(calls(&billz).create_client(&new).await.unwrap(), id("client-1"));
    let body = json!({"first_name": "Aziza", "last_name": "Karimova", "phone_number": "+998901112233"});
    assert_write(&stub.only(), "POST /v1/client", &body);

    new.last_name = None;
    calls(&billz).create_client(&new).await.unwrap();
    assert_eq!(
        stub.asked()[1].body,
        json!({"first_name": "Aziza", "phone_number": "+998901112233"})
    );
}

#[tokio::test]
async fn creates_a_draft_in_the_configured_cash_box() {
    let stub = Stub::start().await;
    stub.says(
        "/v2/order",
        Say::json(&json!({
            "session_id": "s", "status_code": 200, "id": ORDER, "error": {"code": "", "message": ""},
            "data": {"id": ORDER, "order_number": "4410233871", "order_type": "SALE"}, "correlation_id": "c", "topic": "t"
        })),
    );
    let mut settings = settings(stub.url());
    settings.cashbox_id = Some(id("cashbox-9"));
    let shop = settings.shop_id.clone();
    let draft = calls(&client(settings)).create_order(&shop, "1042").await.unwrap();
    assert_eq!((draft.id, draft.number.as_deref()), (id(ORDER), Some("4410233871")));
    let body = json!({"shop_id": "shop-main", "cashbox_id": "cashbox-9", "comment": "1042"});
    assert_write(&stub.only(), "POST /v2/order", &body);
}

#[tokio::test]
async fn looks_a_shops_cash_box_up_once() {
    let stub = Stub::start().await;
    stub.says(
        "/v1/shop",
        Say::json(&json!({"shops": [{"id": "shop-main", "name": "Main"}, {"id": "two"}]})),
    );
    stub.says(
        "/v1/cash-box",
        Say::json(&json!({"cashboxes": [{"id": "b", "shop_id": "two"}, {"id": "a", "shop": {"id": "shop-main"}}]})),
    );
    stub.says("/v2/order", Say::json(&json!({"data": {"id": ORDER}})));
    let billz = client(settings(stub.url()));
    let both = tokio::join!(
        async { calls(&billz).create_order(&id("shop-main"), "").await },
        async { calls(&billz).create_order(&id("shop-main"), "").await }
    );
    assert!(both.0.is_ok() && both.1.is_ok());
    calls(&billz).create_order(&id("two"), "").await.unwrap();
    let asked = stub.asked();
    assert_read(&asked[0], "GET /v1/shop?limit=100&only_allowed=true&page=1");
    assert_read(&asked[1], "GET /v1/cash-box?limit=100&page=1");
    let boxes: Vec<_> = asked[2..]
        .iter()
        .map(|asked| asked.body["cashbox_id"].as_str().unwrap())
        .collect();
    assert_eq!(boxes, ["a", "a", "b"]);
    assert_eq!(asked[2].body, json!({"shop_id": "shop-main", "cashbox_id": "a"}));

    billz.refresh_reference_data(crate::context()).await.unwrap_err();
    assert!(
        stub.asked()
            .last()
            .unwrap()
            .line
            .starts_with("GET /v1/company-payment-type")
    );
}

#[tokio::test]
async fn says_what_to_do_where_no_cash_box_is_listed() {
    let stub = Stub::start().await;
    stub.says(
        "/v1/shop",
        Say::json(&json!({"shops": [{"id": "shop-main"}, {"id": "two"}]})),
    );
    stub.says(
        "/v1/cash-box",
        Say::json(&json!({"cash_boxes": [{"id": "a"}, {"id": "b"}]})),
    );
    let error = calls(&client(settings(stub.url())))
        .create_order(&id("shop-main"), "")
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("BILLZ_CASHBOX_ID") && !error.is_transient(),
        "{error}"
    );
}

#[tokio::test]
async fn adds_a_line() {
    let stub = Stub::start().await;
    let path = format!("/v2/order-product/{ORDER}");
    stub.says(
        &path,
        Say::json(&json!({
            "order_id": ORDER, "items": [{"id": "e1", "product_id": "product-1", "measurement_value": 1.5,
            "price": 125_000, "total_price": 187_500}], "total_price": 187_500.0, "is_postponed": false,
            "left_measurement_value": {"product_id": "product-1", "left_measurement_value": 7}
        })),
    );
    let mut line = Line {
        product: id("product-1"),
        quantity: Quantity::from_json(&json!("1.5")).unwrap().unwrap(),
        seller: Some(id("seller-1")),
    };
    let billz = client(settings(stub.url()));
    let cart = calls(&billz).add_item(&id(ORDER), &line).await.unwrap();
    assert_eq!(cart.total, Some(money("187500")));
    assert_eq!(cart.left_in_stock, Some(7.into()));
    assert_eq!(cart.quantity_of(&line.product), Some(line.quantity.amount()));
    let mut body = json!({
        "product_id": "product-1", "sold_measurement_value": 1.5, "used_wholesale_price": false, "is_manual": false,
        "response_type": "HTTP", "seller_ids": ["seller-1"]
    });
    assert_write(&stub.only(), &format!("POST {path}"), &body);

    line.seller = None;
    line.quantity = Quantity::from_json(&json!(2)).unwrap().unwrap();
    calls(&billz).add_item(&id(ORDER), &line).await.unwrap();
    body.as_object_mut().unwrap().remove("seller_ids");
    body["sold_measurement_value"] = json!(2);
    assert_eq!(stub.asked()[1].body, body);
}

#[tokio::test]
async fn attaches_a_client() {
    let stub = Stub::start().await;
    let path = format!("/v2/order-customer-new/{ORDER}");
    stub.says(
        &path,
        Say::json(&json!({"order_id": ORDER, "customer": {"id": "client-1"}, "items": [], "total_price": 250_000})),
    );
    let cart = calls(&client(settings(stub.url())))
        .attach_client(&id(ORDER), &id("client-1"))
        .await
        .unwrap();
    assert_eq!(
        (cart.customer, cart.total),
        (Some(id("client-1")), Some(money("250000")))
    );
    let body = json!({"customer_id": "client-1", "check_auth_code": false});
    assert_write(&stub.only(), &format!("PUT {path}"), &body);
}

#[tokio::test]
async fn sends_the_new_total_as_the_discount() {
    let stub = Stub::start().await;
    let path = format!("/v2/order-manual-discount/{ORDER}");
    stub.says(
        &path,
        Say::json(&json!({"status_code": 200, "error": {"code": "", "message": ""}})),
    );
    stub.says(&path, Say::json(&json!({"data": {"total_price": "230000.50"}})));
    let billz = client(settings(stub.url()));
    assert_eq!(calls(&billz).discount(&id(ORDER), money("230000")).await.unwrap(), None);
    assert_write(
        &stub.only(),
        &format!("POST {path}"),
        &json!({"discount_unit": "CURRENCY", "discount_value": 230_000}),
    );
    let total = calls(&billz).discount(&id(ORDER), money("230000.50")).await.unwrap();
    assert_eq!(total, Some(money("230000.5")));
    assert_eq!(stub.asked()[1].body["discount_value"], json!(230_000.5));
}

#[tokio::test]
async fn parks_a_sale() {
    let stub = Stub::start().await;
    stub.says("/v2/order/create_postpone", Say::json(&sale("active")));
    let until = NaiveDate::from_ymd_opt(2026, 12, 20)
        .unwrap()
        .and_hms_opt(23, 59, 59)
        .unwrap();
    let parked = calls(&client(settings(stub.url())))
        .park(&id(ORDER), "Order 1042", until)
        .await
        .unwrap();
    assert_eq!((parked.state, parked.total), (SaleState::Parked, money("230000")));
    let body = json!({"order_id": ORDER, "comment": "Order 1042", "time": "2026-12-20 23:59:59"});
    assert_write(&stub.only(), "POST /v2/order/create_postpone", &body);
}

#[tokio::test]
async fn an_answer_to_parking_that_shows_no_parked_sale_proves_nothing() {
    let stub = Stub::start().await;
    let until = NaiveDate::from_ymd_opt(2026, 12, 20)
        .unwrap()
        .and_hms_opt(23, 59, 59)
        .unwrap();
    let billz = client(settings(stub.url()));
    for answer in [
        sale(""),
        json!({"id": "ffffffff-0000-4000-8000-000000000009"}),
        json!({}),
    ] {
        stub.says_only("/v2/order/create_postpone", Say::json(&answer));
        let error = calls(&billz).park(&id(ORDER), "", until).await.unwrap_err();
        assert_eq!(error.outcome(), "outcome_unknown", "{answer}");
    }
}

#[tokio::test]
async fn returns_a_sale_from_the_park() {
    let stub = Stub::start().await;
    stub.says(
        "/v2/order/return-postpone",
        Say::json(&json!({"id": "ffffffff-0000-4000-8000-000000000009"})),
    );
    calls(&client(settings(stub.url())))
        .return_from_park(&id(ORDER))
        .await
        .unwrap();
    assert_write(
        &stub.only(),
        "POST /v2/order/return-postpone",
        &json!({"order_id": ORDER}),
    );
}

#[tokio::test]
async fn pays_a_sale() {
    let stub = Stub::start().await;
    let path = format!("/v2/order-payment/{ORDER}");
    stub.says(
        &path,
        Say::json(&json!({"order_type": "SALE", "should_print_cheque": true})),
    );
    let billz = client(settings(stub.url()));
    calls(&billz)
        .pay(&id(ORDER), &id("card-1"), money("230000"), "Order 1042")
        .await
        .unwrap();
    let body = json!({
        "payments": [{"company_payment_type_id": "card-1", "paid_amount": 230_000, "returned_amount": 0}],
        "comment": "Order 1042", "with_cashback": 0, "without_cashback": false, "skip_ofd": false
    });
    assert_write(&stub.only(), &format!("POST {path}"), &body);
}

#[tokio::test]
async fn an_acknowledgement_is_no_proof_that_something_changed() {
    let stub = Stub::start().await;
    let acknowledged = Say::json(&json!({"id": "ffffffff-0000-4000-8000-000000000009"}));
    let mut settings = settings(stub.url());
    settings.cashbox_id = Some(id("cashbox-9"));
    let billz = client(settings);
    let calls = calls(&billz);
    for path in [
        "/v2/order",
        "/v2/order-product/sale",
        "/v2/order-customer-new/sale",
        "/v2/order-payment/sale",
    ] {
        stub.says(path, acknowledged.clone());
    }
    let line = Line {
        product: id("product-1"),
        quantity: Quantity::new(1.into()).unwrap(),
        seller: None,
    };
    let sale = id("sale");
    for error in [
        calls.create_order(&id("shop-main"), "").await.unwrap_err(),
        calls.add_item(&sale, &line).await.unwrap_err(),
        calls.attach_client(&sale, &id("client-1")).await.unwrap_err(),
        calls.pay(&sale, &id("card-1"), money("5"), "").await.unwrap_err(),
    ] {
        assert_eq!(error.outcome(), "outcome_unknown", "{error}");
    }
}

#[tokio::test]
async fn deletes_a_draft() {
    let stub = Stub::start().await;
    calls(&client(settings(stub.url())))
        .delete_order(&id(ORDER))
        .await
        .unwrap();
    let asked = stub.only();
    assert_eq!(asked.body, Value::Null);
    assert_write(&asked, &format!("DELETE /v2/order/{ORDER}"), &Value::Null);
}

#[tokio::test]
async fn an_id_cannot_lead_to_another_resource() {
    let stub = Stub::start().await;
    let billz = client(settings(stub.url()));
    stub.says("/v2/order/a%2Fb%3Fc%2B%25%20d", Say::json(&sale("")));
    calls(&billz).order(&id("a/b?c+% d")).await.unwrap();
    assert_eq!(stub.only().line, "GET /v2/order/a%2Fb%3Fc%2B%25%20d");
    for dots in [".", ".."] {
        assert_eq!(
            calls(&billz).delete_order(&id(dots)).await.unwrap_err().outcome(),
            "not_found"
        );
    }
    assert_eq!(stub.asked().len(), 1);
}

#[tokio::test]
async fn keeps_the_path_of_a_base_address() {
    let stub = Stub::start().await;
    stub.says("/billz/v1/auth/login", Say::json(&crate::stub::login("token-1")));
    stub.says("/billz/v1/user", Say::json(&json!({"users": null})));
    let billz = client(settings(&format!("{}/billz/", stub.url())));
    assert!(calls(&billz).sellers().await.unwrap().is_empty());
    assert_eq!(stub.only().line, "GET /billz/v1/user?limit=1000&page=1");
}
