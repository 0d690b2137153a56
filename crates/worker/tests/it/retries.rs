//! Transient failures are tried again, by the producer's wish or our policy, and end; permanent ones end at once.

use std::time::{Duration, Instant};

use billwright_connectors::breaker::BreakerSettings;
use billwright_sandbox::Fault;
use billwright_worker::WorkerState;
use redis::AsyncCommands;
use serde_json::{Value, json};

use crate::world::{World, until};

const READ: &str = r#"{"type":"GET_ORDER","payload":{"orderId":"order123"},"correlationId":"c"}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_own_policy_tries_five_times_and_writes_down_each() {
    let world = World::new().await;
    let worker = world.start();
    world.sandbox.faults().always("get_order", Fault::status(503));
    let job = world.add_raw(READ, r#"{"attempts":0}"#, true).await;
    let reason = world.ended(&job).await.reason();
    assert!(reason.contains("Billz cannot be reached"), "{reason}");
    assert_eq!(world.field(&job, "atm").await.as_deref(), Some("5"));
    assert_eq!(world.field(&job, "attemptsMade").await.as_deref(), Some("5"));
    let stack: Vec<String> = serde_json::from_str(&world.field(&job, "stacktrace").await.unwrap()).unwrap();
    assert_eq!(stack.len(), 5);
    assert!(stack[4].contains("job.get_order (attempt 5 of 5)"), "{}", stack[4]);

    // One that comes back in time is a success, and nothing of the failures remains but their count.
    world.sandbox.faults().clear();
    world.sandbox.faults().times("get_order", 4, Fault::status(503));
    let job = world.add_raw(READ, r#"{"attempts":0}"#, true).await;
    world.ended(&job).await.value();
    assert_eq!(world.field(&job, "atm").await.as_deref(), Some("3"));
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_producers_attempts_and_backoff_are_honoured() {
    let world = World::new().await;
    let worker = world.start();
    world.sandbox.faults().always("get_order", Fault::status(503));
    let began = Instant::now();
    let options = r#"{"attempts":3,"backoff":{"type":"exponential","delay":100}}"#;
    let job = world.add_raw(READ, options, true).await;
    world.ended(&job).await.reason();
    assert_eq!(world.field(&job, "atm").await.as_deref(), Some("3"));
    assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());

    // `removeOnComplete: -1` makes the library forget all options; they are honoured all the same.
    let odd = r#"{"attempts":2,"removeOnComplete":-1,"backoff":10.5}"#;
    let job = world.add_raw(READ, odd, true).await;
    world.ended(&job).await.reason();
    assert_eq!(world.field(&job, "atm").await.as_deref(), Some("2"));

    let once = world.add_raw(READ, r#"{"attempts":1}"#, true).await;
    world.ended(&once).await.reason();
    assert_eq!(world.field(&once, "atm").await.as_deref(), Some("1"));
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn between_attempts_node_sees_a_delayed_job_with_its_reason() {
    let world = World::new().await;
    let worker = world.start();
    world.sandbox.faults().always("get_order", Fault::status(503));
    let job = world
        .add_raw(READ, r#"{"attempts":2,"backoff":{"type":"fixed","delay":60000}}"#, true)
        .await;
    until("the job is delayed", || async {
        world
            .redis
            .clone()
            .zscore::<_, _, Option<f64>>(world.key("delayed"), &job)
            .await
            .unwrap()
            .is_some()
    })
    .await;
    assert!(
        world
            .field(&job, "failedReason")
            .await
            .unwrap()
            .contains("Billz cannot be reached")
    );
    assert_eq!(world.field(&job, "atm").await.as_deref(), Some("1"));
    let delay: u64 = world.field(&job, "delay").await.unwrap().parse().unwrap();
    assert!((55_000..=60_000).contains(&delay), "{delay}");
    assert!(
        world
            .logs(&job)
            .await
            .iter()
            .any(|line| line.contains("attempt 1 failed"))
    );
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_calls_slow_the_whole_worker_and_burn_no_attempt() {
    let world = World::new().await;
    let worker = world.start();
    world.sandbox.faults().next("get_order", Fault::rate_limited(Some(1)));
    let began = Instant::now();
    let job = world.add_raw(READ, r#"{"attempts":1}"#, true).await;
    until("the queue is slowed down", || async {
        world
            .redis
            .clone()
            .exists::<_, bool>(world.key("limiter"))
            .await
            .unwrap()
            && !world.sandbox.ledger().calls_named("get_order").is_empty()
    })
    .await;
    let other = world.add("CREATE_ORDER", json!({})).await;
    world.ended(&job).await.value();
    world.ended(&other).await.value();
    assert!(began.elapsed() >= Duration::from_millis(900), "{:?}", began.elapsed());
    assert_eq!(
        world.field(&job, "atm").await.as_deref(),
        Some("1"),
        "the wait counted as an attempt"
    );
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_breaker_is_open_jobs_wait_in_the_queue() {
    let world = World::new().await;
    let breaker = BreakerSettings {
        failures: 2,
        open_for: Duration::from_millis(1_200),
        open_for_at_most: Duration::from_millis(1_200),
    };
    let worker = world.start_with(world.settings(), world.billz_with(breaker), None);
    world.sandbox.faults().always("get_order", Fault::CutBefore);
    let mut jobs = Vec::new();
    for _ in 0..4 {
        jobs.push(
            world
                .add_raw(READ, r#"{"attempts":10,"backoff":{"type":"fixed","delay":50}}"#, true)
                .await,
        );
    }
    until("the worker pauses", || async {
        matches!(worker.handle.state(), WorkerState::Paused(_))
    })
    .await;
    until("nothing is under way", || async {
        world.redis.clone().llen::<_, u64>(world.key("active")).await.unwrap() == 0
    })
    .await;
    assert_eq!(
        worker.health.all()["worker.billz"].condition,
        billwright_domain::Condition::Down
    );
    world.sandbox.faults().clear();
    for job in &jobs {
        world.ended(job).await.value();
        let made: u32 = world.field(job, "atm").await.unwrap().parse().unwrap();
        assert!(made <= 4, "an open breaker burned {made} attempts");
    }
    until("the worker goes on", || async {
        worker.handle.state() == WorkerState::Running
    })
    .await;
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_and_log_are_written_as_steps_happen() {
    let world = World::new().await;
    let worker = world.start();
    let client = world.client(998_901_112_233.0, None).await;
    world
        .sandbox
        .faults()
        .always("park", Fault::slow_answer(Duration::from_millis(700)));
    let job = world.add("PLACE_ORDER", crate::world::order("1", client)).await;
    until("lines are logged while the job runs", || async {
        world
            .logs(&job)
            .await
            .iter()
            .any(|line| line.contains("product product123 added"))
    })
    .await;
    let progress: u32 = world.field(&job, "progress").await.unwrap().parse().unwrap();
    assert!((30..95).contains(&progress), "{progress}");
    let _: Value = world.ended(&job).await.value();
    assert_eq!(world.field(&job, "progress").await.as_deref(), Some("100"));
    worker.stop().await;
    world.end().await;
}
