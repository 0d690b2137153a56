//! Changes that are published to Kafka.

use std::sync::Arc;

use billwright_domain::{Clock, MockClock, SystemClock};
use chrono::TimeDelta;
use rdkafka::Message;
use serde_json::{Value, json};

use crate::bed::{Bed, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_published_in_order_per_user() {
    let bed = Bed::new().await;
    let out = format!("{}-out", bed.topic);
    bed.create_topic(&out).await;
    let mut settings = bed.settings();
    settings.events_out_topic = Some(out.clone());
    // Two consumers: only one of them publishes at a time.
    let consumers = [bed.start_with(settings.clone()).await, bed.start_with(settings).await];
    for kind in ["Created", "Suspended", "Suspended", "Deleted", "Created"] {
        for user in ["a", "b", "c"] {
            let payload = json!({"userId": user, "totalInvoice": 5});
            bed.event(&format!("Customer.{kind}"), &payload).await;
        }
    }
    bed.drained().await;
    eventually("the outbox is empty", async || {
        bed.find("event_outbox", bson::doc! {}).await.is_empty()
    })
    .await;
    let mut seen = std::collections::BTreeMap::<String, Vec<(String, Value)>>::new();
    for message in bed.read_all(&out) {
        let value: Value = serde_json::from_slice(message.payload().unwrap()).unwrap();
        let key = String::from_utf8(message.key().unwrap().to_vec()).unwrap();
        assert_eq!(value["payload"]["userId"], key.as_str());
        seen.entry(key)
            .or_default()
            .push((value["type"].as_str().unwrap().to_owned(), value));
    }
    for user in ["a", "b", "c"] {
        let changes = &seen[user];
        let kinds: Vec<_> = changes.iter().map(|(kind, _)| kind.as_str()).collect();
        // Whether or not a batch holds several events of a user, what is published leads to the same end.
        assert_eq!(
            kinds[kinds.len() - 2..],
            ["User.Created", "Billing.Created"],
            "{kinds:?}"
        );
        let billing = &changes.last().unwrap().1["payload"];
        assert_eq!(
            (&billing["totalInvoice"], &billing["isPaid"]),
            (&json!(5), &json!(false))
        );
        assert!(billing["dueDate"].as_str().unwrap().ends_with('Z'));
        let stored = bed.billings(user).await;
        assert_eq!(billing["billingId"], stored[0].get_str("billingId").unwrap());
    }
    for consumer in consumers {
        consumer.stop().await;
    }
    bed.delete_topic(&out).await;
    bed.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mongodbs_clock_and_not_a_process_s_tells_whether_the_right_to_publish_has_run_out() {
    let bed = Bed::new().await;
    let out = format!("{}-out", bed.topic);
    bed.create_topic(&out).await;
    // Whoever had the right died, and it ran out a moment ago.
    let left = bson::doc! { "$set": { "holder": "somebody", "until": { "$subtract": ["$$NOW", 1000] } } };
    let leases = bed.database.collection::<bson::Document>("event_leases");
    let upsert = leases
        .update_one(bson::doc! { "_id": "outbox" }, vec![left])
        .upsert(true);
    upsert.await.unwrap();
    let mut settings = bed.settings();
    settings.events_out_topic = Some(out.clone());
    let behind = MockClock::at(SystemClock.now() - TimeDelta::hours(1));
    let consumer = bed.start_at(settings, Arc::new(behind)).await;
    bed.event("Customer.Created", &json!({"userId": "c"})).await;
    eventually("it is published", async || !bed.read_all(&out).is_empty()).await;
    consumer.stop().await;
    bed.delete_topic(&out).await;
    bed.clear().await;
}
