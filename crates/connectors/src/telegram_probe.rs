//! Asks Telegram whether the bot and its group are what the configuration says. Sends nothing to the group.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header::CONTENT_TYPE};
use serde_json::{Value, json};

use crate::{
    http::{Http, HttpSetupError, NoReply, Request},
    redact,
    telegram::{self, TelegramError, TelegramSettings},
};

/// Who the bot and the group are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TelegramFacts {
    /// The bot's user name.
    pub bot: String,
    /// The group's title.
    pub group: String,
    /// The group's kind, such as `supergroup`.
    pub kind: String,
}

/// Why the question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The client could not be set up.
    #[error(transparent)]
    Setup(#[from] HttpSetupError),
    /// Telegram refuses the bot, or cannot be reached.
    #[error("{0}")]
    Bot(TelegramError),
    /// Telegram refuses the group.
    #[error("{0}")]
    Group(TelegramError),
}

/// Asks who the bot and the group are.
pub async fn probe(settings: &TelegramSettings) -> Result<TelegramFacts, ProbeError> {
    let http = Http::new(
        &settings.base_url,
        telegram::CONNECT_TIMEOUT,
        telegram::ANSWER_LIMIT_BYTES,
    )?;
    let bot = ask(&http, settings, "getMe", &json!({}))
        .await
        .map_err(ProbeError::Bot)?;
    let group = ask(&http, settings, "getChat", &json!({ "chat_id": settings.group_id }))
        .await
        .map_err(ProbeError::Group)?;
    let text = |value: &Value| value.as_str().map_or_else(|| "unnamed".to_owned(), redact::text);
    Ok(TelegramFacts {
        bot: text(&bot["username"]),
        group: text(&group["title"]),
        kind: text(&group["type"]),
    })
}

async fn ask(http: &Http, settings: &TelegramSettings, call: &str, body: &Value) -> Result<Value, TelegramError> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let request = Request {
        method: Method::POST,
        url: telegram::address(settings, call),
        headers,
        body: Some(Bytes::from(body.to_string())),
    };
    let reply = http.send(request, telegram::TIMEOUT).await.map_err(|none| match none {
        NoReply::NotSent(reason) | NoReply::Lost(reason) => TelegramError::Unavailable { reason },
    })?;
    let said = reply
        .body
        .ok()
        .and_then(|body| serde_json::from_slice::<Value>(&body).ok())
        .unwrap_or_default();
    telegram::read(reply.status.as_u16(), &said)?;
    Ok(said["result"].clone())
}
