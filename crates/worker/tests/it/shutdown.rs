//! A stop finishes what is under way, hands back the rest, and burns no attempt; a dead worker's jobs go to another.

use std::time::Duration;

use billwright_sandbox::{Fault, PRODUCT_ID};
use redis::AsyncCommands;
use serde_json::json;

use crate::world::{World, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_under_way_is_finished_and_nothing_new_is_begun() {
    let world = World::new().await;
    let mut settings = world.settings();
    settings.concurrency = 1;
    let worker = world.start_with(settings, world.billz(), None);
    world
        .sandbox
        .faults()
        .always("create_order", Fault::slow_answer(Duration::from_millis(600)));
    let under_way = world.add("CREATE_ORDER", json!({})).await;
    until("the call is under way", || async {
        !world.sandbox.ledger().calls_named("create_order").is_empty()
    })
    .await;
    let waiting = world.add("CREATE_ORDER", json!({})).await;
    worker.stop().await;
    world.ended(&under_way).await.value();
    let left: Vec<String> = world.redis.clone().lrange(world.key("wait"), 0, -1).await.unwrap();
    assert_eq!(left, [waiting]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_finish_in_time_is_handed_back_without_an_attempt() {
    let world = World::new().await;
    let mut settings = world.settings();
    settings.grace = Duration::from_millis(300);
    let worker = world.start_with(settings, world.billz(), None);
    world.sandbox.faults().next("get_order", Fault::Hang);
    let job = world.add("GET_ORDER", json!({"orderId": "order123"})).await;
    until("the call is under way", || async {
        !world.sandbox.ledger().calls_named("get_order").is_empty()
    })
    .await;
    worker.stop().await;
    let left: Vec<String> = world.redis.clone().lrange(world.key("wait"), 0, -1).await.unwrap();
    assert_eq!(left, std::slice::from_ref(&job));
    assert_eq!(world.field(&job, "atm").await.unwrap_or_else(|| "0".to_owned()), "0");

    let next = world.start();
    world.ended(&job).await.value();
    next.stop().await;
    world.end().await;
}

#[tokio::test]
async fn the_job_of_a_dead_worker_goes_to_another_and_takes_effect_once() {
    let world = World::new().await;
    // A runtime of its own, which is torn down like a process.
    let doomed = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let (settings, billz) = (world.settings(), world.billz());
    world.sandbox.faults().next("add_product", Fault::HangAfter);
    let worker = {
        let _inside = doomed.enter();
        world.start_with(settings, billz, None)
    };
    let job = world
        .add(
            "ADD_ITEM",
            json!({"productId": PRODUCT_ID, "qty": 2, "orderId": "order123"}),
        )
        .await;
    until("the call took effect", || async {
        !world.sandbox.ledger().calls_named("add_product").is_empty()
    })
    .await;
    doomed.shutdown_background();
    drop(worker);
    world.let_locks_run_out(&job).await;
    let next = world.start();
    world.ended(&job).await.value();
    assert_eq!(world.sandbox.ledger().calls_named("add_product").len(), 1);
    next.stop().await;
    world.end().await;
}
