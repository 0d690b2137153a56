//! What an operator wants to know of a MongoDB before anything runs on it.

use std::time::Duration;

use bson::{DateTime, doc};
use mongodb::IndexModel;

use crate::{Mongo, StoreError, Topology, billz::indexes};

/// A collection that exists for the moment of a trial only.
const TRIAL: &str = "billwright_check";

/// What a MongoDB is and can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MongoFacts {
    /// The server's version, such as `6.0.5`.
    pub version: String,
    /// Whether it knows transactions.
    pub topology: Topology,
    /// The name of its replica set.
    pub replica_set: Option<String>,
    /// What the server's clock said, to be compared with ours.
    pub clock: DateTime,
    /// How long a ping took.
    pub ping: Duration,
}

impl Mongo {
    /// Asks the server what it is.
    pub async fn facts(&self) -> Result<MongoFacts, StoreError> {
        let began = std::time::Instant::now();
        self.ping().await?;
        let ping = began.elapsed();
        let build = self.database().run_command(doc! { "buildInfo": 1 }).await?;
        let hello = self.database().run_command(doc! { "hello": 1 }).await?;
        let version = build.get_str("version").unwrap_or("unknown").to_owned();
        Ok(MongoFacts {
            version,
            topology: self.topology().await?,
            replica_set: hello.get_str("setName").ok().map(ToOwned::to_owned),
            clock: hello
                .get_datetime("localTime")
                .copied()
                .unwrap_or_else(|_| DateTime::from_millis(0)),
            ping,
        })
    }

    /// Writes a document and takes it back: in a transaction that is aborted where the server knows them, so that nothing
    /// stays; by hand where it does not.
    pub async fn try_to_write(&self, topology: Topology) -> Result<(), StoreError> {
        let collection = self.collection(TRIAL);
        let document = doc! { "at": DateTime::now() };
        if topology == Topology::Standalone {
            collection.insert_one(document).await?;
            collection.drop().await?;
            return Ok(());
        }
        let mut session = self.client().start_session().await?;
        session.start_transaction().await?;
        let written = collection.insert_one(document).session(&mut session).await;
        session.abort_transaction().await?;
        written?;
        Ok(())
    }

    /// Compares the indexes of the collections that are there with those that are wanted. Changes nothing.
    pub async fn compare_indexes(&self, wanted: &WantedIndexes) -> Result<ComparedIndexes, StoreError> {
        let mut compared = ComparedIndexes::default();
        for collection in self.database().list_collection_names().await? {
            let wanted = wanted.of(&collection);
            if wanted.is_empty() {
                continue;
            }
            let existing = indexes::existing(self, &collection).await?;
            for model in wanted {
                let problem = match indexes::find_twin(model, &existing) {
                    Some(twin) => indexes::difference(&collection, model, twin),
                    None => Some(format!("the index on {} of `{collection}` is missing", model.keys)),
                };
                match problem {
                    Some(problem) => compared.problems.push(problem),
                    None => compared.in_place += 1,
                }
            }
        }
        Ok(compared)
    }
}

/// The indexes that a database should have.
#[derive(Debug, Clone)]
pub struct WantedIndexes(Vec<(&'static str, IndexModel)>);

impl WantedIndexes {
    fn of(&self, collection: &str) -> Vec<&IndexModel> {
        let found = self.0.iter().filter(|(of, _)| *of == collection);
        found.map(|(_, model)| model).collect()
    }

    /// Those of the order worker.
    pub fn of_worker() -> Self {
        Self(indexes::wanted())
    }

    /// Those of the billing API.
    pub fn of_api() -> Self {
        Self(crate::billing::indexes::wanted(false))
    }

    /// Those of the consumer of customer events alone.
    pub fn of_events() -> Self {
        Self(crate::billing::indexes::wanted(true))
    }
}

/// What came of comparing indexes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ComparedIndexes {
    /// How many are there as they should be.
    pub in_place: usize,
    /// A sentence for each that is missing, or exists in another shape.
    pub problems: Vec<String>,
}
