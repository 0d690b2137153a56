//! Order per customer, events before their customer, and events that come too late.

use std::time::Duration;

use bson::doc;
use rdkafka::Message;
use serde_json::{Value, json};

use crate::bed::{Bed, city, eventually, header, is_active};

async fn stated(bed: &Bed, kind: &str, payload: &Value, timestamp: &str) {
    let value = json!({"event": kind, "data": payload, "timestamp": timestamp}).to_string();
    bed.put(payload["userId"].as_str(), Some(value.as_bytes()), &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_before_its_customer_waits_for_the_customer() {
    let bed = Bed::new().await;
    let consumer = bed.start().await;
    bed.event("Customer.Suspended", &json!({"userId": "c"})).await;
    bed.event("Customer.Updated", &json!({"userId": "c", "address": {"city": "Cali"}}))
        .await;
    bed.drained().await;
    assert_eq!(
        (bed.user("c").await, bed.find("event_set_aside", doc! {}).await.len()),
        (None, 2)
    );
    eventually("it is visible", async || consumer.handle.state().set_aside == 2).await;

    bed.event("Customer.Created", &json!({"userId": "c"})).await;
    bed.drained().await;
    let user = bed.user("c").await.unwrap();
    assert_eq!((is_active(&user), city(&user)), (false, Some("Cali")));
    assert!(bed.find("event_set_aside", doc! {}).await.is_empty());
    consumer.stop().await;
    bed.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_waits_is_applied_when_the_customer_appears_otherwise() {
    let bed = Bed::new().await;
    let mut settings = bed.settings();
    settings.set_aside_sweep = Duration::from_millis(50);
    let consumer = bed.start_with(settings).await;
    bed.event("Customer.Suspended", &json!({"userId": "c"})).await;
    bed.drained().await;
    let user = doc! { "userId": "c", "isActive": true };
    bed.database.collection("users").insert_one(user).await.unwrap();
    eventually("the event is applied", async || {
        !is_active(&bed.user("c").await.unwrap())
    })
    .await;
    eventually("nothing waits", async || {
        bed.find("event_set_aside", doc! {}).await.is_empty()
    })
    .await;
    consumer.stop().await;
    bed.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_whose_customer_never_appears_goes_to_the_dead_letters() {
    let bed = Bed::new().await;
    let mut settings = bed.settings();
    settings.set_aside_sweep = Duration::from_millis(50);
    settings.set_aside_expiry = Duration::from_millis(100);
    let consumer = bed.start_with(settings).await;
    let value = br#"{"type": "Customer.Suspended", "payload": {"userId": "c"}}"#;
    let (partition, offset) = bed.put(Some("c"), Some(value), &[("trace", "t-1")]).await;
    bed.drained().await;
    eventually("nothing waits", async || {
        bed.find("event_set_aside", doc! {}).await.is_empty()
    })
    .await;
    let letters = bed.read_all(&format!("{}.dlq", bed.topic));
    assert_eq!(letters.len(), 1);
    assert_eq!(
        (letters[0].payload(), letters[0].key()),
        (Some(value.as_slice()), Some(b"c".as_slice()))
    );
    for (name, expected) in [
        ("trace", "t-1"),
        ("x-dead-letter-code", "expired"),
        ("x-dead-letter-partition", &partition.to_string()),
        ("x-dead-letter-offset", &offset.to_string()),
    ] {
        assert_eq!(header(&letters[0], name).as_deref(), Some(expected), "{name}");
    }
    consumer.stop().await;
    bed.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_older_than_the_last_one_changes_nothing() {
    let bed = Bed::new().await;
    let consumer = bed.start().await;
    let at = |city: &str| json!({"userId": "c", "address": {"city": city}});
    stated(&bed, "Customer.Created", &at("Cali"), "2025-10-01T10:00:00Z").await;
    stated(&bed, "Customer.Updated", &at("Bogotá"), "2025-10-01T12:00:00Z").await;
    stated(&bed, "Customer.Updated", &at("Medellín"), "2025-10-01T11:00:00Z").await;
    stated(
        &bed,
        "Customer.Deleted",
        &json!({"userId": "c"}),
        "2025-10-01T10:30:00Z",
    )
    .await;
    bed.drained().await;
    assert_eq!(city(&bed.user("c").await.unwrap()), Some("Bogotá"));
    // Also after the customer is gone.
    stated(
        &bed,
        "Customer.Deleted",
        &json!({"userId": "c"}),
        "2025-10-01T13:00:00Z",
    )
    .await;
    stated(&bed, "Customer.Created", &at("Cali"), "2025-10-01T10:00:00Z").await;
    bed.drained().await;
    assert_eq!((bed.user("c").await, bed.billings("c").await.len()), (None, 0));
    consumer.stop().await;
    bed.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_created_again_after_deletion_is_billed_again() {
    let bed = Bed::new().await;
    let consumer = bed.start().await;
    let mut first = None;
    for round in 0..2 {
        bed.event("Customer.Created", &json!({"userId": "c"})).await;
        bed.drained().await;
        let billings = bed.billings("c").await;
        assert_eq!(billings.len(), 1, "round {round}");
        let number = billings[0].get_str("billingId").unwrap().to_owned();
        assert!(first.replace(number.clone()) != Some(number));
        bed.event("Customer.Deleted", &json!({"userId": "c"})).await;
        bed.drained().await;
    }
    consumer.stop().await;
    bed.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_event_in_an_idle_system_takes_effect_at_once() {
    let bed = Bed::new().await;
    let consumer = bed.start().await;
    bed.event("Customer.Created", &json!({"userId": "warm-up"})).await;
    bed.drained().await;
    let mut delays = Vec::new();
    for number in 0..21 {
        let user = format!("c-{number}");
        bed.event("Customer.Created", &json!({"userId": user})).await;
        let began = std::time::Instant::now();
        while bed.user(&user).await.is_none() {
            assert!(began.elapsed() < Duration::from_secs(30), "the event takes no effect");
        }
        delays.push(began.elapsed());
    }
    delays.sort_unstable();
    // The promise is 50 ms at the worst on an idle machine; what runs beside the tests takes its share. A batch that
    // waited for company, or a queue that is only looked into now and then, would show even so.
    assert!(delays[8] < Duration::from_millis(400), "{delays:?}");
    consumer.stop().await;
    bed.clear().await;
}
