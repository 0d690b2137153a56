use mongodb::bson::{Bson, doc, oid::ObjectId};
use serde_json::{Value, json};

use crate::test_app::TestApp;

#[tokio::test]
async fn a_billing_lives_from_creation_to_deletion_on_both_prefixes_and_by_both_ids() {
    let app = TestApp::start().await;
    app.user("11211232-eferfef-1233424").await;
    for (prefix, number) in [("/api", "000000001"), ("", "000000002")] {
        let body = json!({
            "_id": "68dda9dfb24aa93e5f012862", "userId": "11211232-eferfef-1233424", "billingId": "000011232",
            "generationDate": "1999-10-01T09:15:00", "dueDate": "2025-10-15", "serviceId": 1, "totalInvoice": "125000",
            "isPaid": "false", "paymentDate": null
        });
        let made = app.post(&format!("{prefix}/billings"), &body).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let billing = made.json();
        assert_eq!(billing["billingId"], number, "the number is the server's");
        assert!(!billing["generationDate"].as_str().unwrap().starts_with("1999"));
        assert_eq!(billing["dueDate"], "2025-10-15T00:00:00.000Z");
        assert_eq!(
            (&billing["totalInvoice"], &billing["serviceId"]),
            (&json!(125_000), &json!("1"))
        );
        assert_eq!(
            (&billing["isPaid"], &billing["paymentDate"]),
            (&json!(false), &Value::Null)
        );
        let id = billing["_id"].as_str().unwrap();
        for id in [id, number] {
            let found = app.get(&format!("{prefix}/billings/{id}")).await;
            assert_eq!((found.status, found.json()), (200, billing.clone()));
        }
        let changed = app
            .put(
                &format!("{prefix}/billings/{number}"),
                &json!({"totalInvoice": 0.5, "serviceId": null}),
            )
            .await;
        assert_eq!(changed.status, 200, "{}", changed.text);
        assert_eq!(
            (&changed.json()["totalInvoice"], &changed.json()["serviceId"]),
            (&json!(0.5), &Value::Null)
        );
        let deleted = app.delete(&format!("{prefix}/billings/{id}")).await;
        assert_eq!((deleted.status, deleted.json()), (200, json!({"message": "Deleted"})));
        assert_eq!(deleted.header("x-remaining-billings"), "");
        for answer in [
            app.get(&format!("{prefix}/billings/{number}")).await,
            app.put(&format!("{prefix}/billings/{number}"), &json!({})).await,
            app.delete(&format!("{prefix}/billings/{id}")).await,
        ] {
            assert_eq!(answer.status, 404);
            assert_eq!(answer.error(), ("Billing not found".into(), "billing_not_found".into()));
        }
    }
    assert_eq!(
        app.billing("11211232-eferfef-1233424").await["billingId"],
        "000000003",
        "a number is given out once"
    );
}

#[tokio::test]
async fn refuses_a_billing_for_an_unknown_or_suspended_user_and_uses_up_no_number() {
    let app = TestApp::start().await;
    let body = json!({"userId": "c", "dueDate": "2025-10-15"});
    let unknown = app.post("/api/billings", &body).await;
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.error(), ("User not found".into(), "user_not_found".into()));
    app.user("c").await;
    app.put("/api/users/c", &json!({"isActive": false})).await;
    let suspended = app.post("/api/billings", &body).await;
    assert_eq!(suspended.status, 400);
    assert_eq!(
        suspended.error(),
        ("User is not active".into(), "user_not_active".into())
    );
    assert_eq!(app.post("/api/billings", &json!({"userId": "c"})).await.status, 400);
    assert_eq!(app.sequence().await, 0);
    app.put("/api/users/c", &json!({"isActive": true})).await;
    assert_eq!(app.billing("c").await["billingId"], "000000001");
}

#[tokio::test]
async fn a_stored_user_without_is_active_is_active() {
    let app = TestApp::start().await;
    app.users().insert_one(doc! { "userId": "historical" }).await.unwrap();
    assert_eq!(app.billing("historical").await["billingId"], "000000001");
}

#[tokio::test]
async fn the_payment_date_follows_is_paid() {
    let app = TestApp::start().await;
    app.user("c").await;
    let number = app.billing("c").await["billingId"].as_str().unwrap().to_owned();
    let path = format!("/api/billings/{number}");
    let before = chrono_now();
    let paid = app.put(&path, &json!({"isPaid": true})).await.json();
    let date = paid["paymentDate"].as_str().unwrap().to_owned();
    assert!(date >= before && paid["isPaid"] == true, "{paid}");
    let again = app
        .put(&path, &json!({"isPaid": true, "serviceId": "$isPaid"}))
        .await
        .json();
    assert_eq!(
        again["paymentDate"],
        json!(date),
        "saying it twice does not move the date"
    );
    assert_eq!(again["serviceId"], "$isPaid", "a value is never an expression");
    let dated = app
        .put(&path, &json!({"isPaid": true, "paymentDate": "2025-01-02"}))
        .await
        .json();
    assert_eq!(dated["paymentDate"], "2025-01-02T00:00:00.000Z");
    let open = app.put(&path, &json!({"isPaid": false})).await.json();
    assert_eq!((&open["isPaid"], &open["paymentDate"]), (&json!(false), &Value::Null));
    let born_paid = json!({"userId": "c", "dueDate": "2025-10-15", "isPaid": 1});
    assert!(app.post("/api/billings", &born_paid).await.json()["paymentDate"].is_string());
}

fn chrono_now() -> String {
    use billwright_domain::{Clock, SystemClock};
    SystemClock.now().format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

#[tokio::test]
async fn immutable_fields_of_a_billing_are_left_alone() {
    let app = TestApp::start().await;
    app.user("c").await;
    let before = app.billing("c").await;
    let body = json!({"billingId": "000000099", "generationDate": "1999-01-01", "userId": "other", "serviceId": "2"});
    let after = app
        .put(
            &format!("/api/billings/{}", before["billingId"].as_str().unwrap()),
            &body,
        )
        .await
        .json();
    for field in ["_id", "billingId", "generationDate", "userId", "createdAt"] {
        assert_eq!(before[field], after[field], "{field} changed");
    }
    assert_eq!(after["serviceId"], "2");
}

#[tokio::test]
async fn billings_of_the_historical_service_are_read_by_their_own_ids() {
    let app = TestApp::start().await;
    let id = ObjectId::new();
    app.billings()
        .insert_one(
            doc! { "_id": id, "userId": "c", "billingId": "bill-1727000000000", "totalInvoice": 7.0, "note": "old" },
        )
        .await
        .unwrap();
    let found = app.get("/api/billings/bill-1727000000000").await.json();
    assert_eq!(found["_id"], json!(id.to_hex()));
    assert_eq!((&found["note"], &found["totalInvoice"]), (&json!("old"), &json!(7)));
    let paid = app
        .put("/api/billings/bill-1727000000000", &json!({"isPaid": true}))
        .await;
    assert_eq!(paid.status, 200, "{}", paid.text);
    let stored = app.billings().find_one(doc! { "_id": id }).await.unwrap().unwrap();
    assert_eq!(stored.get_str("note").unwrap(), "old");
    assert!(matches!(stored.get("paymentDate"), Some(Bson::DateTime(_))));
}

#[tokio::test]
async fn amounts_are_exact_or_refused() {
    let app = TestApp::start().await;
    app.user("c").await;
    for (given, answered) in [
        (json!("0.1"), json!(0.1)),
        (json!(3_000_000_000_u64), json!(3_000_000_000_u64)),
        (json!(0), json!(0)),
    ] {
        let body = json!({"userId": "c", "dueDate": "2025-10-15", "totalInvoice": given});
        assert_eq!(app.post("/api/billings", &body).await.json()["totalInvoice"], answered);
    }
    for bad in [
        json!(-1),
        json!("9007199254740993"),
        json!("12 pesos"),
        json!({"$gt": 0}),
        json!([]),
    ] {
        let body = json!({"userId": "c", "dueDate": "2025-10-15", "totalInvoice": bad});
        let refused = app.post("/api/billings", &body).await;
        assert_eq!(
            (refused.status, refused.fields()),
            (400, vec!["totalInvoice".to_owned()]),
            "{bad} was taken"
        );
    }
}
