//! A lone mongod, without transactions.

use std::{collections::HashSet, process::Stdio};

use billwright_api::ApiSettings;
use mongodb::bson::{Document, doc};
use reqwest::Method;
use serde_json::json;

use crate::test_app::{Answer, TestApp};

struct LoneServer {
    process: std::process::Child,
    port: u16,
    _data: tempfile::TempDir,
}

impl LoneServer {
    async fn start() -> Self {
        let program = billwright_services::fetch::mongod().await.unwrap();
        let data = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let process = std::process::Command::new(program)
            .args([
                "--bind_ip",
                "127.0.0.1",
                "--nounixsocket",
                "--wiredTigerCacheSizeGB",
                "0.25",
                "--dbpath",
            ])
            .arg(data.path())
            .args(["--port", &port.to_string()])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            process,
            port,
            _data: data,
        }
    }
}

impl Drop for LoneServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn without_a_replica_set_numbers_are_unique_and_the_weaker_promise_is_told() {
    let server = LoneServer::start().await;
    let app = TestApp::on(&format!("mongodb://127.0.0.1:{}", server.port), ApiSettings::default()).await;
    app.ready().await;
    assert!(app.health.all()["billing.mongodb"].detail.contains("may have gaps"));
    app.user("c").await;
    let taken: Vec<Document> = (1..=3)
        .map(|n| doc! { "userId": "c", "billingId": format!("{n:09}") })
        .collect();
    app.billings().insert_many(taken).await.unwrap();
    let body = json!({"userId": "c", "dueDate": "2025-10-15"});
    let answers = futures_util::future::join_all((0..30).map(|_| app.post("/api/billings", &body))).await;
    let numbers: HashSet<String> = answers
        .iter()
        .map(|made| made.json()["billingId"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(numbers.len(), 30);
    assert!(numbers.contains("000000004"));

    let keyed = || {
        Answer::of(
            app.request(Method::POST, "/api/billings")
                .header("idempotency-key", "k")
                .json(&body),
        )
    };
    let (first, again) = (keyed().await, keyed().await);
    assert_eq!((first.status, &first.text), (201, &again.text));

    let tag = app.get("/api/users/c").await.header("etag").to_owned();
    let changes = (0..8).map(|n| {
        let request = app.request(Method::PUT, "/api/users/c").header("if-match", &tag);
        Answer::of(request.json(&json!({"isActive": n % 2 == 0, "phone": {"phoneNumber": n}})))
    });
    let statuses: Vec<u16> = futures_util::future::join_all(changes)
        .await
        .iter()
        .map(|answer| answer.status)
        .collect();
    assert_eq!(
        statuses.iter().filter(|status| **status == 200).count(),
        1,
        "{statuses:?}"
    );
}
