//! Alerts reach the group once, whoever sees them, and once more when they are over.

use std::time::Duration;

use billwright_sandbox::{Fault, ORDER_ID};
use billwright_store::{Mongo, MongoSettings, alerts::Alerts};
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
