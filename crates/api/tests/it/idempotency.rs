use std::sync::Arc;

use billwright_domain::{Clock, MockClock, SystemClock};
use chrono::TimeDelta;
use mongodb::{
    Collection,
    bson::{DateTime, Document, doc},
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::test_app::{Answer, TestApp};

async fn send(app: &TestApp, method: Method, path: &str, key: &str, body: &Value) -> Answer {
    Answer::of(app.request(method, path).header("idempotency-key", key).json(body)).await
}

#[tokio::test]
async fn a_repeat_is_answered_as_the_first_time_and_changes_nothing() {
    let app = TestApp::start().await;
    let user = json!({"userId": "c"});
    let first = send(&app, Method::POST, "/api/users", "k1", &user).await;
    let again = send(&app, Method::POST, "/users", "k1", &user).await;
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(first.text, again.text);
    for header in ["etag", "location", "content-type"] {
        assert_eq!(first.header(header), again.header(header), "{header}");
    }
    assert_eq!(
        (first.header("idempotent-replayed"), again.header("idempotent-replayed")),
        ("", "true")
    );

    let billing = json!({"userId": "c", "dueDate": "2025-10-15"});
    let made = send(&app, Method::POST, "/api/billings", "k2", &billing).await;
    for _ in 0..3 {
        assert_eq!(
            send(&app, Method::POST, "/api/billings", "k2", &billing).await.text,
            made.text
        );
    }
    assert_eq!(app.sequence().await, 1);

    let paid = json!({"isPaid": true});
    let put = send(&app, Method::PUT, "/api/billings/000000001", "k3", &paid).await;
    app.put("/api/billings/000000001", &json!({"isPaid": false})).await;
    assert_eq!(
        send(&app, Method::PUT, "/api/billings/000000001", "k3", &paid)
            .await
            .text,
        put.text
    );
    assert_eq!(app.get("/api/billings/000000001").await.json()["isPaid"], false);

    let deleted = send(&app, Method::DELETE, "/api/users/c", "k4", &json!({})).await;
    let again = send(&app, Method::DELETE, "/api/users/c", "k4", &json!({})).await;
    assert_eq!((deleted.status, again.status), (200, 200));
    assert_eq!(
        (
            deleted.header("x-remaining-billings"),
            again.header("x-remaining-billings")
        ),
        ("1", "1")
    );
}

#[tokio::test]
async fn the_same_key_for_another_request_is_refused() {
    let app = TestApp::start().await;
    send(&app, Method::POST, "/api/users", "k", &json!({"userId": "c"})).await;
    for (method, path, body) in [
        (Method::POST, "/api/users", json!({"userId": "d"})),
        (Method::PUT, "/api/users/c", json!({"userId": "c"})),
        (Method::POST, "/api/billings", json!({"userId": "c"})),
    ] {
        let other = send(&app, method, path, "k", &body).await;
        let expected = if path == "/api/billings" { 400 } else { 422 };
        assert_eq!(other.status, expected, "{}", other.text);
    }
    assert_eq!(app.users().count_documents(doc! {}).await.unwrap(), 1);
    for bad in ["", &"k".repeat(256)] {
        let refused = send(&app, Method::POST, "/api/users", bad, &json!({"userId": "e"})).await;
        assert_eq!(
            (refused.status, refused.fields()),
            (400, vec!["Idempotency-Key".to_owned()])
        );
    }
}

#[tokio::test]
async fn a_refused_request_can_be_tried_again_with_its_key() {
    let app = TestApp::start().await;
    let billing = json!({"userId": "c", "dueDate": "2025-10-15"});
    assert_eq!(
        send(&app, Method::POST, "/api/billings", "k", &billing).await.status,
        404
    );
    app.user("c").await;
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        // The key is given up beside the answer.
        let answer = send(&app, Method::POST, "/api/billings", "k", &billing).await;
        if answer.status == 201 {
            break;
        }
        assert_eq!(
            (answer.status, answer.header("retry-after")),
            (409, "1"),
            "{}",
            answer.text
        );
        assert!(tokio::time::Instant::now() < deadline);
    }
    assert_eq!(app.sequence().await, 1);
}

#[tokio::test]
async fn of_many_repeats_at_once_one_is_carried_out() {
    let app = TestApp::start().await;
    app.user("c").await;
    let billing = json!({"userId": "c", "dueDate": "2025-10-15"});
    let all = (0..24).map(|_| send(&app, Method::POST, "/api/billings", "k", &billing));
    let answers = futures_util::future::join_all(all).await;
    let made: Vec<&str> = answers
        .iter()
        .filter(|answer| answer.status == 201)
        .map(|answer| &*answer.text)
        .collect();
    assert!(!made.is_empty() && made.iter().all(|text| *text == made[0]));
    for running in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!(running.status, 409);
        assert_eq!(
            (running.error().1.as_str(), running.header("retry-after")),
            ("idempotency_key_in_use", "1")
        );
    }
    assert_eq!(
        (
            app.sequence().await,
            app.billings().count_documents(doc! {}).await.unwrap()
        ),
        (1, 1)
    );
}

#[tokio::test]
async fn a_claim_whose_process_died_is_taken_over_and_an_old_answer_forgotten() {
    let app = TestApp::start().await;
    app.user("c").await;
    let billing = json!({"userId": "c", "dueDate": "2025-10-15"});
    assert_eq!(
        send(&app, Method::POST, "/api/billings", "k", &billing).await.status,
        201
    );
    let records: Collection<Document> = app.database.collection("idempotency");
    // As if the process had died after claiming, a while ago.
    let died = doc! { "$unset": { "answer": "" }, "$set": { "claimedUntil": DateTime::from_millis(0) } };
    records.update_one(doc! {}, died).await.unwrap();
    let taken_over = send(&app, Method::POST, "/api/billings", "k", &billing).await;
    assert_eq!(
        (taken_over.status, taken_over.json()["billingId"].as_str()),
        (201, Some("000000002"))
    );
    let running =
        doc! { "$unset": { "answer": "" }, "$set": { "claimedUntil": DateTime::from_millis(4_000_000_000_000) } };
    records.update_one(doc! {}, running).await.unwrap();
    assert_eq!(
        send(&app, Method::POST, "/api/billings", "k", &billing).await.status,
        409
    );
    // As if a day had passed.
    records
        .update_one(doc! {}, doc! { "$set": { "expiresAt": DateTime::from_millis(0) } })
        .await
        .unwrap();
    let anew = send(&app, Method::POST, "/api/users", "k", &json!({"userId": "d"})).await;
    assert_eq!(anew.status, 201, "{}", anew.text);
}

#[tokio::test]
async fn mongodbs_clock_and_not_a_process_s_tells_whether_a_claim_has_run_out() {
    let app = TestApp::start().await;
    app.user("c").await;
    let off_by = |hours| Arc::new(MockClock::at(SystemClock.now() + TimeDelta::hours(hours)));
    let (ahead, behind) = (app.another(off_by(1)).await, app.another(off_by(-1)).await);
    let billing = json!({"userId": "c", "dueDate": "2025-10-15"});
    let send_to = async |process: &str| {
        let request = app.http.post(format!("{process}/api/billings"));
        Answer::of(request.header("idempotency-key", "k").json(&billing)).await
    };
    let records: Collection<Document> = app.database.collection("idempotency");
    // As if a process had claimed the key and not answered yet, until so many seconds from now.
    let claimed = async |seconds: i64| {
        let until = doc! { "$add": ["$$NOW", seconds * 1000] };
        let claim = vec![doc! { "$unset": "answer" }, doc! { "$set": { "claimedUntil": until } }];
        records.update_one(doc! {}, claim).await.unwrap();
    };
    assert_eq!(send_to(&ahead).await.status, 201);
    let record = records.find_one(doc! {}).await.unwrap().unwrap();
    let server = app.database.run_command(doc! { "hello": 1 }).await.unwrap();
    assert!(record.get_datetime("createdAt").unwrap() <= server.get_datetime("localTime").unwrap());

    claimed(60).await;
    assert_eq!(send_to(&ahead).await.status, 409, "it took over a claim that holds");
    claimed(-1).await;
    let taken_over = send_to(&behind).await;
    assert_eq!(taken_over.status, 201, "{}", taken_over.text);
}
