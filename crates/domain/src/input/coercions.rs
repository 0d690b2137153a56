//! What Mongoose made of a JSON value for a field of each kind.

use std::{borrow::Cow, str::FromStr};

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, TimeZone, Utc};
use rust_decimal::Decimal;
use serde_json::Value;

use super::Mismatch;
use crate::money::decimal_of_double;

/// Text as Mongoose casts it: numbers and booleans become their text, `null` is no text.
pub fn text(value: &Value) -> Result<Option<String>, Mismatch> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if text.contains('\0') => Err(Mismatch::expected("a text without NUL characters")),
        Value::String(text) => Ok(Some(text.clone())),
        Value::Number(number) => Ok(Some(match number.as_f64().and_then(decimal_of_double) {
            Some(decimal) if number.is_f64() => decimal.to_string(),
            _ => number.to_string(),
        })),
        Value::Bool(boolean) => Ok(Some(boolean.to_string())),
        Value::Array(_) | Value::Object(_) => Err(Mismatch::expected("a text")),
    }
}

/// A boolean as Mongoose casts it: `true`, `"true"`, `1`, `"1"`, `"yes"` and their opposites; `null` is none.
pub fn boolean(value: &Value) -> Result<Option<bool>, Mismatch> {
    const EXPECTED: Mismatch = Mismatch {
        expected: Cow::Borrowed("a boolean (true, false, or \"true\", \"1\", \"yes\", \"false\", \"0\", \"no\")"),
    };
    match value {
        Value::Null => Ok(None),
        Value::Bool(boolean) => Ok(Some(*boolean)),
        Value::Number(number) => match number.as_f64() {
            Some(1.0) => Ok(Some(true)),
            Some(0.0) => Ok(Some(false)),
            _ => Err(EXPECTED),
        },
        Value::String(text) => match text.as_str() {
            "true" | "1" | "yes" => Ok(Some(true)),
            "false" | "0" | "no" => Ok(Some(false)),
            _ => Err(EXPECTED),
        },
        Value::Array(_) | Value::Object(_) => Err(EXPECTED),
    }
}

/// A number as Mongoose casts it: numeric text and booleans are numbers too, `null` and `""` are none.
pub fn decimal(value: &Value) -> Result<Option<Decimal>, Mismatch> {
    const EXPECTED: Mismatch = Mismatch {
        expected: Cow::Borrowed("a number"),
    };
    let found = match value {
        Value::Null => return Ok(None),
        Value::Bool(boolean) => Some(Decimal::from(u8::from(*boolean))),
        Value::Number(number) => Decimal::from_str(&number.to_string())
            .ok()
            .or_else(|| number.as_f64().and_then(decimal_of_double)),
        Value::String(text) if text.trim().is_empty() => return Ok(None),
        Value::String(text) => {
            let text = text.trim();
            // `_` between digits is Rust's habit, not JavaScript's.
            (!text.contains('_'))
                .then(|| Decimal::from_str(text).or_else(|_| Decimal::from_scientific(text)).ok())
                .flatten()
        }
        Value::Array(_) | Value::Object(_) => None,
    };
    found.map(|number| Some(number.normalize())).ok_or(EXPECTED)
}

/// A moment as Mongoose casts it: milliseconds since 1970, or a date in ISO 8601 form; a date alone is midnight UTC, and
/// a time without a zone is taken as UTC. `null` and `""` are none.
pub fn date(value: &Value) -> Result<Option<DateTime<Utc>>, Mismatch> {
    const EXPECTED: Mismatch = Mismatch {
        expected: Cow::Borrowed("a date (ISO 8601, as 2025-10-15 or 2025-10-15T09:15:00Z, or milliseconds since 1970)"),
    };
    let found = match value {
        Value::Null => return Ok(None),
        // Less than a millisecond is none; such small numbers no decimal can hold.
        Value::Number(number) if number.as_f64().is_some_and(|double| double.abs() < 1.0) => Some(DateTime::UNIX_EPOCH),
        Value::Number(number) => milliseconds(&number.to_string()),
        Value::String(text) if text.trim().is_empty() => return Ok(None),
        Value::String(text) => date_of_text(text.trim()),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    found
        .filter(|moment| (1..=9999).contains(&moment.year()))
        .map(Some)
        .ok_or(EXPECTED)
}

fn milliseconds(text: &str) -> Option<DateTime<Utc>> {
    let whole = Decimal::from_str(text)
        .or_else(|_| Decimal::from_scientific(text))
        .ok()?
        .trunc();
    Utc.timestamp_millis_opt(i64::try_from(whole).ok()?).single()
}

fn date_of_text(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Some(cut_to_milliseconds(moment.with_timezone(&Utc)));
    }
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Some(day.and_time(chrono::NaiveTime::MIN).and_utc());
    }
    for form in [
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%d %H:%M",
    ] {
        if let Ok(moment) = NaiveDateTime::parse_from_str(text, form) {
            return Some(cut_to_milliseconds(moment.and_utc()));
        }
    }
    for form in ["%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%dT%H:%M%z", "%Y-%m-%d %H:%M:%S%.f%z"] {
        if let Ok(moment) = DateTime::parse_from_str(text, form) {
            return Some(cut_to_milliseconds(moment.with_timezone(&Utc)));
        }
    }
    if let Ok(moment) = DateTime::parse_from_rfc2822(text) {
        return Some(moment.with_timezone(&Utc));
    }
    // JavaScript reads text that is no date but a number of more than a year's digits as milliseconds.
    (text.len() > 6).then(|| milliseconds(text)).flatten()
}

fn cut_to_milliseconds(moment: DateTime<Utc>) -> DateTime<Utc> {
    Utc.timestamp_millis_opt(moment.timestamp_millis())
        .single()
        .unwrap_or(moment)
}
