//! One connection pool to one database.

use std::time::Duration;

use bson::{Document, doc};
use mongodb::{
    Client, Collection, Database,
    options::{ClientOptions, ConnectionString, HostInfo, WriteConcern},
};

use crate::StoreError;

/// How to reach a database.
#[derive(Debug, Clone)]
pub struct MongoSettings {
    /// The connection string, which may hold a password.
    pub uri: secrecy::SecretString,
    /// The database to use, whatever the connection string names.
    pub database: String,
    /// How long an operation may look for a server before it fails as unavailable.
    pub server_selection_timeout: Duration,
    /// The most connections that are open at a time.
    pub max_pool_size: u32,
}

/// Where a connection string leads, without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionFacts {
    /// The servers, each `host:port`, in order of their names; or the name that a `mongodb+srv` record is looked up for.
    pub servers: Vec<String>,
    /// The database in its path, if any.
    pub database: Option<String>,
}

impl ConnectionFacts {
    /// Reads a connection string; the error says what was expected, without repeating what was found.
    pub fn of(uri: &str) -> Result<Self, String> {
        let expected = |_| "a MongoDB connection string, as `mongodb://host:27017/database?replicaSet=rs0`".to_owned();
        let parsed = ConnectionString::parse(uri).map_err(expected)?;
        let mut servers = match &parsed.host_info {
            HostInfo::HostIdentifiers(addresses) => addresses
                .iter()
                .map(|address| address.to_string().to_lowercase())
                .collect(),
            HostInfo::DnsRecord(name) => vec![name.to_lowercase()],
            _ => Vec::new(),
        };
        servers.sort_unstable();
        Ok(Self {
            servers,
            database: parsed.default_database,
        })
    }
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
    app_name: String,
}

impl Mongo {
    /// Prepares the pool. Nothing is sent yet, so this works while MongoDB is away.
    pub async fn open(settings: &MongoSettings) -> Result<Self, StoreError> {
        use secrecy::ExposeSecret;
        let mut options = ClientOptions::parse(settings.uri.expose_secret()).await?;
        let app_name = options.app_name.get_or_insert_with(|| "billwright".to_owned()).clone();
        options
            .server_selection_timeout
            .get_or_insert(settings.server_selection_timeout);
        options.connect_timeout.get_or_insert(Duration::from_secs(5));
        options.max_pool_size.get_or_insert(settings.max_pool_size);
        let client = Client::with_options(options)?;
        Ok(Self {
            database: client.database(&settings.database),
            client,
            app_name,
        })
    }

    /// The name by which the server knows this application's operations.
    pub(crate) fn app_name(&self) -> &str {
        &self.app_name
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

/// For writes that nothing depends on: they need not wait until a majority has them on disk, and may be lost with the primary.
pub(crate) fn primary_only() -> WriteConcern {
    WriteConcern::nodes(1)
}
