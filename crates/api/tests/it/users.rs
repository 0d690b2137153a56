use mongodb::bson::{Bson, doc, oid::ObjectId};
use serde_json::json;

use crate::test_app::TestApp;

#[tokio::test]
async fn a_user_lives_from_creation_to_deletion_on_both_prefixes_and_by_both_ids() {
    let app = TestApp::start().await;
    for prefix in ["/api", ""] {
        let body = json!({
            "_id": "68ddaa4dcba130bb01c826d4", "userId": "12122121-eefwedf-1121333", "isActive": true, "admin": true,
            "address": {"city": "Cali", "country": "Colombia", "zipCode": 760_001, "address": "Calle 13 #64-40", "x": 1},
            "phone": {"phoneNumber": "3001234567"}
        });
        let made = app.post(&format!("{prefix}/users"), &body).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let user = made.json();
        let id = user["_id"].as_str().unwrap();
        assert_ne!(id, "68ddaa4dcba130bb01c826d4", "the server makes the _id");
        assert_eq!(made.header("location"), format!("/api/users/{id}"));
        assert_eq!(
            user["address"],
            json!({"city": "Cali", "country": "Colombia", "zipCode": "760001", "address": "Calle 13 #64-40"})
        );
        assert_eq!(
            user["phone"],
            json!({"codeNumber": "+57", "phoneNumber": 3_001_234_567_u64})
        );
        assert!(user.get("admin").is_none() && user["__v"] == 0 && user["createdAt"] == user["updatedAt"]);

        for id in [id, "12122121-eefwedf-1121333"] {
            let found = app.get(&format!("{prefix}/users/{id}")).await;
            assert_eq!((found.status, found.json()), (200, user.clone()));
        }
        let changed = app
            .put(
                &format!("{prefix}/users/{id}"),
                &json!({"isActive": "false", "address": {"city": "Bogotá"}}),
            )
            .await;
        assert_eq!(changed.status, 200, "{}", changed.text);
        assert_eq!(
            changed.json()["address"],
            json!({"city": "Bogotá"}),
            "an object is replaced as a whole"
        );
        assert_eq!(changed.json()["isActive"], false);
        assert_eq!(changed.json()["phone"], user["phone"], "what is not named stays");

        let deleted = app.delete(&format!("{prefix}/users/12122121-eefwedf-1121333")).await;
        assert_eq!((deleted.status, deleted.json()), (200, json!({"message": "Deleted"})));
        for answer in [
            app.get(&format!("{prefix}/users/{id}")).await,
            app.put(&format!("{prefix}/users/{id}"), &json!({})).await,
            app.delete(&format!("{prefix}/users/{id}")).await,
        ] {
            assert_eq!(answer.status, 404);
            assert_eq!(answer.error(), ("User not found".into(), "user_not_found".into()));
        }
    }
}

#[tokio::test]
async fn is_stored_as_the_historical_model_would_have_stored_it() {
    let app = TestApp::start().await;
    app.post(
        "/api/users",
        &json!({"userId": 42, "address": {}, "phone": {"phoneNumber": 7}}),
    )
    .await;
    let stored = app.users().find_one(doc! { "userId": "42" }).await.unwrap().unwrap();
    let names: Vec<_> = stored.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["_id", "userId", "phone", "isActive", "createdAt", "updatedAt", "__v"]
    );
    assert_eq!(stored.get("__v"), Some(&Bson::Int32(0)));
    assert_eq!(
        stored.get_document("phone").unwrap().get("phoneNumber"),
        Some(&Bson::Int32(7))
    );
    assert!(stored.get_datetime("createdAt").is_ok());
}

#[tokio::test]
async fn a_user_id_is_taken_once_even_when_many_ask_at_once() {
    let app = TestApp::start().await;
    let body = json!({"userId": "wanted"});
    let answers = futures_util::future::join_all((0..16).map(|_| app.post("/api/users", &body))).await;
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(made, 1);
    for refused in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!(refused.status, 409);
        assert_eq!(refused.error(), ("userId already exists".into(), "user_exists".into()));
    }
}

#[tokio::test]
async fn an_update_keeps_unknown_stored_fields_and_never_changes_the_user_id() {
    let app = TestApp::start().await;
    let id = ObjectId::new();
    app.users()
        .insert_one(
            doc! { "_id": id, "userId": "old", "segment": { "tier": 3 }, "address": { "city": "Cali", "block": "B" } },
        )
        .await
        .unwrap();
    let changed = app
        .put(
            "/api/users/old",
            &json!({"userId": "new", "isActive": true, "address": null}),
        )
        .await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let stored = app.users().find_one(doc! { "_id": id }).await.unwrap().unwrap();
    assert_eq!(stored.get_str("userId").unwrap(), "old");
    assert_eq!(stored.get_document("segment").unwrap(), &doc! { "tier": 3 });
    assert_eq!(stored.get("address"), Some(&Bson::Null));
    assert!(stored.get_datetime("updatedAt").is_ok() && stored.get("createdAt").is_none());
}

#[tokio::test]
async fn an_id_of_24_digits_is_first_taken_for_an_object_id_and_then_for_a_user_id() {
    let app = TestApp::start().await;
    app.user("68ddaa4dcba130bb01c826d4").await;
    let by_user_id = app.get("/api/users/68ddaa4dcba130bb01c826d4").await.json();
    assert_eq!(by_user_id["userId"], "68ddaa4dcba130bb01c826d4");
    let other = ObjectId::parse_str("68ddaa4dcba130bb01c826d4").unwrap();
    app.users()
        .insert_one(doc! { "_id": other, "userId": "other" })
        .await
        .unwrap();
    assert_eq!(
        app.get("/api/users/68ddaa4dcba130bb01c826d4").await.json()["userId"],
        "other"
    );
}

#[tokio::test]
async fn deleting_a_user_leaves_the_billings_and_says_how_many() {
    let app = TestApp::start().await;
    app.user("c").await;
    app.billing("c").await;
    app.billing("c").await;
    let deleted = app.delete("/api/users/c").await;
    assert_eq!((deleted.status, deleted.header("x-remaining-billings")), (200, "2"));
    assert_eq!(app.billings().count_documents(doc! { "userId": "c" }).await.unwrap(), 2);
}
