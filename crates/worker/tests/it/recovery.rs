//! Redis or MongoDB goes away and comes back: the worker says so, loses nothing, and goes on by itself.

use std::time::Duration;

use billwright_domain::Condition;
use billwright_sandbox::SandboxSettings;
use billwright_services::{MongoServer, RedisServer, shared};
use billwright_store::{
    billz::leases::{Leases, Memory},
    bson::doc,
};
use billwright_worker::WorkerState;
use serde_json::json;

use crate::world::{Worker, World, until};

async fn is(worker: &Worker, dependency: &str, condition: Condition) {
    until("the board says so", || async {
        worker
            .health
            .all()
            .get(dependency)
            .is_some_and(|health| health.condition == condition)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_mongodb_is_away_jobs_wait_in_the_queue() {
    let server = MongoServer::start().await.unwrap();
    let world = World::on(
        SandboxSettings::default(),
        server.uri(),
        shared::redis_url().await.unwrap(),
    )
    .await;
    let worker = world.start();
    world.run("CREATE_ORDER", json!({})).await.value();
    server.kill().await.unwrap();
    is(&worker, "worker.mongodb", Condition::Down).await;
    until("the worker pauses", || async {
        matches!(worker.handle.state(), WorkerState::Paused(_))
    })
    .await;
    let job = world.add("CREATE_ORDER", json!({})).await;
    server.restart().await.unwrap();
    world.ended(&job).await.value();
    assert_eq!(
        world.field(&job, "ats").await.as_deref(),
        Some("1"),
        "the job was fetched while MongoDB was away"
    );
    is(&worker, "worker.mongodb", Condition::Up).await;
    until("the worker goes on", || async {
        worker.handle.state() == WorkerState::Running
    })
    .await;
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_starts_without_redis_and_survives_its_restart() {
    let server = RedisServer::builder().append_only().start().await.unwrap();
    let world = World::on(
        SandboxSettings::default(),
        shared::mongodb_uri().await.unwrap(),
        server.url(),
    )
    .await;
    server.kill().await.unwrap();
    let worker = world.start();
    is(&worker, "worker.redis", Condition::Down).await;
    assert!(matches!(worker.handle.state(), WorkerState::Waiting(_)));
    server.restart().await.unwrap();
    is(&worker, "worker.redis", Condition::Up).await;
    until("the worker fetches", || async {
        worker.handle.state() == WorkerState::Running
    })
    .await;
    let world = world.reconnected().await;
    world.run("CREATE_ORDER", json!({})).await.value();

    server.kill().await.unwrap();
    is(&worker, "worker.redis", Condition::Down).await;
    server.restart().await.unwrap();
    let world = world.reconnected().await;
    world.run("CREATE_ORDER", json!({})).await.value();
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_worker_took_off_a_lease_and_died_with_misleads_nobody() {
    let world = World::new().await;
    let leases = Leases::new(&world.mongo());
    let (minute, moment) = (Duration::from_mins(1), Duration::from_millis(1));
    let known = doc! { "lines": [{ "product": "p", "quantity": "2" }] };
    leases.acquire("sale:1", "first", minute, Memory::Left).await.unwrap();
    assert!(leases.remember("sale:1", "first", known.clone()).await.unwrap());
    leases.release(&["sale:1".to_owned()], "first").await.unwrap();
    let second = leases.acquire("sale:1", "second", moment, Memory::Taken).await;
    assert_eq!(second.unwrap().unwrap().memory, known);
    until("the lease of the dead one has run out", || async {
        let third = leases.acquire("sale:1", "third", minute, Memory::Taken).await.unwrap();
        third.is_some_and(|third| third.memory.is_empty())
    })
    .await;
    world.end().await;
}
