//! Topics that are missing, and topics that are deleted and created again.

use billwright_domain::Condition;
use serde_json::json;

use crate::bed::{Bed, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_topic_is_waited_for() {
    let bed = Bed::new().await;
    let mut settings = bed.settings();
    let late = format!("{}-late", bed.topic);
    settings.topics.push(late.clone());
    let consumer = bed.start_with(settings).await;
    eventually("it says which topic is missing", async || {
        let said = consumer.health.all().get("events.kafka").cloned();
        said.is_some_and(|said| said.condition == Condition::Degraded && said.detail.contains(&late))
    })
    .await;
    assert_eq!(consumer.handle.state().missing_topics, std::slice::from_ref(&late));
    // The others are not held up by it.
    bed.event("Customer.Created", &json!({"userId": "c"})).await;
    bed.drained().await;

    bed.create_topic(&late).await;
    let value = br#"{"type": "Customer.Suspended", "payload": {"userId": "c"}}"#;
    let record = rdkafka::producer::FutureRecord::to(&late)
        .key("c")
        .payload(value.as_slice());
    bed.producer
        .send(record, crate::bed::PATIENCE)
        .await
        .map_err(|(error, _)| error)
        .unwrap();
    eventually("the new topic is consumed", async || {
        !crate::bed::is_active(&bed.user("c").await.unwrap())
    })
    .await;
    eventually("all is well", async || consumer.health.worst() == Condition::Up).await;
    consumer.stop().await;
    bed.delete_topic(&late).await;
    bed.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_created_again_is_read_from_its_beginning() {
    let bed = Bed::new().await;
    let consumer = bed.start().await;
    for number in 0..30 {
        bed.event("Customer.Created", &json!({"userId": format!("old-{number}")}))
            .await;
    }
    bed.drained().await;
    consumer.stop().await;

    bed.delete_topic(&bed.topic).await;
    eventually("the topic is created again", async || {
        bed.try_create_topic(&bed.topic).await
    })
    .await;
    // More messages than before: nothing but the topic's id tells it from the old one.
    for number in 0..60 {
        bed.event("Customer.Created", &json!({"userId": format!("new-{number}")}))
            .await;
    }
    let consumer = bed.start().await;
    eventually("every new user is there", async || {
        bed.find("users", bson::doc! {}).await.len() == 90
    })
    .await;
    consumer.stop().await;
    bed.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_created_again_while_it_is_consumed_is_noticed() {
    let bed = Bed::new().await;
    let consumer = bed.start().await;
    for number in 0..30 {
        bed.event("Customer.Created", &json!({"userId": format!("old-{number}")}))
            .await;
    }
    bed.drained().await;
    bed.delete_topic(&bed.topic).await;
    eventually("the topic is created again", async || {
        bed.try_create_topic(&bed.topic).await
    })
    .await;
    let bed = bed.with_new_producer();
    for number in 0..10 {
        bed.event("Customer.Created", &json!({"userId": format!("new-{number}")}))
            .await;
    }
    eventually("every new user is there", async || {
        bed.find("users", bson::doc! {}).await.len() == 40
    })
    .await;
    consumer.stop().await;
    bed.clear().await;
}
