//! The envelope around every job's payload: `{type, payload, correlationId?, timestamp?}`.

use billwright_domain::CorrelationId;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::job_error::JobError;

/// A job's data, taken apart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Envelope {
    /// The job's type; whether it is known is decided elsewhere.
    pub(crate) kind: String,
    /// The payload as it came; an empty object where there is none.
    pub(crate) payload: Value,
    /// The producer's correlation id, if it sent one.
    pub(crate) correlation_id: Option<CorrelationId>,
}

/// What a job's data says of itself, also where the rest of it is wrong.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Identity {
    /// One of the known types, else `unknown`: fit for metrics.
    pub(crate) kind: &'static str,
    /// The producer's correlation id, or the one that was made up.
    pub(crate) correlation_id: Option<CorrelationId>,
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            kind: "unknown",
            correlation_id: None,
        }
    }
}

impl Identity {
    /// Reads what can be read.
    pub(crate) fn of(data: &Value) -> Self {
        let written = data.get("type").and_then(Value::as_str).unwrap_or_default().trim();
        let known = crate::jobs::TYPES.iter().find(|known| **known == written);
        Self {
            kind: known.copied().unwrap_or("unknown"),
            correlation_id: correlation_id(data),
        }
    }
}

/// An id that cannot be one is as good as none: it is only there to be traced by.
fn correlation_id(data: &Value) -> Option<CorrelationId> {
    let id = data.get("correlationId")?;
    CorrelationId::from_json(id).ok().flatten()
}

impl Envelope {
    /// Takes a job's data apart.
    pub(crate) fn read(data: &Value) -> Result<Self, JobError> {
        let Some(fields) = data.as_object() else {
            return Err(JobError::reject(format!(
                "the job's data is wrong: found {}, expected an object with `type` and `payload`",
                kind_of(data)
            )));
        };
        let kind = match fields.get("type") {
            Some(Value::String(kind)) if !kind.trim().is_empty() => kind.trim().to_owned(),
            other => {
                return Err(JobError::reject(format!(
                    "field `type`: found {}, expected one of {}",
                    other.map_or("nothing", kind_of),
                    crate::jobs::TYPES.join(", ")
                )));
            }
        };
        let payload = match fields.get("payload") {
            None | Some(Value::Null) => Value::Object(serde_json::Map::new()),
            Some(payload @ Value::Object(_)) => payload.clone(),
            Some(other) => {
                return Err(JobError::reject(format!(
                    "field `payload`: found {}, expected an object",
                    kind_of(other)
                )));
            }
        };
        Ok(Self {
            kind,
            payload,
            correlation_id: correlation_id(data),
        })
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(text) if text.trim().is_empty() => "an empty text",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The key under which the ledger knows an operation: the same correlation id, type and payload are the same operation,
/// in whatever order and form the payload's fields were written.
pub(crate) fn operation_key(correlation_id: &CorrelationId, kind: &str, payload: &Value) -> String {
    let mut hash = Sha256::new();
    hash.update(correlation_id.as_str());
    hash.update([0]);
    hash.update(kind);
    hash.update([0]);
    let mut canonical = String::new();
    write_canonical(payload, &mut canonical);
    hash.update(canonical);
    hex::encode(hash.finalize())
}

fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut names: Vec<_> = fields.keys().collect();
            names.sort_unstable();
            out.push('{');
            for name in names {
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push(':');
                write_canonical(&fields[name.as_str()], out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write_canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        // `2.0` and `2` are one number to JavaScript.
        Value::Number(number) => match number.as_f64() {
            Some(double) if number.is_f64() => out.push_str(&double.to_string()),
            _ => out.push_str(&number.to_string()),
        },
        other => out.push_str(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use billwright_hot_path::counted;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::jobs::{Job, test_defaults};

    #[test]
    #[ignore = "counted by `cargo xtask instructions`"]
    fn hot_path_job_place_order() {
        let products: Vec<_> = ["a1", "b2", "c3"]
            .iter()
            .map(|product| json!({"productID": product, "qty": 2, "name": {"en": product}, "totalPrice": 100_000}))
            .collect();
        let data = json!({"type": "PLACE_ORDER", "correlationId": "shop-1042", "payload": {
            "orderID": "1042", "region": "Tashkent", "clientIdSys": "656f1c2e8f1b2a0012345678",
            "createdBy": "656f1c2e8f1b2a0012345679", "products": products, "subTotalPrice": 300_000, "discountAmount": 0,
            "totalPrice": 300_000, "isPaid": true, "cardId": "656f1c2e8f1b2a001234567a", "paymentMethod": "online",
            "deliveryAddress": {"street": "Main Street 123", "city": "Tashkent"},
        }})
        .to_string();
        let defaults = test_defaults();
        let key = counted(|| {
            let data: Value = serde_json::from_str(&data).unwrap();
            let envelope = Envelope::read(&data).unwrap();
            let job = Job::decode(&envelope.kind, &envelope.payload, &defaults).unwrap();
            operation_key(&envelope.correlation_id.unwrap(), job.kind(), &envelope.payload)
        });
        assert!(!key.is_empty());
    }

    #[test]
    fn says_what_is_wrong_with_an_envelope() {
        for (data, expected) in [
            (json!(null), "found null"),
            (json!({"payload": {}}), "field `type`: found nothing"),
            (json!({"type": ""}), "field `type`: found an empty text"),
            (
                json!({"type": "GET_ORDER", "payload": [1]}),
                "field `payload`: found a list",
            ),
        ] {
            let JobError::Reject(reason) = Envelope::read(&data).unwrap_err() else {
                panic!("{data} may be retried");
            };
            assert!(reason.contains(expected), "{reason}");
        }
    }

    #[test]
    fn a_refused_job_is_still_known_by_its_type_and_correlation_id() {
        let wrong_payload = json!({"type": " GET_ORDER ", "payload": 3, "correlationId": "c-1"});
        let known = Identity::of(&wrong_payload);
        assert_eq!(known.kind, "GET_ORDER");
        assert_eq!(known.correlation_id.unwrap().as_str(), "c-1");
        for nothing in [json!(null), json!([1]), json!({"type": 7, "correlationId": {}})] {
            assert_eq!(Identity::of(&nothing), Identity::default(), "{nothing}");
        }
    }

    #[test]
    fn an_operation_is_its_content_however_it_is_written() {
        let id = CorrelationId::parse("c-1").unwrap();
        let key = |payload| operation_key(&id, "ADD_ITEM", &payload);
        assert_eq!(
            key(json!({"a": 1, "b": {"c": 2.0}})),
            key(json!({"b": {"c": 2}, "a": 1}))
        );
        assert_ne!(key(json!({"a": 1})), key(json!({"a": "1"})));
        assert_ne!(key(json!({"a": [1, 2]})), key(json!({"a": [12]})));
        assert_ne!(operation_key(&id, "X", &json!({})), operation_key(&id, "Y", &json!({})));
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,200}") {
            if let Ok(data) = serde_json::from_str::<Value>(&text) {
                let _ = Envelope::read(&data);
            }
            let _ = Envelope::read(&json!({"type": text, "payload": {"x": text}, "correlationId": text}));
        }
    }
}
