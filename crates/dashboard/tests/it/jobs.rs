//! Lists of jobs, searches, and actions on many jobs.

use std::time::Duration;

use billwright_dashboard::QueueSource;
use billwright_store::operations::audit::AuditOutcome;
use billwright_worker::{
    RedisSettings,
    admin::{EnqueueOptions, JobState, QueueAddress},
};
use mongodb::bson::{Document, doc};
use reqwest::StatusCode;
use serde_json::json;

use crate::{
    shop::{PHONE, Shop, between},
    test_dashboard::{TestDashboard, open},
};

fn later() -> EnqueueOptions {
    EnqueueOptions {
        delay: Some(Duration::from_hours(1)),
        ..EnqueueOptions::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_are_listed_by_state_type_and_time_page_by_page() {
    let shop = Shop::open().await;
    for number in 0..55 {
        shop.add("GET_ORDER", json!({"orderId": format!("o-{number}")})).await;
    }
    let payment = shop
        .add(
            "MAKE_PAYMENT",
            json!({"orderId": "pay-me", "cardId": "c", "totalPrice": 1}),
        )
        .await;
    shop.add_with("DELETE_ORDER", json!({"orderId": "later"}), &later())
        .await;
    let mut browser = shop.dashboard.signed_in("bob").await;

    let first = browser.get("/dashboard/jobs?state=waiting").await;
    assert_eq!(first.status, StatusCode::OK);
    first.shows(&["href=\"/dashboard/job/1\"", "56 entries", "at=50"]);
    first.hides(&[
        &format!("/dashboard/job/{payment}\""),
        "Retry all",
        "<button class=\"danger\">",
    ]);
    let second = browser.get("/dashboard/jobs?state=waiting&at=50").await;
    second.shows(&[&format!("/dashboard/job/{payment}\""), "/dashboard/job/51\""]);
    second.hides(&["/dashboard/job/50\"", "rel=\"next\""]);
    let payments = browser.get("/dashboard/jobs?state=waiting&type=MAKE_PAYMENT").await;
    payments
        .shows(&[&format!("/dashboard/job/{payment}\"")])
        .hides(&["/dashboard/job/1\""]);
    let delayed = browser.get("/dashboard/jobs?state=delayed").await;
    delayed
        .shows(&["<code>DELETE_ORDER</code>"])
        .hides(&["<code>GET_ORDER</code>"]);
    let past = browser.get("/dashboard/jobs?state=waiting&to=2020-01-01T00:00").await;
    past.shows(&["There are no such jobs"]);
    let wrong = browser
        .get("/dashboard/jobs?state=nowhere&from=yesterday&type=%3Cb%3E&at=-1")
        .await;
    assert_eq!(wrong.status, StatusCode::OK);
    wrong.shows(&["A time could not be read"]).hides(&["<b>"]);
    for language in ["ru", "uz", "es"] {
        let page = browser.get(&format!("/dashboard/jobs?lang={language}")).await;
        assert_eq!(page.status, StatusCode::OK, "{language}");
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_found_by_whatever_a_person_has_at_hand_and_no_phone_number_is_shown() {
    let shop = Shop::open().await;
    let client = json!({"clientPhone": PHONE, "clientFirstName": "Aziza"});
    let worker = shop.worker(Duration::from_millis(20));
    let done = shop.add("CREATE_CLIENT", client.clone()).await;
    shop.is(&done, JobState::Completed).await;
    let client_document = shop.client().await;
    let (placed, document) = shop.placed("A-77", client_document).await;
    worker.stop().await;
    let waiting = shop.add("CREATE_CLIENT", client).await;
    let correlation = shop.queue.show(&placed).await.unwrap().summary.correlation_id.unwrap();
    let sale = shop.order("A-77").await.get_str("billzId").unwrap().to_owned();
    let mut browser = shop.dashboard.signed_in("bob").await;

    for wanted in [&placed, &correlation, "A-77", &document, &sale] {
        let found = browser.get(&format!("/dashboard/jobs/search?q={wanted}")).await;
        let history = between(&found.text, "<h2 id=\"history\">", "</section>");
        assert!(
            history.contains(&format!("/dashboard/job/{placed}\"")),
            "{wanted}: {history}"
        );
    }
    browser
        .get("/dashboard/jobs/search?q=nothing-of-ours")
        .await
        .shows(&["There are no such jobs", "no such operations"]);

    for written in ["%2B998901112233", "998901112233", "%2B998+90+111-22-33"] {
        let leads = browser.get(&format!("/dashboard/jobs/search?q={written}")).await;
        assert_eq!(leads.status, StatusCode::SEE_OTHER, "{written}");
        assert!(!leads.location().contains("8901112233"), "{}", leads.location());
        let found = browser.get(leads.location()).await;
        found.shows(&["+********2233"]).hides(&["901112233", "Aziza"]);
        let queue = between(&found.text, "<h2 id=\"queue\">", "</section>");
        assert!(queue.contains(&format!("/dashboard/job/{waiting}\"")), "{queue}");
        let history = between(&found.text, "<h2 id=\"history\">", "</section>");
        for job in [&done, &placed] {
            assert!(history.contains(&format!("/dashboard/job/{job}\"")), "{job}: {history}");
        }
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ledger_remembers_what_the_queue_forgot() {
    let shop = Shop::open().await;
    let worker = shop.worker(Duration::from_millis(20));
    let job = shop.add("CREATE_ORDER", json!({})).await;
    shop.is(&job, JobState::Completed).await;
    let failed = shop.add("DELETE_ORDER", json!({"orderId": "x".repeat(300)})).await;
    shop.is(&failed, JobState::Failed).await;
    worker.stop().await;
    shop.queue.remove(&job).await.unwrap();
    let mut browser = shop.dashboard.signed_in("bob").await;
    let link = format!("/dashboard/job/{job}\"");
    for filter in [
        "",
        "?type=CREATE_ORDER",
        "?state=completed",
        "?type=CREATE_ORDER&state=completed&from=2020-01-01",
    ] {
        browser
            .get(&format!("/dashboard/jobs/history{filter}"))
            .await
            .shows(&[&link]);
    }
    for filter in ["?type=MAKE_PAYMENT", "?state=failed", "?to=2020-01-01"] {
        browser
            .get(&format!("/dashboard/jobs/history{filter}"))
            .await
            .hides(&[&link]);
    }
    let page = browser.get(&format!("/dashboard/job/{job}")).await;
    assert_eq!(page.status, StatusCode::OK);
    page.shows(&[
        "The queue no longer keeps this job",
        "create_order",
        "It is done. Nothing more happens.",
    ]);
    page.hides(&["/retry\"", "/remove\""]);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_jobs_are_retried_promoted_and_removed_in_one_go_with_one_line_in_the_audit() {
    let shop = Shop::open().await;
    let worker = shop.worker(Duration::from_millis(20));
    let mut failed = Vec::new();
    for number in 0..3 {
        failed.push(
            shop.add("DELETE_ORDER", json!({"orderId": "x".repeat(300 + number)}))
                .await,
        );
    }
    let other = shop.add("ADD_CLIENT", json!({})).await;
    for job in failed.iter().chain([&other]) {
        shop.is(job, JobState::Failed).await;
    }
    worker.stop().await;
    let act = |act: &'static str, state: &'static str, kind: &'static str| {
        [
            ("do", act),
            ("state", state),
            ("type", kind),
            ("from", ""),
            ("to", ""),
            ("confirmed", "yes"),
        ]
    };

    let mut viewer = shop.dashboard.signed_in("bob").await;
    let preview = viewer
        .get("/dashboard/jobs/bulk?do=retry&state=failed&type=DELETE_ORDER")
        .await;
    preview.shows(&["3 jobs match."]).hides(&["name=\"confirmed\""]);
    let refused = viewer
        .post("/dashboard/jobs/bulk", &act("retry", "failed", "DELETE_ORDER"))
        .await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);

    let mut operator = shop.dashboard.signed_in("anna").await;
    operator
        .get("/dashboard/jobs/bulk?do=retry&state=failed&type=DELETE_ORDER")
        .await
        .shows(&["3 jobs match.", "name=\"confirmed\" value=\"yes\""]);
    let unasked = operator
        .post("/dashboard/jobs/bulk", &act("retry", "failed", "DELETE_ORDER")[..5])
        .await;
    unasked.shows(&["This acts on every job"]);
    shop.is(&failed[0], JobState::Failed).await;
    let done = operator
        .post("/dashboard/jobs/bulk", &act("retry", "failed", "DELETE_ORDER"))
        .await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    operator.get(done.location()).await.shows(&["Done: 3."]);
    for job in &failed {
        shop.is(job, JobState::Waiting).await;
    }
    shop.is(&other, JobState::Failed).await;
    let audit = shop.dashboard.audit().await;
    let lines: Vec<_> = audit.iter().filter(|line| line.entry.action == "jobs.bulk").collect();
    assert_eq!(lines.len(), 1, "{audit:?}");
    let detail = lines[0].detail.as_deref().unwrap();
    assert!(
        detail.contains("retry of 3 jobs: 3 done") && detail.contains("type=DELETE_ORDER"),
        "{detail}"
    );

    // A filter that cannot be read never becomes one that takes everything.
    for wrong in [
        act("remove", "failed", "NO_SUCH_TYPE"),
        act("retry", "waiting", ""),
        act("remove", "active", ""),
        act("remove", "nowhere", ""),
    ] {
        assert_eq!(
            operator.post("/dashboard/jobs/bulk", &wrong).await.status,
            StatusCode::CONFLICT,
            "{wrong:?}"
        );
    }
    let mut wrong_time = act("remove", "failed", "");
    wrong_time[3].1 = "soon";
    assert_eq!(
        operator.post("/dashboard/jobs/bulk", &wrong_time).await.status,
        StatusCode::CONFLICT
    );
    shop.is(&other, JobState::Failed).await;

    let delayed = shop.add_with("GET_ORDER", json!({"orderId": "o"}), &later()).await;
    operator
        .post("/dashboard/jobs/bulk", &act("promote", "delayed", ""))
        .await;
    shop.is(&delayed, JobState::Waiting).await;
    operator
        .post("/dashboard/jobs/bulk", &act("remove", "waiting", "GET_ORDER"))
        .await;
    assert!(shop.queue.show(&delayed).await.is_err());
    shop.is(&failed[0], JobState::Waiting).await;
    let audit = shop.dashboard.audit().await;
    assert!(
        audit
            .iter()
            .any(|line| line.outcome == AuditOutcome::Refused && line.entry.action == "jobs.bulk")
    );
    shop.close().await;
}

const PAGES: [&str; 8] = [
    "/dashboard/jobs",
    "/dashboard/jobs/history",
    "/dashboard/jobs/search?q=o",
    "/dashboard/jobs/search?phone=0&clients=&shown=",
    "/dashboard/jobs/bulk?do=remove&state=failed",
    "/dashboard/job/1",
    "/dashboard/orders",
    "/dashboard/order/64a7b8c9d5e6f7890abcdef1",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_say_within_a_moment_what_is_away() {
    let mut dashboard = TestDashboard::worker().await;
    dashboard.sources.queue = Some(QueueSource::new(QueueAddress {
        redis: RedisSettings {
            url: "redis://127.0.0.1:1".into(),
        },
        ..dashboard.queue.clone()
    }));
    dashboard.sources.billz_database = Some(open("mongodb://127.0.0.1:1", "nowhere").await);
    let dashboard = dashboard.start().await;
    let mut browser = dashboard.signed_in("bob").await;
    for path in PAGES {
        let began = std::time::Instant::now();
        let page = browser.get(path).await;
        assert!(
            began.elapsed() < Duration::from_secs(7),
            "{path}: {:?}",
            began.elapsed()
        );
        assert!(page.text.contains(" is away"), "{path}: {} {}", page.status, page.text);
    }
    dashboard.drop_all().await;
}

#[tokio::test]
async fn pages_say_what_is_not_configured() {
    let mut dashboard = TestDashboard::worker().await;
    dashboard.sources.queue = None;
    dashboard.sources.billz_database = None;
    let dashboard = dashboard.start().await;
    let mut browser = dashboard.signed_in("bob").await;
    for path in PAGES {
        browser.get(path).await.shows(&["Not configured here"]);
    }
    dashboard.drop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_page_reads_a_whole_collection() {
    let shop = Shop::open().await;
    let worker = shop.worker(Duration::from_millis(20));
    let client = shop.client().await;
    let (job, document) = shop.placed("A-1", client).await;
    worker.stop().await;
    let database = &shop.dashboard.database;
    database.run_command(doc! { "profile": 2 }).await.unwrap();
    let mut browser = shop.dashboard.signed_in("bob").await;
    let mut paths: Vec<String> = PAGES.iter().map(|path| (*path).to_owned()).collect();
    for query in [
        "?type=PLACE_ORDER",
        "?state=completed",
        "?state=completed&type=PLACE_ORDER",
        "?from=2020-01-01&to=2030-01-01",
    ] {
        paths.push(format!("/dashboard/jobs/history{query}"));
    }
    for state in ["paid", "parked", "refused", "unplaced"] {
        paths.push(format!("/dashboard/orders?state={state}"));
    }
    paths.push(format!("/dashboard/job/{job}"));
    paths.push(format!("/dashboard/order/{document}"));
    paths.push(format!("/dashboard/jobs/search?q={document}"));
    paths.push("/dashboard/jobs/search?q=12345".to_owned());
    paths.push(format!("/dashboard/orders?phone=0&clients={}", client.to_hex()));
    for path in &paths {
        browser.get(path).await;
    }
    browser.get("/dashboard/orders?q=%2B998901112233").await;
    database.run_command(doc! { "profile": 0 }).await.unwrap();
    let profile = database.collection::<Document>("system.profile");
    let ours = doc! { "op": { "$in": ["query", "command"] }, "ns": { "$regex": "\\.(operations|orders|order_sagas|job_attempts|clients)$" } };
    assert!(profile.count_documents(ours.clone()).await.unwrap() > 20);
    let mut scans = ours;
    scans.insert("planSummary", doc! { "$regex": "COLLSCAN" });
    let found = profile.find_one(scans).await.unwrap();
    assert!(found.is_none(), "{found:?}");
    shop.close().await;
}
