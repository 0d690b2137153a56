//! Telegram against the sandbox, and against a server that says what a test wants.

use std::time::Duration;

use billwright_connectors::telegram::{Telegram, TelegramError, TelegramSettings, escape_html};
use billwright_sandbox::{BOT_TOKEN, Fault, GROUP_ID, GroupLimit, Sandbox, SandboxSettings};
use serde_json::json;

use crate::stub::{Say, Stub};

fn telegram(url: &str) -> Telegram {
    Telegram::new(&TelegramSettings {
        base_url: url.parse().unwrap(),
        bot_token: BOT_TOKEN.to_owned().into(),
        group_id: GROUP_ID.to_string(),
    })
    .unwrap()
}

async fn sandbox() -> Sandbox {
    Sandbox::start(SandboxSettings::default()).await.unwrap()
}

#[tokio::test]
async fn sends_what_the_documentation_asks_for() {
    let stub = Stub::start().await;
    let path = format!("/bot{BOT_TOKEN}/sendMessage");
    stub.says(&path, Say::json(&json!({"ok": true, "result": {"message_id": 7}})));
    let sent = telegram(stub.url()).send("<b>a</b>").await.unwrap();
    assert_eq!(sent.message_id, Some(7));
    let asked = stub.only();
    assert_eq!(asked.line, format!("POST {path}"));
    assert_eq!(
        asked.body,
        json!({"chat_id": GROUP_ID.to_string(), "text": "<b>a</b>", "parse_mode": "HTML",
               "link_preview_options": {"is_disabled": true}})
    );
}

#[tokio::test]
async fn any_text_arrives_when_it_is_escaped_and_a_long_one_is_cut() {
    let sandbox = sandbox().await;
    let telegram = telegram(&sandbox.telegram_url());
    telegram
        .send(&format!("<b>{}</b>", escape_html("a < b && c > \"d\" </b> &amp;")))
        .await
        .unwrap();
    telegram
        .send(&format!("<i><b>{}</b></i>", escape_html(&"<&>\"😀".repeat(3000))))
        .await
        .unwrap();
    assert_eq!(sandbox.ledger().messages.len(), 2);
    let error = telegram.send("<b>not closed").await.unwrap_err();
    assert!(
        matches!(error, TelegramError::BadRequest { .. }) && !error.is_transient(),
        "{error}"
    );
}

#[tokio::test]
async fn tells_how_long_to_wait() {
    let mut settings = SandboxSettings::default();
    settings.telegram.group_limit = Some(GroupLimit::default());
    let sandbox = Sandbox::start(settings).await.unwrap();
    let telegram = telegram(&sandbox.telegram_url());
    telegram.send("one").await.unwrap();
    let error = telegram.send("two").await.unwrap_err();
    assert!(
        matches!(error, TelegramError::RateLimited { retry_after } if retry_after >= Duration::from_secs(1)),
        "{error}"
    );
}

#[tokio::test]
async fn follows_a_group_that_moved() {
    let sandbox = sandbox().await;
    let telegram = telegram(&sandbox.telegram_url());
    sandbox.move_group(GROUP_ID, -1_009_999);
    let error = telegram.send("one").await.unwrap_err();
    assert_eq!(
        error,
        TelegramError::Migrated {
            to: "-1009999".to_owned()
        }
    );
    telegram.send("one").await.unwrap();
    assert_eq!(telegram.group(), "-1009999");
}

#[tokio::test]
async fn says_that_the_bot_was_kicked_or_that_its_token_is_wrong() {
    let sandbox = sandbox().await;
    sandbox.set_kicked(GROUP_ID, true);
    let error = telegram(&sandbox.telegram_url()).send("one").await.unwrap_err();
    assert!(
        matches!(error, TelegramError::Kicked { .. }) && !error.is_transient(),
        "{error}"
    );

    let wrong = Telegram::new(&TelegramSettings {
        base_url: sandbox.telegram_url().parse().unwrap(),
        bot_token: "123:wrong".to_owned().into(),
        group_id: GROUP_ID.to_string(),
    });
    assert_eq!(
        wrong.unwrap().send("one").await.unwrap_err(),
        TelegramError::Unauthorized
    );
}

#[tokio::test]
async fn no_error_shows_the_token() {
    let sandbox = sandbox().await;
    let reachable = telegram(&sandbox.telegram_url());
    let mut errors = Vec::new();
    for fault in [
        Fault::CutBefore,
        Fault::CutAfter,
        Fault::TruncatedBody,
        Fault::html_page(),
        Fault::status(502),
    ] {
        sandbox.faults().next("sendMessage", fault);
        errors.push(reachable.send("one").await.unwrap_err());
    }
    assert!(
        errors.iter().all(|error| error.outcome() == "outcome_unknown"),
        "{errors:?}"
    );
    let unreachable = telegram("http://127.0.0.1:1");
    errors.push(unreachable.send("one").await.unwrap_err());
    assert_eq!(errors.last().unwrap().outcome(), "unavailable");
    let shown = format!("{errors:?} {reachable:?} {unreachable:?}");
    assert!(!shown.contains("sandbox-bot-token"), "{shown}");
    assert!(
        errors
            .iter()
            .all(|error| !error.to_string().contains("sandbox-bot-token") && error.is_transient())
    );
}
