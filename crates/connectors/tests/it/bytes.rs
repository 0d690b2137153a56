//! No bytes that Billz may send make the client panic.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use billwright_connectors::{
    billz::{Billz, Line, NewClient, OrderQuery},
    budget::Budget,
};
use billwright_domain::{Money, Quantity, SystemClock};
use chrono::NaiveDate;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::{Shelf, calls, client_with, id, settings};

/// A server that answers everything with the bytes that lie in `answer`, and closes.
async fn server(answer: Arc<Mutex<Vec<u8>>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let bytes = answer.lock().unwrap().clone();
            tokio::spawn(async move {
                let mut seen = vec![0; 8192];
                let _ = connection.read(&mut seen).await;
                let _ = connection.write_all(&bytes).await;
                let _ = connection.shutdown().await;
            });
        }
    });
    url
}

/// Makes every call. What becomes of them does not matter here, as long as something does.
async fn every_call(billz: &Billz) {
    let (calls, order) = (calls(billz), id("sale"));
    let line = Line {
        product: id("product"),
        quantity: Quantity::new(1.into()).unwrap(),
        seller: None,
    };
    let client = NewClient {
        first_name: "Aziza".to_owned(),
        last_name: None,
        phone: id("998901112233"),
    };
    let day = NaiveDate::from_ymd_opt(2026, 11, 29).unwrap();
    let query = OrderQuery {
        shop: id("shop-main"),
        from: day,
        to: day,
        comment: None,
    };
    let _ = calls.find_client(&client.phone).await;
    let _ = calls.create_client(&client).await;
    let _ = calls.create_order(&query.shop, "comment").await;
    let _ = calls.add_item(&order, &line).await;
    let _ = calls.attach_client(&order, &id("client")).await;
    let _ = calls.discount(&order, Money::whole(5)).await;
    let _ = calls.park(&order, "comment", day.and_hms_opt(0, 0, 0).unwrap()).await;
    let _ = calls.return_from_park(&order).await;
    let _ = calls.pay(&order, &id("card"), Money::whole(5), "comment").await;
    let _ = calls.delete_order(&order).await;
    let _ = calls.order(&order).await;
    let _ = calls.find_orders(&query).await;
    let _ = calls.payment_types().await;
    let _ = calls.sellers().await;
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        any::<String>().prop_map(Value::from),
        "[0-9.eE+-]{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name(), inner), 0..4).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn name() -> impl Strategy<Value = String> {
    const NAMES: &[&str] = &[
        "id",
        "data",
        "error",
        "code",
        "message",
        "status_code",
        "error_code",
        "clients",
        "shops",
        "orders",
        "users",
        "cash_boxes",
        "order_detail",
        "order_items",
        "total_price",
        "park_status",
        "items",
        "product_id",
        "x",
    ];
    prop::sample::select(NAMES).prop_map(str::to_owned)
}

/// The documented answers, in one of which something is replaced by something else.
fn nearly_right() -> impl Strategy<Value = Value> {
    let sale = json!({
        "id": "sale", "order_number": "4410233871", "park_status": "active", "finished_at": "", "deleted": false,
        "customer_id": "client",
        "order_detail": {"total_price": 230_000, "comment": "Order 1042", "customer": {"id": "client"},
            "order_items": [{"product_id": "product", "measurement_value": 2, "total_price": 230_000}],
            "order_payments": [{"company_payment_type_id": "card", "paid_amount": 230_000}]}
    });
    let cart = json!({"order_id": "sale", "items": [{"product_id": "product", "measurement_value": 2}],
        "total_price": 1, "left_measurement_value": {"left_measurement_value": 7}, "customer": {"id": "client"}});
    let lists = json!({"count": 1, "clients": [{"id": "c", "phone_numbers": ["998901112233"], "created_at": ""}],
        "shops": [{"id": "shop-main", "cash_boxes": [{"id": "b"}]}], "users": [{"id": "u"}], "orders": [sale.clone()],
        "company_payment_types": [{"id": "row", "name": "Карта"}]});
    let envelope = json!({"status_code": 200, "code": 200, "error": {"code": "", "message": ""},
        "data": {"id": "sale", "error_code": 0, "order_number": "1"}});
    let documented = prop::sample::select(vec![sale, cart, lists, envelope]);
    (documented, any::<prop::sample::Index>(), any_json()).prop_map(|(mut answer, place, other)| {
        let places = pointers(&answer, String::new());
        *answer.pointer_mut(&places[place.index(places.len())]).unwrap() = other;
        answer
    })
}

fn pointers(value: &Value, here: String) -> Vec<String> {
    let children: Vec<_> = match value {
        Value::Object(fields) => fields.iter().map(|(name, field)| (name.clone(), field)).collect(),
        Value::Array(rows) => rows
            .iter()
            .enumerate()
            .map(|(index, row)| (index.to_string(), row))
            .collect(),
        _ => Vec::new(),
    };
    let below: Vec<_> = children
        .into_iter()
        .flat_map(|(name, child)| pointers(child, format!("{here}/{name}")))
        .collect();
    [vec![here], below].concat()
}

fn any_answer() -> impl Strategy<Value = Vec<u8>> {
    let status = prop_oneof![Just(200_u16), 100..=599_u16];
    let body = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        any_json().prop_map(|body| body.to_string().into_bytes()),
        nearly_right().prop_map(|body| body.to_string().into_bytes()),
    ];
    let framed = (status, body, -3..=3_i64).prop_map(|(status, body, off)| {
        let length = i64::try_from(body.len()).unwrap() + off.min(1) * i64::from(off.abs() > 2);
        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nretry-after: {off}\r\n\r\n");
        [head.into_bytes(), body].concat()
    });
    prop_oneof![4 => framed, 1 => prop::collection::vec(any::<u8>(), 0..200)]
}

#[test]
fn no_bytes_make_a_call_panic() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let answer = Arc::new(Mutex::new(Vec::new()));
    let mut options = settings(&runtime.block_on(server(Arc::clone(&answer))));
    options.request_timeout = Duration::from_millis(50);
    let billz = client_with(
        options,
        Budget::unlimited(),
        SystemClock::shared(),
        Some(Shelf::logged_in()),
    );
    proptest!(ProptestConfig::with_cases(150), |(bytes in any_answer())| {
        *answer.lock().unwrap() = bytes;
        runtime.block_on(every_call(&billz));
    });
}
