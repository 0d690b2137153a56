//! Slow clients, too many of them, and long answers.

use std::time::{Duration, Instant};

use billwright_api::ApiSettings;
use mongodb::bson::{Document, doc, raw::RawDocumentBuf};
use reqwest::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::mpsc,
    task::JoinHandle,
};

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

#[tokio::test]
async fn a_body_that_trickles_in_does_not_keep_its_place() {
    let settings = ApiSettings {
        most_at_a_time: 1,
        body_timeout: Duration::from_millis(100),
        ..ApiSettings::default()
    };
    let app = TestApp::with(settings).await;
    let mut stream = TcpStream::connect(app.url.trim_start_matches("http://")).await.unwrap();
    let head =
        "POST /api/users HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut reads, mut writes) = stream.split();
    let trickle = async {
        while writes.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let mut answer = Vec::new();
    let answered = async {
        while !String::from_utf8_lossy(&answer).contains("body_timeout") {
            assert!(
                reads.read_buf(&mut answer).await.unwrap() > 0,
                "closed without an answer"
            );
        }
    };
    let patience = Duration::from_secs(10);
    tokio::time::timeout(
        patience,
        futures_util::future::select(Box::pin(trickle), Box::pin(answered)),
    )
    .await
    .expect("it may trickle for ever");
    assert!(
        answer.starts_with(b"HTTP/1.1 408 "),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    assert_eq!(app.get("/api/users").await.status, 200);
}

/// Begins a user whose body is sent bit by bit.
async fn slow_user(app: &TestApp) -> (mpsc::Sender<std::io::Result<Vec<u8>>>, JoinHandle<Answer>) {
    let (parts, body) = mpsc::channel(1);
    let body = futures_util::stream::unfold(body, |mut body: mpsc::Receiver<_>| async {
        Some((body.recv().await?, body))
    });
    let begun = app
        .request(Method::POST, "/api/users")
        .header("content-type", "application/json")
        .body(reqwest::Body::wrap_stream(body));
    let begun = tokio::spawn(Answer::of(begun));
    parts.send(Ok(br#"{"userId":"#.to_vec())).await.unwrap();
    (parts, begun)
}

#[tokio::test]
async fn a_request_waits_until_it_is_taken_in_hand_but_not_for_long() {
    let settings = ApiSettings {
        most_in_hand: 1,
        longest_wait: Duration::from_millis(100),
        ..ApiSettings::default()
    };
    let app = TestApp::with(settings).await;
    let many: Vec<Document> = (0..5000)
        .map(|n| doc! { "userId": n.to_string(), "filler": "x".repeat(10_000) })
        .collect();
    app.users().insert_many(many).await.unwrap();
    // A list that is being sent is not in hand any more.
    let mut long = app.request(Method::GET, "/api/users").send().await.unwrap();
    assert!(long.chunk().await.unwrap().is_some());
    assert_eq!(app.get("/api/users/0").await.status, 200);
    let (parts, begun) = slow_user(&app).await;
    let deadline = Instant::now() + Duration::from_secs(10);
    let refused = loop {
        let answer = app.get("/api/users/0").await;
        if answer.status == 503 {
            break answer;
        }
        assert!(Instant::now() < deadline, "{}", answer.text);
    };
    assert_eq!(
        (refused.error().1.as_str(), refused.header("retry-after")),
        ("overloaded", "1")
    );
    parts.send(Ok(br#""streamed"}"#.to_vec())).await.unwrap();
    drop(parts);
    assert_eq!(begun.await.unwrap().status, 201);
    assert_eq!(app.get("/api/users/streamed").await.status, 200);
}

#[tokio::test]
async fn bodies_that_may_be_large_have_fewer_places_than_others() {
    let settings = ApiSettings {
        most_large_bodies: 1,
        ..ApiSettings::default()
    };
    let app = TestApp::with(settings).await;
    let (parts, begun) = slow_user(&app).await;
    let large = json!({ "userId": "large", "filler": "x".repeat(100_000) });
    let deadline = Instant::now() + Duration::from_secs(10);
    // It takes its place once its head has arrived.
    let refused = loop {
        let answer = app.put("/api/users/nobody", &large).await;
        if answer.status == 503 {
            break answer;
        }
        assert!(Instant::now() < deadline, "{}", answer.text);
    };
    assert_eq!(
        (refused.error().1.as_str(), refused.header("retry-after")),
        ("overloaded", "1")
    );
    app.user("small").await;
    parts.send(Ok(br#""streamed"}"#.to_vec())).await.unwrap();
    drop(parts);
    assert_eq!(begun.await.unwrap().status, 201);
    assert_eq!(app.post("/api/users", &large).await.status, 201);
}

#[tokio::test]
async fn a_list_that_is_read_too_slowly_is_broken_off() {
    let settings = ApiSettings {
        most_at_a_time: 1,
        longest_answer: Duration::from_millis(200),
        ..ApiSettings::default()
    };
    let app = TestApp::with(settings).await;
    let many: Vec<Document> = (0..5000)
        .map(|n| doc! { "userId": n.to_string(), "filler": "x".repeat(10_000) })
        .collect();
    app.users().insert_many(many).await.unwrap();
    let mut response = app.request(Method::GET, "/api/users").send().await.unwrap();
    assert_eq!(response.status(), 200);
    let ended = loop {
        match response.chunk().await {
            // Always a little, so that the connection is never without progress.
            Ok(Some(_)) => tokio::time::sleep(Duration::from_millis(20)).await,
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    assert!(!ended, "it could be read as slowly as its reader liked");
    assert_eq!(app.get("/api/users/0").await.status, 200);
}

#[tokio::test]
async fn methods_that_a_path_does_not_know_are_told_which_it_knows() {
    let app = TestApp::start().await;
    app.user("u1").await;
    for (method, path, allowed) in [
        (Method::OPTIONS, "/api/users", "GET,HEAD,POST"),
        (Method::DELETE, "/api/billings", "GET,HEAD,POST"),
        (Method::PATCH, "/api/users/u1", "DELETE,GET,HEAD,PUT"),
        (Method::TRACE, "/users/u1", "DELETE,GET,HEAD,PUT"),
    ] {
        let answer = Answer::of(app.request(method.clone(), path)).await;
        assert_eq!((answer.status, answer.error().1.as_str()), (405, "method_not_allowed"));
        let mut told: Vec<&str> = answer.header("allow").split(',').map(str::trim).collect();
        told.sort_unstable();
        assert_eq!(told.join(","), allowed, "{method} {path}");
    }
    let (whole, head) = (
        app.get("/api/users/u1").await,
        Answer::of(app.request(Method::HEAD, "/api/users/u1")).await,
    );
    assert_eq!((head.status, head.text.as_str()), (200, ""));
    assert_eq!(head.header("content-length"), whole.text.len().to_string());
}
