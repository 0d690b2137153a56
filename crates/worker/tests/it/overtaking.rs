//! Payments overtake whatever waits, in the order in which they came; and jobs without a wake-up marker start at once.

use std::time::{Duration, Instant};

use billwright_domain::ShopId;
use billwright_sandbox::{Fault, PRODUCT_ID};
use redis::AsyncCommands;
use serde_json::{Value, json};

use crate::world::{World, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payments_start_before_two_thousand_waiting_jobs() {
    let world = World::new().await;
    let mut settings = world.settings();
    settings.concurrency = 1;
    // Slow enough that the two thousand would take more than the test's patience.
    world
        .sandbox
        .faults()
        .always("get_order", Fault::slow_answer(Duration::from_millis(30)));
    let worker = world.start_with(settings, world.billz(), None);
    until("the worker runs", || async {
        worker.handle.state() == billwright_worker::WorkerState::Running
    })
    .await;
    world
        .run(
            "ADD_ITEM",
            json!({"productId": PRODUCT_ID, "qty": 1, "orderId": "order123"}),
        )
        .await
        .value();

    let data = json!({"type": "GET_ORDER", "payload": {"orderId": "order123"}, "correlationId": "bulk"}).to_string();
    add_many(&world, &data, 2_000).await;
    let began = Instant::now();
    let mut payments = Vec::new();
    for _ in 0..3 {
        payments.push(
            world
                .add(
                    "MAKE_PAYMENT",
                    json!({"orderId": "order123", "cardId": "card123", "totalPrice": 50}),
                )
                .await,
        );
    }
    let mut finished = Vec::new();
    for id in &payments {
        assert_eq!(world.ended(id).await.value()["paid"], true);
        finished.push(world.field(id, "finishedOn").await.unwrap().parse::<u64>().unwrap());
    }
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "payments waited {:?}",
        began.elapsed()
    );
    assert!(finished.is_sorted(), "payments overtook each other: {finished:?}");
    let left: u64 = world.redis.clone().llen(world.key("wait")).await.unwrap();
    assert!(
        left > 1_500,
        "only {left} jobs still wait, so that the payments were not first"
    );
    // The rest need not be worked off.
    world.redis.clone().del::<_, ()>(world.key("wait")).await.unwrap();
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payments_that_waited_before_the_start_are_first_too() {
    let world = World::new().await;
    let data = json!({"type": "GET_ORDER", "payload": {"orderId": "order123"}, "correlationId": "bulk"}).to_string();
    add_many(&world, &data, 600).await;
    let first = world
        .add(
            "MAKE_PAYMENT",
            json!({"orderId": "order123", "cardId": "c", "totalPrice": 50}),
        )
        .await;
    add_many(&world, &data, 600).await;
    let second = world
        .add(
            "MAKE_PAYMENT",
            json!({"orderId": "order123", "cardId": "c", "totalPrice": 50}),
        )
        .await;
    let mut settings = world.settings();
    settings.concurrency = 1;
    world
        .sandbox
        .faults()
        .always("get_order", Fault::slow_answer(Duration::from_millis(100)));
    let worker = world.start_with(settings, world.billz(), None);
    for id in [first, second] {
        world.ended(&id).await;
    }
    let left: u64 = world.redis.clone().llen(world.key("wait")).await.unwrap();
    assert!(left > 1_000, "only {left} jobs still wait");
    world.redis.clone().del::<_, ()>(world.key("wait")).await.unwrap();
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_of_a_version_4_producer_starts_within_a_second() {
    let world = World::new().await;
    let worker = world.start();
    world.run("CREATE_ORDER", json!({})).await.value();
    let data = json!({"type": "CREATE_ORDER", "payload": {"shopId": shop()}, "correlationId": "v4"}).to_string();
    // The worker is idle now and blocks on its marker.
    let mut slowest = Duration::ZERO;
    for round in 0..3 {
        let began = Instant::now();
        let job = world
            .add_raw(&data.replace("v4", &format!("v4-{round}")), "{}", false)
            .await;
        world.ended(&job).await.value();
        slowest = slowest.max(began.elapsed());
    }
    assert!(slowest < Duration::from_millis(900), "{slowest:?}");
    worker.stop().await;
    world.end().await;
}

fn shop() -> Value {
    json!(ShopId::parse(billwright_sandbox::SHOP_ID).unwrap())
}

async fn add_many(world: &World, data: &str, count: u32) {
    let mut redis = world.redis.clone();
    let last: u64 = redis.incr(world.key("id"), count).await.unwrap();
    let mut pipe = redis::pipe();
    for id in last - u64::from(count) + 1..=last {
        let key = world.key(&id.to_string());
        pipe.hset_multiple(
            &key,
            &[
                ("name", "bulk"),
                ("data", data),
                ("opts", "{}"),
                ("timestamp", "1764400000000"),
            ],
        )
        .ignore();
        pipe.lpush(world.key("wait"), id).ignore();
    }
    pipe.cmd("ZADD").arg(world.key("marker")).arg(0).arg("0").ignore();
    pipe.query_async::<()>(&mut redis).await.unwrap();
}
