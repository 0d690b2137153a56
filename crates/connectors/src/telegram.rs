//! Telegram `sendMessage` to one group: escaping, the limit of a message, and what a refusal means.
//!
//! The bot's token is part of the address, so that no error of this module may show an address.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header::CONTENT_TYPE};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::time::Instant;
use url::Url;

use crate::{
    http::{Http, HttpSetupError, NoReply, Request},
    redact,
};

/// The public host.
pub const BASE_URL: &str = "https://api.telegram.org";

/// The longest message, in UTF-16 units as Telegram counts. Telegram does not count mark-up; we do, which is shorter.
pub const MESSAGE_LIMIT: usize = 4096;

const ELLIPSIS: &str = "…";
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
pub(crate) const TIMEOUT: Duration = Duration::from_secs(20);
pub(crate) const ANSWER_LIMIT_BYTES: usize = 256 * 1024;
/// How long to hold back after a 429 that does not say how long.
const UNTOLD_WAIT: Duration = Duration::from_secs(30);
/// The longest that a 429 can hold messages back; then Telegram is asked again.
const LONGEST_WAIT: Duration = Duration::from_hours(1);
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b':')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// What sending to Telegram must be told.
#[derive(Debug, Clone)]
pub struct TelegramSettings {
    /// Where Telegram is; the sandbox's address in tests.
    pub base_url: Url,
    /// The bot's token.
    pub bot_token: SecretString,
    /// The group, such as `-1001234567890`, or a public one as `@name`.
    pub group_id: String,
}

/// A message was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Its id in the group, where Telegram told it.
    pub message_id: Option<i64>,
}

/// Why a message was not sent, or may not have been.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TelegramError {
    /// Too many messages. Nothing was sent.
    #[error("Telegram asks to slow down for {} s", retry_after.as_secs())]
    RateLimited {
        /// How long to wait.
        retry_after: Duration,
    },
    /// The group became a supergroup with another id. Nothing was sent; later messages of this process go there.
    #[error("the Telegram group is now `{to}`: set TELEGRAM_GROUP_ID to that")]
    Migrated {
        /// The group's new id.
        to: String,
    },
    /// The bot may not write to the group.
    #[error("the Telegram bot may not write to the group ({text}): add it to the group again")]
    Kicked {
        /// Telegram's own words.
        text: String,
    },
    /// Telegram cannot make sense of the message or knows no such group.
    #[error("Telegram refused the message: {text}")]
    BadRequest {
        /// Telegram's own words.
        text: String,
    },
    /// The bot's token is wrong.
    #[error("Telegram does not accept the bot's token: check TELEGRAM_BOT_TOKEN")]
    Unauthorized,
    /// Telegram could not be reached. Nothing was sent.
    #[error("Telegram cannot be reached: {reason}")]
    Unavailable {
        /// What was seen.
        reason: String,
    },
    /// The message was on its way and no readable answer came. It may have been sent.
    #[error("whether Telegram sent the message is unknown: {reason}")]
    OutcomeUnknown {
        /// What was seen.
        reason: String,
    },
}

impl TelegramError {
    /// Whether the same message may be sent later (after an unknown outcome at the price of a possible second one).
    pub fn is_transient(&self) -> bool {
        match self {
            Self::RateLimited { .. }
            | Self::Migrated { .. }
            | Self::Unavailable { .. }
            | Self::OutcomeUnknown { .. } => true,
            Self::Kicked { .. } | Self::BadRequest { .. } | Self::Unauthorized => false,
        }
    }

    /// The word for metrics and logs.
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::RateLimited { .. } => "rate_limited",
            Self::Migrated { .. } => "migrated",
            Self::Kicked { .. } => "kicked",
            Self::BadRequest { .. } => "bad_request",
            Self::Unauthorized => "unauthorized",
            Self::Unavailable { .. } => "unavailable",
            Self::OutcomeUnknown { .. } => "outcome_unknown",
        }
    }
}

/// Sends messages to one group. Cheap to clone.
#[derive(Clone)]
pub struct Telegram(Arc<Inner>);

struct Inner {
    http: Http,
    url: Url,
    group: Mutex<String>,
}

impl fmt::Debug for Telegram {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Telegram")
            .field("group", &self.group())
            .finish_non_exhaustive()
    }
}

impl Telegram {
    /// A sender by these settings. Opens no connection.
    pub fn new(settings: &TelegramSettings) -> Result<Self, HttpSetupError> {
        let http = Http::new(&settings.base_url, CONNECT_TIMEOUT, ANSWER_LIMIT_BYTES)?;
        Ok(Self(Arc::new(Inner {
            http,
            url: address(settings, "sendMessage"),
            group: Mutex::new(settings.group_id.clone()),
        })))
    }

    /// Sends one message in Telegram's HTML, cut to [`MESSAGE_LIMIT`]. Interpolated values must have gone through
    /// [`escape_html`].
    #[tracing::instrument(name = "telegram.send_message", skip_all, fields(otel.kind = "client"))]
    pub async fn send(&self, html: &str) -> Result<Sent, TelegramError> {
        let started = Instant::now();
        let outcome = self.try_send(html).await;
        let word = outcome.as_ref().map_or_else(TelegramError::outcome, |_| "ok");
        metrics::counter!("billwright_telegram_messages_total", "outcome" => word).increment(1);
        metrics::histogram!("billwright_telegram_call_duration_seconds").record(started.elapsed().as_secs_f64());
        if let Err(TelegramError::Migrated { to }) = &outcome {
            tracing::warn!(telegram.group = %to, "the Telegram group has a new id: set TELEGRAM_GROUP_ID to it");
            to.clone_into(&mut self.0.group.lock().unwrap_or_else(PoisonError::into_inner));
        }
        outcome
    }

    /// The group that the next message goes to.
    pub fn group(&self) -> String {
        self.0.group.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn try_send(&self, html: &str) -> Result<Sent, TelegramError> {
        let body = json!({
            "chat_id": self.group(),
            "text": cut(html),
            "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": true},
        });
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let request = Request {
            method: Method::POST,
            url: self.0.url.clone(),
            headers,
            body: Some(Bytes::from(body.to_string())),
        };
        let reply = match self.0.http.send(request, TIMEOUT).await {
            Ok(reply) => reply,
            Err(NoReply::NotSent(reason)) => return Err(TelegramError::Unavailable { reason }),
            Err(NoReply::Lost(reason)) => return Err(TelegramError::OutcomeUnknown { reason }),
        };
        let said = match &reply.body {
            Ok(body) => serde_json::from_slice(body).unwrap_or(Value::Null),
            Err(_) => Value::Null,
        };
        read(reply.status.as_u16(), &said)
    }
}

/// Where a call goes; the bot's token is part of it.
pub(crate) fn address(settings: &TelegramSettings, call: &str) -> Url {
    let mut url = settings.base_url.clone();
    let token = utf8_percent_encode(settings.bot_token.expose_secret(), IN_PATH);
    let base = settings.base_url.path().trim_end_matches('/');
    url.set_path(&format!("{base}/bot{token}/{call}"));
    url
}

pub(crate) fn read(status: u16, said: &Value) -> Result<Sent, TelegramError> {
    let success = (200..300).contains(&status);
    if success && said["ok"] == Value::Bool(true) {
        return Ok(Sent {
            message_id: said["result"]["message_id"].as_i64(),
        });
    }
    let status = match said["error_code"].as_u64().and_then(|code| u16::try_from(code).ok()) {
        Some(code) if success => code,
        _ => status,
    };
    let parameters = &said["parameters"];
    let text = said["description"]
        .as_str()
        .map(redact::text)
        .filter(|text| !text.is_empty())
        .unwrap_or_else(|| format!("status {status}"));
    let new_group = group_id(&parameters["migrate_to_chat_id"]);
    Err(match (status, new_group) {
        (429, _) => TelegramError::RateLimited {
            retry_after: wait(&parameters["retry_after"]),
        },
        (400..500, Some(to)) => TelegramError::Migrated { to },
        (401 | 404, _) => TelegramError::Unauthorized,
        (403, _) => TelegramError::Kicked { text },
        (400..500, _) => TelegramError::BadRequest { text },
        _ => TelegramError::OutcomeUnknown {
            reason: format!("the answer says neither yes nor no (status {status})"),
        },
    })
}

/// How long to hold back. No time at all would send the next message at once, and an absurd one would silence the group.
fn wait(told: &Value) -> Duration {
    told.as_u64()
        .map_or(UNTOLD_WAIT, Duration::from_secs)
        .clamp(Duration::from_secs(1), LONGEST_WAIT)
}

/// The id of a group, which is a negative number. Anything else would be where every later message goes to.
fn group_id(told: &Value) -> Option<String> {
    let id = match told {
        Value::Number(id) => id.as_i64(),
        Value::String(id) => id.parse().ok(),
        _ => None,
    };
    id.filter(|id| *id < 0).map(|id| id.to_string())
}

/// Makes text safe to stand anywhere in Telegram's HTML, in attributes too.
pub fn escape_html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for found in text.chars() {
        match found {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // Telegram refuses messages that hold a NUL.
            '\0' => {}
            other => escaped.push(other),
        }
    }
    escaped
}

/// A message of at most [`MESSAGE_LIMIT`]: never cut within a tag, an entity or a character, and with every tag closed.
pub fn cut(html: &str) -> String {
    let length = |text: &str| text.chars().map(char::len_utf16).sum::<usize>();
    if length(html) <= MESSAGE_LIMIT {
        return html.to_owned();
    }
    let mut kept = String::new();
    let mut open: Vec<&str> = Vec::new();
    let mut used = length(ELLIPSIS);
    let mut rest = html;
    while !rest.is_empty() {
        let piece = first_piece(rest);
        // What the piece itself takes, and what closing the tags takes that are open after it.
        let name = tag_name(piece);
        let mut after = open.clone();
        match name {
            Some((name, true)) => after.push(name),
            Some((_, false)) => drop(after.pop()),
            None => {}
        }
        let closing: usize = after.iter().map(|name| length(name) + "</>".len()).sum();
        if used + length(piece) + closing > MESSAGE_LIMIT {
            break;
        }
        used += length(piece);
        kept.push_str(piece);
        open = after;
        rest = &rest[piece.len()..];
    }
    kept.push_str(ELLIPSIS);
    for name in open.iter().rev() {
        kept.push_str("</");
        kept.push_str(name);
        kept.push('>');
    }
    kept
}

/// A whole tag, a whole entity, or one character.
fn first_piece(html: &str) -> &str {
    let one = html.chars().next().map_or(0, char::len_utf8);
    let end = match html.as_bytes().first() {
        Some(b'<') => html.find('>').map(|at| at + 1),
        // The longest entity that we write is `&quot;`; numeric ones may be longer.
        Some(b'&') => html.bytes().take(12).position(|byte| byte == b';').map(|at| at + 1),
        _ => None,
    };
    &html[..end.unwrap_or(one)]
}

/// The name of a tag and whether it opens.
fn tag_name(piece: &str) -> Option<(&str, bool)> {
    let inner = piece.strip_prefix('<')?.strip_suffix('>')?;
    let (inner, opens) = inner.strip_prefix('/').map_or((inner, true), |inner| (inner, false));
    Some((inner.split_whitespace().next().unwrap_or_default(), opens))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_html_would_read() {
        assert_eq!(
            escape_html("<b>\"a\" & 'b'\0</b>"),
            "&lt;b&gt;&quot;a&quot; &amp; 'b'&lt;/b&gt;"
        );
    }

    #[test]
    fn a_message_within_the_limit_stays_as_it_is() {
        let message = "x".repeat(MESSAGE_LIMIT);
        assert_eq!(cut(&message), message);
    }

    #[test]
    fn a_long_message_is_cut_outside_of_tags_and_entities_and_closed() {
        for lead in 0..12 {
            let message = format!("{}<b><i>{}</i></b>", "x".repeat(lead), "&amp;".repeat(2000));
            let short = cut(&message);
            assert!(short.ends_with("&amp;…</i></b>"), "{}", &short[short.len() - 30..]);
            assert!(short.len() <= MESSAGE_LIMIT + "…".len() && short.len() > MESSAGE_LIMIT - 10);
        }
        let link = format!(
            "{}<a href=\"https://example.com/a\">x</a>",
            "y".repeat(MESSAGE_LIMIT - 20)
        );
        assert_eq!(cut(&link), format!("{}…", "y".repeat(MESSAGE_LIMIT - 20)));
    }

    #[test]
    fn counts_as_telegram_does() {
        let short = cut(&"😀".repeat(3000));
        assert_eq!(short.chars().filter(|found| *found == '😀').count(), 2047);
    }

    #[test]
    fn each_refusal_has_its_meaning() {
        for (status, said, expected) in [
            (429, json!({"parameters": {"retry_after": 7}}), "rate_limited"),
            (400, json!({"parameters": {"migrate_to_chat_id": -100_123}}), "migrated"),
            (
                400,
                json!({"description": "Bad Request: can't parse entities"}),
                "bad_request",
            ),
            (401, json!({}), "unauthorized"),
            (404, json!({}), "unauthorized"),
            (
                403,
                json!({"description": "Forbidden: bot was kicked from the group chat"}),
                "kicked",
            ),
            (502, Value::Null, "outcome_unknown"),
            (200, Value::Null, "outcome_unknown"),
            (200, json!({"ok": false, "error_code": 403}), "kicked"),
        ] {
            assert_eq!(read(status, &said).unwrap_err().outcome(), expected, "{status} {said}");
        }
        assert_eq!(
            read(200, &json!({"ok": true, "result": {"message_id": 5}}))
                .unwrap()
                .message_id,
            Some(5)
        );
        assert_eq!(
            read(429, &json!({"parameters": {"retry_after": 7}})).unwrap_err(),
            TelegramError::RateLimited {
                retry_after: Duration::from_secs(7)
            }
        );
    }

    #[test]
    fn an_absurd_wish_to_slow_down_is_bounded() {
        for (told, expected) in [
            (json!(0), 1),
            (json!(-5), 30),
            (json!(u64::MAX), 3600),
            (json!(1e300), 30),
            (json!("soon"), 30),
            (Value::Null, 30),
        ] {
            let said = json!({"parameters": {"retry_after": told}});
            let retry_after = Duration::from_secs(expected);
            assert_eq!(
                read(429, &said),
                Err(TelegramError::RateLimited { retry_after }),
                "{told}"
            );
        }
    }

    #[test]
    fn only_the_id_of_a_group_is_a_new_group() {
        let outcome = |told: Value| {
            let said = json!({"description": "\n", "parameters": {"migrate_to_chat_id": told}});
            read(400, &said).unwrap_err().to_string()
        };
        for good in [json!(-1_001_234_567_890_i64), json!("-1001234567890")] {
            assert!(outcome(good).contains("is now `-1001234567890`"));
        }
        for bad in [
            json!(0),
            json!(5),
            json!("@all"),
            json!(""),
            json!("-"),
            json!(-1.5),
            json!([-1]),
        ] {
            assert_eq!(
                outcome(bad.clone()),
                "Telegram refused the message: status 400",
                "{bad}"
            );
        }
    }
}
