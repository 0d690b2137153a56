//! What must hold for any answer of Billz and of Telegram.

#![expect(clippy::missing_panics_doc, reason = "panicking is what they are for")]

use std::time::Duration;

use billwright_bad_input::{LONGEST_SENTENCE, assert_can_be_told, first_line};
use bytes::Bytes;
use chrono::DateTime;
use http::{HeaderMap, HeaderValue, StatusCode, header::RETRY_AFTER};
use serde_json::Value;

use crate::{
    billz::{self, BillzError},
    http::Reply,
    telegram::{self, MESSAGE_LIMIT, TelegramError, cut, escape_html},
};

/// An answer of Billz: status and `Retry-After` on the first line, and the body.
pub fn billz(input: &[u8]) {
    let (status, retry_after, body) = answer(input);
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(retry_after) {
        headers.insert(RETRY_AFTER, value);
    }
    let reply = Reply {
        status,
        headers,
        body: Ok(Bytes::copy_from_slice(body)),
    };
    // 29 November 2026, 12:00 UTC, as in the corpus.
    let now = DateTime::from_timestamp(1_795_953_600, 0).unwrap_or_default();
    billz::fuzzing::check(&reply, now, |error| {
        assert_can_be_told(&error.to_string(), LONGEST_SENTENCE);
        assert!(!error.outcome().is_empty());
        let waits = matches!(error, BillzError::RateLimited { .. });
        assert_eq!(error.retry_after().is_some(), waits, "{error}");
        assert!(
            !matches!(error, BillzError::BreakerOpen { .. } | BillzError::Cancelled),
            "no answer says so: {error}"
        );
    });
}

/// An answer of Telegram: status on the first line, and the body, which is a message to be sent as well.
pub fn telegram(input: &[u8]) {
    let (status, _, body) = answer(input);
    let said = serde_json::from_slice(body).unwrap_or(Value::Null);
    match telegram::read(status.as_u16(), &said) {
        Ok(_) => assert!(
            status.is_success() && said["ok"] == Value::Bool(true),
            "taken for sent: {said}"
        ),
        Err(error) => {
            match &error {
                TelegramError::RateLimited { retry_after } => {
                    let sane = Duration::from_secs(1)..=Duration::from_hours(1);
                    assert!(sane.contains(retry_after), "a wait of {retry_after:?}");
                }
                TelegramError::Migrated { to } => {
                    assert!(to.parse::<i64>().is_ok_and(|id| id < 0), "`{to}` is no group");
                }
                other => assert_can_be_told(&other.to_string(), LONGEST_SENTENCE),
            }
            assert!(!error.outcome().is_empty());
            let is_unknown = matches!(error, TelegramError::OutcomeUnknown { .. });
            assert!(
                !status.is_server_error() || is_unknown,
                "{status} proves nothing: {error}"
            );
        }
    }
    let text = String::from_utf8_lossy(body);
    for message in [
        escape_html(&text),
        format!("<b>{}</b>", escape_html(&text)),
        text.into_owned(),
    ] {
        let short = cut(&message);
        assert!(
            short.encode_utf16().count() <= MESSAGE_LIMIT,
            "a message that is too long"
        );
        assert_eq!(cut(&short), short, "cut twice is shorter than once");
    }
}

fn answer(input: &[u8]) -> (StatusCode, &str, &[u8]) {
    let (line, body) = first_line(input);
    let (status, rest) = line.split_once(' ').unwrap_or((line, ""));
    let status = status
        .parse()
        .ok()
        .and_then(|code: u16| StatusCode::from_u16(code).ok());
    (status.unwrap_or(StatusCode::OK), rest, body)
}

#[cfg(test)]
mod tests {
    #[test]
    fn any_answer_of_billz_has_a_meaning() {
        billwright_bad_input::try_mutations("billz", 4_000, super::billz);
    }

    #[test]
    fn any_answer_of_telegram_has_a_meaning() {
        billwright_bad_input::try_mutations("telegram", 4_000, super::telegram);
    }
}
