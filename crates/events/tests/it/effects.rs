//! What each event does, in each form in which it may arrive.

use std::time::Duration;

use bson::{Bson, Document, doc};
use serde_json::{Value, json};

use crate::bed::{Bed, city, eventually, is_active};

/// An event as value and headers.
type Form = (String, Vec<(&'static str, &'static str)>);

fn forms(kind: &'static str, payload: &Value) -> Vec<Form> {
    let cloud = json!({"specversion": "1.0", "id": "1", "source": "users", "type": kind, "data": payload});
    vec![
        (json!({"type": kind, "payload": payload}).to_string(), vec![]),
        (
            json!({"event": kind, "data": payload, "timestamp": "2025-10-01T09:15:00Z"}).to_string(),
            vec![],
        ),
        (
            cloud.to_string(),
            vec![("content-type", "application/cloudevents+json")],
        ),
        (
            payload.to_string(),
            vec![
                ("ce_specversion", "1.0"),
                ("ce_type", kind),
                ("ce_id", "1"),
                ("ce_source", "users"),
            ],
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_takes_effect_in_every_form() {
    let bed = Bed::new().await;
    let consumer = bed.start().await;
    for form in 0..4 {
        let user = format!("c-{form}");
        let send = async |kind: &'static str, payload: Value| {
            let (value, headers) = forms(kind, &payload).swap_remove(form);
            bed.put(Some(&user), Some(value.as_bytes()), &headers).await;
            bed.drained().await;
        };
        send(
            "Customer.Created",
            json!({"userId": user, "address": {"city": "Cali", "zipCode": 760_001}}),
        )
        .await;
        let created = bed.user(&user).await.unwrap();
        assert!(is_active(&created));
        assert_eq!(
            created.get_document("address").unwrap(),
            &doc! { "city": "Cali", "zipCode": "760001" }
        );
        assert_eq!(created.get("__v"), Some(&Bson::Int32(0)));
        let billings = bed.billings(&user).await;
        assert_eq!(billings.len(), 1);
        assert_eq!(billings[0].get("totalInvoice"), Some(&Bson::Int32(100_000)));
        assert_eq!(billings[0].get_str("serviceId").unwrap(), "1");
        let due = billings[0].get_datetime("dueDate").unwrap().timestamp_millis();
        let made = billings[0].get_datetime("generationDate").unwrap().timestamp_millis();
        assert_eq!(
            Duration::from_millis(u64::try_from(due - made).unwrap()),
            Duration::from_hours(14 * 24)
        );

        send(
            "Customer.Updated",
            json!({"userId": user, "address": {"city": "Bogotá"}}),
        )
        .await;
        assert_eq!(city(&bed.user(&user).await.unwrap()), Some("Bogotá"));
        send("Customer.Suspended", json!({"userId": user})).await;
        assert!(!is_active(&bed.user(&user).await.unwrap()));
        send("Customer.Reactivated", json!({"userId": user})).await;
        assert!(is_active(&bed.user(&user).await.unwrap()));
        send("Customer.Deleted", json!({"userId": user})).await;
        assert_eq!((bed.user(&user).await, bed.billings(&user).await.len()), (None, 0));
    }
    consumer.stop().await;
    bed.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_what_is_in_the_database() {
    let bed = Bed::new().await;
    let consumer = bed.start().await;
    let (partition, offset) = bed.event("Customer.Created", &json!({"userId": "c"})).await;
    bed.drained().await;
    eventually("the broker knows the position", async || {
        bed.committed(partition) == Some(offset + 1)
    })
    .await;
    let state = consumer.handle.state();
    let place = state
        .partitions
        .iter()
        .find(|found| found.partition == partition)
        .unwrap();
    assert_eq!((place.position, state.partitions.len()), (Some(offset + 1), 6));
    consumer.stop().await;
    bed.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_every_compression() {
    let bed = Bed::new().await;
    let consumer = bed.start().await;
    for codec in ["gzip", "snappy", "lz4", "zstd"] {
        let mut config = rdkafka::ClientConfig::new();
        config
            .set("bootstrap.servers", &bed.brokers)
            .set("compression.codec", codec);
        let producer: rdkafka::producer::FutureProducer = config.create().unwrap();
        let payload = json!({"userId": codec, "address": {"city": "Cali ".repeat(100)}});
        let value = json!({"type": "Customer.Created", "payload": payload}).to_string();
        let record = rdkafka::producer::FutureRecord::to(&bed.topic)
            .key(codec)
            .payload(&value);
        producer
            .send(record, crate::bed::PATIENCE)
            .await
            .map_err(|(error, _)| error)
            .unwrap();
    }
    bed.drained().await;
    assert_eq!(bed.find("users", doc! {}).await.len(), 4);
    consumer.stop().await;
    bed.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_of_a_newer_version_are_kept_in_what_an_event_writes_again() {
    let bed = Bed::new().await;
    let consumer = bed.start().await;
    let created = json!({"userId": "c-1", "address": {"city": "Cali"}});
    bed.event("Customer.Created", &created).await;
    bed.drained().await;
    let newer = doc! { "newer": { "of": 2_i64, "list": [1.5, "x", null] } };
    let collections = ["users", "billings", "event_positions", "counters"];
    for collection in collections {
        let documents = bed.database.collection::<Document>(collection);
        let added = documents.update_many(doc! {}, doc! { "$set": &newer }).await.unwrap();
        assert!(added.matched_count > 0, "{collection} is empty");
    }
    bed.event(
        "Customer.Updated",
        &json!({"userId": "c-1", "address": {"city": "Lima"}}),
    )
    .await;
    bed.event("Customer.Suspended", &json!({"userId": "c-1"})).await;
    bed.event("Customer.Created", &json!({"userId": "c-2"})).await;
    bed.drained().await;
    let user = bed.user("c-1").await.unwrap();
    assert_eq!((city(&user), is_active(&user)), (Some("Lima"), false));
    for collection in collections {
        assert!(
            bed.find_one(collection, newer.clone()).await.is_some(),
            "{collection} lost it"
        );
    }
    consumer.stop().await;
    bed.clear().await;
}
