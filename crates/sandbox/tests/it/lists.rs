//! Reference lists, and the lists of sales.

use billwright_sandbox::{
    CASHBOX_ID, CashBoxKey, EmptyList, OTHER_CASHBOX_ID, OTHER_SHOP_ID, PAYMENT_TYPE_ID, SELLER_ID, SHOP_ID,
    SandboxSettings, ShopCashBoxes,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::Shop;

#[tokio::test]
async fn shops_name_their_cash_boxes_or_only_count_them() {
    let shop = Shop::open().await;
    let (_, shops) = shop.get("/v1/shop?limit=100&only_allowed=true").await;
    assert_eq!(shops["count"], 2);
    assert_eq!(
        shops["shops"][0],
        json!({"id": SHOP_ID, "company_id": "company-sandbox", "name": "Main store", "cash_boxes_count": 1,
            "cash_boxes": [{"id": CASHBOX_ID, "name": "Till 1"}]})
    );
    shop.sandbox
        .set_variant(|variants| variants.shop_cash_boxes = ShopCashBoxes::Counted);
    let (_, shops) = shop.get("/v1/shop").await;
    assert_eq!(
        (&shops["shops"][0]["cash_boxes"], &shops["shops"][0]["cash_boxes_count"]),
        (&Value::Null, &json!(1))
    );
}

#[tokio::test]
async fn cash_boxes_come_under_either_key() {
    let shop = Shop::open().await;
    let rows = json!([{"id": CASHBOX_ID, "name": "Till 1"}, {"id": OTHER_CASHBOX_ID, "name": "Till 2"}]);
    assert_eq!(
        shop.get("/v1/cash-box?limit=100").await.1,
        json!({"count": 2, "cash_boxes": rows})
    );
    shop.sandbox
        .set_variant(|variants| variants.cash_box_key = CashBoxKey::Cashboxes);
    assert_eq!(
        shop.get("/v1/cash-box?limit=100").await.1,
        json!({"count": 2, "cashboxes": rows})
    );
}

#[tokio::test]
async fn payment_types_have_an_id_of_their_own_and_a_general_one_inside() {
    let shop = Shop::open().await;
    let (_, kinds) = shop.get("/v1/company-payment-type?limit=1000").await;
    let card = &kinds["company_payment_types"][0];
    assert_eq!(
        (&card["id"], &card["name"], &card["is_cash_payment_type"]),
        (&json!(PAYMENT_TYPE_ID), &json!("Карта"), &json!(false))
    );
    assert_ne!(card["payment_type"]["id"], card["id"]);
    assert_eq!(kinds["company_payment_types"][1]["is_cash_payment_type"], true);
    let (_, users) = shop.get("/v1/user?limit=1000").await;
    assert_eq!(
        (&users["users"][0]["id"], &users["users"][0]["first_name"]),
        (&json!(SELLER_ID), &json!("Dilshod"))
    );
}

#[tokio::test]
async fn an_empty_list_is_null_or_empty() {
    let shop = Shop::with(SandboxSettings {
        sellers: Vec::new(),
        ..SandboxSettings::default()
    })
    .await;
    assert_eq!(shop.get("/v1/user").await.1, json!({"count": 0, "users": null}));
    shop.sandbox
        .set_variant(|variants| variants.empty_list = EmptyList::Empty);
    assert_eq!(shop.get("/v1/user").await.1, json!({"count": 0, "users": []}));
}

fn ids(list: &Value) -> Vec<String> {
    let rows = list["orders"].as_array().cloned().unwrap_or_default();
    rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn notes_list_drafts_and_parked_sales_by_their_filters() {
    let shop = Shop::with(SandboxSettings {
        drafts: Vec::new(),
        ..SandboxSettings::default()
    })
    .await;
    let (draft, parked, paid, gone) = (
        shop.draft().await,
        shop.filled().await,
        shop.filled().await,
        shop.draft().await,
    );
    shop.park(&parked).await;
    shop.pay(&paid, json!(100)).await;
    shop.delete(&gone).await;
    let other = shop
        .done(
            Method::POST,
            "/v2/order",
            json!({"shop_id": OTHER_SHOP_ID, "cashbox_id": OTHER_CASHBOX_ID}),
        )
        .await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let (_, client) = shop.client("998901112233").await;
    let client = client["id"].as_str().unwrap();
    let path = format!("/v2/order-customer-new/{draft}");
    shop.done(
        Method::PUT,
        &path,
        json!({"customer_id": client, "check_auth_code": false}),
    )
    .await;

    let found = |query: String| {
        let shop = &shop;
        async move {
            ids(&shop
                .done(Method::GET, &format!("/v2/order-notes?limit=100&{query}"), Value::Null)
                .await)
        }
    };
    assert_eq!(
        found(String::new()).await,
        [other.clone(), parked.clone(), draft.clone()]
    );
    let postponed = "future_time_is_null=false&order_park_status=active%2Cexpired".to_owned();
    assert_eq!(found(postponed).await, [parked.as_str()]);
    assert_eq!(found("order_park_status=completed".to_owned()).await, [paid.as_str()]);
    assert_eq!(
        found("order_park_status=expired".to_owned()).await,
        Vec::<String>::new()
    );
    assert_eq!(
        found("future_time_is_null=true".to_owned()).await,
        [other.clone(), draft.clone()]
    );
    assert_eq!(found(format!("shop_id={OTHER_SHOP_ID}")).await, [other.as_str()]);
    assert_eq!(found(format!("client={client}")).await, [draft.as_str()]);
    assert_eq!(found(format!("search={parked}")).await, [parked.as_str()]);
    assert_eq!(found(format!("search={client}")).await, [draft.as_str()]);
    assert_eq!(found("start_date=2099-01-01".to_owned()).await, Vec::<String>::new());
    assert_eq!(found("end_date=2000-01-01".to_owned()).await, Vec::<String>::new());
    assert_eq!(
        found("start_date=2000-01-01&end_date=2099-01-01".to_owned())
            .await
            .len(),
        3
    );
    for wrong in ["start_date=01.02.2026", "future_time_is_null=maybe", "page=0"] {
        let (status, body) = shop.get(&format!("/v2/order-notes?{wrong}")).await;
        assert_eq!(
            (status.as_u16(), &body["error"]["code"]),
            (400, &json!("BAD_REQUEST")),
            "{wrong}"
        );
    }

    let (_, list) = shop.get("/v2/order-notes?order_park_status=active").await;
    let note = &list["orders"][0];
    assert_eq!((&list["count"], &note["park_status"]), (&json!(1), &json!("active")));
    assert_eq!((&note["order_status"], &note["created_at"]), (&json!(""), &json!("")));
    assert_eq!(note["future_time"], "2099-12-20 23:59:59");
    assert_eq!(note["order_detail"]["comment"], "Order 1042");
    assert_eq!(note["order_detail"]["total_products_measurement_value"], 2);
    assert!(note["order_detail"].get("order_items").is_none());
}

#[tokio::test]
async fn paid_sales_are_listed_by_day_when_both_dates_are_sent() {
    let shop = Shop::open().await;
    let first = shop.filled().await;
    shop.pay(&first, json!(100)).await;
    shop.sandbox.advance_clock(chrono::TimeDelta::days(1));
    let second = shop.filled().await;
    shop.pay(&second, json!(100)).await;

    let days = |list: &Value| list["orders_sorted_by_date_list"].as_array().map_or(0, Vec::len);
    let (_, all) = shop
        .get("/v3/order-search?start_date=2000-01-01&end_date=2099-01-01")
        .await;
    assert_eq!((days(&all), &all["count"]), (2, &json!(2)));
    let newest = &all["orders_sorted_by_date_list"][0];
    assert_eq!(newest["orders"][0]["id"], json!(second));
    assert!(newest["orders"][0]["sold_at"].as_str().unwrap().starts_with("20"));
    assert_eq!(newest["date"].as_str().unwrap().len(), 10);
    // `start` is no parameter, and without an end one day is looked at.
    let (_, today) = shop.get("/v3/order-search?start=2000-01-01").await;
    assert_eq!(
        (days(&today), &today["orders_sorted_by_date_list"][0]["orders"][0]["id"]),
        (1, &json!(second))
    );
    assert_eq!(days(&shop.get("/v3/order-search?start_date=2000-01-01").await.1), 0);
}
