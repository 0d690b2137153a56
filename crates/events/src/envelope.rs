//! The forms in which an event arrives: `{type, payload}`, `{event, data, timestamp}`, and CloudEvents in structured mode
//! (one JSON document) and binary mode (attributes in headers).

use base64::{Engine, prelude::BASE64_STANDARD};
use billwright_domain::input;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};

use crate::invalid::{Invalid, InvalidCode};

/// The largest value that is taken for an event, in bytes. Brokers refuse more than 1 MiB unless told otherwise.
pub const LARGEST_EVENT: usize = 4 * 1024 * 1024;

/// A message as it lies in the topic.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: &'a [(String, Option<Vec<u8>>)],
    /// The record's own time.
    pub(crate) time: Option<DateTime<Utc>>,
}

/// An event, whatever its form was.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Envelope {
    /// Its type, such as `Customer.Created`.
    pub(crate) kind: String,
    pub(crate) payload: Value,
    /// When it happened, if it says so itself.
    pub(crate) stated: Option<DateTime<Utc>>,
}

impl Envelope {
    pub(crate) fn open(record: Record<'_>) -> Result<Self, Invalid> {
        let value = record.value.filter(|value| !value.is_empty()).ok_or_else(|| {
            Invalid::new(
                InvalidCode::NoValue,
                "the message has no value (a tombstone); expected an event as JSON",
            )
        })?;
        if value.len() > LARGEST_EVENT {
            return Err(Invalid::new(
                InvalidCode::TooLarge,
                format!("the value has {} bytes; expected at most {LARGEST_EVENT}", value.len()),
            ));
        }
        // Where something went wrong is told, and never what stood there.
        let json: Value = serde_json::from_slice(value).map_err(|error| {
            Invalid::new(
                InvalidCode::NotJson,
                format!("the value is no JSON: line {}, column {}", error.line(), error.column()),
            )
        })?;
        if let Some(attributes) = binary_mode(record.headers) {
            let stated = attributes.time.map(Value::String);
            return Ok(Self {
                kind: attributes.kind,
                payload: json,
                stated: stated.and_then(|stated| plausible(&stated, record.time)),
            });
        }
        Self::structured(json, record.time).ok_or_else(|| {
            Invalid::new(
                InvalidCode::NotAnEvent,
                "the value is no event; expected {type, payload}, {event, data, timestamp} or a CloudEvent",
            )
        })
    }

    fn structured(json: Value, record_time: Option<DateTime<Utc>>) -> Option<Self> {
        let Value::Object(mut fields) = json else {
            return None;
        };
        let mut take = |names: &[&str]| names.iter().find_map(|name| take(&mut fields, name));
        let Value::String(kind) = take(&["type", "event"])? else {
            return None;
        };
        let stated = take(&["timestamp", "time"]);
        let payload = match take(&["payload", "data"]) {
            Some(payload) => payload,
            None => of_base64(&take(&["data_base64"])?)?,
        };
        Some(Self {
            kind,
            payload,
            stated: stated.and_then(|stated| plausible(&stated, record_time)),
        })
    }
}

fn take(fields: &mut Map<String, Value>, name: &str) -> Option<Value> {
    fields.swap_remove(name).filter(|value| !value.is_null())
}

fn of_base64(text: &Value) -> Option<Value> {
    let bytes = BASE64_STANDARD.decode(text.as_str()?).ok()?;
    serde_json::from_slice(&bytes).ok()
}

struct Attributes {
    kind: String,
    time: Option<String>,
}

/// The attributes of a `CloudEvent` in binary mode, if the headers hold one. The Kafka binding names them `ce_type`; some
/// producers keep the HTTP binding's `ce-type`.
fn binary_mode(headers: &[(String, Option<Vec<u8>>)]) -> Option<Attributes> {
    let attribute = |name: &str| {
        let (_, value) = headers.iter().find(|(header, _)| {
            let rest = header.get(..2).filter(|prefix| prefix.eq_ignore_ascii_case("ce"));
            rest.is_some()
                && matches!(header.as_bytes().get(2), Some(b'_' | b'-'))
                && header[3..].eq_ignore_ascii_case(name)
        })?;
        String::from_utf8(value.clone()?).ok()
    };
    Some(Attributes {
        kind: attribute("type")?,
        time: attribute("time"),
    })
}

/// How far ahead of its record an event may claim to be. Further ahead it would make all later events look old.
const FARTHEST_AHEAD: TimeDelta = TimeDelta::hours(1);

/// Below this a number counts seconds rather than milliseconds: in milliseconds it would be before 1974.
const FEWEST_MILLISECONDS: i64 = 130_000_000_000;

/// The time that an event states, if it can be one. What cannot is ignored, as the historical service ignored all of them:
/// an event is not lost for its time stamp.
fn plausible(stated: &Value, record_time: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    let moment = match stated.as_i64() {
        Some(seconds) if (1..FEWEST_MILLISECONDS).contains(&seconds) => DateTime::from_timestamp(seconds, 0)?,
        _ => input::date(stated).ok().flatten()?,
    };
    let ahead = record_time.is_some_and(|record_time| moment > record_time + FARTHEST_AHEAD);
    (!ahead).then_some(moment)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn open(value: &str, headers: &[(&str, &str)]) -> Result<Envelope, Invalid> {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Some(value.as_bytes().to_vec())))
            .collect();
        Envelope::open(Record {
            value: Some(value.as_bytes()),
            headers: &headers,
            time: DateTime::from_timestamp(1_800_000_000, 0),
        })
    }

    #[test]
    fn opens_every_form() {
        let payload = json!({"userId": "c"});
        let stated = DateTime::parse_from_rfc3339("2025-10-01T09:15:00Z").unwrap().to_utc();
        let time = "2025-10-01T09:15:00Z";
        let forms = [
            (json!({"type": "T", "payload": payload}), vec![], None),
            (
                json!({"event": "T", "data": payload, "timestamp": time}),
                vec![],
                Some(stated),
            ),
            (
                json!({"specversion": "1.0", "id": "1", "source": "s", "type": "T", "time": time, "data": payload}),
                vec![],
                Some(stated),
            ),
            (
                json!({"specversion": "1.0", "type": "T", "data_base64": "eyJ1c2VySWQiOiJjIn0="}),
                vec![],
                None,
            ),
            (
                payload.clone(),
                vec![("ce_specversion", "1.0"), ("ce_type", "T"), ("ce_time", time)],
                Some(stated),
            ),
            (payload.clone(), vec![("CE-Type", "T")], None),
        ];
        for (value, headers, stated) in forms {
            let opened = open(&value.to_string(), &headers).unwrap();
            assert_eq!(
                (opened.kind.as_str(), &opened.payload, opened.stated),
                ("T", &payload, stated),
                "{value}"
            );
        }
    }

    #[test]
    fn tells_what_is_no_event() {
        for (value, code) in [
            ("", InvalidCode::NoValue),
            ("{", InvalidCode::NotJson),
            ("[]", InvalidCode::NotAnEvent),
            ("{}", InvalidCode::NotAnEvent),
            (r#"{"type": 3, "payload": {}}"#, InvalidCode::NotAnEvent),
            (r#"{"type": "T"}"#, InvalidCode::NotAnEvent),
            (r#"{"type": "T", "payload": null}"#, InvalidCode::NotAnEvent),
        ] {
            assert_eq!(open(value, &[]).unwrap_err().code, code, "{value}");
        }
        let nested = "[".repeat(100_000);
        assert_eq!(open(&nested, &[]).unwrap_err().code, InvalidCode::NotJson);
        let large = format!("\"{}\"", "x".repeat(LARGEST_EVENT));
        assert_eq!(open(&large, &[]).unwrap_err().code, InvalidCode::TooLarge);
    }

    #[test]
    fn ignores_a_time_that_cannot_be_one() {
        let stated = |timestamp: Value| {
            let value = json!({"event": "T", "data": {}, "timestamp": timestamp});
            open(&value.to_string(), &[]).unwrap().stated
        };
        assert_eq!(
            stated(json!(1_700_000_000_000_i64)).map(|time| time.timestamp()),
            Some(1_700_000_000)
        );
        assert_eq!(
            stated(json!(1_700_000_000)).map(|time| time.timestamp()),
            Some(1_700_000_000)
        );
        for wrong in [json!("soon"), json!(null), json!({}), json!("2099-01-01T00:00:00Z")] {
            assert_eq!(stated(wrong.clone()), None, "{wrong}");
        }
    }

    #[test]
    fn an_error_quotes_nothing_of_the_message() {
        let error = open(r#"{"type": "Customer.Created", "payload": {"phone": 3001234567 x"#, &[]).unwrap_err();
        assert!(!error.reason.contains("300123"), "{error}");
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_much(value in proptest::collection::vec(any::<u8>(), 0..200), name in ".{0,8}") {
            let headers = [(name, Some(value.clone()))];
            let _ = Envelope::open(Record { value: Some(&value), headers: &headers, time: None });
        }
    }
}
