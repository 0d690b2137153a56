//! The worker's database: `orders`, `cards`, `clients`, `users` (sellers), `integrations`, `logs`, and what Billwright
//! keeps beside them (`operations`, `job_attempts`, `order_sagas`, `leases`, `sale_claims`, `notifications`).

pub mod cards;
pub mod clients;
pub mod indexes;
pub mod integrations;
pub mod job_attempts;
pub mod leases;
pub mod ledger;
pub mod notifications;
pub mod operation_log;
pub mod operations;
pub mod order_documents;
pub mod order_sagas;
pub mod orders;
pub mod sale_claims;
pub mod sellers;

use bson::{Bson, Document};
use serde_json::Value;

/// JSON as JavaScript would store it: whole numbers that fit as 32-bit integers, others as doubles, `null` left out of
/// objects.
pub fn bson_of_json(value: &Value) -> Bson {
    match value {
        Value::Null => Bson::Null,
        Value::Bool(boolean) => Bson::Boolean(*boolean),
        Value::Number(number) => match number.as_i64().and_then(|whole| i32::try_from(whole).ok()) {
            Some(whole) => Bson::Int32(whole),
            None => match number.as_f64() {
                // `3.0` is `3` to JavaScript.
                Some(double) => whole_of_double(double).map_or(Bson::Double(double), Bson::Int32),
                None => Bson::Null,
            },
        },
        Value::String(text) => Bson::String(text.clone()),
        Value::Array(items) => Bson::Array(items.iter().map(bson_of_json).collect()),
        Value::Object(fields) => {
            let mut document = Document::new();
            for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
                // A name with `$` in front would be an operator to some queries, and NUL ends a name.
                let name = name.trim_start_matches('$').replace('\0', "");
                document.insert(name, bson_of_json(value));
            }
            Bson::Document(document)
        }
    }
}

/// A whole number, however wide it was stored; 0 for anything else.
fn whole(value: Option<&Bson>) -> i64 {
    match value {
        Some(Bson::Int32(number)) => i64::from(*number),
        Some(Bson::Int64(number)) => *number,
        Some(Bson::Double(number)) => whole_of_double(*number).map_or(0, i64::from),
        _ => 0,
    }
}

fn whole_of_double(double: f64) -> Option<i32> {
    let text = double.to_string();
    text.parse().ok().filter(|_| text != "-0")
}

#[cfg(test)]
mod tests {
    use bson::doc;
    use serde_json::json;

    use super::*;

    #[test]
    fn writes_numbers_as_javascript_does() {
        let written = bson_of_json(&json!({
            "whole": 3, "round": 3.0, "large": 3_000_000_000_u64, "half": 0.5, "none": null, "$where": "1"
        }));
        let expected = doc! { "whole": 3, "round": 3, "large": 3_000_000_000.0, "half": 0.5, "where": "1" };
        assert_eq!(written, Bson::Document(expected));
    }
}
