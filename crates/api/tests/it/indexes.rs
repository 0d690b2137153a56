use billwright_store::billing::{BillingStore, indexes};
use mongodb::{
    IndexModel,
    bson::{Document, doc},
    options::IndexOptions,
};

use crate::test_app::TestApp;

#[tokio::test]
async fn an_index_of_another_shape_is_reported_and_left_alone() {
    let app = TestApp::start().await;
    let users = app.users();
    users.drop_index("isActive_1__id_1").await.unwrap();
    let options = IndexOptions::builder()
        .name("isActive_1__id_1".to_owned())
        .sparse(true)
        .build();
    let own = IndexModel::builder()
        .keys(doc! { "isActive": 1, "_id": 1 })
        .options(options)
        .build();
    users.create_index(own).await.unwrap();
    let store = BillingStore::new(app.mongo.clone(), None);
    let complaints = indexes::ensure(&store).await.unwrap();
    assert_eq!(complaints.len(), 1);
    assert!(
        complaints[0].contains("`isActive_1__id_1` of `users` exists in another shape"),
        "{complaints:?}"
    );
    assert!(store.has_unique_indexes());
}

#[tokio::test]
async fn a_unique_index_that_the_data_forbids_is_reported_and_a_taken_user_id_is_refused_all_the_same() {
    let app = TestApp::start().await;
    let users = app.users();
    users.drop_index("userId_1").await.unwrap();
    let twice: [Document; 2] = [doc! { "userId": "c" }, doc! { "userId": "c" }];
    users.insert_many(twice).await.unwrap();
    let store = BillingStore::new(app.mongo.clone(), None);
    let complaints = indexes::ensure(&store).await.unwrap();
    assert!(
        complaints[0].contains("`userId_1` of `users` cannot be made unique"),
        "{complaints:?}"
    );
    assert!(!complaints[0].contains("\"c\""), "no value is repeated");
    assert!(!store.has_unique_indexes());
    let new = billwright_domain::user::NewUser::from_json(&serde_json::json!({"userId": "c"})).unwrap();
    let now = chrono::DateTime::UNIX_EPOCH;
    let written = store
        .create_user(&new, billwright_store::billing::writes::Terms::default(), now)
        .await
        .unwrap();
    assert_eq!(written, billwright_store::billing::writes::Written::Taken);
}
