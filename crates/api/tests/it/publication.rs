//! What is kept to be published.

use billwright_store::billing::outbox;
use reqwest::Method;
use serde_json::json;

use crate::test_app::{Answer, TestApp};

#[tokio::test]
async fn every_change_is_kept_with_it_and_nothing_that_did_not_happen() {
    let app = TestApp::publishing().await;
    app.user("c").await;
    app.put("/api/users/c", &json!({"address": {"city": "Cali"}})).await;
    app.billing("c").await;
    app.put("/api/billings/000000001", &json!({"serviceId": "2"})).await;
    app.put("/api/billings/000000001", &json!({"isPaid": true})).await;
    app.put("/api/billings/000000001", &json!({"isPaid": true})).await;
    app.delete("/api/billings/000000001").await;
    app.delete("/api/users/c").await;
    for refused in [
        app.post("/api/billings", &json!({"userId": "c", "dueDate": "2025-10-15"}))
            .await,
        app.put("/api/users/c", &json!({})).await,
        app.delete("/api/billings/000000001").await,
    ] {
        assert_eq!(refused.status, 404);
    }
    app.user("d").await;
    assert_eq!(app.post("/api/users", &json!({"userId": "d"})).await.status, 409);
    let stale = app
        .request(Method::PUT, "/api/users/d")
        .header("if-match", "\"0\"")
        .json(&json!({"isActive": false}));
    assert_eq!(Answer::of(stale).await.status, 412);
    let keyed = || {
        app.request(Method::PUT, "/api/users/d")
            .header("idempotency-key", "k")
            .json(&json!({"isActive": false}))
    };
    for _ in 0..2 {
        assert_eq!(Answer::of(keyed()).await.status, 200);
    }
    let kept: Vec<String> = outbox::waiting(&app.mongo, 100)
        .await
        .unwrap()
        .into_iter()
        .map(|entry| entry.kind)
        .collect();
    assert_eq!(
        kept,
        [
            "User.Created",
            "User.Updated",
            "Billing.Created",
            "Billing.Updated",
            "Billing.Paid",
            "Billing.Updated",
            "Billing.Deleted",
            "User.Deleted",
            "User.Created",
            "User.Updated"
        ]
    );
}
