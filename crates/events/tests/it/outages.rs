//! MongoDB and Kafka away, killed and restarted, on servers of the tests' own.

use std::{sync::Arc, time::Duration};

use billwright_domain::{Clock as _, Condition, MockClock, SystemClock};
use billwright_events::Phase;
use billwright_services::{KafkaServer, MongoServer, shared};
use chrono::TimeDelta;
use serde_json::json;

use crate::{
    bed::{Bed, Running, eventually},
    model::Load,
};

async fn says(consumer: &Running, dependency: &'static str, condition: Condition) {
    eventually(&format!("{dependency} is {condition:?}"), async || {
        consumer
            .health
            .all()
            .get(dependency)
            .is_some_and(|health| health.condition == condition)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mongodb_that_is_killed_in_the_middle_costs_and_doubles_nothing() {
    let server = MongoServer::start().await.unwrap();
    let bed = Bed::on(shared::kafka_brokers().await.unwrap(), server.uri()).await;
    bed.create_topic(&bed.topic).await;
    let load = Load::random(21, 6_000, 500);
    load.put(&bed).await;
    let mut settings = bed.settings();
    settings.batch.events = 100;
    let consumer = bed.start_with(settings).await;
    for applied in [500, 2_500] {
        eventually("some of it is applied", async || {
            let state = consumer.handle.state();
            state.partitions.iter().filter_map(|found| found.position).sum::<i64>() > applied
        })
        .await;
        server.kill().await.unwrap();
        says(&consumer, "events.mongodb", Condition::Down).await;
        // It stays in the group all the while.
        assert_eq!(consumer.handle.state().partitions.len(), 6);
        server.restart().await.unwrap();
        says(&consumer, "events.mongodb", Condition::Up).await;
    }
    bed.drained().await;
    load.verify(&bed).await;
    consumer.stop().await;
    bed.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stops_although_mongodb_answers_nothing() {
    let server = MongoServer::start().await.unwrap();
    let bed = Bed::on(shared::kafka_brokers().await.unwrap(), server.uri()).await;
    bed.create_topic(&bed.topic).await;
    Load::random(23, 50, 5).put(&bed).await;
    let consumer = bed.start_with(bed.settings()).await;
    bed.drained().await;
    server.pause().unwrap();
    let stopped = tokio::time::timeout(Duration::from_secs(25), consumer.stop()).await;
    assert!(stopped.is_ok(), "it waits for a database that is silent");
    server.kill().await.unwrap();
    server.restart().await.unwrap();
    bed.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_back_makes_the_clients_anew_and_doubles_nothing() {
    let bed = Bed::new().await;
    let load = Load::random(24, 600, 60);
    load.put(&bed).await;
    let clock = MockClock::at(SystemClock.now());
    let consumer = bed.start_at(bed.settings(), Arc::new(clock.clone())).await;
    let assigned = || consumer.handle.state().partitions.len();
    eventually("the partitions are assigned", async || assigned() == 6).await;
    clock.advance(TimeDelta::hours(-1));
    eventually("the member has left", async || assigned() == 0).await;
    eventually("the partitions are assigned to another member", async || {
        assigned() == 6
    })
    .await;
    bed.drained().await;
    load.verify(&bed).await;
    consumer.stop().await;
    bed.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_without_partitions_notices_that_mongodb_is_away_and_back() {
    let mongodb = MongoServer::start().await.unwrap();
    let bed = Bed::on(shared::kafka_brokers().await.unwrap(), mongodb.uri()).await;
    // There is no such topic, and so no partition.
    let consumer = bed.start().await;
    mongodb.kill().await.unwrap();
    says(&consumer, "events.mongodb", Condition::Down).await;
    mongodb.restart().await.unwrap();
    says(&consumer, "events.mongodb", Condition::Up).await;
    consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_in_the_middle_costs_and_doubles_nothing() {
    let server = KafkaServer::start().await.unwrap();
    let bed = Bed::on(server.brokers(), shared::mongodb_uri().await.unwrap()).await;
    bed.create_topic(&bed.topic).await;
    let load = Load::random(22, 4_000, 500);
    load.put(&bed).await;
    let mut settings = bed.settings();
    settings.batch.events = 50;
    let consumer = bed.start_with(settings).await;
    eventually("some of it is applied", async || {
        consumer
            .handle
            .state()
            .partitions
            .iter()
            .filter_map(|found| found.position)
            .sum::<i64>()
            > 300
    })
    .await;
    server.kill().await.unwrap();
    says(&consumer, "events.kafka", Condition::Down).await;
    server.restart().await.unwrap();
    says(&consumer, "events.kafka", Condition::Up).await;
    bed.drained().await;
    load.verify(&bed).await;
    bed.event("Customer.Created", &json!({"userId": "after"})).await;
    eventually("it goes on", async || bed.user("after").await.is_some()).await;
    // It also stops while there is no broker to say goodbye to.
    server.kill().await.unwrap();
    says(&consumer, "events.kafka", Condition::Down).await;
    let began = std::time::Instant::now();
    consumer.stop().await;
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    bed.database.drop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn gives_up_on_a_kafka_that_is_not_there_and_says_so() {
    let bed = Bed::on("127.0.0.1:9".to_owned(), shared::mongodb_uri().await.unwrap()).await;
    let mut settings = bed.settings();
    settings.max_retries = 1;
    let consumer = bed.start_with(settings).await;
    eventually("it gave up", async || consumer.handle.state().phase == Phase::GaveUp).await;
    let health = consumer.health.all()["events.kafka"].clone();
    assert_eq!(health.condition, Condition::Down);
    assert!(
        health.detail.contains("gave up after 1 attempt") && health.detail.contains("KAFKA_BROKERS"),
        "{health:?}"
    );
    consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waits_for_a_mongodb_that_is_not_there_at_start() {
    let server = MongoServer::start().await.unwrap();
    let bed = Bed::on(shared::kafka_brokers().await.unwrap(), server.uri()).await;
    bed.create_topic(&bed.topic).await;
    bed.event("Customer.Created", &json!({"userId": "c"})).await;
    server.kill().await.unwrap();
    let consumer = bed.start().await;
    says(&consumer, "events.mongodb", Condition::Down).await;
    // A member that waits keeps its partitions for longer than a session lasts.
    tokio::time::sleep(Duration::from_secs(7)).await;
    server.restart().await.unwrap();
    bed.drained().await;
    assert!(bed.user("c").await.is_some());
    consumer.stop().await;
    bed.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_a_killed_process_left_open_is_ended() {
    let bed = Bed::new().await;
    let consumer = bed.start().await;
    bed.event("Customer.Created", &json!({"userId": "before"})).await;
    bed.drained().await;
    // What a process leaves behind that is killed right after it took a number.
    let mut options = mongodb::options::ClientOptions::parse(&bed.mongodb_uri).await.unwrap();
    options.app_name = Some("billwright".to_owned());
    let client = mongodb::Client::with_options(options).unwrap();
    let mut left_open = client.start_session().await.unwrap();
    left_open.start_transaction().await.unwrap();
    let counters = client
        .database(bed.database.name())
        .collection::<bson::Document>("counters");
    let take = counters.update_one(bson::doc! {}, bson::doc! { "$inc": { "seq": 1 } });
    take.session(&mut left_open).await.unwrap();

    bed.event("Customer.Created", &json!({"userId": "after"})).await;
    let began = std::time::Instant::now();
    bed.drained().await;
    // Left to itself the server ends it after a minute.
    assert!(began.elapsed() < Duration::from_secs(30));
    assert_eq!(
        bed.billings("after").await[0].get_str("billingId").unwrap(),
        "000000002"
    );
    consumer.stop().await;
    bed.clear().await;
}
