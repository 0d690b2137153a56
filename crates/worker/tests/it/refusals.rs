//! What Billz refuses fails at once, in Billz's words, and leaves nothing behind.

use billwright_sandbox::{Endpoint, Fault, PRODUCT_ID, SCARCE_PRODUCT_ID, SandboxSettings};
use mongodb::bson::{doc, oid::ObjectId};
use serde_json::{Value, json};

use crate::world::{World, order};

/// Each type with the call that can refuse it.
fn writes() -> [(&'static str, &'static str, Value); 8] {
    [
        (
            "CREATE_CLIENT",
            "create_client",
            json!({"clientPhone": "998901112233", "clientFirstName": "A"}),
        ),
        ("CREATE_ORDER", "create_order", json!({})),
        (
            "ADD_ITEM",
            "add_product",
            json!({"productId": PRODUCT_ID, "qty": 1, "orderId": "order123"}),
        ),
        (
            "ADD_CLIENT",
            "attach_customer",
            json!({"customerId": "c", "orderId": "order123"}),
        ),
        ("POSTPONE_ORDER", "park", json!({"orderId": "order123"})),
        ("CANCEL_POSTPONE", "unpark", json!({"orderId": "order123"})),
        (
            "CREATE_DISCOUNT",
            "discount",
            json!({"orderId": "order123", "amount": 1, "totalPrice": 5}),
        ),
        ("GET_ORDER", "get_order", json!({"orderId": "order123"})),
    ]
}

fn refused() -> Fault {
    Fault::EnvelopeError {
        status_code: 400,
        code: "BAD_REQUEST".to_owned(),
        message: "no such luck".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_final_and_in_billzs_words() {
    let world = World::new().await;
    let worker = world.start();
    for (kind, call, payload) in writes() {
        world.sandbox.faults().next(call, refused());
        let job = world.add(kind, payload).await;
        let reason = world.ended(&job).await.reason();
        assert!(
            reason.contains("no such luck") && reason.contains("BAD_REQUEST"),
            "{kind}: {reason}"
        );
        assert_eq!(
            world.field(&job, "atm").await.as_deref(),
            Some("1"),
            "{kind} was retried"
        );
        world.sandbox.faults().clear();
    }
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_method_that_the_key_lacks_says_what_to_ask_for() {
    let world = World::with(SandboxSettings {
        forbidden: vec![Endpoint::CreateOrder],
        ..SandboxSettings::default()
    })
    .await;
    let worker = world.start();
    let reason = world.run("CREATE_ORDER", json!({})).await.reason();
    assert!(reason.contains("ask Billz to grant"), "{reason}");
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_of_another_amount_is_never_sent() {
    let world = World::new().await;
    let worker = world.start();
    world
        .run(
            "ADD_ITEM",
            json!({"productId": PRODUCT_ID, "qty": 3, "orderId": "order123"}),
        )
        .await
        .value();
    let reason = world
        .run(
            "MAKE_PAYMENT",
            json!({"orderId": "order123", "cardId": "card123", "totalPrice": 151}),
        )
        .await;
    let reason = reason.reason();
    assert!(reason.contains("`totalPrice`") && reason.contains("150"), "{reason}");
    assert!(world.sandbox.ledger().calls_named("pay").is_empty());

    for (card, expected) in [
        (
            doc! { "_id": ObjectId::new(), "name": "Old", "externalID": "card123", "isActive": false },
            "not active",
        ),
        (doc! { "_id": ObjectId::new(), "name": "New" }, "externalID"),
    ] {
        let id = card.get_object_id("_id").unwrap().to_hex();
        world.collection("cards").insert_one(card).await.unwrap();
        let payload = json!({"orderId": "order123", "cardId": id, "totalPrice": 150});
        let reason = world.run("MAKE_PAYMENT", payload).await.reason();
        assert!(reason.contains("`cardId`") && reason.contains(expected), "{reason}");
    }
    assert!(world.sandbox.ledger().calls_named("pay").is_empty());
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_is_out_of_stock_leaves_nothing_in_billz_and_says_why() {
    let world = World::new().await;
    let worker = world.start();
    let client = world.client(998_901_112_233.0, None).await;
    let mut payload = order("9", client);
    payload["products"][1]["productID"] = json!(SCARCE_PRODUCT_ID);
    payload["products"][1]["qty"] = json!(2);
    let reason = world.run("PLACE_ORDER", payload.clone()).await.reason();
    assert!(reason.contains("20016"), "{reason}");
    let ledger = world.sandbox.ledger();
    assert!(ledger.live_orders().is_empty(), "{:?}", ledger.live_orders());
    let document = world
        .collection("orders")
        .find_one(doc! { "orderID": "9" })
        .await
        .unwrap()
        .unwrap();
    assert!(!document.contains_key("billzId"));
    assert!(document.get_str("billzError").unwrap().contains("20016"));

    // The client that was created stays, and the order can be placed once there is enough.
    world.sandbox.set_stock(SCARCE_PRODUCT_ID, 5);
    let placed = world.run("PLACE_ORDER", payload).await.value();
    assert_eq!(
        (&placed["parked"], &placed["alreadyPlaced"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(world.sandbox.ledger().client_count("998901112233"), 1);
    let document = world
        .collection("orders")
        .find_one(doc! { "orderID": "9" })
        .await
        .unwrap()
        .unwrap();
    assert!(document.contains_key("billzId") && !document.contains_key("billzError"));
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_of_an_unknown_client_makes_no_draft() {
    let world = World::new().await;
    let worker = world.start();
    let reason = world.run("PLACE_ORDER", order("9", ObjectId::new())).await.reason();
    assert!(reason.contains("`clientIdSys`"), "{reason}");
    assert!(world.sandbox.ledger().calls_named("create_order").is_empty());
    let document = world
        .collection("orders")
        .find_one(doc! { "orderID": "9" })
        .await
        .unwrap()
        .unwrap();
    assert!(document.get_str("billzError").unwrap().contains("clientIdSys"));
    worker.stop().await;
    world.end().await;
}
