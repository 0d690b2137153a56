//! `event_outbox`: changes that are to be published to Kafka, written in the transaction that makes them, so that a
//! change is published if and only if it happened.
//!
//! Whoever changes users or billings records it last in its transaction, through [`Outbox`]. The publisher in `events`
//! reads the changes in order with [`waiting`], and [`forget`]s what the broker has acknowledged.

use std::sync::Arc;

use billwright_domain::Clock;
use billwright_trace_context::{TRACEPARENT, TraceContext};
use bson::{Bson, DateTime as BsonDateTime, RawDocumentBuf, Timestamp, cstr, doc, oid::ObjectId, rawdoc};
use chrono::{DateTime, Utc};
use futures_util::{TryStreamExt, future::BoxFuture};
use mongodb::{ClientSession, IndexModel};

use super::changes::{Change, ChangeKind, ChangeLog};
use crate::{Mongo, StoreError, values};

/// The collection's name.
pub const COLLECTION: &str = "event_outbox";

/// The type that the published event carries.
fn kind(change: ChangeKind) -> &'static str {
    match change {
        ChangeKind::UserCreated => "User.Created",
        ChangeKind::UserUpdated => "User.Updated",
        ChangeKind::UserDeleted => "User.Deleted",
        ChangeKind::BillingCreated => "Billing.Created",
        ChangeKind::BillingUpdated => "Billing.Updated",
        ChangeKind::BillingPaid => "Billing.Paid",
        ChangeKind::BillingDeleted => "Billing.Deleted",
    }
}

/// Keeps changes until they are published. Hand it to everything that changes users or billings.
#[derive(Debug, Clone)]
pub struct Outbox {
    mongo: Mongo,
    clock: Arc<dyn Clock>,
}

impl Outbox {
    /// The outbox of the billing database behind `mongo`.
    pub fn new(mongo: Mongo, clock: Arc<dyn Clock>) -> Self {
        Self { mongo, clock }
    }

    /// Creates the index that the publisher reads along.
    pub async fn ensure_indexes(&self) -> Result<(), StoreError> {
        let order = IndexModel::builder().keys(doc! { "order": 1, "_id": 1 }).build();
        self.mongo.collection(COLLECTION).create_index(order).await?;
        Ok(())
    }

    fn entry(&self, change: &Change<'_>) -> RawDocumentBuf {
        let user_id = change.document.get_str("userId").unwrap_or_default();
        let mut entry = rawdoc! {
            "_id": ObjectId::new(),
            // The server replaces an empty timestamp by its own logical time, which orders the entries of all processes
            // whatever their clocks say.
            "order": Timestamp { time: 0, increment: 0 },
            "userId": user_id,
            "type": kind(change.kind),
            "at": BsonDateTime::from_millis(self.clock.now().timestamp_millis()),
        };
        entry.append(cstr!("data"), change.document);
        if let Some(trace) = change.trace.cloned().or_else(TraceContext::current) {
            entry.append(cstr!("trace"), trace.parent);
        }
        entry
    }
}

impl ChangeLog for Outbox {
    fn record<'a>(
        &'a self,
        session: Option<&'a mut ClientSession>,
        changes: &'a [Change<'a>],
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            if changes.is_empty() {
                return Ok(());
            }
            let entries: Vec<_> = changes.iter().map(|change| self.entry(change)).collect();
            let outbox = self.mongo.database().collection::<RawDocumentBuf>(COLLECTION);
            let insert = outbox.insert_many(entries);
            match session {
                Some(session) => insert.session(session).await?,
                None => insert.await?,
            };
            Ok(())
        })
    }
}

/// A change that waits to be published.
#[derive(Debug, Clone, PartialEq)]
pub struct WaitingEntry {
    /// Identifies it; consumers can tell repetitions by it.
    pub id: ObjectId,
    /// The key of the published record: the user's id.
    pub user_id: String,
    /// The type that the published event carries.
    pub kind: String,
    /// What it says, as relaxed extended JSON would show it.
    pub data: serde_json::Value,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// The trace that it happened in, if any.
    pub trace: Option<TraceContext>,
}

/// The changes that wait longest, in order, at most `limit`.
pub async fn waiting(mongo: &Mongo, limit: u32) -> Result<Vec<WaitingEntry>, StoreError> {
    let mut found = mongo
        .collection(COLLECTION)
        .find(doc! {})
        .sort(doc! { "order": 1, "_id": 1 })
        .limit(limit.into())
        .await?;
    let mut entries = Vec::new();
    while let Some(document) = found.try_next().await? {
        let id = document.get_object_id("_id").unwrap_or_default();
        let read = || {
            Some(WaitingEntry {
                id,
                user_id: document.get_str("userId").ok()?.to_owned(),
                kind: document.get_str("type").ok()?.to_owned(),
                data: plain_json(document.get("data")?),
                at: values::moment(*document.get_datetime("at").ok()?),
                trace: TraceContext::find(|name| (name == TRACEPARENT).then(|| document.get_str("trace").ok())?),
            })
        };
        entries.push(read().ok_or_else(|| StoreError::Corrupt {
            collection: COLLECTION,
            id: id.to_hex(),
            problem: "it is not a change as it was recorded".to_owned(),
        })?);
    }
    Ok(entries)
}

/// What of a user's changes waits to be published: what happened and when, the oldest first. Of a backlog only the oldest
/// part is looked through.
pub async fn waiting_of(mongo: &Mongo, user_id: &str) -> Result<Vec<(String, DateTime<Utc>)>, StoreError> {
    const LOOKED_THROUGH: i32 = 2000;
    let stages = [
        doc! { "$sort": { "order": 1, "_id": 1 } },
        doc! { "$limit": LOOKED_THROUGH },
        doc! { "$match": { "userId": user_id } },
        doc! { "$limit": 50 },
        doc! { "$project": { "type": 1, "at": 1 } },
    ];
    let mut found = mongo.collection(COLLECTION).aggregate(stages).await?;
    let mut changes = Vec::new();
    while let Some(document) = found.try_next().await? {
        if let (Ok(kind), Ok(at)) = (document.get_str("type"), document.get_datetime("at")) {
            changes.push((kind.to_owned(), values::moment(*at)));
        }
    }
    Ok(changes)
}

/// How many changes wait to be published.
pub async fn count(mongo: &Mongo) -> Result<u64, StoreError> {
    Ok(mongo.collection(COLLECTION).estimated_document_count().await?)
}

/// Forgets changes that were published.
pub async fn forget(mongo: &Mongo, ids: &[ObjectId]) -> Result<(), StoreError> {
    let published = doc! { "_id": { "$in": ids.to_vec() } };
    mongo.collection(COLLECTION).delete_many(published).await?;
    Ok(())
}

/// The value as the API would show it: ids as text, dates in ISO 8601 form.
fn plain_json(value: &Bson) -> serde_json::Value {
    match value {
        Bson::ObjectId(id) => id.to_hex().into(),
        Bson::DateTime(date) => values::moment(*date)
            .to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
            .into(),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the guard leaves whole numbers that fit exactly"
        )]
        Bson::Double(double) if double.fract() == 0.0 && double.abs() < 9e15 => (*double as i64).into(),
        Bson::Document(document) => document
            .iter()
            .map(|(name, value)| (name.clone(), plain_json(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Bson::Array(items) => items.iter().map(plain_json).collect(),
        Bson::Null | Bson::Undefined => serde_json::Value::Null,
        Bson::Boolean(boolean) => (*boolean).into(),
        Bson::Int32(whole) => (*whole).into(),
        Bson::Int64(whole) => (*whole).into(),
        Bson::Double(double) => (*double).into(),
        Bson::String(text) => text.as_str().into(),
        other => other.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_published_in_the_form_that_the_api_shows() {
        let document = doc! {
            "_id": ObjectId::from_bytes([7; 12]), "dueDate": BsonDateTime::from_millis(0), "totalInvoice": 3e9,
            "paymentDate": Bson::Null, "address": { "city": "Cali" }, "__v": 0,
        };
        assert_eq!(
            plain_json(&Bson::Document(document)),
            serde_json::json!({
                "_id": "070707070707070707070707", "dueDate": "1970-01-01T00:00:00.000Z",
                "totalInvoice": 3_000_000_000_i64, "paymentDate": null, "address": {"city": "Cali"}, "__v": 0
            })
        );
    }
}
