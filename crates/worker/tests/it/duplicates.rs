//! The same operation twice takes effect once, also at the same moment in two workers.

use billwright_sandbox::{Fault, PRODUCT_ID};
use serde_json::{Value, json};
use std::time::Duration;

use crate::world::World;

fn job(kind: &str, payload: &Value, correlation: &str) -> Value {
    json!({"type": kind, "payload": payload, "correlationId": correlation})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duplicates_run_once_and_agree() {
    let world = World::new().await;
    let (first, second) = (world.start(), world.start());
    let data = job("CREATE_ORDER", &json!({}), "checkout-1");
    world
        .sandbox
        .faults()
        .always("create_order", Fault::slow_answer(Duration::from_millis(200)));
    let mut jobs = Vec::new();
    for _ in 0..6 {
        jobs.push(world.add_data(&data).await);
    }
    let mut results = Vec::new();
    for id in &jobs {
        results.push(world.ended(id).await.value());
    }
    assert!(results.iter().all(|result| *result == results[0]), "{results:?}");
    assert_eq!(world.sandbox.ledger().calls_named("create_order").len(), 1);

    // Long after, and with its fields in another order.
    let late = json!({"payload": {}, "correlationId": "checkout-1", "type": "CREATE_ORDER", "timestamp": 7});
    let late = world.add_data(&late).await;
    assert_eq!(world.ended(&late).await.value(), results[0]);
    assert_eq!(world.sandbox.ledger().calls_named("create_order").len(), 1);
    first.stop().await;
    second.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_payload_under_one_id_is_another_operation_and_reads_are_never_folded() {
    let world = World::new().await;
    let worker = world.start();
    for quantity in [1, 2, 1] {
        let item = json!({"productId": PRODUCT_ID, "qty": quantity, "orderId": "order123"});
        let id = world.add_data(&job("ADD_ITEM", &item, "checkout-2")).await;
        world.ended(&id).await.value();
    }
    assert_eq!(world.sandbox.ledger().calls_named("add_product").len(), 2);
    for _ in 0..2 {
        let id = world
            .add_data(&job("GET_ORDER", &json!({"orderId": "order123"}), "checkout-2"))
            .await;
        world.ended(&id).await.value();
    }
    // One for the baseline of the first line, and the two jobs.
    assert_eq!(world.sandbox.ledger().calls_named("get_order").len(), 3);
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_without_a_correlation_id_are_operations_of_their_own() {
    let world = World::new().await;
    let worker = world.start();
    let data = json!({"type": "CREATE_ORDER", "payload": {}});
    let (one, two) = (world.add_data(&data).await, world.add_data(&data).await);
    assert_ne!(world.ended(&one).await.value(), world.ended(&two).await.value());
    let kept: Value = serde_json::from_str(&world.field(&one, "data").await.unwrap()).unwrap();
    let id = uuid::Uuid::parse_str(kept["correlationId"].as_str().unwrap()).unwrap();
    assert_eq!(id.get_version_num(), 7);
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_payments_of_one_order_in_two_workers_are_one_payment() {
    let world = World::new().await;
    let (first, second) = (world.start(), world.start());
    world
        .run(
            "ADD_ITEM",
            json!({"productId": PRODUCT_ID, "qty": 1, "orderId": "order123"}),
        )
        .await
        .value();
    world
        .sandbox
        .faults()
        .always("pay", Fault::slow_answer(Duration::from_millis(100)));
    let mut jobs = Vec::new();
    for _ in 0..20 {
        jobs.push(
            world
                .add(
                    "MAKE_PAYMENT",
                    json!({"orderId": "order123", "cardId": "card123", "totalPrice": 50}),
                )
                .await,
        );
    }
    let mut made = 0;
    for id in &jobs {
        let paid = world.ended(id).await.value();
        assert_eq!(paid["paid"], true);
        made += u32::from(paid["alreadyPaid"] == false);
    }
    assert_eq!((made, world.sandbox.ledger().calls_named("pay").len()), (1, 1));
    first.stop().await;
    second.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_jobs_of_one_phone_make_one_client() {
    let world = World::new().await;
    let (first, second) = (world.start(), world.start());
    let mut jobs = Vec::new();
    for number in 0..50 {
        // Each writes the number in its own way.
        let phone = if number % 2 == 0 {
            "+998901112233"
        } else {
            "998 90 111 22 33"
        };
        jobs.push(
            world
                .add("CREATE_CLIENT", json!({"clientPhone": phone, "clientFirstName": "A"}))
                .await,
        );
    }
    let mut ids = std::collections::BTreeSet::new();
    for id in &jobs {
        ids.insert(world.ended(id).await.value()["clientId"].to_string());
    }
    assert_eq!((ids.len(), world.sandbox.ledger().client_count("998901112233")), (1, 1));
    // One look, one creation: the others believe the one before them.
    assert!(world.sandbox.ledger().calls_named("find_clients").len() <= 2);
    first.stop().await;
    second.stop().await;
    world.end().await;
}
