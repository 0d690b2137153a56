//! A MongoDB server of the caller's own: a replica set of one, so that transactions and change streams work.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use bson::{Document, doc};
use mongodb::{
    Client,
    options::{ClientOptions, ServerAddress},
};

use crate::{fetch, port, progress, supervisor::Supervised};

const DEADLINE: Duration = Duration::from_mins(1);

/// A running mongod. Dropping it stops it and removes its data.
#[derive(Debug)]
pub struct MongoServer {
    port: u16,
    process: Supervised,
}

impl MongoServer {
    /// Starts mongod (fetching it first where it is not installed) and returns once it accepts writes.
    pub async fn start() -> Result<Self> {
        Self::start_in(&std::env::temp_dir()).await
    }

    /// The same with its data in a folder under `parent`, such as a file system that may become full.
    pub async fn start_in(parent: &Path) -> Result<Self> {
        let program = fetch::mongod().await?;
        loop {
            let server = Self::prepare(&program, parent, port::free()?)?;
            server.process.start().await?;
            let outcome = progress::during("starting MongoDB", server.wait_until_primary(true)).await;
            match outcome {
                Ok(()) => return Ok(server),
                Err(_) if server.lost_its_port().await? => {}
                Err(failure) => return Err(failure),
            }
        }
    }

    fn prepare(program: &Path, parent: &Path, port: u16) -> Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("billwright-mongodb-")
            .tempdir_in(parent)?;
        let mut command = vec![program.into(), "--dbpath".into(), directory.path().into()];
        let port_text = port.to_string();
        let flags = [
            "--port",
            &port_text,
            "--bind_ip",
            "127.0.0.1",
            "--nounixsocket",
            "--replSet",
            "rs0",
            "--wiredTigerCacheSizeGB",
            "0.25",
            "--oplogSize",
            "128",
            "--setParameter",
            "diagnosticDataCollectionEnabled=false",
        ];
        command.extend(flags.map(Into::into));
        Ok(Self {
            port,
            process: Supervised::new("MongoDB", directory, command)?,
        })
    }

    /// `mongodb://127.0.0.1:…/?replicaSet=rs0`, without a database.
    pub fn uri(&self) -> String {
        format!("mongodb://127.0.0.1:{}/?replicaSet=rs0", self.port)
    }

    /// The port on 127.0.0.1, the same after a restart.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process id of mongod; an error while it is killed.
    pub fn pid(&self) -> Result<i32> {
        self.process.pid()
    }

    /// SIGKILL; returns when the process is gone.
    pub async fn kill(&self) -> Result<()> {
        self.process.kill().await
    }

    /// Starts again on the same port with the same data, killing first if need be; returns once it accepts writes.
    pub async fn restart(&self) -> Result<()> {
        self.process.kill().await?;
        self.process.start().await?;
        Box::pin(self.wait_until_primary(false)).await
    }

    /// SIGSTOP: connections stay open and nobody answers.
    pub fn pause(&self) -> Result<()> {
        self.process.pause()
    }

    /// SIGCONT.
    pub fn resume(&self) -> Result<()> {
        self.process.resume()
    }

    async fn lost_its_port(&self) -> Result<bool> {
        self.process.kill().await?;
        Ok(!port::is_free(self.port))
    }

    async fn wait_until_primary(&self, initiate: bool) -> Result<()> {
        // The driver looks for a server twice a second at most: begin with it only when somebody listens.
        self.process
            .wait_until(DEADLINE, async || {
                tokio::net::TcpStream::connect(("127.0.0.1", self.port))
                    .await
                    .map(drop)
                    .context("nobody listens")
            })
            .await?;
        let client = direct_client(self.port)?;
        let admin = client.database("admin");
        self.process
            .wait_until(DEADLINE, async || {
                let status = admin
                    .run_command(doc! { "serverStatus": 1, "repl": 0, "metrics": 0 })
                    .await?;
                let (found, own) = (integer(&status, "pid"), i64::from(self.process.pid()?));
                ensure!(found == Some(own), "another server answers on port {}", self.port);
                Ok(())
            })
            .await?;
        if initiate {
            let host = format!("127.0.0.1:{}", self.port);
            let set = doc! { "_id": "rs0", "members": [{ "_id": 0, "host": host }] };
            admin
                .run_command(doc! { "replSetInitiate": set })
                .await
                .context("cannot make MongoDB a replica set")?;
        }
        self.process
            .wait_until(DEADLINE, async || {
                let hello = admin.run_command(doc! { "hello": 1 }).await?;
                ensure!(
                    hello.get_bool("isWritablePrimary").unwrap_or(false),
                    "MongoDB has not become primary"
                );
                Ok(())
            })
            .await
    }
}

/// mongod reports its process id as a 64-bit integer, a server through a translation layer perhaps not.
fn integer(document: &Document, field: &str) -> Option<i64> {
    document
        .get_i64(field)
        .ok()
        .or_else(|| document.get_i32(field).ok().map(i64::from))
}

fn direct_client(port: u16) -> Result<Client> {
    let options = ClientOptions::builder()
        .hosts(vec![ServerAddress::Tcp {
            host: "127.0.0.1".to_owned(),
            port: Some(port),
        }])
        .direct_connection(true)
        .server_selection_timeout(Duration::from_secs(2))
        .build();
    Ok(Client::with_options(options)?)
}

/// Fails unless the server at `uri` answers a ping.
pub(crate) async fn check(uri: &str) -> Result<()> {
    let mut options = ClientOptions::parse(uri).await?;
    options.server_selection_timeout = Some(Duration::from_secs(3));
    Client::with_options(options)?
        .database("admin")
        .run_command(doc! { "ping": 1 })
        .await?;
    Ok(())
}
