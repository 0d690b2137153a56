//! Repetitions: duplicates, replays from the beginning, and positions set by hand.

use std::sync::Arc;

use billwright_domain::{Clock, SystemClock, UserId, user::NewUser};
use billwright_events::admin::{self, ResetRequest, ResetTo};
use billwright_store::billing::{
    apply::{ApplyError, CustomerEvents, CustomerWrite, Unit, UserWrite},
    positions::{PartitionId, PositionMove},
};
use bson::doc;
use serde_json::json;

use crate::bed::{Bed, eventually};
use crate::model::Load;

#[tokio::test(flavor = "multi_thread")]
async fn duplicates_change_nothing() {
    let bed = Bed::new().await;
    let consumer = bed.start().await;
    let kinds = [
        ("Customer.Created", json!({"userId": "c", "address": {"city": "Cali"}})),
        ("Customer.Suspended", json!({"userId": "c"})),
    ];
    for (kind, payload) in &kinds {
        bed.event(kind, payload).await;
        bed.drained().await;
        let before = (bed.find("users", doc! {}).await, bed.find("billings", doc! {}).await);
        for _ in 0..3 {
            bed.event(kind, payload).await;
        }
        bed.drained().await;
        // Not even `updatedAt` changes.
        assert_eq!(
            (bed.find("users", doc! {}).await, bed.find("billings", doc! {}).await),
            before
        );
    }
    consumer.stop().await;
    bed.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_billing_is_made_once_on_whatever_partition_its_event_comes() {
    let bed = Bed::new().await;
    let consumers = [bed.start().await, bed.start().await];
    let value = json!({"type": "Customer.Created", "payload": {"userId": "c"}}).to_string();
    for number in 0..60 {
        // Without the user's id as key every message takes a partition of its own.
        bed.put(Some(&format!("k-{number}")), Some(value.as_bytes()), &[]).await;
    }
    bed.drained().await;
    assert_eq!(
        (bed.billings("c").await.len(), bed.find("users", doc! {}).await.len()),
        (1, 1)
    );
    // Nor when the billing was deleted by hand, nor when there was one before.
    bed.database
        .collection::<bson::Document>("billings")
        .delete_many(doc! {})
        .await
        .unwrap();
    let stranger = doc! { "userId": "d", "billingId": "bill-1727000000000" };
    bed.database.collection("billings").insert_one(stranger).await.unwrap();
    bed.event("Customer.Created", &json!({"userId": "c"})).await;
    bed.event("Customer.Created", &json!({"userId": "d"})).await;
    bed.drained().await;
    assert_eq!((bed.billings("c").await.len(), bed.billings("d").await.len()), (0, 1));
    for consumer in consumers {
        consumer.stop().await;
    }
    bed.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_takes_over_where_the_group_stood() {
    let bed = Bed::new().await;
    let mut partition = 0;
    for number in 0..5 {
        let payload = json!({"userId": format!("c-{number}")});
        let value = json!({"type": "Customer.Created", "payload": payload}).to_string();
        partition = bed.put(Some("one partition"), Some(value.as_bytes()), &[]).await.0;
    }
    bed.commit(partition, 3);
    let consumer = bed.start().await;
    bed.drained().await;
    let users = bed.find("users", doc! {}).await;
    let users: Vec<_> = users.iter().map(|user| user.get_str("userId").unwrap()).collect();
    assert_eq!(users, ["c-3", "c-4"]);
    consumer.stop().await;
    bed.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_lost_its_partition_writes_nothing() {
    let bed = Bed::new().await;
    let customers = CustomerEvents::open(bed.mongo().await, None).await.unwrap();
    let partition = PartitionId {
        topic: bed.topic.clone(),
        topic_id: "id".to_owned(),
        partition: 0,
    };
    let user = UserId::parse("c").unwrap();
    let unit = async |from: Option<i64>, to: i64| {
        let mut snapshots = customers.load(&[&user], &[]).await.unwrap();
        let before = snapshots.remove(&user).unwrap();
        let change = CustomerWrite {
            user_id: user.clone(),
            record: before.record,
            user: match &before.user {
                None => UserWrite::Insert(NewUser::from_json(&json!({"userId": "c"})).unwrap()),
                Some(_) => UserWrite::Delete,
            },
            before,
            deletes_billings: false,
            first_billing: None,
            trace: None,
        };
        let unit = Unit {
            position: Some(PositionMove {
                partition: &partition,
                from,
                to,
                group: "g",
            }),
            customers: vec![change],
            ..Unit::default()
        };
        customers.apply(&unit, SystemClock.now()).await
    };
    unit(None, 5).await.unwrap();
    for lost in [None, Some(3)] {
        assert!(matches!(unit(lost, 9).await, Err(ApplyError::Moved)));
        assert!(bed.user("c").await.is_some());
    }
    unit(Some(5), 6).await.unwrap();
    assert!(bed.user("c").await.is_none());
    bed.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_from_the_beginning_changes_nothing() {
    let bed = Bed::new().await;
    let load = Load::random(11, 1_500, 120);
    load.put(&bed).await;
    let consumer = bed.start().await;
    bed.drained().await;
    consumer.stop().await;
    load.verify(&bed).await;
    let before = bed.everything().await;

    // Another group goes on where the data is, whatever the broker knows of it.
    let mut settings = bed.settings();
    settings.group_id.push_str("-another");
    let consumer = bed.start_with(settings.clone()).await;
    eventually("all partitions are assigned", async || {
        consumer.handle.state().partitions.len() == 6
    })
    .await;
    eventually("there is no lag", async || {
        consumer
            .handle
            .state()
            .partitions
            .iter()
            .all(|found| found.lag == Some(0))
    })
    .await;
    consumer.stop().await;
    assert_eq!(bed.everything().await, before);

    // Read again from the beginning, everything is known already.
    let clock: Arc<dyn Clock> = SystemClock::shared();
    let mongo = bed.mongo().await;
    let request = ResetRequest {
        to: ResetTo::Beginning,
        topic: None,
        partition: None,
        reapply: false,
    };
    let rows = admin::reset(&settings, &mongo, &clock, &request, true).await.unwrap();
    assert!(
        rows.iter()
            .all(|row| row.to == 0 && row.from == Some(row.applied_below))
    );
    assert!(
        bed.find("event_positions", doc! { "next": 0 }).await.is_empty(),
        "a dry run changes nothing"
    );
    admin::reset(&settings, &mongo, &clock, &request, false).await.unwrap();
    let consumer = bed.start().await;
    bed.drained().await;
    assert_eq!(bed.everything().await, before);

    // Also while the consumer runs.
    admin::reset(&settings, &mongo, &clock, &request, false).await.unwrap();
    bed.drained().await;
    consumer.stop().await;
    assert_eq!(bed.everything().await, before);
    bed.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_events_put_again_with_their_times_change_nothing() {
    let bed = Bed::new().await;
    let load = Load::random(12, 600, 60).with_times();
    load.put(&bed).await;
    let consumer = bed.start().await;
    bed.drained().await;
    load.verify(&bed).await;
    let before = bed.everything().await;
    load.put(&bed).await;
    bed.drained().await;
    assert_eq!(bed.everything().await, before);
    consumer.stop().await;
    bed.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_database_is_filled_anew_by_a_new_group() {
    let bed = Bed::new().await;
    bed.event("Customer.Created", &json!({"userId": "c"})).await;
    let consumer = bed.start().await;
    bed.drained().await;
    consumer.stop().await;
    for name in ["users", "billings", "counters"] {
        bed.database
            .collection::<bson::Document>(name)
            .delete_many(doc! {})
            .await
            .unwrap();
    }
    let mut settings = bed.settings();
    settings.group_id.push_str("-anew");
    let consumer = bed.start_with(settings).await;
    eventually("the user is there", async || bed.user("c").await.is_some()).await;
    assert_eq!(bed.billings("c").await[0].get_str("billingId").unwrap(), "000000001");
    consumer.stop().await;
    bed.clear().await;
}
