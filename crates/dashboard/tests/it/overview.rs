//! Whether everything is all right.

use billwright_dashboard::{Process, QueueSource, SampleRecorder};
use billwright_domain::{Condition, HealthBoard};
use billwright_worker::{
    RedisSettings,
    admin::{EnqueueOptions, QueueAddress},
};
use reqwest::StatusCode;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::test_dashboard::TestDashboard;

#[tokio::test]
async fn shows_the_queue() {
    let dashboard = TestDashboard::worker().await;
    let queue = dashboard.queue_admin().await;
    let data = json!({"type": "GET_ORDER", "payload": {"orderId": "o"}});
    for _ in 0..3 {
        queue
            .add("job", data.clone(), &EnqueueOptions::default())
            .await
            .unwrap();
    }
    let dashboard = dashboard.start().await;
    let mut browser = dashboard.signed_in("bob").await;
    let page = browser.get("/dashboard").await;
    assert_eq!(page.status, StatusCode::OK);
    page.shows(&[
        "<dd data-live=\"jobs.waiting\">3</dd>",
        "No worker is connected to the queue.",
        "class=\"verdict bad\"",
    ]);
    dashboard.drop_all().await;
}

#[tokio::test]
async fn every_process_is_seen_by_all_and_what_they_count_adds_up() {
    let dashboard = TestDashboard::worker().await;
    let stop = CancellationToken::new();
    let mut reports = Vec::new();
    for (number, condition) in [(1, Condition::Up), (2, Condition::Down)] {
        let mut sources = dashboard.sources.clone();
        sources.health = HealthBoard::default();
        sources.health.post("worker.billz", condition, "no answer <for long>");
        sources.process = Process {
            name: format!("host#{number}"),
            version: "1.2.3",
            roles: vec!["worker".to_owned()],
        };
        let recorder = SampleRecorder::default();
        metrics::with_local_recorder(&recorder, || {
            metrics::counter!("billwright_jobs_total", "type" => "GET_ORDER", "outcome" => "completed").increment(20);
            metrics::counter!("billwright_jobs_total", "type" => "GET_ORDER", "outcome" => "failed").increment(number);
            metrics::histogram!("billwright_job_duration_seconds", "type" => "GET_ORDER").record(0.5);
        });
        reports.push(tokio::spawn(billwright_dashboard::report(
            sources,
            recorder,
            stop.clone(),
        )));
    }
    let dashboard = dashboard.start().await;
    let mut browser = dashboard.signed_in("bob").await;
    let page = browser
        .until("/dashboard", &["host#1", "host#2", "<dd class=\"bad\">3</dd>"])
        .await;
    page.shows(&[
        "<dd class=\"plain\">40</dd>",
        "host#2: worker.billz does not work as it should.",
        "3 jobs failed for good in the last hour.",
        "no answer &#60;for long&#62;",
        "<figcaption id=\"chart-1\">Jobs</figcaption>",
        "<svg role=\"img\"",
    ]);
    for range in ["24h", "7d", "nonsense"] {
        let page = browser.get(&format!("/dashboard?range={range}")).await;
        page.shows(&["<svg role=\"img\"", "aria-current=\"true\""]);
    }
    stop.cancel();
    for report in reports {
        report.await.unwrap();
    }
    browser
        .until("/dashboard", &["No process has given a sign of life"])
        .await;
    dashboard.drop_all().await;
}

#[tokio::test]
async fn a_page_that_a_script_fetches_keeps_nobody_signed_in() {
    let dashboard = TestDashboard::worker().await.start().await;
    let browser = dashboard.signed_in("bob").await;
    let mut script = browser.with_header("x-refresh", "1");
    dashboard.advance(20);
    assert_eq!(script.get("/dashboard").await.status, StatusCode::OK);
    dashboard.advance(11);
    assert_eq!(script.get("/dashboard").await.status, StatusCode::SEE_OTHER);
    dashboard.drop_all().await;
}

#[tokio::test]
async fn says_within_a_moment_that_redis_is_away() {
    let mut dashboard = TestDashboard::worker().await;
    dashboard.sources.queue = Some(QueueSource::new(QueueAddress {
        redis: RedisSettings {
            url: "redis://127.0.0.1:1".into(),
        },
        ..dashboard.queue.clone()
    }));
    let dashboard = dashboard.start().await;
    let mut browser = dashboard.signed_in("bob").await;
    let began = std::time::Instant::now();
    let page = browser.get("/dashboard").await;
    assert!(began.elapsed().as_secs() < 4, "{:?}", began.elapsed());
    assert_eq!(page.status, StatusCode::OK);
    page.shows(&["Redis is away", "connection refused"]);
    dashboard.drop_all().await;
}

#[tokio::test]
async fn a_product_is_shown_where_any_process_has_it() {
    let mut dashboard = TestDashboard::worker().await;
    dashboard.sources.queue = None;
    let mut elsewhere = dashboard.sources.clone();
    elsewhere.process.roles = vec!["worker".to_owned()];
    let dashboard = dashboard.start().await;
    let mut browser = dashboard.signed_in("bob").await;
    let page = browser.get("/dashboard").await;
    page.hides(&["<h2 id=\"orders\">", "<h2 id=\"billing\">"]);
    let stop = CancellationToken::new();
    let report = tokio::spawn(billwright_dashboard::report(
        elsewhere,
        SampleRecorder::default(),
        stop.clone(),
    ));
    let expected = ["<h2 id=\"orders\">", "Not configured here", "BILLZ_TOKEN"];
    browser.until("/dashboard", &expected).await;
    stop.cancel();
    report.await.unwrap();
    dashboard.drop_all().await;
}
