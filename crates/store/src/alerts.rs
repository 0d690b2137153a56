//! `alerts`: what is wrong right now and was told or is still to be told, shared by all processes, so that each alert is
//! told once, whoever sees it and however often processes restart.
//!
//! Whoever sees that something is wrong says so again and again with [`Alerts::seen`]; what nobody has seen for a while is
//! over. The server's clock decides, so that the clocks of the processes do not matter.

use std::time::Duration;

use bson::{Bson, DateTime, Document, doc};
use futures_util::TryStreamExt;
use mongodb::options::ReturnDocument;

use crate::{Mongo, StoreError};

const COLLECTION: &str = "alerts";

/// How long somebody may take to tell an alert before somebody else does.
const TELLING: Duration = Duration::from_mins(1);

/// An alert that is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertToTell {
    /// Which alert.
    pub name: String,
    /// Whether it is firing; otherwise it is over.
    pub firing: bool,
    /// What was seen.
    pub detail: String,
    /// Since when it fires or fired.
    pub since: DateTime,
    /// How long it fired, where it is over.
    pub lasted: Option<Duration>,
}

/// An alert that fires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FiringAlert {
    /// Which alert.
    pub name: String,
    /// What was seen last.
    pub detail: String,
    /// Since when it fires.
    pub since: DateTime,
}

/// The collection `alerts`.
#[derive(Debug, Clone)]
pub struct Alerts(Mongo);

impl Alerts {
    /// The collection in `mongo`.
    pub fn new(mongo: &Mongo) -> Self {
        Self(mongo.clone())
    }

    /// Notes that `name` is wrong right now. Where it was fine before, it begins to fire and is to be told.
    pub async fn seen(&self, name: &str, detail: &str) -> Result<(), StoreError> {
        let fires = doc! { "$eq": ["$state", "firing"] };
        let kept = |field: &str, fresh: Bson| doc! { "$cond": [&fires, format!("${field}"), fresh] };
        let change = doc! {
            "state": "firing",
            "detail": { "$literal": detail },
            "lastSeen": "$$NOW",
            "since": kept("since", "$$NOW".into()),
            "told": kept("told", false.into()),
            "telling": kept("telling", Bson::Null),
        };
        crate::billz::leases::upsert(&self.0, COLLECTION, name, vec![doc! { "$set": change }]).await?;
        Ok(())
    }

    /// Ends the alerts that nobody has seen for `quiet`; each of them is to be told.
    pub async fn end_unseen(&self, quiet: Duration) -> Result<(), StoreError> {
        let before = doc! { "$subtract": ["$$NOW", millis(quiet)] };
        let unseen = doc! { "state": "firing", "$expr": { "$lt": ["$lastSeen", before] } };
        let change =
            doc! { "state": "over", "overAt": "$$NOW", "toldFiring": "$told", "told": false, "telling": Bson::Null };
        self.0
            .collection(COLLECTION)
            .update_many(unseen, vec![doc! { "$set": change }])
            .await?;
        Ok(())
    }

    /// An alert that is to be told and that nobody else is telling.
    pub async fn take_untold(&self) -> Result<Option<AlertToTell>, StoreError> {
        let free = doc! { "$or": [
            { "telling": Bson::Null },
            { "$expr": { "$lt": ["$telling", { "$subtract": ["$$NOW", millis(TELLING)] }] } },
        ] };
        let found = self
            .0
            .collection(COLLECTION)
            .find_one_and_update(
                doc! { "$and": [{ "told": false }, free] },
                vec![doc! { "$set": { "telling": "$$NOW" } }],
            )
            .return_document(ReturnDocument::After)
            .await?;
        Ok(found.map(|found| {
            let since = date(&found, "since");
            let over = found.get_datetime("overAt").ok().filter(|_| state(&found) != "firing");
            let lasted = over.map(|over| over.timestamp_millis() - since.timestamp_millis());
            AlertToTell {
                name: text(&found, "_id"),
                firing: state(&found) == "firing",
                detail: text(&found, "detail"),
                since,
                lasted: lasted.map(|lasted| Duration::from_millis(u64::try_from(lasted).unwrap_or_default())),
            }
        }))
    }

    /// Notes that an alert was told, unless it changed meanwhile.
    pub async fn told(&self, alert: &AlertToTell) -> Result<(), StoreError> {
        self.settle(alert, doc! { "told": true, "telling": Bson::Null }).await
    }

    /// Gives an alert back that could not be told.
    pub async fn not_told(&self, alert: &AlertToTell) -> Result<(), StoreError> {
        self.settle(alert, doc! { "telling": Bson::Null }).await
    }

    /// The alerts that fire, the oldest first.
    pub async fn firing(&self) -> Result<Vec<FiringAlert>, StoreError> {
        let found: Vec<Document> = self
            .0
            .collection(COLLECTION)
            .find(doc! { "state": "firing" })
            .sort(doc! { "since": 1 })
            .limit(100)
            .await?
            .try_collect()
            .await?;
        let firing = found.iter().map(|found| FiringAlert {
            name: text(found, "_id"),
            detail: text(found, "detail"),
            since: date(found, "since"),
        });
        Ok(firing.collect())
    }

    async fn settle(&self, alert: &AlertToTell, change: Document) -> Result<(), StoreError> {
        let state = if alert.firing { "firing" } else { "over" };
        let same = doc! { "_id": &alert.name, "state": state, "since": alert.since };
        self.0
            .collection(COLLECTION)
            .update_one(same, doc! { "$set": change })
            .await?;
        Ok(())
    }
}

fn millis(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX / 4)
}

fn state(found: &Document) -> &str {
    found.get_str("state").unwrap_or_default()
}

fn text(found: &Document, field: &str) -> String {
    found.get_str(field).unwrap_or_default().to_owned()
}

fn date(found: &Document, field: &str) -> DateTime {
    found.get_datetime(field).copied().unwrap_or(DateTime::from_millis(0))
}
