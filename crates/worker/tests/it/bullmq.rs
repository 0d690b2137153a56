//! What Node sees in Redis: fields, events, retention, names.

use redis::{AsyncCommands, streams::StreamRangeReply};
use serde_json::{Value, json};

use crate::world::{World, until};

const CREATE: &str = r#"{"type":"CREATE_ORDER","payload":{},"correlationId":"c-NUMBER"}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_finished_job_has_the_fields_that_node_reads() {
    let world = World::new().await;
    let worker = world.start();
    let job = world.add("CREATE_ORDER", json!({})).await;
    let value = world.ended(&job).await.value();
    let fields: std::collections::HashMap<String, String> = world.redis.clone().hgetall(world.key(&job)).await.unwrap();
    let returned: Value = serde_json::from_str(&fields["returnvalue"]).unwrap();
    assert_eq!(returned, value);
    for (field, expected) in [
        ("atm", "1"),
        ("ats", "1"),
        ("attemptsMade", "1"),
        ("progress", "100"),
        ("pb", "billwright"),
    ] {
        assert_eq!(
            fields.get(field).map(String::as_str),
            Some(expected),
            "{field} in {fields:?}"
        );
    }
    assert!(fields["finishedOn"].parse::<u64>().unwrap() >= fields["processedOn"].parse::<u64>().unwrap());

    let failed = world.add("GET_ORDER", json!({})).await;
    world.ended(&failed).await.reason();
    let stack: Vec<String> = serde_json::from_str(&world.field(&failed, "stacktrace").await.unwrap()).unwrap();
    assert!(
        stack.len() == 1 && stack[0].starts_with("JobError: ") && stack[0].contains("\n    at "),
        "{stack:?}"
    );
    let events: StreamRangeReply = world.redis.clone().xrange_all(world.key("events")).await.unwrap();
    let kinds: Vec<String> = events.ids.iter().filter_map(|entry| entry.get("event")).collect();
    for kind in ["active", "progress", "completed", "failed"] {
        assert!(kinds.iter().any(|known| known == kind), "{kind} is not in {kinds:?}");
    }
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_producers_wishes_about_keeping_are_honoured() {
    let world = World::new().await;
    let worker = world.start();
    let gone = world
        .add_raw(
            &CREATE.replace("NUMBER", "1"),
            r#"{"attempts":0,"removeOnComplete":true}"#,
            true,
        )
        .await;
    let few = world
        .add_raw(&CREATE.replace("NUMBER", "2"), r#"{"attempts":0,"keepLogs":1}"#, true)
        .await;
    world.ended(&few).await.value();
    assert_eq!(world.logs(&few).await.len(), 1);
    until("the job is gone", || async {
        !world.redis.clone().exists::<_, bool>(world.key(&gone)).await.unwrap()
    })
    .await;
    assert_eq!(world.sandbox.ledger().calls_named("create_order").len(), 2);

    let failing = r#"{"type":"GET_ORDER","payload":{}}"#;
    let gone = world
        .add_raw(
            failing,
            r#"{"removeOnFail":true,"removeOnComplete":-1,"attempts":3}"#,
            true,
        )
        .await;
    until("the failed job is gone", || async {
        !world.redis.clone().exists::<_, bool>(world.key(&gone)).await.unwrap()
    })
    .await;
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_worker_is_named_in_the_list_of_clients() {
    let world = World::new().await;
    let worker = world.start();
    world.run("CREATE_ORDER", json!({})).await.value();
    // `getWorkers` looks for `<prefix>:<queue in base64>:w:<name>`.
    let clients: String = redis::cmd("CLIENT")
        .arg("LIST")
        .query_async(&mut world.redis.clone())
        .await
        .unwrap();
    let named = clients
        .lines()
        .any(|line| line.contains(&world.prefix) && line.contains(":w:billwright"));
    assert!(named, "no such client is connected");
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_without_redis_says_so_and_stops_when_told() {
    let world = World::new().await;
    let mut settings = world.settings();
    settings.redis.url = "redis://127.0.0.1:1".to_owned().into();
    let worker = world.start_with(settings, world.billz(), None);
    until("the board says that Redis is away", || async {
        worker
            .health
            .all()
            .get("worker.redis")
            .is_some_and(|health| health.condition == billwright_domain::Condition::Down)
    })
    .await;
    worker.stop().await;
    world.end().await;
}
