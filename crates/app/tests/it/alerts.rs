//! Alerts reach the group once, whoever sees them, and once more when they are over.

use std::time::Duration;

use billwright_sandbox::{Fault, ORDER_ID};
use billwright_store::{Mongo, MongoSettings, alerts::Alerts};
use futures_util::future::join_all;
use serde_json::json;

use crate::world::{World, until};

async fn mongo(world: &World) -> Mongo {
    let uri = world.environment["BILLZ_MONGODB_URI"].clone();
    let client = mongodb::Client::with_uri_str(&uri).await.unwrap();
    let settings = MongoSettings {
        database: client.default_database().unwrap().name().to_owned(),
        uri: uri.into(),
        server_selection_timeout: Duration::from_secs(10),
        max_pool_size: 4,
    };
    Mongo::open(&settings).await.unwrap()
}

fn count(world: &World, text: &str) -> usize {
    world.told().iter().filter(|told| told.contains(text)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_wait_too_long_are_told_once_by_two_processes_and_once_more_when_it_is_over() {
    let mut world = World::new().await;
    world.set("ALERT_INTERVAL_SECONDS", "1");
    world.set("ALERT_OVER_AFTER_SECONDS", "2");
    world.set("ALERT_OLDEST_JOB_SECONDS", "2");
    world.set("ALERT_RUNBOOK_URL", "https://wiki.example/runbook");
    world.set("WORKER_CONCURRENCY", "1");
    world
        .sandbox
        .faults()
        .times("get_order", 4, Fault::latency(Duration::from_secs(5)));
    let mut jobs = Vec::new();
    for _ in 0..4 {
        jobs.push(world.add("GET_ORDER", json!({ "orderId": ORDER_ID }), None).await);
    }
    let one = world.start(&["--roles", "worker"]).await;
    let other = world.start(&["--roles", "worker"]).await;
    until("the alert", async || {
        (count(&world, "Jobs wait too long") > 0).then_some(())
    })
    .await;
    let told = world.told();
    let alert = told.iter().find(|told| told.contains("Jobs wait too long")).unwrap();
    assert!(alert.contains("https://wiki.example/runbook#oldest_job"), "{alert}");
    // A process that is restarted meanwhile tells nothing again.
    other.stop().await;
    let other = world.start(&["--roles", "worker"]).await;
    let queue = world.queue().await;
    for job in &jobs {
        until("the jobs to end", async || queue.end_of(job).await.unwrap()).await;
    }
    until("the end of it", async || {
        (count(&world, "Over: Jobs wait too long") > 0).then_some(())
    })
    .await;
    one.stop().await;
    other.stop().await;
    assert_eq!(count(&world, "🚨 Jobs wait too long"), 1, "{:?}", world.told());
    assert_eq!(count(&world, "Over: Jobs wait too long"), 1, "{:?}", world.told());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_without_a_worker_tells_directly_and_not_again_after_a_restart() {
    let mut world = World::new().await;
    world.set("ALERT_INTERVAL_SECONDS", "1");
    world.set("ALERT_OVER_AFTER_SECONDS", "60");
    world.publish("no json", &[]).await;
    let process = world.start(&["--roles", "events"]).await;
    until("the alert", async || {
        (count(&world, "Messages went to the dead letters") > 0).then_some(())
    })
    .await;
    process.stop().await;
    let process = world.start(&["--roles", "events"]).await;
    process.ready().await;
    world.publish("no json either", &[]).await;
    let needed = "billwright_alert_firing{alert=\"dead_letters\"} 1";
    until("it to be seen again", async || {
        process.get("metrics", &[]).await.1.contains(needed).then_some(())
    })
    .await;
    process.stop().await;
    assert_eq!(
        count(&world, "Messages went to the dead letters"),
        1,
        "{:?}",
        world.told()
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breaker_that_stays_open_is_told() {
    let mut world = World::new().await;
    world.set("ALERT_INTERVAL_SECONDS", "1");
    world.set("ALERT_OVER_AFTER_SECONDS", "2");
    world.set("ALERT_BREAKER_OPEN_SECONDS", "1");
    world.set("BILLZ_BASE_URL", "http://127.0.0.1:9");
    for _ in 0..6 {
        world.add("GET_ORDER", json!({ "orderId": ORDER_ID }), None).await;
    }
    let process = world.start(&["--roles", "worker"]).await;
    until("the alert", async || {
        (count(&world, "Billz is still away") > 0).then_some(())
    })
    .await;
    process.stop().await;
    world.end().await;
}

/// Waits until the group was told.
async fn told(world: &World, text: &str) {
    until(text, async || (count(world, text) > 0).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_left_tells_that_no_worker_is_and_when_one_is_again() {
    let mut world = World::new().await;
    world.set("ALERT_INTERVAL_SECONDS", "1");
    world.set("ALERT_OVER_AFTER_SECONDS", "2");
    world.set("ALERT_NO_WORKER_SECONDS", "1");
    world.set("ALERT_OLDEST_JOB_SECONDS", "1");
    world.add("GET_ORDER", json!({ "orderId": ORDER_ID }), None).await;
    let left = world.start(&["--roles", "events"]).await;
    told(&world, "🚨 No worker takes jobs").await;
    let worker = world.start(&["--roles", "worker"]).await;
    told(&world, "Over: No worker takes jobs").await;
    worker.stop().await;
    left.stop().await;
    assert_eq!(count(&world, "🚨 No worker takes jobs"), 1, "{:?}", world.told());
    assert_eq!(count(&world, "Over: No worker takes jobs"), 1, "{:?}", world.told());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_pile_up_and_a_producer_that_writes_rubbish_are_told_once_and_once_more_when_it_is_over() {
    let mut world = World::new().await;
    world.set("ALERT_INTERVAL_SECONDS", "1");
    world.set("ALERT_OVER_AFTER_SECONDS", "2");
    world.set("ALERT_EVENT_LAG", "100");
    world.set("ALERT_DEAD_LETTERS", "0");
    world.refuse_dead_letters().await;
    let good = r#"{"type":"Customer.Created","payload":{"userId":"u1"}}"#;
    let process = world.start(&["--roles", "api,events"]).await;
    world.publish(good, &[]).await;
    until("the first event to be applied", async || {
        (process.get("api/users/u1", &[]).await.0 == 200).then_some(())
    })
    .await;
    // A fifth of as many messages as it takes to judge. The first one stops the partition, since it can go nowhere.
    join_all((0..500).map(|number| world.publish(if number % 5 == 0 { "no json" } else { good }, &[]))).await;
    told(&world, "🚨 Events pile up").await;
    assert_eq!(count(&world, "Too many messages are bad"), 0);
    world.take_dead_letters().await;
    told(&world, "Over: Events pile up").await;
    told(&world, "🚨 Too many messages are bad").await;
    join_all((0..500).map(|_| world.publish(good, &[]))).await;
    told(&world, "Over: Too many messages are bad").await;
    process.stop().await;
    for alert in ["Events pile up", "Too many messages are bad"] {
        assert_eq!(count(&world, &format!("🚨 {alert}")), 1, "{:?}", world.told());
        assert_eq!(count(&world, &format!("Over: {alert}")), 1, "{:?}", world.told());
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_once_and_what_is_over_too_whatever_fails_in_between() {
    let world = World::new().await;
    let alerts = Alerts::new(&mongo(&world).await);
    assert_eq!(alerts.take_untold().await.unwrap(), None);
    alerts.seen("no_worker", "3 jobs wait").await.unwrap();
    alerts.seen("no_worker", "4 jobs wait").await.unwrap();
    let untold = alerts.take_untold().await.unwrap().unwrap();
    assert!(untold.firing && untold.detail == "4 jobs wait");
    assert_eq!(alerts.take_untold().await.unwrap(), None, "somebody is telling it");
    alerts.not_told(&untold).await.unwrap();
    let untold = alerts.take_untold().await.unwrap().unwrap();
    alerts.told(&untold).await.unwrap();
    alerts.seen("no_worker", "5 jobs wait").await.unwrap();
    assert_eq!(alerts.take_untold().await.unwrap(), None, "it was told");
    assert_eq!(alerts.firing().await.unwrap().len(), 1);

    alerts.end_unseen(Duration::from_mins(1)).await.unwrap();
    assert_eq!(alerts.firing().await.unwrap().len(), 1, "it was seen just now");
    until("it to be over", async || {
        alerts.end_unseen(Duration::from_millis(20)).await.unwrap();
        alerts.firing().await.unwrap().is_empty().then_some(())
    })
    .await;
    let over = alerts.take_untold().await.unwrap().unwrap();
    assert!(!over.firing && over.lasted.is_some());
    // It begins again before anybody was told that it was over: then that is what is to be told.
    alerts.seen("no_worker", "again").await.unwrap();
    alerts.told(&over).await.unwrap();
    let again = alerts.take_untold().await.unwrap().unwrap();
    assert!(again.firing && again.detail == "again" && again.since > untold.since);
    world.end().await;
}
