//! What lies in MongoDB: nothing that it should not, indexes that are reported rather than replaced, and the shared login.

use std::sync::Arc;

use billwright_connectors::billz::{StoredToken, TokenStore};
use billwright_domain::{Clock, SystemClock};
use billwright_store::billz::{indexes, integrations::EncryptionKey, integrations::Integrations};
use billwright_worker::IntegrationTokenStore;
use futures_util::TryStreamExt;
use mongodb::{
    IndexModel,
    bson::{Document, doc},
};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::world::{World, order};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn phone_numbers_and_names_stand_nowhere_but_with_the_client() {
    let world = World::new().await;
    let worker = world.start_with(world.settings(), world.billz(), Some(world.telegram()));
    let client = world.client(998_901_112_233.0, None).await;
    let person = json!({"clientPhone": "+998901112233", "clientFirstName": "Aziza", "clientLastName": "Karimova"});
    world.run("CREATE_CLIENT", person.clone()).await.value();
    world.run("PLACE_ORDER", order("1", client)).await.value();
    let mut wrong = person;
    wrong["clientFirstName"] = json!({});
    world.run("CREATE_CLIENT", wrong).await.reason();
    for collection in [
        "logs",
        "operations",
        "order_sagas",
        "notifications",
        "leases",
        "sale_claims",
        "orders",
    ] {
        let documents: Vec<Document> = world
            .collection(collection)
            .find(doc! {})
            .await
            .unwrap()
            .try_collect()
            .await
            .unwrap();
        assert!(!documents.is_empty(), "{collection} is empty");
        let text = format!("{documents:?}");
        for secret in ["998901112233", "Aziza", "Karimova"] {
            assert!(!text.contains(secret), "{secret} stands in {collection}");
        }
    }
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_says_what_was_paid_and_when_whatever_a_later_job_asks_for() {
    let world = World::new().await;
    let worker = world.start();
    let client = world.client(998_901_112_233.0, None).await;
    let placed = world.run("PLACE_ORDER", order("1", client)).await.value();
    let payment = |amount: u32| json!({"orderId": placed["billzOrderId"], "cardId": "card123", "totalPrice": amount});
    let mut first_paid = None;
    for (kind, payload, answer, again) in [
        ("MAKE_PAYMENT", payment(225), "alreadyPaid", false),
        ("MAKE_PAYMENT", payment(300), "alreadyPaid", true),
        ("PLACE_ORDER", order("1", client), "alreadyPlaced", true),
    ] {
        let done = world.run(kind, payload).await.value();
        assert_eq!(done[answer], again, "{kind}");
        let document = world
            .collection("orders")
            .find_one(doc! { "orderID": "1" })
            .await
            .unwrap()
            .unwrap();
        assert_eq!(document.get_i32("paidAmount").unwrap(), 225);
        assert_eq!(document.get_i32("billzAmount").unwrap(), 225);
        let date = *document.get_datetime("datePaid").unwrap();
        assert_eq!(date, *first_paid.get_or_insert(date), "{kind} moved the date");
    }
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_of_another_shape_is_reported_and_left() {
    let world = World::new().await;
    let unique = mongodb::options::IndexOptions::builder().unique(true).build();
    let ours = IndexModel::builder()
        .keys(doc! { "orderID": 1 })
        .options(unique)
        .build();
    world.collection("orders").create_index(ours).await.unwrap();
    let reports = indexes::ensure(&world.mongo()).await.unwrap();
    assert!(
        reports.len() == 1 && reports[0].contains("orderID") && reports[0].contains("unique=true"),
        "{reports:?}"
    );
    let names = world.collection("orders").list_index_names().await.unwrap();
    for field in ["billzId_1", "deliveryStatus_1", "clientIdSys_1"] {
        assert!(names.iter().any(|name| name == field), "{field} is not in {names:?}");
    }
    assert_eq!(
        indexes::ensure(&world.mongo()).await.unwrap().len(),
        1,
        "the second start says the same"
    );
    world.end().await;
}

#[tokio::test]
async fn workers_share_the_login_of_the_integrations_document() {
    let world = World::new().await;
    let key = EncryptionKey::parse(&"a".repeat(64).into()).unwrap();
    let secret = key.encrypt(&"sk-example".to_owned().into());
    let document = doc! { "type": "billz", "isActive": true, "token": secret, "shop_id": "shop-1", "other": 1 };
    world.collection("integrations").insert_one(document).await.unwrap();
    let integration = Integrations::new(&world.mongo(), Some(key.clone()))
        .load()
        .await
        .unwrap()
        .unwrap();
    assert_eq!(integration.secret.expose_secret(), "sk-example");
    assert_eq!(integration.shop_id.as_deref(), Some("shop-1"));

    let clock: Arc<dyn Clock> = SystemClock::shared();
    let one = IntegrationTokenStore::new(&world.mongo(), Some(key.clone()), clock.clone());
    let two = IntegrationTokenStore::new(&world.mongo(), Some(key), clock.clone());
    assert!(one.load().await.unwrap().is_none());
    let turn = std::time::Duration::from_secs(30);
    assert!(one.begin_turn(turn).await.unwrap() && !two.begin_turn(turn).await.unwrap());
    let token = StoredToken {
        access_token: "access".to_owned().into(),
        expires_at: clock.now() + chrono::TimeDelta::days(15),
    };
    one.save(&token).await.unwrap();
    one.end_turn().await;
    assert!(two.begin_turn(turn).await.unwrap());
    let shared = two.load().await.unwrap().unwrap();
    assert_eq!(shared.access_token.expose_secret(), "access");
    assert_eq!(shared.expires_at, token.expires_at);
    let stored = world
        .collection("integrations")
        .find_one(doc! {})
        .await
        .unwrap()
        .unwrap();
    assert!(!stored.to_string().contains("\"access\"") && stored.get_i32("other").unwrap() == 1);

    let without = Integrations::new(&world.mongo(), None).load().await.unwrap_err();
    assert!(without.to_string().contains("ENCRYPTION_KEY"), "{without}");
    world.end().await;
}
