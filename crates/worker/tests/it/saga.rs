//! `PLACE_ORDER` beside other jobs of the same order, with what the historical worker left, and with a way back that is
//! barred for a while.

use billwright_sandbox::{Fault, PRODUCT_ID, SCARCE_PRODUCT_ID};
use mongodb::bson::{doc, oid::ObjectId};
use serde_json::json;

use crate::world::{World, order, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_jobs_of_one_order_in_two_workers_place_it_once() {
    let world = World::new().await;
    let (first, second) = (world.start(), world.start());
    let client = world.client(998_901_112_233.0, None).await;
    let mut jobs = Vec::new();
    for _ in 0..10 {
        jobs.push(world.add("PLACE_ORDER", order("77", client)).await);
    }
    let mut placed = 0;
    for id in &jobs {
        let result = world.ended(id).await.value();
        placed += u32::from(result["alreadyPlaced"] == false);
    }
    assert_eq!(placed, 1);
    assert_eq!(world.sandbox.ledger().live_orders().len(), 1);
    assert_eq!(world.collection("orders").count_documents(doc! {}).await.unwrap(), 1);
    first.stop().await;
    second.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_document_that_exists_is_kept_as_it_is() {
    let world = World::new().await;
    let worker = world.start();
    let client = world.client(998_901_112_233.0, None).await;
    let id = ObjectId::new();
    let before = doc! { "_id": id, "orderID": "5", "totalPrice": 225, "ourOwnField": { "deep": [1, 2] }, "__v": 3 };
    world.collection("orders").insert_one(before).await.unwrap();
    let mut payload = order("5", client);
    payload["_id"] = json!(id.to_hex());
    let placed = world.run("PLACE_ORDER", payload).await.value();
    let after = world
        .collection("orders")
        .find_one(doc! { "_id": id })
        .await
        .unwrap()
        .unwrap();
    assert_eq!(after.get_str("billzId").ok(), placed["billzOrderId"].as_str());
    assert_eq!(after.get_document("ourOwnField").unwrap(), &doc! { "deep": [1, 2] });
    assert_eq!(after.get_i32("__v").unwrap(), 3);
    assert!(!after.contains_key("products"));
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_built_draft_of_the_historical_worker_is_replaced() {
    let world = World::new().await;
    let worker = world.start();
    let client = world.client(998_901_112_233.0, None).await;
    world
        .run(
            "ADD_ITEM",
            json!({"productId": PRODUCT_ID, "qty": 9, "orderId": "order123"}),
        )
        .await
        .value();
    world
        .collection("orders")
        .insert_one(doc! { "orderID": "6", "billzId": "order123", "totalPrice": 225 })
        .await
        .unwrap();
    let placed = world.run("PLACE_ORDER", order("6", client)).await.value();
    assert_eq!(placed["alreadyPlaced"], false);
    let ledger = world.sandbox.ledger();
    assert!(ledger.order("order123").unwrap().deleted);
    assert_eq!(ledger.live_orders().len(), 1);
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_way_back_that_is_barred_is_tried_until_it_is_open() {
    let world = World::new().await;
    let worker = world.start();
    let client = world.client(998_901_112_233.0, None).await;
    let mut payload = order("9", client);
    payload["products"][1]["productID"] = json!(SCARCE_PRODUCT_ID);
    payload["products"][1]["qty"] = json!(2);
    world.sandbox.faults().times("delete_order", 2, Fault::status(503));
    let reason = world.run("PLACE_ORDER", payload).await.reason();
    assert!(reason.contains("20016"), "{reason}");
    assert!(world.sandbox.ledger().live_orders().is_empty());
    let saga = world
        .collection("order_sagas")
        .find_one(doc! {})
        .await
        .unwrap()
        .unwrap();
    assert_eq!(saga.get_str("state").unwrap(), "cancelled");
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_way_back_that_billz_refused_is_asked_for_again() {
    let world = World::new().await;
    let worker = world.start();
    let client = world.client(998_901_112_233.0, None).await;
    let mut payload = order("9", client);
    payload["products"][1]["productID"] = json!(SCARCE_PRODUCT_ID);
    payload["products"][1]["qty"] = json!(2);
    let refused = Fault::EnvelopeError {
        status_code: 400,
        code: "BAD_REQUEST".to_owned(),
        message: "not now".to_owned(),
    };
    world.sandbox.faults().next("delete_order", refused);
    let reason = world.run("PLACE_ORDER", payload).await.reason();
    assert!(reason.contains("20016"), "{reason}");
    assert!(world.sandbox.ledger().live_orders().is_empty());
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_job_takes_back_any_more_the_worker_does() {
    let world = World::new().await;
    let worker = world.start();
    let client = world.client(998_901_112_233.0, None).await;
    let mut payload = order("9", client);
    payload["products"][1]["productID"] = json!(SCARCE_PRODUCT_ID);
    payload["products"][1]["qty"] = json!(2);
    world.sandbox.faults().always("delete_order", Fault::status(503));
    let data = json!({"type": "PLACE_ORDER", "payload": payload, "correlationId": "c"}).to_string();
    let job = world.add_raw(&data, r#"{"attempts":1}"#, true).await;
    let reason = world.ended(&job).await.reason();
    assert!(
        reason.contains("20016") && reason.contains("is being taken back"),
        "{reason}"
    );
    let saga = world
        .collection("order_sagas")
        .find_one(doc! {})
        .await
        .unwrap()
        .unwrap();
    assert_eq!(saga.get_str("state").unwrap(), "compensating");
    assert!(saga.get_str("compensationError").is_ok());
    world.sandbox.faults().clear();
    // The next round is due after a while; the test does not wait for it.
    world
        .collection("order_sagas")
        .update_one(
            doc! {},
            doc! { "$set": { "compensationDue": mongodb::bson::DateTime::MIN } },
        )
        .await
        .unwrap();
    until("the draft is gone", || async {
        world.sandbox.ledger().live_orders().is_empty()
    })
    .await;
    until("the journal says so", || async {
        let saga = world
            .collection("order_sagas")
            .find_one(doc! {})
            .await
            .unwrap()
            .unwrap();
        saga.get_str("state").unwrap() == "cancelled"
    })
    .await;
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draft_is_taken_back_although_its_attempt_ended_before_the_sale_was_noted() {
    let world = World::new().await;
    let worker = world.start();
    let sale = world.run("CREATE_ORDER", json!({})).await.value()["orderId"].clone();
    let (order, past) = (mongodb::bson::oid::ObjectId::new(), mongodb::bson::DateTime::MIN);
    let made = doc! {
        "name": "create_draft", "intendedAt": past, "doneAt": past, "before": {}, "outcome": { "sale": sale.as_str() },
    };
    let journal = doc! {
        "_id": order, "fence": 1_i64, "state": "compensating", "operation": "o", "jobId": "1", "correlationId": "c",
        "comment": "Order 3 - ", "steps": [made], "reason": "MongoDB was away", "createdAt": past, "updatedAt": past,
    };
    world.collection("order_sagas").insert_one(journal).await.unwrap();
    until("the journal says that it is taken back", || async {
        let cancelled = doc! { "_id": order, "state": "cancelled" };
        world
            .collection("order_sagas")
            .count_documents(cancelled)
            .await
            .unwrap()
            == 1
    })
    .await;
    assert!(world.sandbox.ledger().live_orders().is_empty());
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_historical_index_on_positions_does_not_cost_an_order() {
    let world = World::new().await;
    let index = mongodb::IndexModel::builder()
        .keys(doc! { "coordinates": "2dsphere" })
        .build();
    world.collection("orders").create_index(index).await.unwrap();
    let worker = world.start();
    let client = world.client(998_901_112_233.0, None).await;
    let mut payload = order("12", client);
    // The index takes the first number, a latitude, for a longitude, and refuses the other one as a latitude.
    payload["coordinates"] = json!({"latitude": 41.3, "longitude": 169.2});
    world.run("PLACE_ORDER", payload).await.value();
    let stored = world
        .collection("orders")
        .find_one(doc! { "orderID": "12" })
        .await
        .unwrap()
        .unwrap();
    assert!(stored.contains_key("billzId") && !stored.contains_key("coordinates"));
    worker.stop().await;
    world.end().await;
}
