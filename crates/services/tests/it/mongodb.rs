use std::time::Duration;

use billwright_services::MongoServer;
use bson::{Document, doc};
use mongodb::{Client, options::ClientOptions};

async fn client(uri: &str) -> Client {
    let mut options = ClientOptions::parse(uri).await.unwrap();
    options.server_selection_timeout = Some(Duration::from_secs(20));
    Client::with_options(options).unwrap()
}

#[tokio::test]
async fn acknowledged_writes_survive_a_kill_and_transactions_work() {
    let server = MongoServer::start().await.unwrap();
    let client_before = client(&server.uri()).await;
    let notes = client_before.database("notes").collection::<Document>("notes");
    let mut session = client_before.start_session().await.unwrap();
    session.start_transaction().await.unwrap();
    notes.insert_one(doc! { "_id": 1 }).session(&mut session).await.unwrap();
    session.commit_transaction().await.unwrap();
    let pid = server.pid().unwrap();

    server.kill().await.unwrap();
    assert!(server.pid().is_err(), "a killed server has no process id");
    server.restart().await.unwrap();

    assert_ne!(server.pid().unwrap(), pid);
    let found = client(&server.uri())
        .await
        .database("notes")
        .collection::<Document>("notes");
    assert_eq!(found.find_one(doc! {}).await.unwrap(), Some(doc! { "_id": 1 }));
}

#[tokio::test]
async fn the_shared_server_is_one_and_answers() {
    let (first, second) = tokio::join!(
        billwright_services::shared::mongodb_uri(),
        billwright_services::shared::mongodb_uri()
    );
    let uri = first.unwrap();
    assert_eq!(uri, second.unwrap());
    client(&uri)
        .await
        .database("admin")
        .run_command(doc! { "ping": 1 })
        .await
        .unwrap();
}
