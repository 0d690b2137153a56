//! Each unknown habit of Billz, in each of its forms.

use billwright_sandbox::{
    CASHBOX_ID, DeletedOrder, DraftComment, DuplicatePhone, ExpiredPark, LegacyCalls, ListCount, OrderPayments,
    OrderShape, OrderState, PAYMENT_TYPE_ID, PRODUCT_ID, PaidParkStatus, PhoneFilter, SCARCE_PRODUCT_ID, SHOP_ID,
    SaleError, SameProduct, SecondDelete, SecondPayment, SecondPercentage, Variants,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::Shop;

#[tokio::test]
async fn a_duplicate_phone_makes_a_second_client_or_is_refused() {
    let shop = Shop::with_variant(|variants| variants.duplicate_phone = DuplicatePhone::Doubled).await;
    assert_eq!(shop.client("+998901112233").await.0, 200);
    assert_eq!(shop.client("998901112233").await.0, 200);
    assert_eq!(shop.sandbox.ledger().client_count("998901112233"), 2);
    shop.sandbox
        .set_variant(|variants| variants.duplicate_phone = DuplicatePhone::Refused);
    assert_eq!(shop.client("998901112233").await.0, 400);
    assert_eq!(shop.sandbox.ledger().client_count("998901112233"), 2);
}

#[tokio::test]
async fn the_same_product_sums_or_adds_a_line() {
    for (variant, lines) in [(SameProduct::Sums, 1), (SameProduct::AddsLine, 2)] {
        let shop = Shop::with_variant(|variants| variants.same_product = variant).await;
        let order = shop.filled().await;
        let (_, cart) = shop.add(&order, PRODUCT_ID, json!(1)).await;
        assert_eq!(
            (cart["items"].as_array().unwrap().len(), &cart["total_price"]),
            (lines, &json!(150))
        );
    }
}

#[tokio::test]
async fn a_second_delete_is_not_found_or_accepted() {
    for (variant, status) in [(SecondDelete::NotFound, 404), (SecondDelete::Accepted, 200)] {
        let shop = Shop::with_variant(|variants| variants.second_delete = variant).await;
        let order = shop.draft().await;
        shop.delete(&order).await;
        assert_eq!(shop.delete(&order).await.0, status);
    }
}

#[tokio::test]
async fn a_deleted_sale_is_not_found_or_marked() {
    for (variant, status) in [(DeletedOrder::NotFound, 404), (DeletedOrder::Marked, 200)] {
        let shop = Shop::with_variant(|variants| variants.deleted_order = variant).await;
        let order = shop.draft().await;
        shop.delete(&order).await;
        let (found, body) = shop.get(&format!("/v2/order/{order}")).await;
        assert_eq!(found, status);
        if status == 200 {
            assert_eq!(body["deleted"], true);
            assert!(body["deleted_at"].as_i64().unwrap() > 0);
        }
    }
}

#[tokio::test]
async fn a_second_payment_is_counted_or_refused() {
    let shop = Shop::with_variant(|variants| variants.second_payment = SecondPayment::Accepted).await;
    let order = shop.filled().await;
    shop.pay(&order, json!(100)).await;
    assert_eq!(shop.pay(&order, json!(100)).await.0, 200);
    let ledger = shop.sandbox.ledger();
    assert_eq!((ledger.times_paid(&order), ledger.payments_of(&order).len()), (2, 2));
    let goods = ledger
        .stock
        .iter()
        .find(|stock| stock.product_id == PRODUCT_ID)
        .unwrap();
    assert_eq!(goods.stock, 999_998.into(), "the goods leave once");
    shop.sandbox
        .set_variant(|variants| variants.second_payment = SecondPayment::Refused);
    assert_eq!(shop.pay(&order, json!(100)).await.0, 400);
    assert_eq!(shop.sandbox.ledger().times_paid(&order), 2);
}

#[tokio::test]
async fn payments_are_shown_or_not() {
    let shop = Shop::with_variant(|variants| variants.order_payments = OrderPayments::Hidden).await;
    let order = shop.filled().await;
    shop.pay(&order, json!(100)).await;
    assert!(shop.read(&order).await["order_detail"].get("order_payments").is_none());
    shop.sandbox
        .set_variant(|variants| variants.order_payments = OrderPayments::Visible);
    let read = shop.read(&order).await;
    let payment = &read["order_detail"]["order_payments"][0];
    assert_eq!(
        (
            &payment["company_payment_type_id"],
            &payment["paid_amount"],
            &payment["returned_amount"]
        ),
        (&json!(PAYMENT_TYPE_ID), &json!(100), &json!(0))
    );
}

#[tokio::test]
async fn the_park_status_of_a_paid_sale_is_empty_or_completed() {
    let shop = Shop::open().await;
    let (plain, parked) = (shop.filled().await, shop.filled().await);
    shop.park(&parked).await;
    shop.pay(&plain, json!(100)).await;
    shop.pay(&parked, json!(100)).await;
    for (variant, of_plain, of_parked) in [
        (PaidParkStatus::Empty, "", ""),
        (PaidParkStatus::Completed, "completed", "completed"),
        (PaidParkStatus::CompletedIfParked, "", "completed"),
    ] {
        shop.sandbox.set_variant(|variants| variants.paid_park_status = variant);
        assert_eq!(shop.read(&plain).await["park_status"], of_plain, "{variant:?}");
        assert_eq!(shop.read(&parked).await["park_status"], of_parked, "{variant:?}");
    }
}

#[tokio::test]
async fn the_count_of_a_list_may_be_a_lie() {
    let shop = Shop::with_variant(|variants| variants.list_count = ListCount::Zero).await;
    shop.client("998901112233").await;
    let (_, list) = shop.get("/v1/client").await;
    assert_eq!(
        (&list["count"], list["clients"].as_array().unwrap().len()),
        (&json!(0), 1)
    );
}

#[tokio::test]
async fn the_comment_of_a_new_sale_is_dropped_or_stored() {
    for (variant, comment) in [(DraftComment::Dropped, ""), (DraftComment::Stored, "Order 5")] {
        let shop = Shop::with_variant(|variants| variants.draft_comment = variant).await;
        let body = json!({"shop_id": SHOP_ID, "cashbox_id": CASHBOX_ID, "comment": "Order 5"});
        let order = shop.done(Method::POST, "/v2/order", body).await["id"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(shop.read(&order).await["order_detail"]["comment"], comment);
    }
}

#[tokio::test]
async fn a_sale_is_read_plain_or_inside_data() {
    let shop = Shop::with_variant(|variants| variants.order_shape = OrderShape::InData).await;
    let order = shop.filled().await;
    let read = shop.read(&order).await;
    assert_eq!((&read["data"]["id"], read.get("id")), (&json!(order), None));
}

#[tokio::test]
async fn the_phone_filter_is_exact_verbatim_or_fuzzy() {
    let shop = Shop::open().await;
    shop.client("998905556677").await;
    shop.client("+998901112233").await;
    let found = async |query: &str| -> Vec<String> {
        let (_, list) = shop.get(&format!("/v1/client?phone_number={query}")).await;
        let rows = list["clients"].as_array().cloned().unwrap_or_default();
        rows.iter()
            .map(|row| row["phone_numbers"][0].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(found("998901112233").await, ["+998901112233"]);
    shop.sandbox
        .set_variant(|variants| variants.phone_filter = PhoneFilter::Verbatim);
    assert_eq!(found("998901112233").await, Vec::<String>::new());
    assert_eq!(found("%2B998901112233").await, ["+998901112233"]);
    shop.sandbox
        .set_variant(|variants| variants.phone_filter = PhoneFilter::Fuzzy);
    assert_eq!(
        found("998901112233").await,
        ["998905556677", "+998901112233"],
        "someone else comes first"
    );
    assert_eq!(found("79990000000").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_refused_sale_is_said_in_three_ways() {
    let shop = Shop::open().await;
    let order = shop.filled().await;
    shop.sandbox
        .set_variant(|variants| variants.sale_error = SaleError::BadRequest);
    let (status, refused) = shop.pay(&order, json!(1)).await;
    assert_eq!((status.as_u16(), &refused["data"]["error_code"]), (400, &json!(20020)));
    shop.sandbox
        .set_variant(|variants| variants.sale_error = SaleError::Envelope);
    let (status, refused) = shop.pay(&order, json!(1)).await;
    assert_eq!(
        (status.as_u16(), &refused["status_code"], &refused["data"]["error_code"]),
        (200, &json!(400), &json!(20020))
    );
    assert_ne!(refused["error"]["message"], "");
    shop.sandbox
        .set_variant(|variants| variants.sale_error = SaleError::BareCode);
    let (status, refused) = shop.pay(&order, json!(1)).await;
    assert_eq!((status.as_u16(), refused.as_object().unwrap().len()), (200, 1));
    assert_eq!(refused["data"]["error_code"], 20020);
    // A refusal without a known number still says that it is one.
    shop.park(&order).await;
    assert_eq!(shop.delete(&order).await.1["status_code"], 400);
}

#[tokio::test]
async fn an_expired_park_holds_its_units_or_frees_them() {
    for (variant, status) in [(ExpiredPark::Holds, 400), (ExpiredPark::Frees, 200)] {
        let shop = Shop::with_variant(|variants| variants.expired_park = variant).await;
        let order = shop.draft().await;
        shop.add(&order, SCARCE_PRODUCT_ID, json!(1)).await;
        shop.park(&order).await;
        shop.sandbox.advance_clock(chrono::TimeDelta::days(80 * 365));
        let mut shop = shop;
        shop.login().await;
        assert_eq!(shop.read(&order).await["park_status"], "expired");
        assert_eq!(shop.sandbox.ledger().order(&order).unwrap().state, OrderState::Expired);
        let other = shop.draft().await;
        assert_eq!(
            shop.add(&other, SCARCE_PRODUCT_ID, json!(1)).await.0,
            status,
            "{variant:?}"
        );
        assert_eq!(shop.unpark(&order).await.0, 200);
        let scarce = shop
            .sandbox
            .ledger()
            .stock
            .into_iter()
            .find(|goods| goods.product_id == SCARCE_PRODUCT_ID);
        assert_eq!(scarce.unwrap().available, 1.into(), "{variant:?}");
    }
}

#[tokio::test]
async fn a_second_percentage_replaces_or_compounds() {
    for (variant, total) in [(SecondPercentage::Replaces, 80), (SecondPercentage::Compounds, 64)] {
        let shop = Shop::with_variant(|variants| variants.second_percentage = variant).await;
        let order = shop.filled().await;
        for _ in 0..2 {
            let body = json!({"discount_unit": "PERCENTAGE", "discount_value": 20});
            shop.done(Method::POST, &format!("/v2/order-manual-discount/{order}"), body)
                .await;
        }
        assert_eq!(shop.read(&order).await["order_detail"]["total_price"], total);
    }
}

#[tokio::test]
async fn the_calls_of_old_are_gone_or_answer() {
    let shop = Shop::open().await;
    let call = async |method: &str, params: Value| {
        shop.post("/v1/orders", json!({"method": method, "params": params}))
            .await
    };
    assert_eq!(call("order.create", json!({"shop_id": SHOP_ID})).await.0, 404);
    shop.sandbox
        .set_variant(|variants| variants.legacy_calls = LegacyCalls::Answer);
    let (_, created) = call("order.create", json!({"shop_id": SHOP_ID})).await;
    let order = created["result"].as_str().unwrap();
    let (_, client) = shop.client("998901112233").await;
    for (method, params) in [
        (
            "order.add_item",
            json!({"order_id": order, "product_id": PRODUCT_ID, "measurement_value": 2}),
        ),
        (
            "order.add_customer",
            json!({"order_id": order, "customer_id": client["id"]}),
        ),
        (
            "order.postpone",
            json!({"order_id": order, "comment": "Order 1", "time": "2099-12-20 12:00:00"}),
        ),
        (
            "order.make_payment",
            json!({"order_id": order, "payments": [
            {"id": "x", "company_payment_type_id": PAYMENT_TYPE_ID, "paid_amount": 100}]}),
        ),
    ] {
        let (status, answer) = call(method, params).await;
        assert_eq!((status.as_u16(), answer), (200, json!({"result": "ok"})), "{method}");
    }
    let ledger = shop.sandbox.ledger();
    assert_eq!((ledger.times_paid(order), ledger.calls_for(order).len()), (1, 4));
    for (method, params, status) in [
        ("order.fly", json!({}), 400),
        ("order.create", json!({"shop_id": "none"}), 400),
        (
            "order.postpone",
            json!({"order_id": order, "time": "2099-12-20 12:00:00"}),
            400,
        ),
        ("order.make_payment", json!({"order_id": "none", "payments": []}), 404),
    ] {
        let (answered, error) = call(method, params).await;
        assert_eq!(answered, status, "{method}");
        assert!(error["error"]["message"].is_string(), "{error}");
    }
}

#[test]
fn every_choice_is_among_the_variants_that_a_client_is_tried_with() {
    let habits = serde_json::to_value(Variants::default()).unwrap();
    let each = Variants::each();
    let changed = |variants: &Variants| -> Vec<String> {
        let variants = serde_json::to_value(variants).unwrap();
        let fields = habits.as_object().unwrap().iter();
        fields
            .filter(|(habit, choice)| variants[habit.as_str()] != **choice)
            .map(|(habit, _)| habit.clone())
            .collect()
    };
    assert!(
        each[1..]
            .iter()
            .all(|(name, variants)| changed(variants).len() == 1 && name.contains('='))
    );
    for habit in habits.as_object().unwrap().keys() {
        assert!(
            each.iter().any(|(_, variants)| changed(variants) == [habit.as_str()]),
            "{habit} is missing"
        );
    }
    assert_eq!(Variants::drawn(5), Variants::drawn(5));
    assert_ne!(Variants::drawn(5), Variants::drawn(6));
}

#[test]
fn every_variant_can_be_named_in_json() {
    let all = serde_json::to_value(Variants::default()).unwrap();
    assert!(all.as_object().unwrap().values().all(Value::is_string), "{all}");
    let read: Variants = serde_json::from_value(json!({"same_product": "adds_line"})).unwrap();
    assert_eq!(read.same_product, SameProduct::AddsLine);
    assert!(serde_json::from_value::<Variants>(json!({"no_such": 1})).is_err());
}
