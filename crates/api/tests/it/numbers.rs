use std::collections::HashSet;

use billwright_api::ApiSettings;
use billwright_domain::SystemClock;
use mongodb::bson::{Document, doc};
use serde_json::json;

use crate::test_app::{Answer, TestApp};

#[tokio::test]
async fn sixty_four_writers_get_numbers_without_duplicates_or_gaps() {
    let app = TestApp::start().await;
    app.user("c").await;
    app.user("suspended").await;
    app.put("/api/users/suspended", &json!({"isActive": false})).await;
    let writers = (0..64).map(|writer| {
        let app = &app;
        async move {
            let mut numbers = Vec::new();
            for round in 0..8 {
                let user = if (writer + round) % 5 == 0 { "suspended" } else { "c" };
                let body = json!({"userId": user, "dueDate": "2025-10-15"});
                let answer = app.post("/api/billings", &body).await;
                if user == "c" {
                    assert_eq!(answer.status, 201, "{}", answer.text);
                    numbers.push(answer.json()["billingId"].as_str().unwrap().to_owned());
                } else {
                    assert_eq!(answer.status, 400);
                }
            }
            numbers
        }
    });
    let numbers: Vec<String> = futures_util::future::join_all(writers).await.concat();
    let distinct: HashSet<&String> = numbers.iter().collect();
    assert_eq!(distinct.len(), numbers.len());
    let expected: HashSet<String> = (1..=numbers.len()).map(|number| format!("{number:09}")).collect();
    assert_eq!(distinct, expected.iter().collect());
    assert_eq!(app.sequence().await, i64::try_from(numbers.len()).unwrap());
}

#[tokio::test]
async fn two_processes_share_the_counter() {
    let app = TestApp::start().await;
    app.user("c").await;
    let other = app.another(SystemClock::shared()).await;
    let body = json!({"userId": "c", "dueDate": "2025-10-15"});
    let all = (0..60).map(|n| app.post_to(if n % 2 == 0 { &app.url } else { &other }, "/api/billings", &body));
    let answers = futures_util::future::join_all(all).await;
    let numbers: HashSet<String> = answers
        .iter()
        .map(|made| made.json()["billingId"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(numbers, (1..=60).map(|number| format!("{number:09}")).collect());
}

#[tokio::test]
async fn a_counter_behind_the_data_is_moved_at_start() {
    let server = billwright_services::shared::mongodb_uri().await.unwrap();
    let app = TestApp::on(&server, ApiSettings::default()).await;
    let old = ["000000007", "bill-1727000000000", "1727000000000", "000000123", "abc"];
    app.billings()
        .insert_many(old.map(|id| doc! { "userId": "c", "billingId": id }))
        .await
        .unwrap();
    app.ready().await;
    app.user("c").await;
    // The documents may have come after the counter was looked at; then the first creation finds out.
    assert_eq!(app.billing("c").await["billingId"], "000000124");
}

#[tokio::test]
async fn a_counter_that_falls_behind_is_moved_when_a_number_is_in_use() {
    let app = TestApp::start().await;
    app.user("c").await;
    let imported: Vec<Document> = (1..=9)
        .map(|n| doc! { "userId": "c", "billingId": format!("{n:09}") })
        .collect();
    app.billings().insert_many(imported).await.unwrap();
    let body = json!({"userId": "c", "dueDate": "2025-10-15"});
    let answers: Vec<Answer> = futures_util::future::join_all((0..5).map(|_| app.post("/api/billings", &body))).await;
    let numbers: HashSet<String> = answers
        .iter()
        .map(|made| made.json()["billingId"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(numbers, (10..=14).map(|number| format!("{number:09}")).collect());
    app.billings()
        .insert_one(doc! { "userId": "c", "billingId": "1000000000" })
        .await
        .unwrap();
    app.database
        .collection::<Document>("counters")
        .update_one(doc! {}, doc! { "$set": { "seq": 999_999_999 } })
        .await
        .unwrap();
    assert_eq!(
        app.billing("c").await["billingId"],
        "1000000001",
        "ten digits are found too"
    );
}
