//! `order_sagas`: the journal of each order's way into Billz. Every step is written down before it is taken and after it
//! was, so that another worker can go on where this one died.

use std::time::Duration;

use billwright_domain::{BillzOrderId, DocumentId};
use bson::{Bson, DateTime, Document, doc, oid::ObjectId};
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};

use super::leases::{millis, upsert};
use crate::{Mongo, StoreError, values::object_id};

/// Where an order's way into Billz stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SagaState {
    /// On the way.
    Running,
    /// Placed in Billz: parked or paid.
    Placed,
    /// It could not be placed, and what was made in Billz is being taken back.
    Compensating,
    /// It could not be placed, and nothing of it is left in Billz.
    Cancelled,
}

/// One step of the way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SagaStep {
    /// Which step, such as `create_draft` or `add_item:prod123`.
    pub name: String,
    /// When it was decided on.
    pub intended_at: DateTime,
    /// When it was known to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_at: Option<DateTime>,
    /// What a look must know of the time before the step.
    #[serde(default, skip_serializing_if = "Document::is_empty")]
    pub before: Document,
    /// What Billz answered, as far as later steps need it.
    #[serde(default, skip_serializing_if = "Document::is_empty")]
    pub outcome: Document,
    /// What a newer version wrote beside it, which is kept.
    #[serde(flatten)]
    pub others: Document,
}

/// The journal of one order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Saga {
    /// The order's document.
    #[serde(rename = "_id")]
    pub order: ObjectId,
    /// Grows with every change of hands; what an earlier holder writes is refused.
    pub fence: i64,
    /// Where it stands.
    pub state: SagaState,
    /// The operation in the ledger that drives it.
    #[serde(default)]
    pub operation: String,
    /// The job that drives it.
    #[serde(default)]
    pub job_id: String,
    /// Ties together what was done for one request.
    #[serde(default)]
    pub correlation_id: String,
    /// The comment by which a lost draft is found again in Billz.
    #[serde(default)]
    pub comment: String,
    /// The sale in Billz, once it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billz_id: Option<String>,
    /// The steps, in the order in which they were taken.
    #[serde(default)]
    pub steps: Vec<SagaStep>,
    /// What people should know although the order was placed.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Why it could not be placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How often taking it back was tried.
    #[serde(default)]
    pub compensation_attempts: i32,
    /// What stood in the way of taking it back the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compensation_error: Option<String>,
    /// When taking it back is due again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compensation_due: Option<DateTime>,
    /// When it is forgotten, once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime>,
    /// When it began.
    #[serde(default = "epoch")]
    pub created_at: DateTime,
    /// When it last moved.
    #[serde(default = "epoch")]
    pub updated_at: DateTime,
    /// What a newer version wrote beside it, which is kept.
    #[serde(flatten)]
    pub others: Document,
}

/// Journals that nobody may be working on.
#[derive(Debug, Default)]
pub struct Neglected {
    /// Those that can be gone on with.
    pub sagas: Vec<Saga>,
    /// Why others cannot be read.
    pub unreadable: Vec<StoreError>,
}

fn epoch() -> DateTime {
    DateTime::from_millis(0)
}

impl Saga {
    /// The step `name`, if it was decided on.
    pub fn step(&self, name: &str) -> Option<&SagaStep> {
        self.steps.iter().find(|step| step.name == name)
    }

    /// The outcome of the step `name`, if it is done.
    pub fn outcome(&self, name: &str) -> Option<&Document> {
        self.step(name)
            .filter(|step| step.done_at.is_some())
            .map(|step| &step.outcome)
    }

    /// Whether the step `name` was decided on and its end is not known.
    pub fn is_open(&self, name: &str) -> bool {
        self.step(name).is_some_and(|step| step.done_at.is_none())
    }

    /// The sale in Billz, once it is known.
    pub fn sale(&self) -> Option<BillzOrderId> {
        self.billz_id.as_deref().and_then(|id| BillzOrderId::parse(id).ok())
    }

    /// The order's document.
    pub fn order_id(&self) -> Option<DocumentId> {
        DocumentId::parse(&self.order.to_hex())
    }
}

/// The collection `order_sagas`.
#[derive(Debug, Clone)]
pub struct OrderSagas(Mongo);

impl OrderSagas {
    /// The collection in `mongo`.
    pub fn new(mongo: &Mongo) -> Self {
        Self(mongo.clone())
    }

    /// Takes over the journal of `order` with the fence of the order's lease: from here on, what an earlier holder
    /// writes is refused. A journal that is not there is begun. `None` where a later holder has it already.
    pub async fn take_over(&self, order: &DocumentId, fence: i64) -> Result<Option<Saga>, StoreError> {
        let Some(id) = object_id(order.as_str()) else {
            return Ok(None);
        };
        let pipeline = vec![doc! { "$set": {
            "fence": { "$max": ["$fence", fence] },
            "state": { "$ifNull": ["$state", "running"] },
            "createdAt": { "$ifNull": ["$createdAt", "$$NOW"] },
            "updatedAt": { "$ifNull": ["$updatedAt", "$$NOW"] },
        } }];
        let found = upsert(&self.0, "order_sagas", Bson::ObjectId(id), pipeline).await?;
        let saga = read(found)?;
        Ok((saga.fence == fence).then_some(saga))
    }

    /// Writes the journal as a whole. Says whether it is still ours.
    pub async fn save(&self, saga: &mut Saga, now: chrono::DateTime<chrono::Utc>) -> Result<bool, StoreError> {
        saga.updated_at = DateTime::from_millis(now.timestamp_millis());
        let document = bson::serialize_to_document(&saga).map_err(|problem| StoreError::Corrupt {
            collection: "order_sagas",
            id: saga.order.to_hex(),
            problem: problem.to_string(),
        })?;
        let written = self
            .0
            .collection("order_sagas")
            .replace_one(doc! { "_id": saga.order, "fence": saga.fence }, document)
            .await?;
        Ok(written.matched_count == 1)
    }

    /// The journal of `order`, only to look at.
    pub async fn find(&self, order: &DocumentId) -> Result<Option<Saga>, StoreError> {
        let found = self
            .0
            .collection("order_sagas")
            .find_one(doc! { "_id": object_id(order.as_str()) })
            .await?;
        found.map(read).transpose()
    }

    /// The journal that this job drives, only to look at.
    pub async fn of_job(&self, job_id: &str) -> Result<Option<Saga>, StoreError> {
        let found = self
            .0
            .collection("order_sagas")
            .find_one(doc! { "jobId": job_id })
            .sort(doc! { "updatedAt": -1 })
            .await?;
        found.map(read).transpose()
    }

    /// Journals that nobody may be working on: those whose compensation is due, and those on their way that have not
    /// moved for `idle`. At most `limit`; what cannot be read takes nobody's place among them.
    pub async fn neglected(&self, idle: Duration, limit: usize) -> Result<Neglected, StoreError> {
        let filter = doc! { "$or": [
            { "state": "compensating", "$expr": { "$lte": [{ "$ifNull": ["$compensationDue", "$updatedAt"] }, "$$NOW"] } },
            { "state": "running", "$expr": { "$lte": ["$updatedAt", { "$subtract": ["$$NOW", millis(idle)] }] } },
        ] };
        let mut found = self
            .0
            .collection("order_sagas")
            .find(filter)
            .sort(doc! { "updatedAt": 1 })
            .await?;
        let mut neglected = Neglected::default();
        while neglected.sagas.len() < limit
            && let Some(document) = found.try_next().await?
        {
            match read(document) {
                Ok(saga) => neglected.sagas.push(saga),
                Err(problem) => neglected.unreadable.push(problem),
            }
        }
        Ok(neglected)
    }

    /// How many journals stand in each state that needs attention: (running, compensating).
    pub async fn open_counts(&self) -> Result<(u64, u64), StoreError> {
        let collection = self.0.collection("order_sagas");
        let running = collection.count_documents(doc! { "state": "running" }).await?;
        let compensating = collection.count_documents(doc! { "state": "compensating" }).await?;
        Ok((running, compensating))
    }
}

fn read(document: Document) -> Result<Saga, StoreError> {
    let id = document.get("_id").map(Bson::to_string).unwrap_or_default();
    bson::deserialize_from_document(document).map_err(|problem| StoreError::Corrupt {
        collection: "order_sagas",
        id,
        problem: problem.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use bson::{Binary, spec::BinarySubtype};

    use super::*;

    #[test]
    fn what_a_newer_version_wrote_is_kept_with_its_types() {
        let (earlier, later) = (DateTime::from_millis(-5), DateTime::from_millis(1_795_960_800_123));
        let newer = doc! {
            "number": 1_i64, "small": 1, "date": later, "reference": ObjectId::new(), "text": "x", "list": [1.5, null],
            "bytes": Binary { subtype: BinarySubtype::Generic, bytes: vec![1, 2] },
        };
        let mut step = doc! { "name": "pay", "intendedAt": earlier, "doneAt": later };
        step.insert("newer", newer.clone());
        let mut stored = doc! {
            "_id": ObjectId::new(), "fence": 3_i64, "state": "running", "operation": "o", "jobId": "1", "correlationId": "c",
            "comment": "", "steps": [step], "warnings": ["w"], "compensationAttempts": 2, "createdAt": earlier,
            "updatedAt": later,
        };
        stored.extend(newer);
        let saga = read(stored.clone()).unwrap();
        let written = bson::serialize_to_document(&saga).unwrap();
        assert_eq!(written, stored);
    }

    #[test]
    fn a_state_that_is_not_known_is_named_with_its_document() {
        let id = ObjectId::new();
        let error = read(doc! { "_id": id, "fence": 1_i64, "state": "frozen" })
            .unwrap_err()
            .to_string();
        for part in ["order_sagas", &id.to_hex(), "frozen", "compensating", "newer version"] {
            assert!(error.contains(part), "{part} is not in {error}");
        }
    }
}
