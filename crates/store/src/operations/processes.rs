//! `operations_processes`: the processes that run, each with what only it knows: its roles, its dependencies, its breaker
//! and its share of the budget. A process that falls silent is no longer shown.

use std::time::Duration;

use bson::{Document, doc};
use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;

use crate::{
    Mongo, StoreError,
    values::{date, moment},
};

/// How often a process gives a sign of life.
pub const BEAT: Duration = Duration::from_secs(5);
/// After how long without one it is taken to be gone.
pub const SILENT_AFTER: Duration = Duration::from_secs(20);

/// A dependency as a process sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessDependency {
    /// Its name, as `worker.redis`.
    pub name: String,
    /// `up`, `degraded` or `down`.
    pub condition: String,
    /// What was seen; no secrets.
    pub detail: String,
}

/// Billz as a process sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessBillz {
    /// `closed`, `half_open` or `open`.
    pub breaker: String,
    /// When an open breaker lets a call through.
    pub open_until: Option<DateTime<Utc>>,
    /// `shared`, `local` or `off`.
    pub budget: String,
    /// Payment calls that wait for a slot.
    pub payments_waiting: i64,
    /// Other calls that wait for a slot.
    pub ordinary_waiting: i64,
}

/// What a process tells of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessReport {
    /// Unique to one run of one process.
    pub id: String,
    /// Where it runs, and its number there.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its roles.
    pub roles: Vec<String>,
    /// When it started.
    pub since: DateTime<Utc>,
    /// What it depends on.
    pub dependencies: Vec<ProcessDependency>,
    /// Billz, where it talks to Billz.
    pub billz: Option<ProcessBillz>,
}

/// The collection `operations_processes`.
#[derive(Debug, Clone)]
pub struct Processes(Mongo);

impl Processes {
    /// The collection in `mongo`.
    pub fn new(mongo: &Mongo) -> Self {
        Self(mongo.clone())
    }

    /// Gives a sign of life.
    pub async fn beat(&self, report: &ProcessReport) -> Result<(), StoreError> {
        let dependencies: Vec<Document> = report
            .dependencies
            .iter()
            .map(|dependency| {
                doc! { "name": &dependency.name, "condition": &dependency.condition, "detail": &dependency.detail }
            })
            .collect();
        let billz = report.billz.as_ref().map(|billz| {
            doc! {
                "breaker": &billz.breaker,
                "openUntil": billz.open_until.map(date),
                "budget": &billz.budget,
                "paymentsWaiting": billz.payments_waiting,
                "ordinaryWaiting": billz.ordinary_waiting,
            }
        });
        let told = doc! {
            "name": &report.name,
            "version": &report.version,
            "roles": report.roles.clone(),
            "since": date(report.since),
            "dependencies": dependencies,
            "billz": billz,
        };
        // Every time is the server's, so that a process whose clock is wrong is no ghost.
        let expires = doc! { "$add": ["$$NOW", 60_000_i64] };
        let update = vec![doc! { "$set": { "told": { "$literal": told }, "beatAt": "$$NOW", "expiresAt": expires } }];
        self.0
            .collection("operations_processes")
            .update_one(doc! { "_id": &report.id }, update)
            .upsert(true)
            .await?;
        Ok(())
    }

    /// Takes a process that ends off the list.
    pub async fn leave(&self, id: &str) -> Result<(), StoreError> {
        self.0
            .collection("operations_processes")
            .delete_one(doc! { "_id": id })
            .await?;
        Ok(())
    }

    /// The processes that gave a sign of life lately, by name; at most 200.
    pub async fn alive(&self) -> Result<Vec<ProcessReport>, StoreError> {
        let silent = i64::try_from(SILENT_AFTER.as_millis()).unwrap_or(i64::MAX);
        let found: Vec<Document> = self
            .0
            .collection("operations_processes")
            .find(doc! { "$expr": { "$gt": ["$beatAt", { "$subtract": ["$$NOW", silent] }] } })
            .sort(doc! { "told.name": 1, "_id": 1 })
            .limit(200)
            .await?
            .try_collect()
            .await?;
        Ok(found.iter().filter_map(read).collect())
    }
}

fn read(document: &Document) -> Option<ProcessReport> {
    let told = document.get_document("told").ok()?;
    let text = |document: &Document, name: &str| document.get_str(name).unwrap_or_default().to_owned();
    let dependencies = told.get_array("dependencies").ok().into_iter().flatten();
    let roles = told.get_array("roles").ok().into_iter().flatten();
    Some(ProcessReport {
        id: text(document, "_id"),
        name: text(told, "name"),
        version: text(told, "version"),
        roles: roles.filter_map(|role| role.as_str().map(str::to_owned)).collect(),
        since: told.get_datetime("since").ok().copied().map(moment)?,
        dependencies: dependencies
            .filter_map(|dependency| dependency.as_document())
            .map(|dependency| ProcessDependency {
                name: text(dependency, "name"),
                condition: text(dependency, "condition"),
                detail: text(dependency, "detail"),
            })
            .collect(),
        billz: told.get_document("billz").ok().map(|billz| ProcessBillz {
            breaker: text(billz, "breaker"),
            open_until: billz.get_datetime("openUntil").ok().copied().map(moment),
            budget: text(billz, "budget"),
            payments_waiting: billz.get_i64("paymentsWaiting").unwrap_or_default(),
            ordinary_waiting: billz.get_i64("ordinaryWaiting").unwrap_or_default(),
        }),
    })
}
