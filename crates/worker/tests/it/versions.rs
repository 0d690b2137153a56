//! Beside a newer version: what it wrote is kept, and what of it cannot be understood costs one order and no other.

use mongodb::bson::{Bson, DateTime, Document, doc, oid::ObjectId};
use serde_json::json;

use crate::world::{World, order, until};

/// What a newer version may add to any document.
fn newer() -> Document {
    doc! { "of": 2_i64, "at": DateTime::from_millis(1_795_960_800_123), "list": [1.5, "x", null] }
}

/// The journal of an order that is to be taken back, with a sale that `CREATE_ORDER` made.
fn journal(order: ObjectId, sale: &str) -> Document {
    let past = DateTime::MIN;
    let made = doc! {
        "name": "create_draft", "intendedAt": past, "doneAt": past, "before": {}, "outcome": { "sale": sale },
        "newer": newer(),
    };
    doc! {
        "_id": order, "fence": 1_i64, "state": "compensating", "operation": "o", "jobId": "1", "correlationId": "c",
        "comment": "Order 3 - ", "steps": [made], "reason": "MongoDB was away", "createdAt": past, "updatedAt": past,
        "newer": newer(),
    }
}

async fn is_cancelled(world: &World, order: ObjectId) -> bool {
    let cancelled = doc! { "_id": order, "state": "cancelled" };
    let sagas = world.collection("order_sagas");
    sagas.count_documents(cancelled).await.unwrap() == 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fields_of_a_newer_version_are_kept_in_every_document_that_is_written_again() {
    let world = World::new().await;
    let worker = world.start();
    let client = world.client(998_901_112_233.0, None).await;
    let placed = world.run("PLACE_ORDER", order("7", client)).await.value();
    let collections = [
        "orders",
        "clients",
        "operations",
        "order_sagas",
        "leases",
        "sale_claims",
    ];
    for collection in collections {
        let added = world
            .collection(collection)
            .update_many(doc! {}, doc! { "$set": { "newer": newer() } })
            .await
            .unwrap();
        assert!(added.matched_count > 0, "{collection} is empty");
    }
    // The order is asked for again, paid and then deleted, so that its documents are read and written.
    let mut again = order("7", client);
    again["isPaid"] = json!(true);
    assert_eq!(world.run("PLACE_ORDER", again).await.value()["alreadyPlaced"], true);
    let sale = placed["billzOrderId"].clone();
    let payment = json!({"orderId": sale, "cardId": "card123", "totalPrice": 225});
    world.run("MAKE_PAYMENT", payment).await.value();
    for collection in collections {
        let lost = doc! { "createdAt": { "$lt": DateTime::now() }, "newer": { "$exists": false } };
        let kept = doc! { "newer": newer() };
        let documents = world.collection(collection);
        assert!(
            documents.count_documents(kept).await.unwrap() > 0,
            "{collection} lost it"
        );
        if ["orders", "clients", "order_sagas"].contains(&collection) {
            assert_eq!(
                documents.count_documents(lost).await.unwrap(),
                0,
                "{collection} lost one"
            );
        }
    }
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_of_a_newer_version_keeps_its_fields_when_it_is_gone_on_with() {
    let world = World::new().await;
    let worker = world.start();
    let sale = world.run("CREATE_ORDER", json!({})).await.value()["orderId"].clone();
    let order = ObjectId::new();
    let sagas = world.collection("order_sagas");
    sagas.insert_one(journal(order, sale.as_str().unwrap())).await.unwrap();
    until("the order is taken back", || is_cancelled(&world, order)).await;
    let saga = sagas.find_one(doc! { "_id": order }).await.unwrap().unwrap();
    assert_eq!(saga.get_document("newer").unwrap(), &newer());
    let steps = saga.get_array("steps").unwrap();
    let kept = |step: &&Bson| step.as_document().unwrap().get_document("newer").ok() == Some(&newer());
    assert_eq!(steps.iter().filter(kept).count(), 1, "{steps:?}");
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_that_only_a_newer_version_knows_fails_its_order_and_no_other() {
    let world = World::new().await;
    let worker = world.start();
    let client = world.client(998_901_112_233.0, None).await;
    let id = ObjectId::new();
    let frozen = doc! { "_id": id, "fence": 1_i64, "state": "frozen", "newer": newer() };
    world.collection("order_sagas").insert_one(frozen).await.unwrap();
    let mut payload = order("8", client);
    payload["_id"] = json!(id.to_hex());
    let reason = world.run("PLACE_ORDER", payload).await.reason();
    for part in ["order_sagas", &id.to_hex(), "frozen", "newer version"] {
        assert!(reason.contains(part), "{part} is not in {reason}");
    }
    let saga = world
        .collection("order_sagas")
        .find_one(doc! { "_id": id })
        .await
        .unwrap()
        .unwrap();
    assert_eq!(saga.get_str("state").unwrap(), "frozen");
    assert!(world.sandbox.ledger().live_orders().is_empty());
    world.run("PLACE_ORDER", order("9", client)).await.value();
    assert_eq!(world.sandbox.ledger().live_orders().len(), 1);
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn journals_that_cannot_be_read_do_not_keep_others_from_being_looked_after() {
    let world = World::new().await;
    let worker = world.start();
    let sale = world.run("CREATE_ORDER", json!({})).await.value()["orderId"].clone();
    let sagas = world.collection("order_sagas");
    // More than one round looks after, and all of them older than the one that can be read.
    let unreadable = (0..30).map(|_| {
        let mut unreadable = journal(ObjectId::new(), "none");
        unreadable.insert("steps", doc! { "by": "name" });
        unreadable
    });
    sagas.insert_many(unreadable).await.unwrap();
    let order = ObjectId::new();
    let mut good = journal(order, sale.as_str().unwrap());
    good.insert("updatedAt", DateTime::from_millis(0));
    sagas.insert_one(good).await.unwrap();
    until("the order is taken back", || is_cancelled(&world, order)).await;
    assert!(world.sandbox.ledger().live_orders().is_empty());
    let unreadable = doc! { "steps.by": "name", "state": "compensating" };
    assert_eq!(sagas.count_documents(unreadable).await.unwrap(), 30);
    worker.stop().await;
    world.end().await;
}
