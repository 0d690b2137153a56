//! Messages to the Telegram group.

use std::time::Duration;

use billwright_connectors::telegram::{Telegram, TelegramSettings};
use billwright_store::{
    billz::notifications::{NewNotification, Notifications},
    operations::audit::AuditOutcome,
};
use reqwest::StatusCode;

use crate::test_dashboard::TestDashboard;

async fn with_telegram() -> TestDashboard {
    let mut dashboard = TestDashboard::worker().await;
    let telegram = Telegram::new(&TelegramSettings {
        base_url: "http://127.0.0.1:1".parse().unwrap(),
        bot_token: "token".into(),
        group_id: "-100".to_owned(),
    });
    dashboard.sources.telegram = Some(telegram.unwrap());
    dashboard
}

fn message(text: &str) -> NewNotification {
    NewNotification {
        kind: "operation_failed",
        fold: None,
        text: text.to_owned(),
        spacing: Duration::ZERO,
    }
}

#[tokio::test]
async fn a_message_that_was_given_up_is_sent_again_by_an_operator() {
    let dashboard = with_telegram().await.start().await;
    let notifications = Notifications::new(&dashboard.mongo);
    notifications
        .add(&message("<b>Failed</b>\nClient: +998901112233 &amp; more"))
        .await
        .unwrap();
    let id = notifications.take_due().await.unwrap().unwrap().id;
    notifications.mark_failed(id, "the bot was removed").await.unwrap();
    let path = format!("/dashboard/notifications/{id}/again");

    let mut viewer = dashboard.signed_in("bob").await;
    let page = viewer.get("/dashboard/notifications?state=failed").await;
    page.shows(&[
        "Client: +********2233 &#38; more<br>",
        "the bot was removed",
        "Failed (1)",
        "1 entry",
    ]);
    page.hides(&["Send again", "Send a test message", "998901112233", "&lt;b&gt;"]);
    assert_eq!(viewer.post(&path, &[]).await.status, StatusCode::FORBIDDEN);
    assert!(
        notifications.take_due().await.unwrap().is_none(),
        "a viewer sends nothing"
    );

    let mut operator = dashboard.signed_in("anna").await;
    operator
        .get("/dashboard/notifications?state=failed")
        .await
        .shows(&["Send again", "Send a test message"]);
    let done = operator.post(&path, &[]).await;
    assert_eq!(done.location(), "/dashboard/notifications?state=waiting");
    let page = operator.get(done.location()).await;
    page.shows(&["The message is in the queue once more.", "Waiting (1)"]);
    operator
        .get("/dashboard/notifications?state=waiting")
        .await
        .hides(&["The message is in the queue once more."]);
    let due = notifications.take_due().await.unwrap().unwrap();
    assert_eq!(due.text, "<b>Failed</b>\nClient: +998901112233 &amp; more");
    let waits = format!("/dashboard/notifications/{}/again", due.id);
    assert_eq!(operator.post(&waits, &[]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        operator
            .post("/dashboard/notifications/nonsense/again", &[])
            .await
            .status,
        StatusCode::NOT_FOUND
    );
    let audit = dashboard.audit().await;
    let again: Vec<_> = audit
        .iter()
        .filter(|entry| entry.entry.action == "notifications.again")
        .map(|entry| (entry.entry.who.as_str(), entry.outcome))
        .collect();
    assert_eq!(
        again,
        [
            ("anna", AuditOutcome::Refused),
            ("anna", AuditOutcome::Refused),
            ("anna", AuditOutcome::Done)
        ]
    );
    dashboard.drop_all().await;
}

#[tokio::test]
async fn a_test_message_goes_the_way_of_all_others() {
    let dashboard = with_telegram().await.start().await;
    let mut operator = dashboard.signed_in("anna").await;
    let done = operator.post("/dashboard/notifications/test", &[]).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    let due = Notifications::new(&dashboard.mongo).take_due().await.unwrap().unwrap();
    assert!(due.text.contains("<code>anna</code>"), "{}", due.text);
    dashboard.drop_all().await;
}

#[tokio::test]
async fn where_notifications_are_off_the_page_says_so_and_sends_nothing() {
    let dashboard = TestDashboard::worker().await.start().await;
    let mut operator = dashboard.signed_in("anna").await;
    let page = operator.get("/dashboard/notifications").await;
    page.shows(&["TELEGRAM_BOT_TOKEN", "There are none."])
        .hides(&["Send a test message"]);
    let refused = operator.post("/dashboard/notifications/test", &[]).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    assert!(Notifications::new(&dashboard.mongo).take_due().await.unwrap().is_none());
    dashboard.drop_all().await;
}
