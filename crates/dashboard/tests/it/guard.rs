//! Who gets in, and what they may do.

use std::time::{Duration, Instant};

use billwright_dashboard::{DashboardSettings, QueueSource};
use billwright_store::operations::audit::AuditOutcome;
use billwright_worker::{RedisSettings, admin::QueueAddress};
use reqwest::StatusCode;

use crate::{browser::Browser, test_dashboard::TestDashboard};

const CSP: &str = "content-security-policy";

#[tokio::test]
async fn nobody_sees_a_page_without_signing_in() {
    let dashboard = TestDashboard::worker().await.start().await;
    let mut browser = dashboard.browser();
    let refused = browser.get("/dashboard/audit?offset=50").await;
    assert_eq!(refused.status, StatusCode::SEE_OTHER);
    assert_eq!(
        refused.location(),
        "/dashboard/login?next=%2Fdashboard%2Faudit%3Foffset%3D50"
    );
    assert_eq!(browser.get("/dashboard/live").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(browser.get("/dashboard/nothing").await.status, StatusCode::SEE_OTHER);
    assert_eq!(
        browser.post("/dashboard/logout", &[]).await.status,
        StatusCode::UNAUTHORIZED
    );
    dashboard.drop_all().await;
}

#[tokio::test]
async fn a_person_signs_in_sees_pages_and_signs_out() {
    let dashboard = TestDashboard::worker().await.start().await;
    let mut browser = dashboard.browser();
    let token = browser.get("/dashboard/login?next=/dashboard/audit").await.csrf();
    let fields = [
        ("csrf", token.as_str()),
        ("name", "anna"),
        ("password", "correct horse"),
        ("next", "/dashboard/audit"),
    ];
    let entered = browser.post_raw("/dashboard/login", &fields).await;
    assert_eq!(
        (entered.status, entered.location()),
        (StatusCode::SEE_OTHER, "/dashboard/audit")
    );
    let page = browser.get("/dashboard/audit").await;
    page.shows(&[
        "anna · operator",
        "session.begin",
        "<td>127.0.0.1</td>",
        "<span class=\"badge good\">done</span>",
    ]);

    let session = browser.cookie("billwright_session").unwrap().clone();
    let left = browser.post("/dashboard/logout", &[]).await;
    assert_eq!(left.status, StatusCode::SEE_OTHER);
    browser.get("/dashboard/login").await.shows(&["You are signed out."]);
    assert_eq!(browser.get("/dashboard").await.status, StatusCode::SEE_OTHER);
    // The cookie from before is of no use, wherever it was copied to.
    browser.set_cookie("billwright_session", &session);
    assert_eq!(browser.get("/dashboard").await.status, StatusCode::SEE_OTHER);
    let actions: Vec<_> = dashboard
        .audit()
        .await
        .into_iter()
        .map(|entry| (entry.entry.action, entry.outcome))
        .collect();
    assert!(
        actions.contains(&("session.end".to_owned(), AuditOutcome::Done)),
        "{actions:?}"
    );
    dashboard.drop_all().await;
}

#[tokio::test]
async fn wrong_credentials_are_refused_alike_and_then_slowed_down() {
    let dashboard = TestDashboard::worker().await.start().await;
    let mut browser = dashboard.browser();
    for (name, password) in [
        ("anna", "wrong horse"),
        ("nobody", "correct horse"),
        ("correct horse", "anna"),
    ] {
        let refused = browser.sign_in(name, password).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
        refused.shows(&["The name or the password is wrong."]);
    }
    let mut last = StatusCode::UNAUTHORIZED;
    for _ in 0..10 {
        last = browser.sign_in("anna", "wrong horse").await.status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    let slowed = browser.sign_in("anna", "correct horse").await;
    assert_eq!(slowed.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(slowed.header("retry-after").parse::<u32>().unwrap() <= 16);
    let audit = dashboard.audit().await;
    assert!(audit.iter().all(|entry| entry.outcome == AuditOutcome::Refused));
    assert!(audit.iter().any(|entry| entry.entry.who == "anna") && audit.iter().any(|entry| entry.entry.who == "-"));
    assert!(
        !format!("{audit:?}").contains("horse"),
        "a password in the wrong field was kept"
    );
    dashboard.drop_all().await;
}

#[tokio::test]
async fn a_session_ends_when_nothing_is_asked_for_long() {
    let dashboard = TestDashboard::worker().await.start().await;
    let mut browser = dashboard.signed_in("bob").await;
    dashboard.advance(20);
    assert_eq!(browser.get("/dashboard").await.status, StatusCode::OK);
    dashboard.advance(20);
    assert_eq!(
        browser.get("/dashboard").await.status,
        StatusCode::OK,
        "asking keeps it alive"
    );
    dashboard.advance(31);
    assert_eq!(browser.get("/dashboard").await.status, StatusCode::SEE_OTHER);
    dashboard.drop_all().await;
}

#[tokio::test]
async fn a_cookie_that_was_altered_opens_nothing() {
    let dashboard = TestDashboard::worker().await.start().await;
    let mut browser = dashboard.signed_in("bob").await;
    let cookie = browser.cookie("billwright_session").unwrap().clone();
    let mut parts: Vec<&str> = cookie.split('.').collect();
    // {"id":"x","name":"anna",…} signed by nobody.
    parts[1] = "eyJpZCI6IngiLCJuYW1lIjoiYW5uYSIsInByb29mIjpudWxsLCJjc3JmIjoieCIsImJlZ2FuIjoxLCJzZWVuIjoxfQ";
    browser.set_cookie("billwright_session", &parts.join("."));
    assert_eq!(browser.get("/dashboard").await.status, StatusCode::SEE_OTHER);
    browser.set_cookie("billwright_session", "");
    assert_eq!(browser.get("/dashboard").await.status, StatusCode::SEE_OTHER);
    dashboard.drop_all().await;
}

#[tokio::test]
async fn a_form_without_its_token_or_from_another_site_does_nothing() {
    let dashboard = TestDashboard::worker().await.start().await;
    let mut browser = dashboard.signed_in("anna").await;
    for fields in [&[][..], &[("csrf", "")], &[("csrf", "0123")]] {
        let refused = browser.post_raw("/dashboard/logout", fields).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        refused.shows(&["The form is too old"]);
    }
    let token = browser.get("/dashboard").await.csrf();
    let session = browser.cookie("billwright_session").unwrap().clone();
    for header in [
        ("origin", "https://evil.example.com"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let mut elsewhere = dashboard.browser().with_header(header.0, header.1);
        elsewhere.set_cookie("billwright_session", &session);
        let refused = elsewhere.post_raw("/dashboard/logout", &[("csrf", &token)]).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{header:?}");
    }
    let huge = "x".repeat(100_000);
    let refused = browser
        .post_raw("/dashboard/logout", &[("csrf", &token), ("more", &huge)])
        .await;
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(
        browser.get("/dashboard").await.status,
        StatusCode::OK,
        "nobody was signed out"
    );
    dashboard.drop_all().await;
}

#[tokio::test]
async fn without_users_only_this_machine_gets_in() {
    let mut dashboard = TestDashboard::worker().await;
    dashboard.settings = DashboardSettings::default();
    let dashboard = dashboard.start().await;
    dashboard
        .browser()
        .get("/dashboard")
        .await
        .shows(&["local · operator"])
        .hides(&["Sign out"]);
    let claims = [
        ("x-forwarded-for", "127.0.0.1"),
        ("forwarded", "for=127.0.0.1"),
        ("host", "rebound.example.com"),
    ];
    for (name, value) in claims {
        let mut browser: Browser = dashboard.browser().with_header(name, value);
        let refused = browser.get("/dashboard").await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{name}");
        refused.shows(&["Not from here", "DASHBOARD_USERS"]);
    }
    dashboard.drop_all().await;
}

#[tokio::test]
async fn every_answer_forbids_what_is_not_ours() {
    let dashboard = TestDashboard::worker().await.start().await;
    let mut browser = dashboard.signed_in("bob").await;
    for path in [
        "/dashboard",
        "/dashboard/audit",
        "/dashboard/login",
        "/dashboard/nothing",
        "/dashboard/assets/style.css",
    ] {
        let page = browser.get(path).await;
        let policy = page.header(CSP);
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(page.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(page.header("referrer-policy"), "same-origin", "{path}");
        page.hides(&["<style", "style=\"", "<script>", "onclick", "http://", "https://"]);
    }
    let mut secure = dashboard.browser().with_header("x-forwarded-proto", "https");
    let page = secure.get("/dashboard/login").await;
    let cookie = page.header("set-cookie");
    for part in ["HttpOnly", "SameSite=Strict", "Secure", "Path=/dashboard"] {
        assert!(cookie.contains(part), "{part}: {cookie}");
    }
    dashboard.drop_all().await;
}

#[tokio::test]
async fn a_copy_of_an_asset_that_is_still_good_is_not_sent_again() {
    let dashboard = TestDashboard::worker().await.start().await;
    let first = dashboard.browser().get("/dashboard/assets/live.js").await;
    assert_eq!(first.status, StatusCode::OK);
    let mut again = dashboard.browser().with_header("if-none-match", first.header("etag"));
    assert_eq!(
        again.get("/dashboard/assets/live.js").await.status,
        StatusCode::NOT_MODIFIED
    );
    assert_eq!(
        dashboard.browser().get("/dashboard/assets/other").await.status,
        StatusCode::NOT_FOUND
    );
    dashboard.drop_all().await;
}

#[tokio::test]
async fn a_link_from_elsewhere_leaves_the_session_alone() {
    let dashboard = TestDashboard::worker().await.start().await;
    // The browser keeps its cookies to itself when another site sends it here.
    let mut linked = dashboard
        .browser()
        .with_header("sec-fetch-site", "cross-site")
        .with_header("sec-fetch-mode", "navigate");
    let answer = linked.get("/dashboard/audit?offset=50").await;
    assert_eq!(answer.header("refresh"), "0; url=/dashboard/audit?offset=50");
    assert_eq!(answer.header("set-cookie"), "");
    dashboard.drop_all().await;
}

#[tokio::test]
async fn pages_speak_the_language_of_their_reader() {
    let dashboard = TestDashboard::worker().await.start().await;
    let mut browser = dashboard.signed_in("bob").await;
    browser
        .get("/dashboard")
        .await
        .shows(&["<html lang=\"en\">", "Overview"]);
    for (tag, title) in [("ru", "Обзор"), ("uz", "Umumiy ko‘rinish"), ("es", "Resumen")] {
        browser
            .get(&format!("/dashboard?lang={tag}"))
            .await
            .shows(&[&format!("<html lang=\"{tag}\">"), title]);
        browser.get("/dashboard").await.shows(&[title]);
    }
    let mut russian = dashboard.browser().with_header("accept-language", "ru-RU,ru;q=0.9");
    russian.get("/dashboard/login").await.shows(&["Войти"]);
    dashboard.drop_all().await;
}

#[tokio::test]
async fn a_list_is_bounded_whatever_is_asked_for() {
    let dashboard = TestDashboard::worker().await.start().await;
    let mut browser = dashboard.signed_in("bob").await;
    let audit = billwright_store::operations::audit::Audit::new(&dashboard.mongo);
    for index in 0..210 {
        let entry = billwright_store::operations::audit::NewAuditEntry {
            at: dashboard.now(),
            who: "anna".to_owned(),
            role: "operator".to_owned(),
            address: "127.0.0.1".to_owned(),
            action: "test".to_owned(),
            target: format!("/{index}"),
        };
        audit.begin(&entry).await.unwrap();
    }
    let rows = |text: &str| text.matches("<code>test</code>").count();
    assert_eq!(rows(&browser.get("/dashboard/audit").await.text), 50);
    let page = browser.get("/dashboard/audit?limit=100000").await;
    assert_eq!(rows(&page.text), 200);
    page.shows(&["1–200", "211 entries", "/dashboard/audit?limit=100000&#38;offset=200"]);
    let page = browser.get("/dashboard/audit?offset=99999999999&limit=-3").await;
    assert_eq!(page.status, StatusCode::OK);
    page.shows(&["rel=\"prev\""]).hides(&["rel=\"next\""]);
    dashboard.drop_all().await;
}

#[tokio::test]
async fn leaving_is_possible_while_mongodb_is_away() {
    let mut dashboard = TestDashboard::worker().await;
    dashboard.sources.billz_database = Some(crate::test_dashboard::open("mongodb://127.0.0.1:1/", "nothing").await);
    let dashboard = dashboard.start().await;
    let mut browser = dashboard.signed_in("anna").await;
    browser.get("/dashboard/audit").await.shows(&["MongoDB is away"]);
    let left = browser.post("/dashboard/logout", &[]).await;
    assert_eq!(left.status, StatusCode::SEE_OTHER);
    assert_eq!(browser.get("/dashboard").await.status, StatusCode::SEE_OTHER);
    dashboard.drop_all().await;
}

#[tokio::test]
async fn who_signs_out_is_signed_out_in_every_process_that_has_the_key() {
    let mut dashboard = TestDashboard::worker().await;
    dashboard.settings.session_key = Some("0123456789abcdef0123456789abcdef".into());
    let dashboard = dashboard.start().await;
    let mut browser = dashboard.signed_in("anna").await;
    let session = browser.cookie("billwright_session").unwrap().clone();
    let mut elsewhere = dashboard.browser_elsewhere().await;
    elsewhere.set_cookie("billwright_session", &session);
    assert_eq!(elsewhere.get("/dashboard/audit").await.status, StatusCode::OK);
    browser.post("/dashboard/logout", &[]).await;
    let began = Instant::now();
    loop {
        elsewhere.set_cookie("billwright_session", &session);
        if elsewhere.get("/dashboard/audit").await.status == StatusCode::SEE_OTHER {
            break;
        }
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "the old cookie still opens the other process"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    dashboard.drop_all().await;
}

/// What the stream tells until it ends.
async fn whole_stream(dashboard: &TestDashboard, browser: &Browser) -> tokio::task::JoinHandle<String> {
    let url = format!("http://{}/dashboard/live", dashboard.address.unwrap());
    let cookie = format!("billwright_session={}", browser.cookie("billwright_session").unwrap());
    let request = reqwest::Client::new().get(url).header("cookie", cookie);
    let answer = request.send().await.unwrap();
    tokio::spawn(async move { answer.text().await.unwrap() })
}

#[tokio::test]
async fn a_stream_ends_with_its_session_and_with_the_process() {
    let dashboard = TestDashboard::worker().await.start().await;
    let (mut anna, bob) = (dashboard.signed_in("anna").await, dashboard.signed_in("bob").await);
    let annas = whole_stream(&dashboard, &anna).await;
    let bobs = whole_stream(&dashboard, &bob).await;
    anna.post("/dashboard/logout", &[]).await;
    let told = tokio::time::timeout(Duration::from_secs(10), annas).await.unwrap();
    assert!(told.unwrap().contains("event: live"));
    assert!(!bobs.is_finished());
    dashboard.sources.stop.cancel();
    tokio::time::timeout(Duration::from_secs(10), bobs)
        .await
        .unwrap()
        .unwrap();
    dashboard.drop_all().await;
}

#[tokio::test]
async fn an_action_goes_on_when_its_browser_goes_away() {
    // A Redis that takes connections and says nothing, so that the action takes a while.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut dashboard = TestDashboard::worker().await;
    dashboard.sources.queue = Some(QueueSource::new(QueueAddress {
        redis: RedisSettings {
            url: format!("redis://{}", silent.local_addr().unwrap()).into(),
        },
        ..dashboard.queue.clone()
    }));
    let dashboard = dashboard.start().await;
    let mut anna = dashboard.signed_in("anna").await;
    let token = anna.get("/dashboard/audit").await.csrf();
    let fields = [("csrf", token.as_str()), ("confirmed", "yes")];
    let acting = anna.post_raw("/dashboard/job/1/run-now", &fields);
    let gone = tokio::time::timeout(Duration::from_millis(700), acting).await;
    assert!(gone.is_err(), "the browser went before the answer");
    let began = Instant::now();
    loop {
        let audit = dashboard.audit().await;
        let line = audit.iter().find(|line| line.entry.action == "job.run-now").unwrap();
        if line.outcome == AuditOutcome::Failed {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{line:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    dashboard.drop_all().await;
}
