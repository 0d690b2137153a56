//! One connection pool to one database.

use std::time::Duration;

use bson::{Document, doc};
use mongodb::{Client, Collection, Database, options::ClientOptions};

use crate::StoreError;

/// How to reach a database.
#[derive(Debug, Clone)]
pub struct MongoSettings {
    /// The connection string, which may hold a password.
    pub uri: secrecy::SecretString,
    /// The database to use when the connection string names none.
    pub default_database: &'static str,
    /// How long an operation may look for a server before it fails as unavailable.
    pub server_selection_timeout: Duration,
    /// The most connections that are open at a time.
    pub max_pool_size: u32,
}

/// What the server can promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topology {
    /// A replica set or a sharded cluster: transactions work.
    Transactional,
    /// A lone server: each write stands alone.
    Standalone,
}

/// A database and its connection pool. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Mongo {
    client: Client,
    database: Database,
}

impl Mongo {
    /// Prepares the pool. Nothing is sent yet, so this works while MongoDB is away.
    pub async fn open(settings: &MongoSettings) -> Result<Self, StoreError> {
        use secrecy::ExposeSecret;
        let mut options = ClientOptions::parse(settings.uri.expose_secret()).await?;
        options.app_name.get_or_insert_with(|| "billwright".to_owned());
        options
            .server_selection_timeout
            .get_or_insert(settings.server_selection_timeout);
        options.connect_timeout.get_or_insert(Duration::from_secs(5));
        options.max_pool_size.get_or_insert(settings.max_pool_size);
        let name = options
            .default_database
            .clone()
            .unwrap_or_else(|| settings.default_database.to_owned());
        let client = Client::with_options(options)?;
        Ok(Self {
            database: client.database(&name),
            client,
        })
    }

    /// The database's name.
    pub fn name(&self) -> &str {
        self.database.name()
    }

    /// Asks the server whether it is there.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.database.run_command(doc! { "ping": 1 }).await?;
        Ok(())
    }

    /// Asks the server what it is.
    pub async fn topology(&self) -> Result<Topology, StoreError> {
        let hello = self.database.run_command(doc! { "hello": 1 }).await?;
        let transactional = hello.contains_key("setName") || hello.get_str("msg").is_ok_and(|kind| kind == "isdbgrid");
        Ok(if transactional {
            Topology::Transactional
        } else {
            Topology::Standalone
        })
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    pub(crate) fn collection(&self, name: &str) -> Collection<Document> {
        self.database.collection(name)
    }
}
