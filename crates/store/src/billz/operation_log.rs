//! `logs`: one entry per outcome of an operation, for people. No personal data and no secrets: see [`redacted`].

use bson::{Document, doc, oid::ObjectId};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::bson_of_json;
use crate::{Mongo, StoreError, values::date};

/// One entry.
#[derive(Debug, Clone)]
pub struct LogEntry {
    /// `billz` for what was done, `errors` for what failed for good.
    pub section: &'static str,
    /// `create`, `update`, `get` or `delete`.
    pub action: &'static str,
    /// The order that it is about, if any.
    pub order_id: Option<String>,
    /// What happened, already redacted.
    pub description: Value,
    /// Whether it succeeded.
    pub success: bool,
    /// Ties together what was done for one request.
    pub correlation_id: Option<String>,
    /// Why it failed, if it did.
    pub error_message: Option<String>,
}

/// The collection `logs`.
#[derive(Debug, Clone)]
pub struct OperationLog(Mongo);

impl OperationLog {
    /// The collection in `mongo`.
    pub fn new(mongo: &Mongo) -> Self {
        Self(mongo.clone())
    }

    /// Adds an entry.
    pub async fn add(&self, entry: &LogEntry, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.0.collection("logs").insert_one(document(entry, now)).await?;
        Ok(())
    }
}

fn document(entry: &LogEntry, now: DateTime<Utc>) -> Document {
    let mut document = doc! {
        "_id": ObjectId::new(),
        "section": entry.section,
        "action": entry.action,
        "description": bson_of_json(&entry.description),
        "success": entry.success,
    };
    let texts = [
        ("orderId", &entry.order_id),
        ("correlationId", &entry.correlation_id),
        ("errorMessage", &entry.error_message),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            document.insert(name, text);
        }
    }
    document.insert("createdAt", date(now));
    document.insert("updatedAt", date(now));
    document.insert("__v", 0);
    document
}

/// Fields that hold personal data or secrets, wherever they appear.
const PRIVATE: [&str; 27] = [
    "clientphone",
    "phone",
    "phonenumber",
    "phone_number",
    "phone_numbers",
    "phones",
    "clientfirstname",
    "clientlastname",
    "firstname",
    "lastname",
    "first_name",
    "last_name",
    "middle_name",
    "birthday",
    "birth_date",
    "date_of_birth",
    "clientinfo",
    "customer",
    "employeename",
    "instagram",
    "deliveryaddress",
    "coordinates",
    "mapdata",
    "deliveryinstructions",
    "deliverycomment",
    "chat_id",
    "cards",
];

/// Endings of names that hold secrets.
const SECRET: [&str; 5] = ["token", "password", "secret", "authorization", "apikey"];

/// A payload without personal data and secrets: what stood there is replaced by `***`, nested or not, and long texts and
/// lists are cut.
pub fn redacted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(name, value)| {
                    let plain = name.to_ascii_lowercase();
                    let hidden = PRIVATE.contains(&&*plain) || SECRET.iter().any(|ending| plain.ends_with(ending));
                    let shown = if hidden && !value.is_null() {
                        Value::from("***")
                    } else {
                        redacted(value)
                    };
                    (name.clone(), shown)
                })
                .collect::<Map<_, _>>(),
        ),
        Value::Array(items) => Value::Array(items.iter().take(100).map(redacted).collect()),
        Value::String(text) if text.chars().count() > 500 => {
            Value::from(text.chars().take(500).chain("…".chars()).collect::<String>())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn hides_people_and_secrets_at_any_depth() {
        let shown = redacted(&json!({
            "clientPhone": "+998901112233", "orderId": "o-1",
            "nested": [{"firstName": "Aziza", "access_token": "t", "qty": 2}], "comment": "x".repeat(600)
        }));
        let text = shown.to_string();
        assert!(
            !text.contains("99890") && !text.contains("Aziza") && !text.contains("\"t\""),
            "{text}"
        );
        assert!(text.contains("o-1") && text.contains("\"qty\":2") && text.len() < 800);
    }
}
