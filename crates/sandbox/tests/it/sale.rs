//! The life of a sale: opening, parking, payment, deletion, and what each of them refuses.

use billwright_sandbox::{
    CASH_PAYMENT_TYPE_ID, CASHBOX_ID, ORDER_ID, OTHER_CASHBOX_ID, OrderState, PAYMENT_TYPE_ID, PRODUCT_ID,
    SCARCE_PRODUCT_ID, SHOP_ID,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Shop, names, payment};

#[tokio::test]
async fn a_sale_is_opened_filled_parked_and_paid_once() {
    let shop = Shop::open().await;
    let order = shop.filled().await;
    let (status, parked) = shop.park(&order).await;
    assert_eq!(status, 200, "{parked}");
    assert_eq!(parked["park_status"], "active");
    assert_eq!(
        parked["future_time"], "2099-12-20 23:59:59",
        "only the day of the time counts"
    );
    assert_eq!(parked["order_detail"]["total_price"], 100);
    assert_eq!(parked["order_detail"]["comment"], "Order 1042");

    let (status, paid) = shop.pay(&order, json!(100)).await;
    assert_eq!(
        (status.as_u16(), paid),
        (200, json!({"order_type": "SALE", "should_print_cheque": true}))
    );

    let ledger = shop.sandbox.ledger();
    assert_eq!(ledger.times_paid(&order), 1);
    assert_eq!(ledger.order(&order).unwrap().state, OrderState::Paid);
    let stock = ledger
        .stock
        .iter()
        .find(|stock| stock.product_id == PRODUCT_ID)
        .unwrap();
    assert_eq!((stock.stock, stock.available), (999_998.into(), 999_998.into()));
}

#[tokio::test]
async fn a_new_sale_comes_in_the_envelope() {
    let shop = Shop::open().await;
    let (status, answer) = shop
        .post("/v2/order", json!({"shop_id": SHOP_ID, "cashbox_id": CASHBOX_ID}))
        .await;
    assert_eq!(status, 200);
    assert_eq!(
        names(&answer),
        [
            "session_id",
            "status_code",
            "id",
            "error",
            "data",
            "correlation_id",
            "topic"
        ]
    );
    assert_eq!(
        (&answer["status_code"], &answer["error"]),
        (&json!(200), &json!({"code": "", "message": ""}))
    );
    assert_eq!(answer["id"], answer["data"]["id"]);
    assert_eq!(answer["data"]["order_type"], "SALE");
    assert_eq!(answer["data"]["order_number"].as_str().unwrap().len(), 10);
    assert_eq!(answer["topic"], "v2.order_service.order.created");
}

#[tokio::test]
async fn a_new_sale_needs_a_shop_and_a_cash_box_of_that_shop() {
    let shop = Shop::open().await;
    for body in [
        json!({}),
        json!({"shop_id": SHOP_ID}),
        json!({"cashbox_id": CASHBOX_ID}),
        json!({"shop_id": "elsewhere", "cashbox_id": CASHBOX_ID}),
        json!({"shop_id": SHOP_ID, "cashbox_id": "none"}),
        json!({"shop_id": SHOP_ID, "cashbox_id": OTHER_CASHBOX_ID}),
    ] {
        assert_eq!(shop.post("/v2/order", body.clone()).await.0, 400, "{body}");
    }
    assert!(shop.sandbox.ledger().orders.is_empty());
}

#[tokio::test]
async fn drafts_hold_no_stock_and_parked_sales_do() {
    let shop = Shop::open().await;
    let (first, second, third) = (shop.draft().await, shop.draft().await, shop.draft().await);
    assert_eq!(shop.add(&first, SCARCE_PRODUCT_ID, json!(1)).await.0, 200);
    assert_eq!(
        shop.add(&second, SCARCE_PRODUCT_ID, json!(1)).await.0,
        200,
        "a draft holds nothing"
    );
    assert_eq!(shop.park(&first).await.0, 200);
    for (status, refused) in [
        shop.park(&second).await,
        shop.pay(&second, json!(100)).await,
        shop.add(&third, SCARCE_PRODUCT_ID, json!(1)).await,
    ] {
        assert_eq!(
            (status.as_u16(), &refused["data"]["error_code"]),
            (400, &json!(20016)),
            "{refused}"
        );
    }
    assert_eq!(shop.unpark(&first).await.0, 200);
    assert_eq!(shop.park(&second).await.0, 200, "the units are free again");
    assert_eq!(
        shop.pay(&second, json!(100)).await.0,
        200,
        "its own hold does not stand in its way"
    );
    assert_eq!(shop.pay(&first, json!(100)).await.1["data"]["error_code"], 20016);
    let ledger = shop.sandbox.ledger();
    let scarce = ledger
        .stock
        .iter()
        .find(|stock| stock.product_id == SCARCE_PRODUCT_ID)
        .unwrap();
    assert_eq!((scarce.stock, scarce.available), (0.into(), 0.into()));
}

#[tokio::test]
async fn parking_is_refused_for_what_cannot_be_parked() {
    let shop = Shop::open().await;
    let empty = shop.draft().await;
    assert_eq!(shop.park(&empty).await.0, 400, "empty");
    let order = shop.filled().await;
    for time in [
        json!("20.12.2099"),
        json!("2099-12-20T10:00:00Z"),
        json!("2000-01-01 10:00:00"),
        Value::Null,
    ] {
        let body = json!({"order_id": order, "comment": "", "time": time});
        assert_eq!(shop.post("/v2/order/create_postpone", body).await.0, 400, "{time}");
    }
    assert_eq!(
        shop.post("/v2/order/create_postpone", json!({"time": "2099-12-20 06:47:30"}))
            .await
            .0,
        400
    );
    assert_eq!(shop.park("none").await.0, 404);
    assert_eq!(shop.park(&order).await.0, 200);
    assert_eq!(shop.park(&order).await.0, 400, "parked already");
    assert_eq!(shop.pay(&order, json!(100)).await.0, 200);
    assert_eq!(shop.park(&order).await.0, 400, "paid");
}

#[tokio::test]
async fn a_parked_or_paid_sale_does_not_change() {
    let shop = Shop::open().await;
    let order = shop.filled().await;
    let (_, client) = shop.client("998901112233").await;
    shop.park(&order).await;
    for paid in [false, true] {
        if paid {
            assert_eq!(shop.pay(&order, json!(100)).await.0, 200);
        }
        let discount = json!({"discount_unit": "CURRENCY", "discount_value": 1});
        let customer = json!({"customer_id": client["id"], "check_auth_code": false});
        assert_eq!(shop.add(&order, PRODUCT_ID, json!(1)).await.0, 400);
        assert_eq!(
            shop.post(&format!("/v2/order-manual-discount/{order}"), discount)
                .await
                .0,
            400
        );
        assert_eq!(
            shop.call(Method::PUT, &format!("/v2/order-customer-new/{order}"), customer)
                .await
                .0,
            400
        );
        assert_eq!(shop.delete(&order).await.0, 400);
        assert_eq!(shop.read(&order).await["order_detail"]["total_price"], 100);
    }
    assert_eq!(shop.unpark(&order).await.0, 400, "a paid sale is no longer parked");
}

#[tokio::test]
async fn returning_makes_a_parked_sale_a_draft_again() {
    let shop = Shop::open().await;
    let order = shop.filled().await;
    assert_eq!(shop.unpark(&order).await.0, 400, "it is not parked");
    shop.park(&order).await;
    let (status, answer) = shop.unpark(&order).await;
    assert_eq!((status.as_u16(), names(&answer)), (200, vec!["id"]));
    let read = shop.read(&order).await;
    assert_eq!((&read["park_status"], &read["future_time"]), (&json!(""), &json!("")));
    assert_eq!(shop.sandbox.ledger().order(&order).unwrap().state, OrderState::Draft);
    assert_eq!(shop.add(&order, PRODUCT_ID, json!(1)).await.0, 200);
    assert_eq!(shop.unpark("none").await.0, 404);
}

#[tokio::test]
async fn deletion_is_for_drafts() {
    let shop = Shop::open().await;
    let order = shop.filled().await;
    shop.park(&order).await;
    let (status, refused) = shop.delete(&order).await;
    assert_eq!(
        (status.as_u16(), &refused["error"]["message"]),
        (400, &json!("failed to validate delete order"))
    );
    shop.unpark(&order).await;
    let (status, answer) = shop.delete(&order).await;
    assert_eq!((status.as_u16(), names(&answer)), (200, vec!["id"]));
    let ledger = shop.sandbox.ledger();
    assert!(ledger.order(&order).unwrap().deleted);
    assert!(ledger.live_orders().is_empty());
    assert_eq!(shop.add(&order, PRODUCT_ID, json!(1)).await.0, 404);
    assert_eq!(shop.delete("none").await.0, 404);
}

#[tokio::test]
async fn a_payment_must_be_the_total_by_a_known_company_payment_type() {
    let shop = Shop::open().await;
    let order = shop.filled().await;
    let (status, refused) = shop.pay(&order, json!(99)).await;
    assert_eq!((status.as_u16(), &refused["data"]["error_code"]), (400, &json!(20020)));
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("99") && message.contains("100"),
        "both figures are named: {message}"
    );
    for rows in [
        json!([]),
        json!([{"paid_amount": 100}]),
        json!([{"company_payment_type_id": "general-card123", "paid_amount": 100}]),
        json!([{"company_payment_type_id": PAYMENT_TYPE_ID, "paid_amount": "100"}]),
        json!([{"company_payment_type_id": PAYMENT_TYPE_ID, "paid_amount": 150},
            {"company_payment_type_id": PAYMENT_TYPE_ID, "paid_amount": -50}]),
        json!("all"),
    ] {
        let path = format!("/v2/order-payment/{order}");
        assert_eq!(shop.post(&path, json!({"payments": rows})).await.0, 400, "{rows}");
    }
    assert_eq!(shop.pay("none", json!(100)).await.0, 404);
    assert_eq!(shop.pay(ORDER_ID, json!(0)).await.0, 400, "an empty sale");
    let ledger = shop.sandbox.ledger();
    assert!(ledger.payments.is_empty());
    assert_eq!(ledger.calls_named("pay").iter().filter(|call| call.effect).count(), 0);

    let split = json!({"comment": "Order 7", "payments": [
        {"company_payment_type_id": PAYMENT_TYPE_ID, "paid_amount": 60},
        {"company_payment_type_id": CASH_PAYMENT_TYPE_ID, "paid_amount": 40}]});
    shop.done(Method::POST, &format!("/v2/order-payment/{order}"), split)
        .await;
    let ledger = shop.sandbox.ledger();
    assert_eq!((ledger.payments_of(&order).len(), ledger.times_paid(&order)), (2, 1));
    assert_eq!(ledger.orders_with_comment("Order 7").len(), 1);
}

#[tokio::test]
async fn a_read_shows_everything_that_the_documentation_names() {
    let shop = Shop::open().await;
    let order = shop.filled().await;
    let draft = shop.read(&order).await;
    assert_eq!(
        names(&draft),
        [
            "id",
            "parent_id",
            "company_id",
            "order_number",
            "order_status",
            "order_type",
            "customer_id",
            "created_at",
            "created_at_utc",
            "updated_at",
            "finished_at",
            "display_finished_at",
            "sold_at",
            "display_sold_at",
            "future_time",
            "park_status",
            "deleted",
            "deleted_at",
            "debt",
            "exchange_disabled",
            "order_detail"
        ]
    );
    for blank in ["finished_at", "sold_at", "future_time", "park_status", "customer_id"] {
        assert_eq!(draft[blank], "", "{blank}");
    }
    let local = chrono::NaiveDateTime::parse_from_str(draft["created_at"].as_str().unwrap(), "%F %T").unwrap();
    let utc = chrono::NaiveDateTime::parse_from_str(draft["created_at_utc"].as_str().unwrap(), "%F %T").unwrap();
    assert_eq!(local - utc, chrono::TimeDelta::hours(5));
    shop.pay(&order, json!(100)).await;
    let paid = shop.read(&order).await;
    for moment in ["finished_at", "sold_at"] {
        let text = paid[moment].as_str().unwrap();
        assert!(
            text.ends_with('Z') && chrono::DateTime::parse_from_rfc3339(text).is_ok(),
            "{moment}: {text}"
        );
    }
    assert_eq!(shop.get("/v2/order/none").await.0, 404);
}

#[tokio::test]
async fn stock_can_sell_out_between_two_calls() {
    let shop = Shop::open().await;
    let order = shop.filled().await;
    assert!(shop.sandbox.set_stock(PRODUCT_ID, 1));
    assert_eq!(shop.park(&order).await.1["data"]["error_code"], 20016);
    assert!(shop.sandbox.set_stock(PRODUCT_ID, 2));
    assert_eq!(shop.park(&order).await.0, 200);
    assert!(!shop.sandbox.set_stock("unknown", 2));
}

#[tokio::test]
async fn the_examples_of_the_seed_fit() {
    let shop = Shop::open().await;
    // The example line and the example payment are about this sale, which is no news until somebody touches it.
    assert_eq!(shop.read(ORDER_ID).await["deleted"], false);
    assert!(shop.sandbox.ledger().orders.is_empty());
    let line = json!({"product_id": "product123", "sold_measurement_value": 2, "seller_ids": ["emp123"],
        "response_type": "HTTP"});
    let cart = shop
        .done(Method::POST, &format!("/v2/order-product/{ORDER_ID}"), line)
        .await;
    assert_eq!(cart["total_price"], 150);
    shop.done(
        Method::POST,
        &format!("/v2/order-payment/{ORDER_ID}"),
        payment(&json!(150)),
    )
    .await;
    assert_eq!(shop.sandbox.ledger_without_calls().times_paid(ORDER_ID), 1);
    assert!(shop.sandbox.ledger_without_calls().calls.is_empty());
    // The example order has two of this product for 100.
    assert_eq!(
        shop.read(&shop.filled().await).await["order_detail"]["total_price"],
        100
    );
}

#[tokio::test]
async fn nothing_that_is_sent_breaks_it() {
    let shop = Shop::open().await;
    let order = shop.filled().await;
    let paths = [
        (Method::POST, "/v1/auth/login".to_owned()),
        (Method::POST, "/v1/client".to_owned()),
        (Method::POST, "/v2/order".to_owned()),
        (Method::POST, format!("/v2/order-product/{order}")),
        (Method::PUT, format!("/v1/order-item/{order}")),
        (Method::PUT, format!("/v2/order-customer-new/{order}")),
        (Method::POST, format!("/v2/order-manual-discount/{order}")),
        (Method::POST, "/v2/order/create_postpone".to_owned()),
        (Method::POST, "/v2/order/return-postpone".to_owned()),
        (Method::POST, format!("/v2/order-payment/{order}")),
    ];
    let bodies = [
        "",
        "{",
        "null",
        "[]",
        "1",
        "\"text\"",
        "{\"secret_token\":[]}",
        "{\"product_id\":\"prod123\",\"sold_measurement_value\":1e15,\"measurement_value\":1e15}",
        "{\"product_id\":\"prod123\",\"sold_measurement_value\":1e-28,\"measurement_value\":99999999999999999999999}",
        "{\"discount_unit\":\"CURRENCY\",\"discount_value\":1e15,\"product_id\":\"prod123\"}",
        "{\"discount_unit\":\"PERCENTAGE\",\"discount_value\":1e-20}",
        "{\"payments\":[{\"company_payment_type_id\":\"card123\",\"paid_amount\":1e15}]}",
        "\u{0}\u{1}",
    ];
    for (method, path) in paths {
        for body in bodies {
            let url = format!("{}{path}", shop.sandbox.billz_url());
            let request = shop.http.request(method.clone(), url).bearer_auth(&shop.token);
            let request = request.header("Billz-Response-Channel", "HTTP").body(body.to_owned());
            let status = request.send().await.unwrap().status().as_u16();
            assert!([200, 400, 401, 404].contains(&status), "{path} {body}: {status}");
        }
    }
    assert_eq!(shop.get(&format!("/v2/order/{order}")).await.0, 200);
}
