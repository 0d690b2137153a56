//! One job's page and what an operator can do there.

use std::time::Duration;

use billwright_sandbox::{Fault, PAYMENT_TYPE_ID, SCARCE_PRODUCT_ID};
use billwright_store::operations::audit::AuditOutcome;
use billwright_worker::admin::{EnqueueOptions, JobState};
use reqwest::StatusCode;
use serde_json::json;

use crate::shop::{PHONE, Shop, between, order};

const CONFIRMED: [(&str, &str); 1] = [("confirmed", "yes")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_payment_is_found_by_its_order_understood_retried_and_completes() {
    let shop = Shop::open().await;
    let worker = shop.worker(Duration::from_millis(10));
    let (_, document) = shop.placed("A-5", shop.client().await).await;
    let sale = shop.order("A-5").await.get_str("billzId").unwrap().to_owned();
    shop.sandbox.faults().always("pay", Fault::status(503));
    let payment = json!({"orderId": sale, "cardId": PAYMENT_TYPE_ID, "totalPrice": 225});
    let job = shop.add("MAKE_PAYMENT", payment).await;
    shop.is(&job, JobState::Failed).await;
    shop.sandbox.faults().clear();

    let mut operator = shop.dashboard.signed_in("anna").await;
    let found = operator.get("/dashboard/jobs/search?q=A-5").await;
    found.shows(&[&format!("/dashboard/job/{job}\""), "<code>MAKE_PAYMENT</code>"]);
    let page = operator.get(&format!("/dashboard/job/{job}")).await;
    page.shows(&[
        "It failed for good",
        "503",
        "<code>pay</code>",
        "Attempt 5",
        &format!("/dashboard/order/{document}\""),
        &format!("action=\"/dashboard/job/{job}/retry\""),
    ]);
    let asked = operator.post(&format!("/dashboard/job/{job}/retry"), &[]).await;
    asked.shows(&["Retry this job?"]);
    let done = operator.post(&format!("/dashboard/job/{job}/retry"), &CONFIRMED).await;
    assert_eq!(
        (done.status, done.location()),
        (StatusCode::SEE_OTHER, &*format!("/dashboard/job/{job}"))
    );
    shop.is(&job, JobState::Completed).await;
    let page = operator.get(&format!("/dashboard/job/{job}")).await;
    page.shows(&["The job is back in the queue.", "It is done. Nothing more happens."]);
    assert_eq!(shop.sandbox.ledger().payments_of(&sale).len(), 1);
    let audit = shop.dashboard.audit().await;
    let line = audit.iter().find(|line| line.entry.action == "job.retry").unwrap();
    assert_eq!((line.outcome, &*line.entry.who), (AuditOutcome::Done, "anna"));
    assert_eq!(line.entry.target, format!("/dashboard/job/{job}/retry"));
    worker.stop().await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_was_taken_back_is_placed_anew_by_a_retry_and_once() {
    let shop = Shop::open().await;
    let worker = shop.worker(Duration::from_millis(10));
    let mut payload = order("A-9", shop.client().await);
    payload["products"][1]["productID"] = json!(SCARCE_PRODUCT_ID);
    payload["products"][1]["qty"] = json!(2);
    let job = shop.add("PLACE_ORDER", payload).await;
    shop.is(&job, JobState::Failed).await;
    let mut operator = shop.dashboard.signed_in("anna").await;
    let page = operator.get(&format!("/dashboard/job/{job}")).await;
    page.shows(&[
        "everything was taken back in Billz",
        "20016",
        "Create the draft",
        "“Retry” begins anew",
    ]);
    page.hides(&["/reopen\""]);
    shop.sandbox.set_stock(SCARCE_PRODUCT_ID, 5);
    operator.post(&format!("/dashboard/job/{job}/retry"), &CONFIRMED).await;
    shop.is(&job, JobState::Completed).await;
    assert_eq!(shop.sandbox.ledger().live_orders().len(), 1);
    operator
        .get(&format!("/dashboard/job/{job}"))
        .await
        .shows(&["Not to be repeated: the order is placed."]);
    // What is done is not retried.
    let refused = operator.post(&format!("/dashboard/job/{job}/retry"), &CONFIRMED).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    refused.shows(&["this can be done only while it is failed"]);
    worker.stop().await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_is_looked_at_again_where_that_is_safe_and_the_order_is_placed_once() {
    let shop = Shop::open().await;
    shop.sandbox.faults().after(1, "add_product", Fault::status(503));
    let worker = shop.worker(Duration::from_hours(1));
    let job = shop.add("PLACE_ORDER", order("A-3", shop.client().await)).await;
    shop.is(&job, JobState::Delayed).await;
    let mut operator = shop.dashboard.signed_in("anna").await;
    let page = operator.get(&format!("/dashboard/job/{job}")).await;
    page.shows(&[
        "The next attempt is due at",
        "a second draft or client could come of it",
        "name=\"step\" value=\"attach_client\"",
        "name=\"step\" value=\"add_item:prod123\"",
        "The next attempt looks it up in Billz anyway.",
    ]);
    page.hides(&["value=\"create_draft\"", "value=\"add_item:product123\""]);
    let path = format!("/dashboard/job/{job}/reopen");
    let mut viewer = shop.dashboard.signed_in("bob").await;
    viewer
        .get(&format!("/dashboard/job/{job}"))
        .await
        .hides(&["/reopen\"", "/retry\"", "/remove\"", "/run-now\""]);
    let step = |step: &'static str| [("step", step), ("confirmed", "yes")];
    assert_eq!(
        viewer.post(&path, &step("attach_client")).await.status,
        StatusCode::FORBIDDEN
    );
    for unsafe_step in ["create_draft", "pay", "nothing"] {
        let refused = operator.post(&path, &step(unsafe_step)).await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{unsafe_step}");
    }
    let done = operator.post(&path, &step("attach_client")).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
    operator
        .get(done.location())
        .await
        .shows(&["2 steps will be looked up again"]);
    shop.is(&job, JobState::Completed).await;
    let ledger = shop.sandbox.ledger();
    let sales = ledger.live_orders();
    assert_eq!(
        (sales.len(), sales[0].lines.len()),
        (1, 2),
        "nothing was added twice: {sales:?}"
    );
    assert_eq!(
        ledger.calls_named("attach_customer").len(),
        1,
        "what a look found done is not sent again"
    );
    worker.stop().await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_run_now_are_promoted_and_removed_by_operators_only() {
    let shop = Shop::open().await;
    let payload = json!({"orderId": "o"});
    let first = shop.add("GET_ORDER", payload.clone()).await;
    let waiting = shop.add("GET_ORDER", payload.clone()).await;
    let mut options = EnqueueOptions {
        priority: Some(7),
        job_id: Some("a/b c".to_owned()),
        ..EnqueueOptions::default()
    };
    let prioritized = shop.add_with("GET_ORDER", payload.clone(), &options).await;
    options = EnqueueOptions {
        delay: Some(Duration::from_hours(1)),
        ..EnqueueOptions::default()
    };
    let delayed = shop.add_with("GET_ORDER", payload.clone(), &options).await;
    let promoted = shop.add_with("GET_ORDER", payload, &options).await;
    let href = |job: &str, act: &str| format!("/dashboard/job/{}/{act}", job.replace('/', "%2F").replace(' ', "%20"));
    let mut viewer = shop.dashboard.signed_in("bob").await;
    for act in ["retry", "run-now", "promote", "remove", "reopen"] {
        let refused = viewer.post(&href(&waiting, act), &CONFIRMED).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{act}");
    }
    let mut operator = shop.dashboard.signed_in("anna").await;
    operator
        .get(&href(&prioritized, "")[..href(&prioritized, "").len() - 1])
        .await
        .shows(&["priority 7"]);
    for job in [&waiting, &prioritized, &delayed] {
        let done = operator.post(&href(job, "run-now"), &CONFIRMED).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
        assert_eq!(shop.queue.list(JobState::Waiting, 0, 1).await.unwrap().jobs[0].id, *job);
    }
    operator.post(&href(&promoted, "promote"), &CONFIRMED).await;
    let order: Vec<_> = shop
        .queue
        .list(JobState::Waiting, 0, 10)
        .await
        .unwrap()
        .jobs
        .into_iter()
        .map(|job| job.id)
        .collect();
    assert_eq!(
        order,
        [&delayed, &prioritized, &waiting, &first, &promoted].map(String::clone)
    );

    let asked = operator.post(&href(&first, "remove"), &[]).await;
    asked.shows(&["Remove this job from the queue?"]);
    let done = operator.post(&href(&first, "remove"), &CONFIRMED).await;
    assert_eq!(done.location(), "/dashboard/jobs");
    operator
        .get("/dashboard/jobs")
        .await
        .shows(&[&format!("Job {first} was removed.")]);
    for act in ["remove", "run-now", "retry", "promote", "reopen"] {
        let fields = [("confirmed", "yes"), ("step", "pay")];
        assert_eq!(
            operator.post(&href(&first, act), &fields).await.status,
            StatusCode::NOT_FOUND,
            "{act}"
        );
    }
    assert_eq!(
        operator.get("/dashboard/job/no-such-job").await.status,
        StatusCode::NOT_FOUND
    );
    // A job that was put at the head runs first.
    let worker = shop.worker(Duration::from_millis(10));
    shop.is(&promoted, JobState::Failed).await;
    worker.stop().await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_shows_what_it_did_and_no_personal_data() {
    let shop = Shop::open().await;
    let worker = shop.worker(Duration::from_millis(10));
    let payload = json!({"clientPhone": PHONE, "clientFirstName": "Aziza", "clientLastName": "<script>"});
    let job = shop.add("CREATE_CLIENT", payload).await;
    shop.is(&job, JobState::Completed).await;
    worker.stop().await;
    let mut browser = shop.dashboard.signed_in("bob").await;
    let page = browser.get(&format!("/dashboard/job/{job}")).await;
    page.shows(&[
        "&#34;clientPhone&#34;: &#34;***&#34;",
        "<code>find_client</code>",
        "<code>create_client</code>",
        "CREATE_CLIENT done",
        "In the ledger",
    ]);
    page.hides(&["901112233", "Aziza", "<script>"]);
    let calls = between(&page.text, "<h2 id=\"attempts\">", "</section>");
    assert!(calls.contains("<span class=\"badge good\">ok</span>"), "{calls}");
    shop.close().await;
}
