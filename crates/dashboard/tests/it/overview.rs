//! Whether everything is all right.

use billwright_dashboard::QueueSource;
use billwright_domain::Condition;
use billwright_worker::{
    RedisSettings,
    admin::{EnqueueOptions, QueueAddress},
};
use reqwest::StatusCode;
use serde_json::json;

use crate::test_dashboard::TestDashboard;

#[tokio::test]
async fn shows_the_queue_and_the_dependencies() {
    let dashboard = TestDashboard::worker().await;
    let queue = dashboard.queue_admin().await;
    let data = json!({"type": "GET_ORDER", "payload": {"orderId": "o"}});
    for _ in 0..3 {
        queue
            .add("job", data.clone(), &EnqueueOptions::default())
            .await
            .unwrap();
    }
    dashboard.sources.health.post("worker.redis", Condition::Up, "");
    dashboard
        .sources
        .health
        .post("worker.billz", Condition::Down, "no answer <for long>");
    let dashboard = dashboard.start().await;
    let mut browser = dashboard.signed_in("bob").await;
    let page = browser.get("/dashboard").await;
    assert_eq!(page.status, StatusCode::OK);
    page.shows(&[
        "<dd data-live=\"jobs.waiting\">3</dd>",
        "<code>worker.billz</code> <span class=\"badge bad\">down</span>",
        "no answer &#60;for long&#62;",
    ]);
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
async fn says_what_is_not_configured_here() {
    let mut dashboard = TestDashboard::worker().await;
    dashboard.sources.queue = None;
    let dashboard = dashboard.start().await;
    let mut browser = dashboard.signed_in("bob").await;
    browser
        .get("/dashboard")
        .await
        .shows(&["Not configured here", "BILLZ_TOKEN"]);
    dashboard.drop_all().await;
}
