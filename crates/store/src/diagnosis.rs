//! What an operator wants to know of a MongoDB before anything runs on it.

use std::time::Duration;

use bson::{DateTime, doc};
use futures_util::TryStreamExt;

use crate::{Mongo, StoreError, Topology};

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

    /// The collections that are there, with how many indexes each has.
    pub async fn collections(&self) -> Result<Vec<(String, usize)>, StoreError> {
        let mut found = Vec::new();
        for name in self.database().list_collection_names().await? {
            if name.starts_with("system.") {
                continue;
            }
            let indexes: Vec<_> = match self.collection(&name).list_indexes().await {
                Ok(cursor) => cursor.try_collect().await?,
                // A view has none.
                Err(_) => Vec::new(),
            };
            found.push((name, indexes.len()));
        }
        found.sort();
        Ok(found)
    }
}
