use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use billwright_api::ApiSettings;
use billwright_domain::Condition;
use billwright_services::MongoServer;
use mongodb::bson::doc;
use serde_json::json;

use crate::test_app::TestApp;

fn condition(app: &TestApp) -> Option<Condition> {
    app.health.all().get("billing.mongodb").map(|health| health.condition)
}

/// How much longer than they should the steps of a wait of 0.3 s take: how busy the machine is with other things.
async fn lag() -> Duration {
    let started = Instant::now();
    for _ in 0..30 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    started.elapsed().saturating_sub(Duration::from_millis(300))
}

async fn is_refused_within_a_second(app: &TestApp) {
    let body = json!({"userId": "c", "dueDate": "2025-10-15"});
    for _ in 0..3 {
        let requests = async {
            let started = Instant::now();
            let answers = tokio::join!(
                app.get("/api/users/c"),
                app.get("/api/billings"),
                app.post("/api/billings", &body)
            );
            (answers, started.elapsed())
        };
        let (((read, list, write), took), lag) = tokio::join!(requests, lag());
        for answer in [read, list, write] {
            assert_eq!(
                (answer.status, answer.header("retry-after")),
                (503, "1"),
                "{}",
                answer.text
            );
            assert_eq!(answer.error(), ("Database unavailable".into(), "unavailable".into()));
        }
        // A machine that is busy with other things is asked once more before MongoDB is judged.
        let limit = Duration::from_millis(if lag < Duration::from_millis(20) { 1100 } else { 3000 });
        assert!(took < limit, "it took {took:?}, with a lag of {lag:?}");
    }
}

async fn recovers(app: &TestApp) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while app.get("/api/users/c").await.status != 200 {
        assert!(Instant::now() < deadline, "the API did not recover");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    app.wait_for("the health board to say so", || condition(app) == Some(Condition::Up))
        .await;
    app.billing("c").await;
}

#[tokio::test]
async fn while_mongodb_is_away_requests_are_refused_at_once_and_all_recovers_by_itself() {
    let server = MongoServer::start().await.unwrap();
    server.kill().await.unwrap();
    let app = TestApp::on(&server.uri(), ApiSettings::default()).await;
    is_refused_within_a_second(&app).await;
    app.wait_for("the health board to say so", || {
        condition(&app) == Some(Condition::Down)
    })
    .await;
    server.restart().await.unwrap();
    app.ready().await;
    app.user("c").await;

    server.kill().await.unwrap();
    is_refused_within_a_second(&app).await;
    server.restart().await.unwrap();
    recovers(&app).await;

    server.pause().unwrap();
    is_refused_within_a_second(&app).await;
    server.resume().unwrap();
    recovers(&app).await;
    let sequence = app.sequence().await;
    let billings = app.billings().count_documents(doc! {}).await.unwrap();
    assert_eq!(
        u64::try_from(sequence).unwrap(),
        billings,
        "no number is lost, whatever became of the refused requests"
    );
}

#[tokio::test]
async fn numbers_have_no_gap_although_mongodb_is_killed_among_64_writers() {
    let server = MongoServer::start().await.unwrap();
    let app = TestApp::on(&server.uri(), ApiSettings::default()).await;
    app.ready().await;
    app.user("c").await;
    let (done, count) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (done, count) = (&done, &count);
    let writers = futures_util::future::join_all((0..64).map(|writer| {
        let app = &app;
        async move {
            let mut made = Vec::new();
            let mut turn = 0;
            while !done.load(Ordering::Relaxed) {
                turn += 1;
                let body = json!({"userId": "c", "dueDate": "2025-10-15", "serviceId": format!("{writer}-{turn}")});
                let request = app.request(reqwest::Method::POST, "/api/billings");
                let key = format!("{writer}-{turn}");
                let answer = crate::test_app::Answer::of(request.header("idempotency-key", key).json(&body)).await;
                match answer.status {
                    201 => {
                        count.fetch_add(1, Ordering::Relaxed);
                        made.push(answer.json()["billingId"].as_str().unwrap().to_owned());
                    }
                    503 => tokio::time::sleep(Duration::from_millis(50)).await,
                    _ => panic!("{}", answer.text),
                }
            }
            made
        }
    }));
    let killer = async {
        for round in 1..=3 {
            app.wait_for("billings to be made", || count.load(Ordering::Relaxed) >= round * 80)
                .await;
            if round < 3 {
                server.kill().await.unwrap();
                server.restart().await.unwrap();
            }
        }
        done.store(true, Ordering::Relaxed);
    };
    let (made, ()) = tokio::join!(writers, killer);
    let made: Vec<String> = made.concat();
    recovers(&app).await;
    let stored: Vec<String> = {
        use futures_util::TryStreamExt;
        let all = app
            .billings()
            .find(doc! {})
            .sort(doc! { "billingId": 1 })
            .await
            .unwrap();
        let all: Vec<_> = all.try_collect().await.unwrap();
        all.iter()
            .map(|billing| billing.get_str("billingId").unwrap().to_owned())
            .collect()
    };
    let gapless: Vec<String> = (1..=stored.len()).map(|number| format!("{number:09}")).collect();
    assert_eq!(stored, gapless, "a duplicate or a gap");
    let stored: std::collections::HashSet<&String> = stored.iter().collect();
    assert!(made.len() >= 240, "only {} were made", made.len());
    assert!(
        made.iter().all(|number| stored.contains(number)),
        "an acknowledged billing is lost"
    );
}
