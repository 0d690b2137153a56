//! Orders beside their sales in Billz.

use std::time::Duration;

use billwright_connectors::billz::CallContext;
use billwright_domain::{BillzOrderId, CorrelationId, Money, PaymentTypeId};
use billwright_sandbox::{Fault, PAYMENT_TYPE_ID};
use mongodb::bson::{Document, doc};
use reqwest::StatusCode;

use crate::shop::{Shop, between};

fn calls(shop: &Shop) -> billwright_connectors::billz::BillzCalls {
    shop.billz
        .calls(CallContext::ordinary(CorrelationId::parse("test").unwrap()))
}

async fn pay(shop: &Shop, sale: &str) {
    let (sale, card) = (
        BillzOrderId::parse(sale).unwrap(),
        PaymentTypeId::parse(PAYMENT_TYPE_ID).unwrap(),
    );
    calls(shop).pay(&sale, &card, Money::whole(225), "").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_are_listed_by_state_and_found_by_every_name() {
    let shop = Shop::open().await;
    let orders = shop.dashboard.database.collection::<Document>("orders");
    let client = shop.client().await;
    let at = |minute: u8| mongodb::bson::DateTime::parse_rfc3339_str(format!("2026-11-29T10:{minute:02}:00Z")).unwrap();
    orders
        .insert_many([
            doc! { "orderID": "N-paid", "isPaid": true, "billzId": "s-1", "totalPrice": 10, "createdAt": at(1) },
            doc! { "orderID": "N-parked", "billzId": "s-2", "totalPrice": 20.5, "createdAt": at(2), "clientIdSys": client },
            doc! { "orderID": "N-refused", "isPaid": false, "billzError": "out of stock, call +998901112233", "createdAt": at(3) },
            doc! { "orderID": "N-unplaced", "createdAt": at(4), "order_number": 4711 },
            doc! { "orderID": 12_345, "createdAt": at(5), "billzId": "s-5" },
        ])
        .await
        .unwrap();
    let mut browser = shop.dashboard.signed_in("bob").await;
    let all = browser.get("/dashboard/orders").await;
    all.shows(&[
        ">N-paid<",
        ">N-parked<",
        ">N-refused<",
        ">N-unplaced<",
        ">12345<",
        "out of stock, call +********2233",
    ]);
    all.hides(&["901112233"]);
    assert!(all.text.find(">12345<") < all.text.find(">N-paid<"), "newest first");
    for (state, shown) in [
        ("paid", ">N-paid<"),
        ("parked", ">N-parked<"),
        ("refused", ">N-refused<"),
        ("unplaced", ">N-unplaced<"),
    ] {
        let page = browser.get(&format!("/dashboard/orders?state={state}")).await;
        page.shows(&[shown]);
        let others = [">N-paid<", ">N-parked<", ">N-refused<", ">N-unplaced<"]
            .into_iter()
            .filter(|other| *other != shown);
        page.hides(&others.collect::<Vec<_>>());
    }
    let id = shop.order("N-parked").await.get_object_id("_id").unwrap().to_hex();
    for (wanted, shown) in [
        ("N-paid", ">N-paid<"),
        ("s-2", ">N-parked<"),
        (&*id, ">N-parked<"),
        ("4711", ">N-unplaced<"),
        ("12345", ">12345<"),
    ] {
        let page = browser.get(&format!("/dashboard/orders?q={wanted}")).await;
        page.shows(&[shown]);
        assert_eq!(page.text.matches("href=\"/dashboard/order/").count(), 1, "{wanted}");
    }
    let leads = browser.get("/dashboard/orders?q=998901112233").await;
    assert_eq!(leads.status, StatusCode::SEE_OTHER);
    let found = browser.get(leads.location()).await;
    found
        .shows(&[">N-parked<", "+********2233"])
        .hides(&["901112233", ">N-paid<"]);
    browser
        .get("/dashboard/orders?q=nothing")
        .await
        .shows(&["There are no such orders."]);
    let page = browser.get("/dashboard/orders?limit=2&offset=2").await;
    page.shows(&[">N-refused<", ">N-parked<", "offset=4", "offset=0"])
        .hides(&[">N-paid<"]);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_that_only_billz_knows_is_brought_into_the_document() {
    let shop = Shop::open().await;
    let worker = shop.worker(Duration::from_millis(10));
    let (job, id) = shop.placed("A-1", shop.client().await).await;
    worker.stop().await;
    let sale = shop.order("A-1").await.get_str("billzId").unwrap().to_owned();
    let path = format!("/dashboard/order/{id}");
    let mut viewer = shop.dashboard.signed_in("bob").await;
    let plain = viewer.get(&path).await;
    plain.shows(&["Compare with Billz", &format!("/dashboard/job/{job}\""), "placed"]);
    plain.hides(&["name=\"take\"", "Aziza", "901112233"]);
    let reads = shop.sandbox.ledger().calls_named("get_order").len();

    // As placed, nothing differs; nine other views cost Billz no call.
    for _ in 0..10 {
        viewer
            .get(&format!("{path}?billz=1"))
            .await
            .shows(&["Tea: quantity", "Cup: price of one"])
            .hides(&[">differs<"]);
    }
    assert_eq!(shop.sandbox.ledger().calls_named("get_order").len(), reads + 1);

    pay(&shop, &sale).await;
    shop.dashboard
        .database
        .collection::<Document>("orders")
        .update_one(
            doc! { "orderID": "A-1" },
            doc! { "$set": { "totalPrice": 230, "products.0.qty": 4 } },
        )
        .await
        .unwrap();
    // A dashboard that has not looked yet.
    let mut operator = shop.operator_elsewhere().await;
    let page = operator.get(&format!("{path}?billz=1")).await;
    page.shows(&[
        "value=\"paid\"",
        "value=\"total\"",
        "value=\"product-0\"",
        "bring in: 230 becomes 225",
        ">differs<",
    ]);
    let seen = between(&page.text, "name=\"seen\" value=\"", "\"").to_owned();
    let reconcile = format!("{path}/reconcile");
    let fields = [
        ("seen", seen.as_str()),
        ("take", "paid"),
        ("take", "product-0"),
        ("confirmed", "yes"),
    ];
    assert_eq!(viewer.post(&reconcile, &fields).await.status, StatusCode::FORBIDDEN);
    let asked = operator.post(&reconcile, &fields[..3]).await;
    asked.shows(&[
        "Bring the chosen differences",
        "name=\"take\" value=\"paid\"",
        "name=\"take\" value=\"product-0\"",
    ]);
    let old = [("seen", "0"), ("take", "paid"), ("confirmed", "yes")];
    operator
        .post(&reconcile, &old)
        .await
        .shows(&["has changed since you looked"]);
    let nothing = [("seen", seen.as_str()), ("take", "billz-amount"), ("confirmed", "yes")];
    operator
        .post(&reconcile, &nothing)
        .await
        .shows(&["No difference was chosen"]);
    let calls_before = shop.sandbox.ledger().calls.len();
    let done = operator.post(&reconcile, &fields).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
    let document = shop.order("A-1").await;
    assert!(document.get_bool("isPaid").unwrap() && document.contains_key("datePaid"));
    assert_eq!(document.get_i32("paidAmount").unwrap(), 225);
    assert_eq!(
        document.get_i32("totalPrice").unwrap(),
        230,
        "what was not chosen stays"
    );
    let product = document.get_array("products").unwrap()[0].as_document().unwrap();
    assert_eq!(
        (product.get_i32("qty").unwrap(), product.get_str("name").unwrap()),
        (3, "Tea")
    );
    assert_eq!(
        shop.sandbox.ledger().calls.len(),
        calls_before,
        "nothing is sent to Billz"
    );
    // The same form once more finds another document.
    operator
        .post(&reconcile, &fields)
        .await
        .shows(&["has changed since you looked"]);
    let audit = shop.dashboard.audit().await;
    let line = audit.iter().find(|line| {
        line.entry.action == "order.reconcile"
            && line
                .detail
                .as_deref()
                .is_some_and(|detail| detail.contains("paid, product-0"))
    });
    assert!(line.is_some(), "{audit:?}");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sale_that_was_deleted_in_billz_is_forgotten_and_one_that_cannot_be_read_is_said() {
    let shop = Shop::open().await;
    let worker = shop.worker(Duration::from_millis(10));
    let client = shop.client().await;
    let (_, id) = shop.placed("A-2", client).await;
    worker.stop().await;
    let sale = BillzOrderId::parse(shop.order("A-2").await.get_str("billzId").unwrap()).unwrap();
    let path = format!("/dashboard/order/{id}");
    let mut operator = shop.dashboard.signed_in("anna").await;
    shop.sandbox.faults().always("get_order", Fault::status(503));
    operator
        .get(&format!("{path}?billz=1"))
        .await
        .shows(&["Billz is away", "Compare with Billz"]);
    shop.sandbox.faults().clear();
    calls(&shop).return_from_park(&sale).await.unwrap();
    calls(&shop).delete_order(&sale).await.unwrap();
    // What went wrong is shown to those who look within the same second as well.
    let gone = ["Billz no longer has this sale", "value=\"sale-gone\""];
    let page = operator.until(&format!("{path}?billz=1"), &gone).await;
    let seen = between(&page.text, "name=\"seen\" value=\"", "\"").to_owned();
    let fields = [("seen", seen.as_str()), ("take", "sale-gone"), ("confirmed", "yes")];
    operator.post(&format!("{path}/reconcile"), &fields).await;
    assert!(!shop.order("A-2").await.contains_key("billzId"));
    operator
        .get(&format!("{path}?billz=1"))
        .await
        .shows(&["The order has no sale in Billz."]);
    operator
        .post(&format!("{path}/reconcile"), &fields)
        .await
        .shows(&["The order has no sale in Billz."]);
    for nothing in ["64a7b8c9d5e6f7890abcdef1", "no-id"] {
        assert_eq!(
            operator.get(&format!("/dashboard/order/{nothing}")).await.status,
            StatusCode::NOT_FOUND
        );
    }
    shop.close().await;
}
