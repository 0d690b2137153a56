//! Writes of many jobs share commands, and yet each job gets the answer that it would have had alone; and a write that is
//! carried out twice, or late, does no harm.

use std::time::Duration;

use billwright_domain::{CorrelationId, DocumentId};
use billwright_services::MongoServer;
use billwright_store::{
    Mongo, StoreError,
    billz::{
        leases::{Leases, Memory},
        operation_log::{LogEntry, OperationLog},
        operations::{Claim, Operation, Operations},
        order_sagas::OrderSagas,
    },
};
use chrono::Utc;
use futures_util::future::join_all;
use mongodb::{
    Database,
    bson::{Document, doc, oid::ObjectId},
};
use serde_json::{Value, json};

use crate::world::{open_mongo, until};

const LENGTH: Duration = Duration::from_mins(1);

/// A database of a test's own, on the server of all tests or on one of its own.
async fn database(uri: &str) -> (Mongo, Database) {
    let name = format!("test_grouping_{}", uuid::Uuid::new_v4().simple());
    let client = mongodb::Client::with_uri_str(uri).await.unwrap();
    (open_mongo(uri, &name).await, client.database(&name))
}

async fn shared_database() -> (Mongo, Database) {
    database(&billwright_services::shared::mongodb_uri().await.unwrap()).await
}

fn entry(section: &'static str, number: usize) -> LogEntry {
    LogEntry {
        section,
        action: "create",
        order_id: Some(number.to_string()),
        description: json!({}),
        success: true,
        correlation_id: None,
        error_message: None,
    }
}

async fn claim(operations: &Operations, key: &str, owner: &str) -> Claim {
    let correlation_id = CorrelationId::parse("c").unwrap();
    let operation = Operation {
        key,
        kind: "ADD_ITEM",
        correlation_id: &correlation_id,
        job_id: owner,
        order_id: None,
        payload: &Value::Null,
    };
    operations.claim(&operation, owner, LENGTH).await.unwrap()
}

fn granted(journal: Document) -> Claim {
    Claim::Granted { journal }
}

async fn stored(database: &Database, collection: &str, key: &str) -> Document {
    let found = database.collection(collection).find_one(doc! { "_id": key }).await;
    found.unwrap().unwrap()
}

async fn count(database: &Database, collection: &str, filter: Document) -> u64 {
    let counted = database
        .collection::<Document>(collection)
        .count_documents(filter)
        .await;
    counted.unwrap()
}

/// How many commands of this name the server has got.
async fn commands(database: &Database, name: &str) -> i64 {
    let status = database.run_command(doc! { "serverStatus": 1 }).await.unwrap();
    let commands = status
        .get_document("metrics")
        .unwrap()
        .get_document("commands")
        .unwrap();
    commands.get_document(name).unwrap().get_i64("total").unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_many_write_at_the_same_moment_takes_far_fewer_commands() {
    let server = MongoServer::start().await.unwrap();
    let (mongo, database) = database(&server.uri()).await;
    let (log, operations, leases) = (OperationLog::new(&mongo), Operations::new(&mongo), Leases::new(&mongo));
    let before = [
        commands(&database, "insert").await,
        commands(&database, "update").await,
        commands(&database, "findAndModify").await,
    ];
    join_all((0..300).map(async |number: usize| {
        let (key, owner) = (&*format!("key-{number}"), &*format!("owner-{number}"));
        log.add(&entry("billz", number), Utc::now()).await.unwrap();
        let lease = leases.acquire(key, owner, LENGTH, Memory::Left).await.unwrap();
        assert!(lease.is_some_and(|lease| lease.fence > 0 && lease.memory.is_empty()));
        assert_eq!(claim(&operations, key, owner).await, granted(doc! {}));
        let journal = doc! { "step": { "before": { "number": owner } } };
        assert!(operations.write_journal(key, owner, 1, &journal).await.unwrap());
        assert!(
            operations
                .complete(key, owner, &json!({"number": number}))
                .await
                .unwrap()
        );
        leases.release(&[key.to_owned()], owner).await.unwrap();
        let done = claim(&operations, key, "another").await;
        let expected = Claim::Done {
            job_id: owner.to_owned(),
            result: json!({"number": number}),
        };
        assert_eq!(done, expected, "each has its own answer");
    }))
    .await;
    let after = [
        commands(&database, "insert").await,
        commands(&database, "update").await,
        commands(&database, "findAndModify").await,
    ];
    let sent: Vec<i64> = after.iter().zip(before).map(|(after, before)| after - before).collect();
    println!("300 each: {sent:?} insert, update and findAndModify commands");
    // Alone they would be 300, 900 and 900.
    assert!(sent.iter().sum::<i64>() < 400, "{sent:?}");
    for collection in ["logs", "operations", "leases"] {
        assert_eq!(count(&database, collection, doc! {}).await, 300, "{collection}");
    }
    let open = doc! { "$or": [{ "owner": { "$exists": true } }, { "until": { "$ne": 0 } }] };
    assert_eq!(count(&database, "leases", open).await, 0, "every lease was given back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_one_write_reaches_only_its_caller() {
    let (mongo, database) = shared_database().await;
    let never_bad = doc! { "section": { "$ne": "errors" }, "journal.bad": { "$exists": false } };
    for collection in ["logs", "operations"] {
        let made = database.create_collection(collection).validator(never_bad.clone());
        made.await.unwrap();
    }
    let (log, operations) = (OperationLog::new(&mongo), Operations::new(&mongo));
    let keys: Vec<String> = (0..40).map(|number| format!("key-{number}")).collect();
    join_all(keys.iter().map(|key| claim(&operations, key, "owner"))).await;
    let logged = join_all(keys.iter().enumerate().map(async |(number, _)| {
        let section = if number % 10 == 3 { "errors" } else { "billz" };
        log.add(&entry(section, number), Utc::now()).await
    }));
    let written = join_all(keys.iter().enumerate().map(async |(number, key)| {
        let name = if number % 10 == 3 { "bad" } else { "good" };
        let owner = if number % 10 == 5 { "nobody" } else { "owner" };
        operations.write_journal(key, owner, 1, &doc! { name: 1 }).await
    }));
    let (logged, written) = tokio::join!(logged, written);
    for (number, (logged, written)) in logged.into_iter().zip(written).enumerate() {
        match number % 10 {
            3 => {
                assert!(logged.is_err_and(|error| error.is_about_a_document()));
                assert!(written.is_err_and(|error| error.is_about_a_document()));
            }
            5 => assert!(!written.unwrap(), "{number} was not held"),
            _ => {
                logged.unwrap();
                assert!(written.unwrap(), "{number} was held");
            }
        }
    }
    assert_eq!(count(&database, "logs", doc! {}).await, 36);
    assert_eq!(count(&database, "operations", doc! { "journal.good": 1 }).await, 32);
    database.drop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_is_told_to_all_and_the_next_writes_go_on() {
    let server = MongoServer::start().await.unwrap();
    let (mongo, database) = database(&server.uri()).await;
    let operations = Operations::new(&mongo);
    let keys: Vec<String> = (0..20).map(|number| format!("key-{number}")).collect();
    join_all(keys.iter().map(|key| claim(&operations, key, "owner"))).await;
    server.kill().await.unwrap();
    let write = async |number: i64| {
        let journal = doc! { "number": number };
        join_all(
            keys.iter()
                .map(|key| operations.write_journal(key, "owner", number, &journal)),
        )
        .await
    };
    for written in write(1).await {
        assert!(matches!(written, Err(StoreError::Unavailable(_))), "{written:?}");
    }
    server.restart().await.unwrap();
    until("all are written", || async {
        write(2).await.iter().all(|written| matches!(written, Ok(true)))
    })
    .await;
    assert_eq!(
        count(&database, "operations", doc! { "journal.number": 2_i64 }).await,
        20
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stops_waiting_does_no_harm_to_the_others() {
    let (mongo, database) = shared_database().await;
    let log = OperationLog::new(&mongo);
    let add = |section, number| {
        let log = log.clone();
        tokio::spawn(async move { log.add(&entry(section, number), Utc::now()).await })
    };
    let (stay, leave): (Vec<_>, Vec<_>) = (0..100)
        .map(|number| (add("stay", number), add("leave", number)))
        .unzip();
    for task in &leave {
        task.abort();
    }
    for task in stay {
        task.await.unwrap().unwrap();
    }
    assert_eq!(count(&database, "logs", doc! { "section": "stay" }).await, 100);
    database.drop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_want_the_same_lease_or_operation_one_gets_it() {
    let (mongo, database) = shared_database().await;
    let (leases, operations) = (Leases::new(&mongo), Operations::new(&mongo));
    let owners: Vec<String> = (0..50).map(|number| format!("owner-{number}")).collect();
    let held = join_all(
        owners
            .iter()
            .map(|owner| leases.acquire("one", owner, LENGTH, Memory::Left)),
    )
    .await;
    assert_eq!(held.iter().filter(|held| held.as_ref().unwrap().is_some()).count(), 1);
    let claims = join_all(owners.iter().map(|owner| claim(&operations, "one", owner))).await;
    assert_eq!(claims.iter().filter(|claim| **claim == granted(doc! {})).count(), 1);
    assert_eq!(claims.iter().filter(|claim| **claim == Claim::Busy).count(), 49);
    assert_eq!(
        stored(&database, "operations", "one")
            .await
            .get_i32("attempts")
            .unwrap(),
        1
    );
    database.drop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operation_bears_writes_that_come_twice_or_late() {
    let (mongo, database) = shared_database().await;
    let operations = Operations::new(&mongo);
    let write = async |owner: &str, number: i64| {
        let journal = doc! { "by": owner, "number": number };
        operations.write_journal("key", owner, number, &journal).await.unwrap()
    };
    for _ in 0..2 {
        assert_eq!(claim(&operations, "key", "first").await, granted(doc! {}));
    }
    assert_eq!(
        stored(&database, "operations", "key")
            .await
            .get_i32("attempts")
            .unwrap(),
        1
    );
    assert!(write("first", 1).await && write("first", 2).await && write("first", 2).await);
    assert!(!write("first", 1).await, "the first write came late");
    operations.release("key", "first", "waiting", "no").await.unwrap();
    assert_eq!(
        claim(&operations, "key", "first").await,
        Claim::Busy,
        "the claim came late"
    );
    assert!(!operations.complete("key", "first", &json!(1)).await.unwrap());

    let second = granted(doc! { "by": "first", "number": 2_i64 });
    assert_eq!(claim(&operations, "key", "second").await, second);
    assert!(!write("first", 3).await, "it belongs to another");
    assert!(write("second", 1).await, "it counts anew");
    for _ in 0..2 {
        assert!(operations.complete("key", "second", &json!(2)).await.unwrap());
    }
    // As where the answer to `complete` was lost.
    operations.release("key", "second", "waiting", "no").await.unwrap();
    let done = Claim::Done {
        job_id: "second".to_owned(),
        result: json!(2),
    };
    assert_eq!(claim(&operations, "key", "third").await, done);
    let document = stored(&database, "operations", "key").await;
    assert_eq!(document.get_i32("attempts").unwrap(), 2);
    assert!(!document.contains_key("error"), "{document}");
    database.drop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_of_an_order_bears_writes_that_come_twice_or_late() {
    let (mongo, database) = shared_database().await;
    let sagas = OrderSagas::new(&mongo);
    let order = DocumentId::parse(&ObjectId::new().to_hex()).unwrap();
    let mut saga = sagas.take_over(&order, 1).await.unwrap().unwrap();
    saga.comment = "$first".to_owned();
    let mut late = saga.clone();
    assert!(sagas.save(&mut saga, Utc::now()).await.unwrap());
    saga.comment = "$second".to_owned();
    let mut again = saga.clone();
    assert!(sagas.save(&mut saga, Utc::now()).await.unwrap());
    assert!(
        sagas.save(&mut again, Utc::now()).await.unwrap(),
        "the same write once more"
    );
    assert!(
        !sagas.save(&mut late, Utc::now()).await.unwrap(),
        "the first write came late"
    );
    let found = sagas.find(&order).await.unwrap().unwrap();
    assert_eq!((&*found.comment, found.revision), ("$second", 2));

    // An older version knows nothing of revisions, and leaves what it does not know as it was.
    let revision = doc! { "$unset": { "revision": "" } };
    let journals = database.collection::<Document>("order_sagas");
    journals.update_one(doc! {}, revision).await.unwrap();
    let mut taken_over = sagas.take_over(&order, 2).await.unwrap().unwrap();
    assert!(!sagas.save(&mut saga, Utc::now()).await.unwrap(), "another has it");
    assert!(sagas.save(&mut taken_over, Utc::now()).await.unwrap());
    database.drop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_remembered_on_a_lease_is_lost_with_the_holder_who_took_it() {
    let (mongo, database) = shared_database().await;
    let leases = Leases::new(&mongo);
    let memory = async |owner: &str, memory| {
        let held = leases.acquire("key", owner, LENGTH, memory).await.unwrap();
        held.unwrap().memory
    };
    assert_eq!(memory("first", Memory::Taken).await, doc! {});
    let lines = doc! { "lines": [1] };
    leases.release_noting("key", "first", lines.clone()).await.unwrap();
    assert_eq!(memory("second", Memory::Left).await, lines);
    leases.release(&["key".to_owned()], "second").await.unwrap();
    assert_eq!(memory("third", Memory::Taken).await, lines);
    // It dies, and its lease runs out.
    let leased = database.collection::<Document>("leases");
    let ended = doc! { "$set": { "until": 0_i64 } };
    leased.update_one(doc! {}, ended).await.unwrap();
    assert_eq!(memory("fourth", Memory::Left).await, doc! {});
    database.drop().await.unwrap();
}
