//! A MongoDB that is no replica set, and so knows no transactions.

use std::process::{Child, Command, Stdio};

use billwright_domain::Condition;
use billwright_services::{fetch, shared};
use bson::doc;
use serde_json::json;

use crate::{
    bed::{Bed, eventually},
    model::Load,
};

/// A lone mongod, which does not outlive the test.
struct Standalone(Child);

impl Drop for Standalone {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_transactions_events_are_applied_too_and_repetitions_change_nothing() {
    let data = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mongod = Command::new(fetch::mongod().await.unwrap())
        .args([
            "--bind_ip",
            "127.0.0.1",
            "--nounixsocket",
            "--wiredTigerCacheSizeGB",
            "0.25",
        ])
        .args(["--port", &port.to_string(), "--dbpath"])
        .arg(data.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let _mongod = Standalone(mongod);
    let bed = Bed::on(
        shared::kafka_brokers().await.unwrap(),
        format!("mongodb://127.0.0.1:{port}/"),
    )
    .await;
    bed.create_topic(&bed.topic).await;
    let load = Load::random(41, 2_000, 200);
    load.put(&bed).await;
    let consumer = bed.start().await;
    eventually("MongoDB is there", async || {
        consumer
            .health
            .all()
            .get("events.mongodb")
            .is_some_and(|health| health.condition == Condition::Up)
    })
    .await;
    bed.drained().await;
    load.verify(&bed).await;
    consumer.stop().await;

    // As after a crash between the effects and the position.
    bed.event("Customer.Created", &json!({"userId": "c"})).await;
    let consumer = bed.start().await;
    bed.drained().await;
    consumer.stop().await;
    let positions = bed.database.collection::<bson::Document>("event_positions");
    let back =
        vec![doc! { "$set": { "next": { "$subtract": ["$next", 1] }, "applied": { "$subtract": ["$next", 1] } } }];
    positions.update_many(doc! {}, back).await.unwrap();
    bed.database
        .collection::<bson::Document>("event_customers")
        .delete_one(doc! { "_id": "c" })
        .await
        .unwrap();
    let consumer = bed.start().await;
    bed.drained().await;
    assert_eq!(
        (
            bed.find("users", doc! { "userId": "c" }).await.len(),
            bed.billings("c").await.len()
        ),
        (1, 1)
    );
    consumer.stop().await;
    bed.clear().await;
}
