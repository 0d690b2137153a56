//! What changes a draft: lines, quantities, a client, discounts.

use billwright_sandbox::{OTHER_PRODUCT_ID, PRODUCT_ID, SELLER_ID, SandboxSettings, WEIGHED_PRODUCT_ID};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Shop, names};

#[tokio::test]
async fn a_line_is_answered_with_the_cart() {
    let shop = Shop::open().await;
    let order = shop.draft().await;
    let body = json!({"product_id": PRODUCT_ID, "sold_measurement_value": 2, "seller_ids": [SELLER_ID],
        "used_wholesale_price": false, "is_manual": false, "response_type": "HTTP"});
    let cart = shop
        .done(Method::POST, &format!("/v2/order-product/{order}"), body)
        .await;
    assert_eq!(
        names(&cart),
        [
            "order_id",
            "discount_unit",
            "discount_value",
            "customer",
            "items",
            "search_result",
            "left_measurement_value",
            "returned_cashback",
            "total_price",
            "is_postponed",
            "promo_codes",
            "free_price",
            "order_version",
            "order_bill_version"
        ]
    );
    assert_eq!(
        (&cart["order_id"], &cart["total_price"], &cart["is_postponed"]),
        (&json!(order), &json!(100), &json!(false))
    );
    assert_eq!(
        cart["left_measurement_value"],
        json!({"product_id": PRODUCT_ID, "left_measurement_value": 999_998})
    );
    let item = &cart["items"][0];
    assert_eq!(
        (
            &item["product_id"],
            &item["measurement_value"],
            &item["price"],
            &item["total_price"]
        ),
        (&json!(PRODUCT_ID), &json!(2), &json!(50), &json!(100))
    );
    assert_eq!(item["sellers"], json!([{"seller_id": SELLER_ID}]));
}

#[tokio::test]
async fn a_line_is_refused_for_what_is_not_there() {
    let shop = Shop::open().await;
    let order = shop.draft().await;
    let path = format!("/v2/order-product/{order}");
    for body in [
        json!({"sold_measurement_value": 1}),
        json!({"product_id": "unknown", "sold_measurement_value": 1}),
        json!({"product_id": PRODUCT_ID}),
        json!({"product_id": PRODUCT_ID, "sold_measurement_value": 0}),
        json!({"product_id": PRODUCT_ID, "sold_measurement_value": -1}),
        json!({"product_id": PRODUCT_ID, "sold_measurement_value": "2"}),
        json!({"product_id": PRODUCT_ID, "sold_measurement_value": 1e300}),
        json!({"product_id": PRODUCT_ID, "sold_measurement_value": 1, "seller_ids": ["stranger"]}),
        json!({"product_id": PRODUCT_ID, "sold_measurement_value": 1, "seller_ids": "emp123"}),
    ] {
        let (status, answer) = shop.post(&path, body.clone()).await;
        assert_eq!(
            (status.as_u16(), &answer["error"]["code"]),
            (400, &json!("BAD_REQUEST")),
            "{body}"
        );
    }
    let (status, answer) = shop.add("no-such-order", PRODUCT_ID, json!(1)).await;
    assert_eq!((status.as_u16(), &answer["error"]["code"]), (404, &json!("NOT_FOUND")));
    assert!(
        shop.read(&order).await["order_detail"]["order_items"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn any_product_is_taken_only_when_the_settings_say_so() {
    let shop = Shop::with(SandboxSettings {
        any_product: true,
        ..SandboxSettings::default()
    })
    .await;
    let order = shop.draft().await;
    assert_eq!(shop.add(&order, "whatever", json!(3)).await.1["total_price"], 300);
}

#[tokio::test]
async fn more_than_the_stock_cannot_be_added_in_pieces() {
    let shop = Shop::open().await;
    let order = shop.draft().await;
    assert_eq!(shop.add(&order, WEIGHED_PRODUCT_ID, json!(10.25)).await.0, 200);
    assert_eq!(
        shop.add(&order, WEIGHED_PRODUCT_ID, json!(0.5)).await.1["data"]["error_code"],
        20016
    );
    assert_eq!(shop.add(&order, WEIGHED_PRODUCT_ID, json!(0.25)).await.0, 200);
}

#[tokio::test]
async fn sums_are_exact() {
    let shop = Shop::open().await;
    let order = shop.draft().await;
    // 0.1 + 0.2 at 19.99 is 5.997 exactly; in floating point it is not.
    shop.add(&order, WEIGHED_PRODUCT_ID, json!(0.1)).await;
    let (_, cart) = shop.add(&order, WEIGHED_PRODUCT_ID, json!(0.2)).await;
    assert_eq!(cart["total_price"].to_string(), "5.997");
    assert_eq!(shop.pay(&order, json!(5.996)).await.1["data"]["error_code"], 20020);
    assert_eq!(shop.pay(&order, json!(5.997)).await.0, 200);
}

#[tokio::test]
async fn a_price_of_its_own_needs_free_pricing() {
    let shop = Shop::open().await;
    let order = shop.draft().await;
    let line = |product: &str| {
        json!({"product_id": product, "sold_measurement_value": 1, "use_free_price": true, "free_price": 7,
            "is_manual": true, "response_type": "HTTP"})
    };
    let path = format!("/v2/order-product/{order}");
    assert_eq!(
        shop.done(Method::POST, &path, line(WEIGHED_PRODUCT_ID)).await["total_price"],
        7
    );
    let cart = shop.done(Method::POST, &path, line(PRODUCT_ID)).await;
    assert_eq!(cart["total_price"], 57, "the retail price stays, without an error");
}

#[tokio::test]
async fn a_quantity_is_replaced_and_may_not_be_nothing() {
    let shop = Shop::open().await;
    let order = shop.filled().await;
    let path = format!("/v1/order-item/{order}");
    let set = |quantity: Value| {
        json!({"product_id": PRODUCT_ID, "measurement_value": quantity,
        "use_wholesale_price": false, "sellers": [{"seller_id": SELLER_ID}]})
    };
    let cart = shop.done(Method::PUT, &path, set(json!(3))).await;
    assert_eq!(
        (&cart["total_price"], &cart["items"][0]["sellers"]),
        (&json!(150), &json!([{"seller_id": SELLER_ID}]))
    );
    assert_eq!(shop.call(Method::PUT, &path, set(json!(0))).await.0, 400);
    assert_eq!(
        shop.call(Method::PUT, &path, set(json!(2_000_000))).await.1["data"]["error_code"],
        20016
    );
    let stranger = json!({"product_id": OTHER_PRODUCT_ID, "measurement_value": 1});
    assert_eq!(shop.call(Method::PUT, &path, stranger).await.0, 400);
    shop.park(&order).await;
    assert_eq!(shop.call(Method::PUT, &path, set(json!(1))).await.0, 400);
}

#[tokio::test]
async fn a_client_is_attached_and_shown() {
    let shop = Shop::open().await;
    let order = shop.filled().await;
    let (_, client) = shop.client("998901112233").await;
    let path = format!("/v2/order-customer-new/{order}");
    let body = json!({"customer_id": client["id"], "check_auth_code": false});
    let cart = shop.done(Method::PUT, &path, body).await;
    assert_eq!(cart["customer"]["id"], client["id"]);
    assert_eq!(cart["left_measurement_value"]["product_id"], "");
    let read = shop.read(&order).await;
    assert_eq!(
        (&read["customer_id"], &read["order_detail"]["customer"]["id"]),
        (&client["id"], &client["id"])
    );
    assert_eq!(
        shop.call(Method::PUT, &path, json!({"customer_id": "stranger"}))
            .await
            .0,
        400
    );
}

#[tokio::test]
async fn a_discount_in_currency_is_the_new_total() {
    let shop = Shop::open().await;
    let order = shop.filled().await;
    let path = format!("/v2/order-manual-discount/{order}");
    let answer = shop
        .done(
            Method::POST,
            &path,
            json!({"discount_unit": "CURRENCY", "discount_value": 90}),
        )
        .await;
    assert_eq!(
        (&answer["status_code"], &answer["error"]["code"]),
        (&json!(200), &json!(""))
    );
    let read = shop.read(&order).await;
    let detail = &read["order_detail"];
    assert_eq!(
        (&detail["total_price"], &detail["has_discount"]),
        (&json!(90), &json!(true))
    );
    assert_eq!(
        (&detail["discount_unit"], &detail["discount_value"]),
        (&json!("CURRENCY"), &json!(90))
    );
    assert_eq!(
        (
            &detail["order_items"][0]["sale_price"],
            &detail["order_items"][0]["total_price"]
        ),
        (&json!(45), &json!(90))
    );
    // Repeating it changes nothing; it may raise the price too.
    shop.done(
        Method::POST,
        &path,
        json!({"discount_unit": "CURRENCY", "discount_value": 90}),
    )
    .await;
    assert_eq!(shop.read(&order).await["order_detail"]["total_price"], 90);
    shop.done(
        Method::POST,
        &path,
        json!({"discount_unit": "CURRENCY", "discount_value": 133}),
    )
    .await;
    assert_eq!(shop.pay(&order, json!(133)).await.0, 200);
}

#[tokio::test]
async fn a_discount_on_a_product_is_its_new_unit_price() {
    let shop = Shop::open().await;
    let order = shop.filled().await;
    let path = format!("/v2/order-manual-discount/{order}");
    let body = json!({"discount_unit": "CURRENCY", "discount_value": 66, "product_id": PRODUCT_ID});
    shop.done(Method::POST, &path, body).await;
    assert_eq!(shop.read(&order).await["order_detail"]["total_price"], 132);
}

#[tokio::test]
async fn a_percentage_is_taken_off_and_spread_over_the_lines() {
    let shop = Shop::open().await;
    let order = shop.filled().await;
    shop.add(&order, WEIGHED_PRODUCT_ID, json!(1)).await;
    let path = format!("/v2/order-manual-discount/{order}");
    shop.done(
        Method::POST,
        &path,
        json!({"discount_unit": "PERCENTAGE", "discount_value": 20}),
    )
    .await;
    let detail = shop.read(&order).await["order_detail"].clone();
    assert_eq!(detail["total_price"].to_string(), "95.99");
    let totals: Vec<String> = detail["order_items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["total_price"].to_string())
        .collect();
    assert_eq!(totals, ["80", "15.99"]);
    for wrong in [
        json!({"discount_unit": "PERCENTAGE", "discount_value": 101}),
        json!({"discount_unit": "SUM", "discount_value": 1}),
        json!({"discount_unit": "CURRENCY", "discount_value": -1}),
        json!({"discount_unit": "CURRENCY"}),
        json!({"discount_unit": "CURRENCY", "discount_value": 1, "product_id": "stranger"}),
    ] {
        assert_eq!(shop.post(&path, wrong.clone()).await.0, 400, "{wrong}");
    }
}

#[tokio::test]
async fn recalculation_answers_without_a_total() {
    let shop = Shop::open().await;
    let order = shop.filled().await;
    let answer = shop
        .done(
            Method::POST,
            &format!("/v1/recalculate-order-bill/{order}"),
            Value::Null,
        )
        .await;
    assert_eq!(answer["status_code"], 200);
    assert!(answer.get("total_price").is_none());
    assert_eq!(shop.post("/v1/recalculate-order-bill/none", Value::Null).await.0, 404);
}
