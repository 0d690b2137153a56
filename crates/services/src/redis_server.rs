//! A Redis server of the caller's own, with the settings that a test of queues needs.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use url::Url;

use crate::{fetch, port, progress, supervisor::Supervised};

const DEADLINE: Duration = Duration::from_mins(1);

/// A running Redis. Dropping it stops it and removes its data.
#[derive(Debug)]
pub struct RedisServer {
    port: u16,
    url: String,
    process: Supervised,
}

/// What a [`RedisServer`] can be told before it starts; by default no password and nothing kept on disk.
#[derive(Debug, Clone, Default)]
pub struct RedisServerBuilder {
    password: Option<String>,
    append_only: bool,
}

impl RedisServerBuilder {
    /// Clients must give this password (`requirepass`); letters and digits only.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// Every write is on disk before it is acknowledged (`appendonly`, `appendfsync always`), so that a kill loses nothing.
    #[must_use]
    pub fn append_only(mut self) -> Self {
        self.append_only = true;
        self
    }

    /// Starts Redis (fetching it first where it is not installed) and returns once it answers.
    pub async fn start(self) -> Result<RedisServer> {
        let program = fetch::redis_server().await?;
        loop {
            let server = self.prepare(&program, port::free()?)?;
            server.process.start().await?;
            match progress::during("starting Redis", server.wait_until_serving()).await {
                Ok(()) => return Ok(server),
                Err(_) if server.lost_its_port().await? => {}
                Err(failure) => return Err(failure),
            }
        }
    }

    fn prepare(&self, program: &std::path::Path, port: u16) -> Result<RedisServer> {
        let directory = tempfile::Builder::new().prefix("billwright-redis-").tempdir()?;
        let mut settings = format!(
            "bind 127.0.0.1\nport {port}\ndir \"{}\"\nsave \"\"\nmaxmemory-policy noeviction\n",
            directory.path().display()
        );
        let mut url = Url::parse(&format!("redis://127.0.0.1:{port}"))?;
        if let Some(password) = &self.password {
            let simple = !password.is_empty() && password.chars().all(|letter| letter.is_ascii_alphanumeric());
            ensure!(simple, "a test server's password has letters and digits only");
            settings.push_str("requirepass ");
            settings.push_str(password);
            settings.push('\n');
            url.set_password(Some(password))
                .ok()
                .context("the address takes no password")?;
        }
        if self.append_only {
            settings.push_str("appendonly yes\nappendfsync always\n");
        }
        // In a file, since everybody can read a command line.
        let file = directory.path().join("redis.conf");
        std::fs::write(&file, settings)?;
        let command = vec![program.into(), file.into()];
        Ok(RedisServer {
            port,
            url: url.into(),
            process: Supervised::new("Redis", directory, command)?,
        })
    }
}

impl RedisServer {
    /// Starts a server with the default settings; see [`Self::builder`] for others.
    pub async fn start() -> Result<Self> {
        Self::builder().start().await
    }

    /// Settings first, then [`RedisServerBuilder::start`].
    pub fn builder() -> RedisServerBuilder {
        RedisServerBuilder::default()
    }

    /// `redis://127.0.0.1:…`, with the password if there is one.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The port on 127.0.0.1, the same after a restart.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process id of the server; an error while it is killed.
    pub fn pid(&self) -> Result<i32> {
        self.process.pid()
    }

    /// SIGKILL; returns when the process is gone.
    pub async fn kill(&self) -> Result<()> {
        self.process.kill().await
    }

    /// Starts again on the same port, killing first if need be; returns once it answers. The data are the same with
    /// [`RedisServerBuilder::append_only`], and none without.
    pub async fn restart(&self) -> Result<()> {
        self.process.kill().await?;
        self.process.start().await?;
        Box::pin(self.wait_until_serving()).await
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

    async fn wait_until_serving(&self) -> Result<()> {
        self.process
            .wait_until(DEADLINE, async || {
                // INFO names the process; PING is refused while the server still loads its data.
                let mut connection = connect(&self.url).await?;
                let about: String = redis::cmd("INFO").arg("server").query_async(&mut connection).await?;
                let own = format!("process_id:{}", self.process.pid()?);
                ensure!(
                    about.lines().any(|line| line.trim() == own),
                    "another server answers on port {}",
                    self.port
                );
                let pong: String = redis::cmd("PING").query_async(&mut connection).await?;
                ensure!(pong == "PONG", "Redis answered {pong} to PING");
                Ok(())
            })
            .await
    }
}

async fn connect(url: &str) -> Result<redis::aio::MultiplexedConnection> {
    let settings = redis::AsyncConnectionConfig::new()
        .set_connection_timeout(Some(Duration::from_secs(5)))
        .set_response_timeout(Some(Duration::from_secs(5)));
    Ok(redis::Client::open(url)?
        .get_multiplexed_async_connection_with_config(&settings)
        .await?)
}

/// Fails unless the server at `url` answers a ping.
pub(crate) async fn check(url: &str) -> Result<()> {
    let _: String = redis::cmd("PING").query_async(&mut connect(url).await?).await?;
    Ok(())
}
