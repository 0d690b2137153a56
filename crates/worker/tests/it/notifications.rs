//! Who is told what: queued durably, sent at the group's pace, equal failures folded, and off cleanly.

use std::time::Duration;

use billwright_sandbox::{Fault, GroupLimit, PRODUCT_ID, SandboxSettings, TelegramSettings};
use billwright_services::{MongoServer, shared};
use billwright_store::billz::notifications::{NewNotification, Notifications};
use mongodb::bson::doc;
use serde_json::json;

use crate::world::{World, order, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_group_is_told_of_orders_payments_deletions_and_failures() {
    let world = World::new().await;
    let worker = world.start_with(world.settings(), world.billz(), Some(world.telegram()));
    let client = world.client(998_901_112_233.0, None).await;
    world.run("PLACE_ORDER", order("A<1>&", client)).await.value();
    world
        .run(
            "ADD_ITEM",
            json!({"productId": PRODUCT_ID, "qty": 1, "orderId": "order123"}),
        )
        .await
        .value();
    world
        .run(
            "MAKE_PAYMENT",
            json!({"orderId": "order123", "cardId": "card123", "totalPrice": 50}),
        )
        .await
        .value();
    let sale = world.run("CREATE_ORDER", json!({})).await.value();
    world
        .run("DELETE_ORDER", json!({"orderId": sale["orderId"]}))
        .await
        .value();
    world.run("GET_ORDER", json!({"orderId": "nowhere"})).await.reason();
    until("four messages arrived", || async {
        world.sandbox.ledger().messages.len() >= 4
    })
    .await;
    let messages = world.sandbox.ledger().messages;
    for expected in ["Order placed", "Payment made", "Order deleted", "Operation failed"] {
        assert!(
            messages.iter().any(|message| message.plain_text.contains(expected)),
            "{expected} is not in {messages:?}"
        );
    }
    assert!(messages.iter().any(|message| message.plain_text.contains("A<1>&")));
    // From the first to the last, since one that arrives late on a busy machine brings the next one nearer.
    let lasted = messages[messages.len() - 1].at - messages[0].at;
    assert!(
        lasted.num_milliseconds() >= 2_000,
        "four messages faster than one a second: {messages:?}"
    );
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_one_failure_is_one_message_with_a_count() {
    let world = World::new().await;
    let notifications = Notifications::new(&world.mongo());
    // Without an index two processes could make two first messages; the worker makes it at start.
    let worker = world.start_with(world.settings(), world.billz(), Some(world.telegram()));
    world.run("CREATE_ORDER", json!({})).await.value();
    let mut jobs = Vec::new();
    for _ in 0..30 {
        jobs.push(world.add("GET_ORDER", json!({"orderId": "nowhere"})).await);
    }
    for id in &jobs {
        world.ended(id).await.reason();
    }
    until("the first was sent", || async {
        !notifications.list("sent", 10).await.unwrap().is_empty()
    })
    .await;
    let (sent, waiting) = (
        notifications.list("sent", 10).await.unwrap(),
        notifications.list("waiting", 10).await.unwrap(),
    );
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert!(waiting.len() <= 1, "{waiting:?}");
    let told: i64 = sent.iter().chain(&waiting).map(|message| message.count).sum();
    assert_eq!(told, 30);
    worker.stop().await;
    world.end().await;
}

fn slow_down() -> Fault {
    Fault::Answer {
        status: 429,
        content_type: "application/json".to_owned(),
        body: r#"{"ok":false,"error_code":429,"description":"slow down","parameters":{"retry_after":1}}"#.to_owned(),
        retry_after: None,
        effect: false,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusing_telegram_delays_no_job_and_loses_no_message() {
    let world = World::with(SandboxSettings {
        telegram: TelegramSettings {
            group_limit: Some(GroupLimit::default()),
            ..TelegramSettings::default()
        },
        ..SandboxSettings::default()
    })
    .await;
    let billz = world.billz();
    let worker = world.start_with(world.settings(), billz, Some(world.telegram()));
    world.sandbox.faults().next("sendMessage", slow_down());
    world.sandbox.faults().next("sendMessage", Fault::status(502));
    let sale = world.run("CREATE_ORDER", json!({})).await.value();
    let began = std::time::Instant::now();
    world
        .run("DELETE_ORDER", json!({"orderId": sale["orderId"]}))
        .await
        .value();
    assert!(began.elapsed() < Duration::from_secs(3));
    until("the message arrived", || async {
        !world.sandbox.ledger().messages.is_empty()
    })
    .await;
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_when_a_worker_stops_is_sent_by_the_next() {
    let world = World::new().await;
    let notifications = Notifications::new(&world.mongo());
    let message = NewNotification {
        kind: "order_placed",
        fold: None,
        text: "left over".to_owned(),
        spacing: Duration::ZERO,
    };
    notifications.add(&message).await.unwrap();
    // One that a dead process had taken out already.
    world
        .collection("notifications")
        .update_one(doc! {}, doc! { "$set": { "state": "sending" } })
        .await
        .unwrap();
    let worker = world.start_with(world.settings(), world.billz(), Some(world.telegram()));
    until("it arrived", || async {
        world
            .sandbox
            .ledger()
            .messages
            .iter()
            .any(|sent| sent.text == "left over")
    })
    .await;
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_telegram_nothing_is_queued() {
    let world = World::new().await;
    let worker = world.start();
    world.run("GET_ORDER", json!({})).await.reason();
    assert_eq!(Notifications::new(&world.mongo()).waiting().await.unwrap(), 0);
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_while_mongodb_is_away_is_final_once_somebody_can_be_told() {
    let server = MongoServer::start().await.unwrap();
    let redis = shared::redis_url().await.unwrap();
    let world = World::on(SandboxSettings::default(), server.uri(), redis).await;
    let worker = world.start_with(world.settings(), world.billz(), Some(world.telegram()));
    let faults = world.sandbox.faults();
    faults.next("get_order", Fault::slow_answer(Duration::from_secs(1)));
    let job = world.add("GET_ORDER", json!({"orderId": "nowhere"})).await;
    until("Billz is asked", || async {
        !world.sandbox.ledger().calls_named("get_order").is_empty()
    })
    .await;
    server.kill().await.unwrap();
    until("the job says that nobody can be told", || async {
        let lines = world.logs(&job).await;
        lines.iter().any(|line| line.contains("nobody can be told"))
    })
    .await;
    server.restart().await.unwrap();
    world.ended(&job).await.reason();
    let told = doc! { "kind": "operation_failed" };
    let told = world.collection("notifications").count_documents(told).await.unwrap();
    assert_eq!(told, 1);
    worker.stop().await;
    world.end().await;
}
