//! Messages that can never be applied.

use std::{collections::BTreeMap, time::Duration};

use billwright_domain::Condition;
use rdkafka::Message;
use serde_json::json;

use crate::bed::{Bed, eventually, header, is_active};

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_bad_message_goes_to_the_dead_letters_and_the_rest_goes_on() {
    let bed = Bed::new().await;
    let deep = "[".repeat(5_000);
    let bad: [(Option<&[u8]>, &str); 11] = [
        (None, "no_value"),
        (Some(b""), "no_value"),
        (Some(b"{\"type\": \"Customer.Created\""), "not_json"),
        (Some(&[0xff, 0xfe, 0x00]), "not_json"),
        (Some(deep.as_bytes()), "not_json"),
        (Some(b"[1, 2]"), "not_an_event"),
        (Some(b"{\"hello\": 1}"), "not_an_event"),
        (
            Some(br#"{"type": "Customer.Married", "payload": {"userId": "c"}}"#),
            "unknown_type",
        ),
        (
            Some(br#"{"type": "Customer.Created", "payload": {}}"#),
            "invalid_payload",
        ),
        (
            Some(br#"{"type": "Customer.Created", "payload": {"userId": {"$gt": ""}}}"#),
            "invalid_payload",
        ),
        (
            Some(br#"{"event": "Customer.Updated", "data": {"userId": "c", "isActive": "perhaps"}}"#),
            "invalid_payload",
        ),
    ];
    let mut sent = BTreeMap::new();
    bed.event("Customer.Created", &json!({"userId": "c"})).await;
    for (value, code) in bad {
        let place = bed
            .put(Some("c"), value, &[("trace", "t-1"), ("content-type", "text/odd")])
            .await;
        sent.insert(place, (value, code));
    }
    let last = bed.event("Customer.Suspended", &json!({"userId": "c"})).await;
    let consumer = bed.start().await;
    bed.drained().await;
    assert!(!is_active(&bed.user("c").await.unwrap()));
    assert_eq!(consumer.handle.state().dead_letters, 11);

    let topic = format!("{}.dlq", bed.topic);
    let letters = bed.read_all(&topic);
    assert_eq!(letters.len(), 11);
    for letter in letters {
        let whole = |name: &str| header(&letter, name).unwrap();
        assert_eq!(whole("x-dead-letter-topic"), bed.topic);
        let partition: i32 = whole("x-dead-letter-partition").parse().unwrap();
        let offset: i64 = whole("x-dead-letter-offset").parse().unwrap();
        assert_eq!(partition, last.0);
        let (value, code) = sent
            .remove(&(partition, offset))
            .expect("an offset that was sent, once");
        assert_eq!(letter.payload().unwrap_or_default(), value.unwrap_or_default());
        assert_eq!(letter.key(), Some(b"c".as_slice()));
        assert_eq!(whole("x-dead-letter-code"), code);
        assert!(!whole("x-dead-letter-reason").is_empty());
        let time = chrono::DateTime::parse_from_rfc3339(&whole("x-dead-letter-time")).unwrap();
        assert!(time.timestamp() > 1_700_000_000);
        assert_eq!(
            (whole("trace"), whole("content-type")),
            ("t-1".to_owned(), "text/odd".to_owned())
        );
    }
    consumer.stop().await;
    bed.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_committed_while_dead_letters_cannot_be_written() {
    let bed = Bed::new().await;
    let mut settings = bed.settings();
    // No topic may have this name, so that writing to it fails.
    settings.dead_letter_suffix = "/no such topic".to_owned();
    let consumer = bed.start_with(settings).await;
    let (partition, offset) = bed.put(Some("c"), Some(b"poison"), &[]).await;
    bed.event("Customer.Created", &json!({"userId": "c"})).await;
    eventually("the partition says why it waits", async || {
        let state = consumer.handle.state();
        state
            .partitions
            .iter()
            .any(|found| found.paused.as_deref().is_some_and(|why| why.contains("dead letters")))
    })
    .await;
    eventually("readiness shows it", async || {
        consumer
            .health
            .all()
            .get("events.kafka")
            .is_some_and(|health| health.condition == Condition::Degraded)
    })
    .await;
    assert_eq!(bed.user("c").await, None);
    assert!(bed.committed(partition).is_none_or(|committed| committed <= offset));
    consumer.stop().await;

    let consumer = bed.start().await;
    bed.drained().await;
    assert!(bed.user("c").await.is_some());
    assert_eq!(bed.read_all(&format!("{}.dlq", bed.topic)).len(), 1);
    consumer.stop().await;
    bed.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_bad_messages_pauses_the_partition_until_it_is_resumed() {
    let bed = Bed::new().await;
    let mut settings = bed.settings();
    settings.bad_messages.window = 20;
    settings.bad_messages.pause = Duration::from_hours(1);
    let mut partition = 0;
    for _ in 0..30 {
        partition = bed.put(Some("c"), Some(b"poison"), &[]).await.0;
    }
    let consumer = bed.start_with(settings).await;
    eventually("the partition is paused", async || {
        let state = consumer.handle.state();
        state
            .partitions
            .iter()
            .any(|found| found.paused.as_deref().is_some_and(|why| why.contains("too many")))
    })
    .await;
    let letters = format!("{}.dlq", bed.topic);
    assert_eq!(bed.ends(&letters).values().sum::<i64>(), 20);
    eventually("the broker knows how far it came", async || {
        bed.committed(partition) == Some(20)
    })
    .await;
    consumer.handle.resume();
    bed.drained().await;
    assert_eq!(bed.ends(&letters).values().sum::<i64>(), 30);
    consumer.stop().await;
    bed.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_mongodb_refuses_goes_to_the_dead_letters_alone() {
    let bed = Bed::new().await;
    // As an owner of the collection may have set it.
    let validator = bson::doc! { "address.city": { "$ne": "Nowhere" } };
    bed.database
        .create_collection("users")
        .validator(validator)
        .await
        .unwrap();
    for number in 0..20 {
        let city = if number == 13 { "Nowhere" } else { "Cali" };
        let payload = json!({"userId": format!("c-{number}"), "address": {"city": city}});
        let value = json!({"type": "Customer.Created", "payload": payload}).to_string();
        bed.put(Some("one partition"), Some(value.as_bytes()), &[]).await;
    }
    let consumer = bed.start().await;
    bed.drained().await;
    assert_eq!(bed.find("users", bson::doc! {}).await.len(), 19);
    let letters = bed.read_all(&format!("{}.dlq", bed.topic));
    assert_eq!(letters.len(), 1);
    assert_eq!(header(&letters[0], "x-dead-letter-code").as_deref(), Some("refused"));
    // Whatever was tried before it was found, no number is missing.
    let numbers = bed.find("billings", bson::doc! {}).await;
    let mut numbers: Vec<_> = numbers
        .iter()
        .map(|billing| billing.get_str("billingId").unwrap())
        .collect();
    numbers.sort_unstable();
    assert_eq!((numbers.len(), numbers[0], numbers[18]), (19, "000000001", "000000019"));
    consumer.stop().await;
    bed.clear().await;
}
