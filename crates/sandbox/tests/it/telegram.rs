//! Telegram: messages, their limits, and its refusals.

use billwright_sandbox::{BOT_TOKEN, Fault, GROUP_ID, GroupLimit, Sandbox, SandboxSettings, TelegramSettings};
use serde_json::{Value, json};

use crate::client::http;

struct Bot {
    sandbox: Sandbox,
    http: reqwest::Client,
}

impl Bot {
    async fn start() -> Self {
        Self::with(SandboxSettings::default()).await
    }

    async fn with(settings: SandboxSettings) -> Self {
        Self {
            sandbox: Sandbox::start(settings).await.unwrap(),
            http: http(),
        }
    }

    fn url(&self, call: &str) -> String {
        format!("{}/bot{BOT_TOKEN}/{call}", self.sandbox.telegram_url())
    }

    async fn send(&self, body: Value) -> (u16, Value) {
        let response = self
            .http
            .post(self.url("sendMessage"))
            .json(&body)
            .send()
            .await
            .unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    async fn html(&self, text: &str) -> (u16, Value) {
        self.send(json!({"chat_id": GROUP_ID, "text": text, "parse_mode": "HTML"}))
            .await
    }
}

#[tokio::test]
async fn a_message_is_delivered_and_shown_without_mark_up() {
    let bot = Bot::start().await;
    let (status, answer) = bot.html("<b>Order</b> 5 &lt;paid&gt;").await;
    assert_eq!((status, &answer["ok"]), (200, &json!(true)), "{answer}");
    let message = &answer["result"];
    assert_eq!(
        (&message["message_id"], &message["text"]),
        (&json!(1), &json!("Order 5 <paid>"))
    );
    assert_eq!(
        (&message["chat"]["id"], &message["chat"]["type"]),
        (&json!(GROUP_ID), &json!("supergroup"))
    );
    assert_eq!(message["from"]["is_bot"], true);
    let ledger = bot.sandbox.ledger();
    assert_eq!(ledger.messages.len(), 1);
    assert_eq!(ledger.messages[0].text, "<b>Order</b> 5 &lt;paid&gt;");
    assert_eq!(
        ledger.calls_named("sendMessage")[0].path,
        "/bot…/sendMessage",
        "the token is masked"
    );
}

#[tokio::test]
async fn a_form_and_a_query_do_as_well() {
    let bot = Bot::start().await;
    let form = [("chat_id", GROUP_ID.to_string()), ("text", "a & b + c".to_owned())];
    let response = bot.http.post(bot.url("sendMessage")).form(&form).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let response = bot.http.get(bot.url("sendMessage")).query(&form).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let texts: Vec<String> = bot
        .sandbox
        .ledger()
        .messages
        .into_iter()
        .map(|message| message.plain_text)
        .collect();
    assert_eq!(texts, ["a & b + c", "a & b + c"]);
}

#[tokio::test]
async fn get_me_names_the_bot() {
    let bot = Bot::start().await;
    let answer: Value = bot
        .http
        .get(bot.url("getMe"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(
        (&answer["result"]["id"], &answer["result"]["is_bot"]),
        (&json!(123_456_789), &json!(true))
    );
}

#[tokio::test]
async fn wrong_calls_are_refused_as_telegram_does() {
    let bot = Bot::start().await;
    let cases = [
        (json!({"text": "x"}), 400, "Bad Request: chat_id is empty"),
        (json!({"chat_id": 5, "text": "x"}), 400, "Bad Request: chat not found"),
        (json!({"chat_id": [], "text": "x"}), 400, "Bad Request: chat not found"),
        (json!({"chat_id": GROUP_ID}), 400, "Bad Request: message text is empty"),
        (
            json!({"chat_id": GROUP_ID, "text": "<b> </b>", "parse_mode": "HTML"}),
            400,
            "Bad Request: message text is empty",
        ),
        (
            json!({"chat_id": GROUP_ID, "text": "x".repeat(4097)}),
            400,
            "Bad Request: message is too long",
        ),
        (
            json!({"chat_id": GROUP_ID, "text": "x", "parse_mode": "TeX"}),
            400,
            "Bad Request: unsupported parse_mode",
        ),
        (
            json!({"chat_id": GROUP_ID, "text": "<b>x", "parse_mode": "HTML"}),
            400,
            "Bad Request: can't parse entities: Can't find end tag corresponding to start tag \"b\"",
        ),
        (
            json!({"chat_id": GROUP_ID, "text": "a <= b", "parse_mode": "HTML"}),
            400,
            "Bad Request: can't parse entities: Unsupported start tag \"=\" at byte offset 2",
        ),
        (json!("text"), 400, "Bad Request: can't parse JSON object"),
    ];
    for (body, code, description) in cases {
        let (status, answer) = bot.send(body).await;
        assert_eq!(
            (status, answer),
            (
                code,
                json!({"ok": false, "error_code": code, "description": description})
            )
        );
    }
    let url = format!("{}/bot1:wrong/getMe", bot.sandbox.telegram_url());
    let answer = bot.http.get(url).send().await.unwrap();
    assert_eq!(answer.status(), 401);
    assert_eq!(
        bot.http.get(bot.url("deleteEverything")).send().await.unwrap().status(),
        404
    );
    assert!(bot.sandbox.ledger().messages.is_empty());
}

#[tokio::test]
async fn length_counts_without_mark_up_in_utf_16() {
    let bot = Bot::start().await;
    assert_eq!(bot.html(&format!("<b>{}</b>", "x".repeat(4096))).await.0, 200);
    assert_eq!(bot.html(&"😀".repeat(2048)).await.0, 200);
    assert_eq!(bot.html(&"😀".repeat(2049)).await.0, 400);
}

#[tokio::test]
async fn a_group_takes_so_many_messages_a_second_and_a_minute() {
    let limit = |per_minute, per_second| {
        let telegram = TelegramSettings {
            group_limit: Some(GroupLimit { per_minute, per_second }),
            ..TelegramSettings::default()
        };
        SandboxSettings {
            telegram,
            ..SandboxSettings::default()
        }
    };
    let bot = Bot::with(limit(20, 1)).await;
    assert_eq!(bot.html("one").await.0, 200);
    let (status, answer) = bot.html("two").await;
    assert_eq!((status, &answer["parameters"]["retry_after"]), (429, &json!(1)));
    assert_eq!(answer["description"], "Too Many Requests: retry after 1");
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(bot.html("two").await.0, 200);

    let bot = Bot::with(limit(3, 100)).await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(bot.html("x").await.0);
    }
    assert_eq!(statuses, [200, 200, 200, 429]);
    let wait = bot.html("x").await.1["parameters"]["retry_after"].as_u64().unwrap();
    assert!((55..=60).contains(&wait), "{wait}");
    assert_eq!(bot.sandbox.ledger().messages.len(), 3);
}

#[tokio::test]
async fn a_group_moves_and_a_bot_is_kicked() {
    let bot = Bot::start().await;
    let new_id = -1_009_999;
    bot.sandbox.move_group(GROUP_ID, new_id);
    let (status, answer) = bot.html("x").await;
    assert_eq!(
        (status, &answer["parameters"]["migrate_to_chat_id"]),
        (400, &json!(new_id))
    );
    let moved = json!({"chat_id": new_id.to_string(), "text": "x"});
    assert_eq!(bot.send(moved.clone()).await.0, 200);
    bot.sandbox.set_kicked(new_id, true);
    let (status, answer) = bot.send(moved.clone()).await;
    assert_eq!(
        (status, &answer["description"]),
        (403, &json!("Forbidden: bot was kicked from the supergroup chat"))
    );
    bot.sandbox.set_kicked(new_id, false);
    assert_eq!(bot.send(moved).await.0, 200);
}

#[tokio::test]
async fn faults_befall_messages_too() {
    let bot = Bot::start().await;
    bot.sandbox.faults().next("sendMessage", Fault::CutAfter);
    let body = json!({"chat_id": GROUP_ID, "text": "x"});
    assert!(bot.http.post(bot.url("sendMessage")).json(&body).send().await.is_err());
    assert_eq!(bot.sandbox.ledger().messages.len(), 1);
    bot.sandbox.faults().next("sendMessage", Fault::status(500));
    assert_eq!(bot.send(body).await.0, 500);
    assert_eq!(bot.sandbox.ledger().messages.len(), 1);
}
