//! The configuration in effect, and what is logged.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use billwright_dashboard::{EffectiveSetting, LogLevel};
use billwright_store::operations::audit::AuditOutcome;
use chrono::{DateTime, Utc};
use reqwest::StatusCode;

use crate::test_dashboard::{TestDashboard, open};

/// Remembers what it was told, and takes no filter with a blank.
#[derive(Debug, Default)]
struct Told(Mutex<Option<(String, Option<Duration>)>>);

impl LogLevel for Told {
    fn current(&self) -> String {
        let told = self.0.lock().unwrap();
        told.as_ref()
            .map_or_else(|| "info".to_owned(), |(filter, _)| filter.clone())
    }

    fn configured(&self) -> String {
        "info".to_owned()
    }

    fn until(&self) -> Option<DateTime<Utc>> {
        None
    }

    fn change(&self, filter: &str, lasting: Option<Duration>) -> Result<(), String> {
        if filter.contains(' ') {
            return Err("a level <or> a filter".to_owned());
        }
        *self.0.lock().unwrap() = Some((filter.to_owned(), lasting));
        Ok(())
    }
}

fn setting(name: &'static str, shown: &str, origin: &str) -> EffectiveSetting {
    EffectiveSetting {
        name,
        section: "Redis",
        shown_value: shown.to_owned(),
        origin: origin.to_owned(),
        default: "the default of it",
        about: "What it is for.",
    }
}

#[tokio::test]
async fn shows_every_value_with_where_it_came_from() {
    let mut dashboard = TestDashboard::worker().await;
    dashboard.sources.settings = vec![
        setting("REDIS_URL", "redis://***@host", "environment"),
        setting("REDIS_DB", "0", "default"),
    ];
    let dashboard = dashboard.start().await;
    let page = dashboard.signed_in("bob").await.get("/dashboard/settings").await;
    page.shows(&[
        "<code>REDIS_URL</code>",
        "redis://***@host",
        "<td>environment</td>",
        "What it is for.",
        "not set",
        "the default of it",
    ]);
    page.hides(&["What is logged"]);
    dashboard.drop_all().await;
}

#[tokio::test]
async fn an_operator_changes_what_is_logged_and_a_viewer_does_not() {
    let mut dashboard = TestDashboard::worker().await;
    let told = Arc::new(Told::default());
    dashboard.sources.log_level = Some(told.clone());
    let dashboard = dashboard.start().await;
    let path = "/dashboard/settings/log-level";

    let mut viewer = dashboard.signed_in("bob").await;
    viewer
        .get("/dashboard/settings")
        .await
        .shows(&["What is logged"])
        .hides(&["name=\"filter\""]);
    assert_eq!(
        viewer.post(path, &[("filter", "debug")]).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(told.current(), "info");

    let mut operator = dashboard.signed_in("anna").await;
    let done = operator.post(path, &[("filter", " debug "), ("lasting", "10")]).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    assert_eq!(
        *told.0.lock().unwrap(),
        Some(("debug".to_owned(), Some(Duration::from_mins(10))))
    );
    operator
        .get("/dashboard/settings")
        .await
        .shows(&["Logging by debug from now on.", "Log as configured again"]);

    for fields in [
        [("filter", "a b"), ("lasting", "")],
        [("filter", "info"), ("lasting", "for ever")],
    ] {
        assert_eq!(operator.post(path, &fields).await.status, StatusCode::CONFLICT);
    }
    operator
        .post(path, &[("filter", "a b")])
        .await
        .shows(&["a level &#60;or&#62; a filter"]);
    assert_eq!(
        operator.post(path, &[]).await.status,
        StatusCode::CONFLICT,
        "a field is missing"
    );
    assert_eq!(told.current(), "debug");

    let audit = dashboard.audit().await;
    let done = audit
        .iter()
        .find(|entry| entry.outcome == AuditOutcome::Done && entry.entry.action == "log-level.change");
    assert_eq!(done.unwrap().detail.as_deref(), Some("filter `debug`"));
    operator.get("/dashboard/audit").await.shows(&[
        "log-level.change",
        "filter `debug`",
        "/dashboard/settings/log-level",
    ]);
    dashboard.drop_all().await;
}

#[tokio::test]
async fn what_cannot_be_noted_in_the_audit_is_not_done() {
    let mut dashboard = TestDashboard::worker().await;
    let told = Arc::new(Told::default());
    dashboard.sources.log_level = Some(told.clone());
    dashboard.sources.billz_database = Some(open("mongodb://127.0.0.1:1/", "nothing").await);
    let dashboard = dashboard.start().await;
    let mut operator = dashboard.signed_in("anna").await;
    // MongoDB is nothing that the action itself would need.
    let refused = operator
        .post("/dashboard/settings/log-level", &[("filter", "debug")])
        .await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    refused.shows(&["MongoDB is away"]);
    assert_eq!(told.current(), "info");
    dashboard.drop_all().await;
}
