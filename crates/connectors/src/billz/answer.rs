//! Decides what an answer of Billz means. An answer is a success only if the HTTP status, the envelope's `status_code`,
//! `error` and `data.error_code` all say so; what cannot be read after a write means that the outcome is unknown.

use std::time::Duration;

use billwright_domain::input::decimal;
use chrono::{DateTime, Utc};
use http::StatusCode;
use serde_json::Value;

use super::error::{BillzError, RefusalCode};
use crate::{
    http::{Reply, retry_after},
    redact,
};

/// What is asked of Billz, as far as it decides what a lost answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It may be sent again as it is: a read, or the login.
    Repeatable,
    /// It changes something, and its answer matters.
    Write,
}

/// The answer's object, or what the answer says instead. [`BillzError::RateLimited`] comes with zero where Billz does not
/// say for how long.
pub(super) fn decide(
    call: &'static str,
    effect: Effect,
    reply: &Reply,
    now: DateTime<Utc>,
) -> Result<Value, BillzError> {
    let said = reply
        .body
        .as_ref()
        .ok()
        .and_then(|body| serde_json::from_slice::<Value>(body).ok());
    if !reply.status.is_success() {
        let said = said.unwrap_or(Value::Null);
        return Err(failure(call, effect, reply.status.as_u16(), &said, after(reply, now)));
    }
    match (said, &reply.body) {
        (Some(said @ Value::Object(_)), _) => match failure_in(&said) {
            Some(status) => Err(failure(call, effect, status, &said, after(reply, now))),
            None => Ok(said),
        },
        (_, Err(reason)) => Err(lost(call, effect, reason.clone())),
        (_, Ok(body)) => Err(unreadable(call, effect, redact::excerpt(body))),
    }
}

/// The error for a call whose answer did not come.
pub(super) fn lost(call: &'static str, effect: Effect, reason: String) -> BillzError {
    match effect {
        Effect::Repeatable => BillzError::Unavailable { call, reason },
        Effect::Write => BillzError::OutcomeUnknown { call, reason },
    }
}

/// The error for a call whose answer came and is not what was asked for.
pub(super) fn unreadable(call: &'static str, effect: Effect, excerpt: String) -> BillzError {
    match effect {
        Effect::Repeatable => BillzError::BadReply { call, excerpt },
        Effect::Write => BillzError::OutcomeUnknown {
            call,
            reason: format!("the answer cannot be read: {excerpt}"),
        },
    }
}

fn after(reply: &Reply, now: DateTime<Utc>) -> Duration {
    retry_after(&reply.headers, now).unwrap_or_default()
}

/// The status that a failure is to be read as, if an answer with a good HTTP status tells of one. What names no status is
/// a refusal, 400.
fn failure_in(said: &Value) -> Option<u16> {
    let status = status_in(&said["status_code"]).filter(|status| *status >= 400);
    if status.is_some() || says_error(&said["error"]) || sale_error(said).is_some() {
        return Some(
            status
                .or_else(|| status_in(&said["code"]).filter(|status| *status >= 400))
                .unwrap_or(400),
        );
    }
    None
}

fn status_in(value: &Value) -> Option<u16> {
    decimal(value)
        .ok()
        .flatten()
        .and_then(|number| u16::try_from(number).ok())
}

/// Whether `error` tells of one: there, and neither empty nor an object whose `code` and `message` are empty.
fn says_error(error: &Value) -> bool {
    match error {
        Value::Object(fields) => ["code", "message"]
            .iter()
            .any(|name| fields.get(*name).is_some_and(says_something)),
        other => says_something(other),
    }
}

fn says_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::Bool(true) | Value::Array(_) | Value::Object(_) => true,
    }
}

/// The code of Billz's sales part, such as 20016.
fn sale_error(said: &Value) -> Option<String> {
    word(&said["data"]["error_code"])
}

/// A code as text, unless it is empty or zero.
fn word(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let shown = redact::text(&text);
    (!shown.is_empty() && !text.trim_matches(['0', '.']).is_empty()).then_some(shown)
}

fn failure(call: &'static str, effect: Effect, status: u16, said: &Value, after: Duration) -> BillzError {
    let text = words(said).unwrap_or_else(|| format!("no reason given, status {status}"));
    let code = sale_error(said)
        .or_else(|| word(&said["error"]["code"]))
        .or_else(|| word(&said["code"]).filter(|code| *code != status.to_string()))
        .map(|code| RefusalCode::from_text(&code));
    if code.as_ref().is_some_and(RefusalCode::is_decisive) {
        return BillzError::Refused { call, code, text };
    }
    if (400..500).contains(&status) && matches!(&code, Some(RefusalCode::Other(code)) if code == "NOT_FOUND") {
        return BillzError::NotFound { call };
    }
    match status {
        401 => BillzError::Unauthorized { text },
        403 => BillzError::Forbidden { call },
        404 | 410 => BillzError::NotFound { call },
        429 => BillzError::RateLimited { after },
        408 | 425 => BillzError::Unavailable {
            call,
            reason: format!("status {status}"),
        },
        400..500 => BillzError::Refused { call, code, text },
        500.. => lost(call, effect, format!("status {status}: {text}")),
        _ => unreadable(call, effect, format!("status {status}, a redirect or less")),
    }
}

/// Billz's own words, wherever they stand.
fn words(said: &Value) -> Option<String> {
    [
        &said["error"]["message"],
        &said["data"]["error_message"],
        &said["data"]["message"],
        &said["error"],
        &said["message"],
        &said["error"]["code"],
    ]
    .into_iter()
    .filter_map(Value::as_str)
    .map(redact::text)
    .find(|text| !text.is_empty())
}

/// The status alone, for the breaker: whether Billz is broken rather than unwilling.
pub(super) fn is_broken(status: StatusCode) -> bool {
    status.is_server_error()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;
    use serde_json::json;

    use super::*;

    fn decided(effect: Effect, status: u16, body: &str) -> Result<Value, BillzError> {
        let reply = Reply {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Ok(Bytes::copy_from_slice(body.as_bytes())),
        };
        decide("pay", effect, &reply, DateTime::UNIX_EPOCH)
    }

    fn outcome(status: u16, body: &Value) -> &'static str {
        match decided(Effect::Write, status, &body.to_string()) {
            Ok(_) => "ok",
            Err(error) => error.outcome(),
        }
    }

    #[test]
    fn takes_all_three_shapes_of_success() {
        for success in [
            json!({"status_code": 200, "error": {"code": "", "message": ""}, "data": {"id": "x", "error_code": 0}}),
            json!({"order_type": "SALE", "should_print_cheque": true}),
            json!({"result": "cccccccc-0000-4000-8000-000000000003"}),
            json!({"code": 200, "message": "ok", "error": null, "data": {}}),
        ] {
            assert_eq!(outcome(200, &success), "ok", "{success}");
        }
    }

    #[test]
    fn a_good_http_status_alone_is_no_success() {
        for (failure, expected) in [
            (
                json!({"status_code": 400, "error": {"code": "", "message": ""}}),
                "refused",
            ),
            (json!({"status_code": "422"}), "refused"),
            (
                json!({"status_code": 200, "error": {"code": "X", "message": ""}}),
                "refused",
            ),
            (json!({"error": {"code": "", "message": "no"}}), "refused"),
            (json!({"error": "no"}), "refused"),
            (json!({"data": {"error_code": 20016}}), "refused"),
            (json!({"data": {"error_code": "20035"}}), "refused"),
            (
                json!({"error": {"code": "NOT_FOUND", "message": "not found"}}),
                "not_found",
            ),
            (json!({"status_code": 404}), "not_found"),
            (
                json!({"code": 401, "message": "token error", "error": "Token is expired", "data": null}),
                "unauthorized",
            ),
            (
                json!({"status_code": 403, "error": {"code": "", "message": "access denied"}}),
                "forbidden",
            ),
            (json!({"status_code": 429}), "rate_limited"),
            (
                json!({"status_code": 500, "error": {"code": "INTERNAL", "message": "oops"}}),
                "outcome_unknown",
            ),
            (json!({"status_code": 500, "data": {"error_code": 20016}}), "refused"),
        ] {
            assert_eq!(outcome(200, &failure), expected, "{failure}");
        }
    }

    #[test]
    fn each_status_has_its_meaning() {
        let nothing = json!({});
        for (status, expected) in [
            (302, "outcome_unknown"),
            (400, "refused"),
            (401, "unauthorized"),
            (403, "forbidden"),
            (404, "not_found"),
            (408, "unavailable"),
            (409, "refused"),
            (422, "refused"),
            (425, "unavailable"),
            (429, "rate_limited"),
            (500, "outcome_unknown"),
            (503, "outcome_unknown"),
        ] {
            assert_eq!(outcome(status, &nothing), expected, "{status}");
        }
        assert_eq!(outcome(500, &json!({"data": {"error_code": 20020}})), "refused");
    }

    #[test]
    fn an_unreadable_answer_to_a_write_leaves_the_outcome_unknown() {
        for body in ["", "<html>", "[]", "\"ok\"", "null", "{\"order_type\": \"SA"] {
            assert_eq!(
                decided(Effect::Write, 200, body).unwrap_err().outcome(),
                "outcome_unknown",
                "{body:?}"
            );
            assert_eq!(
                decided(Effect::Repeatable, 200, body).unwrap_err().outcome(),
                "bad_reply",
                "{body:?}"
            );
        }
    }

    #[test]
    fn words_of_control_characters_are_none() {
        let said = json!({"error": {"code": "\0", "message": "\u{1}\n"}, "message": "sold out"});
        assert_eq!(
            decided(Effect::Write, 400, &said.to_string()).unwrap_err().to_string(),
            "Billz refused `pay`: sold out"
        );
    }

    #[test]
    fn a_refusal_carries_code_and_words_without_personal_data() {
        let said =
            json!({"status_code": 400, "error": {"code": "DUPLICATE", "message": "client +998901112233 exists"}});
        assert_eq!(
            decided(Effect::Write, 200, &said.to_string()).unwrap_err(),
            BillzError::Refused {
                call: "pay",
                code: Some(RefusalCode::Other("DUPLICATE".into())),
                text: "client +**********33 exists".into()
            }
        );
    }
}
