//! The exact request of every read, and what is read from the documented answer.

use billwright_connectors::billz::{OrderQuery, SaleState};
use chrono::NaiveDate;
use serde_json::json;

use crate::{
    calls, client, id,
    requests::{ORDER, assert_read, money, sale},
    settings,
    stub::{Say, Stub},
};

#[tokio::test]
async fn finds_a_client_by_phone_and_compares_the_digits_itself() {
    let stub = Stub::start().await;
    stub.says(
        "/v1/client",
        Say::json(&json!({"count": 0, "clients": [
            {"id": "other", "phone_numbers": ["+998901112234"], "created_at": "2020-01-01"},
            {"id": "younger", "phone_numbers": ["+998 90 111-22-33"], "created_at": "2026-02-02"},
            {"id": "older", "phone_numbers": ["1", "998901112233"], "created_at": "2026-02-01"},
            {"phone_numbers": ["998901112233"]}, {"id": 7}, null
        ]})),
    );
    let found = calls(&client(settings(stub.url())))
        .find_client(&id("998901112233"))
        .await
        .unwrap();
    assert_eq!(found, Some(id("older")));
    assert_read(
        &stub.only(),
        "GET /v1/client?phone_number=%2B998901112233&limit=100&page=1",
    );
}

#[tokio::test]
async fn a_list_without_rows_finds_no_client() {
    let stub = Stub::start().await;
    let billz = client(settings(stub.url()));
    for empty in [json!({"count": 0, "clients": null}), json!({"clients": []})] {
        stub.says_only("/v1/client", Say::json(&empty));
        assert_eq!(calls(&billz).find_client(&id("998901112233")).await.unwrap(), None);
    }
}

#[tokio::test]
async fn follows_the_pages_of_a_list_until_one_is_not_full() {
    let stub = Stub::start().await;
    let full: Vec<_> = (0..100)
        .map(|row| json!({"id": format!("c{row}"), "phone_numbers": ["1234567"]}))
        .collect();
    stub.says("/v1/client", Say::json(&json!({"clients": full})));
    stub.says(
        "/v1/client",
        Say::json(&json!({"clients": [{"id": "it", "phone_numbers": ["998901112233"]}]})),
    );
    let found = calls(&client(settings(stub.url())))
        .find_client(&id("998901112233"))
        .await
        .unwrap();
    assert_eq!(found, Some(id("it")));
    assert!(stub.asked()[1].line.ends_with("page=2"));
}

#[tokio::test]
async fn pages_that_are_shorter_than_asked_are_followed_where_the_list_says_that_there_is_more() {
    let stub = Stub::start().await;
    let page = |id: &str| json!({"count": 2, "users": [{"id": id, "first_name": "x"}]});
    stub.says("/v1/user", Say::json(&page("one")));
    stub.says("/v1/user", Say::json(&page("two")));
    let sellers = calls(&client(settings(stub.url()))).sellers().await.unwrap();
    assert_eq!(sellers.len(), 2);
    assert_eq!(stub.asked().len(), 2);
}

#[tokio::test]
async fn a_search_that_never_ends_finds_neither_somebody_nor_nobody() {
    let stub = Stub::start().await;
    let full: Vec<_> = (0..100)
        .map(|row| json!({"id": format!("c{row}"), "phone_numbers": ["1234567"]}))
        .collect();
    stub.says("/v1/client", Say::json(&json!({"clients": full})));
    let error = calls(&client(settings(stub.url())))
        .find_client(&id("998901112233"))
        .await
        .unwrap_err();
    assert_eq!((error.outcome(), stub.asked().len()), ("bad_reply", 10));
}

#[tokio::test]
async fn reads_a_sale() {
    let stub = Stub::start().await;
    let path = format!("/v2/order/{ORDER}");
    let billz = client(settings(stub.url()));
    for answer in [sale("active"), json!({"status_code": 200, "data": sale("active")})] {
        stub.says_only(&path, Say::json(&answer));
        let read = calls(&billz).order(&id(ORDER)).await.unwrap();
        assert_eq!((&read.id, read.number.as_deref()), (&id(ORDER), Some("4410233871")));
        assert_eq!((read.state, read.total), (SaleState::Parked, money("230000")));
        assert_eq!(
            (read.customer.clone(), &*read.comment),
            (Some(id("client-1")), "Order 1042")
        );
        assert_eq!(read.quantity_of(&id("product-1")), 2.into());
        assert_eq!((read.payments.len(), &read.raw), (1, &sale("active")));
    }
    assert_read(&stub.asked()[0], &format!("GET {path}"));
}

#[tokio::test]
async fn tells_where_a_sale_stands() {
    let stub = Stub::start().await;
    let path = format!("/v2/order/{ORDER}");
    let billz = client(settings(stub.url()));
    let with = |name: &str, value: &str| {
        let mut sale = sale("");
        sale[name] = value.into();
        sale
    };
    for (answer, expected) in [
        (sale(""), SaleState::Draft),
        (sale("expired"), SaleState::ParkExpired),
        (sale("completed"), SaleState::Paid),
        (with("finished_at", "2026-11-20T10:15:32.1Z"), SaleState::Paid),
        (with("sold_at", "2026-11-20T10:15:32Z"), SaleState::Paid),
        (with("sold_at", "0001-01-01T00:00:00Z"), SaleState::Draft),
        (sale("a new one"), SaleState::Unrecognised),
    ] {
        stub.says_only(&path, Say::json(&answer));
        assert_eq!(
            calls(&billz).order(&id(ORDER)).await.unwrap().state,
            expected,
            "{answer}"
        );
    }
}

#[tokio::test]
async fn lists_drafts_and_parked_sales_with_our_comment() {
    let stub = Stub::start().await;
    stub.says(
        "/v2/order-notes",
        Say::json(&json!({"count": 2, "orders": [
            {"id": "one", "order_detail": {"comment": "1042", "total_price": 0, "shop_id": "shop-main",
             "total_products_measurement_value": 0, "created_at": "2026-11-20 15:10:00"}, "park_status": ""},
            {"id": "two", "order_detail": {"comment": "1043"}, "park_status": "active"}
        ]})),
    );
    let day = NaiveDate::from_ymd_opt(2026, 11, 20).unwrap();
    let query = OrderQuery {
        shop: id("shop-main"),
        from: day,
        to: day.succ_opt().unwrap(),
        comment: Some("1042".to_owned()),
    };
    let found = calls(&client(settings(stub.url()))).find_orders(&query).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].id.as_str(), found[0].state), ("one", SaleState::Draft));
    assert_read(
        &stub.only(),
        "GET /v2/order-notes?shop_id=shop-main&start_date=2026-11-20&end_date=2026-11-21&limit=100&page=1",
    );
}

#[tokio::test]
async fn reads_payment_types_and_sellers_once() {
    let stub = Stub::start().await;
    stub.says(
        "/v1/company-payment-type",
        Say::json(&json!({"count": 1, "company_payment_types": [
            {"id": "row", "name": "Карта", "is_cash_payment_type": false, "payment_type": {"id": "inner"}}
        ]})),
    );
    stub.says(
        "/v1/user",
        Say::json(&json!({"users": [{"id": "seller-1", "first_name": "Dilshod"}]})),
    );
    let billz = client(settings(stub.url()));
    for _ in 0..2 {
        let types = calls(&billz).payment_types().await.unwrap();
        assert_eq!((types[0].id.as_str(), types[0].is_cash), ("row", false));
        let sellers = calls(&billz).sellers().await.unwrap();
        assert_eq!((sellers[0].id.as_str(), &*sellers[0].name), ("seller-1", "Dilshod"));
    }
    let asked = stub.asked();
    assert_eq!(asked.len(), 2);
    assert_read(&asked[0], "GET /v1/company-payment-type?limit=1000&page=1");
    assert_read(&asked[1], "GET /v1/user?limit=1000&page=1");
}
