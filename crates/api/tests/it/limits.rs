//! Slow clients, too many of them, and long answers.

use std::time::{Duration, Instant};

use billwright_api::ApiSettings;
use mongodb::bson::{Document, doc, raw::RawDocumentBuf};
use reqwest::Method;

use crate::test_app::{Answer, TestApp};

#[tokio::test]
async fn a_client_that_never_finishes_its_body_is_given_up() {
    let settings = ApiSettings {
        body_timeout: Duration::from_millis(100),
        ..ApiSettings::default()
    };
    let app = TestApp::with(settings).await;
    let never = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
    let request = app
        .request(Method::POST, "/api/users")
        .header("content-type", "application/json");
    let answer = Answer::of(request.body(reqwest::Body::wrap_stream(never))).await;
    assert_eq!((answer.status, answer.error().1.as_str()), (408, "body_timeout"));
}

#[tokio::test]
async fn past_the_most_at_a_time_requests_are_refused_and_a_stream_counts_until_it_ends() {
    let settings = ApiSettings {
        most_at_a_time: 1,
        ..ApiSettings::default()
    };
    let app = TestApp::with(settings).await;
    let filler = "x".repeat(10_000);
    let many: Vec<Document> = (0..5000)
        .map(|n| doc! { "userId": n.to_string(), "filler": &filler })
        .collect();
    app.users().insert_many(many).await.unwrap();
    let mut long = app.request(Method::GET, "/api/users").send().await.unwrap();
    assert!(long.chunk().await.unwrap().is_some());
    let refused = app.get("/api/users/0").await;
    assert_eq!(
        (
            refused.status,
            refused.error().1.as_str(),
            refused.header("retry-after")
        ),
        (503, "overloaded", "1")
    );
    drop(long);
    let deadline = Instant::now() + Duration::from_secs(10);
    while app.get("/api/users/0").await.status != 200 {
        assert!(Instant::now() < deadline, "the place was not given back");
    }
}

#[tokio::test]
async fn a_list_that_cannot_be_finished_is_broken_off_instead_of_ending_well() {
    let app = TestApp::start().await;
    let many: Vec<Document> = (0..5000)
        .map(|n| doc! { "userId": format!("{n:04}"), "filler": "x".repeat(10_000) })
        .collect();
    app.users().insert_many(many).await.unwrap();
    let mut response = app.request(Method::GET, "/api/users?sort=userId").send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.chunk().await.unwrap().is_some());
    // The cursor is lost under the list, as it is when MongoDB restarts.
    app.users().drop().await.unwrap();
    let ended = loop {
        match response.chunk().await {
            Ok(Some(_)) => {}
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    assert!(!ended, "half a list ended as if it were whole");
}

#[tokio::test]
async fn the_first_byte_of_a_long_list_does_not_wait_for_the_last() {
    let app = TestApp::start().await;
    let billing = RawDocumentBuf::try_from(&doc! {
        "userId": "c", "generationDate": mongodb::bson::DateTime::now(), "totalInvoice": 125_000, "isPaid": false,
    })
    .unwrap();
    let billings = app.database.collection::<RawDocumentBuf>("unindexed");
    billings.insert_many(vec![billing; 60_000]).await.unwrap();
    // Numbers are unique in `billings`; here they would only take time.
    app.billings().drop().await.unwrap();
    let admin = app.database.client().database("admin");
    let (from, to) = (
        format!("{}.unindexed", app.database.name()),
        format!("{}.billings", app.database.name()),
    );
    admin
        .run_command(doc! { "renameCollection": from, "to": to })
        .await
        .unwrap();
    let started = Instant::now();
    let mut response = app.request(Method::GET, "/api/billings").send().await.unwrap();
    let mut bytes = response.chunk().await.unwrap().unwrap().len();
    let first = started.elapsed();
    while let Some(chunk) = response.chunk().await.unwrap() {
        bytes += chunk.len();
    }
    let last = started.elapsed();
    assert!(bytes > 60_000 * 100, "{bytes} bytes");
    assert!(first < last / 4, "the first byte took {first:?} of {last:?}");
}
