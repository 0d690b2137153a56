//! How the servers and the links to them are broken and mended.

use std::time::Duration;

use anyhow::Result;
use billwright_services::progress;
use bson::doc;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::time::Instant;

use super::kinds::Server;
use crate::chaos::{link::Link, stage::Stage};

/// How often a server is started before the run gives up.
const START_TRIES: u32 = 4;

/// How long mongod may take to write everything down once its disk has room again.
const WRITTEN_DOWN: Duration = Duration::from_secs(15);

impl Stage {
    pub(super) fn link(&self, server: Server) -> &Link {
        match server {
            Server::MongoDb => &self.links.mongodb,
            Server::Redis => &self.links.redis,
            Server::Kafka => &self.links.kafka,
        }
    }

    pub(super) async fn kill(&self, server: Server) -> Result<()> {
        match server {
            Server::MongoDb => self.mongodb.kill().await,
            Server::Redis => self.redis.kill().await,
            Server::Kafka => self.kafka.kill().await,
        }
    }

    /// Starts a server again, with patience: on a busy machine a broker may take longer than it is given.
    pub(super) async fn restart(&self, server: Server) -> Result<()> {
        let mut tries = 0;
        loop {
            let started = match server {
                Server::MongoDb => self.mongodb.restart().await,
                Server::Redis => self.redis.restart().await,
                Server::Kafka => self.kafka.restart().await,
            };
            tries += 1;
            match started {
                Err(error) if tries < START_TRIES => {
                    progress::tell(&format!("{} does not start and is tried again: {error}", server.name()));
                }
                other => return other,
            }
        }
    }

    /// SIGTERM, and SIGKILL to a server that takes longer than ten seconds over it.
    pub(super) async fn stop(&self, server: Server) -> Result<()> {
        let pid = match server {
            Server::MongoDb => self.mongodb.pid(),
            Server::Redis => self.redis.pid(),
            Server::Kafka => self.kafka.pid(),
        }?;
        kill(Pid::from_raw(pid), Signal::SIGTERM)?;
        let deadline = Instant::now() + Duration::from_secs(10);
        let runs = || {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
            stat.is_ok_and(|stat| !stat.contains(") Z "))
        };
        while runs() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.kill(server).await
    }

    pub(super) async fn pause(&self, server: Server, length: Duration) -> Result<()> {
        match server {
            Server::MongoDb => self.mongodb.pause(),
            Server::Redis => self.redis.pause(),
            Server::Kafka => self.kafka.pause(),
        }?;
        tokio::time::sleep(length).await;
        match server {
            Server::MongoDb => self.mongodb.resume(),
            Server::Redis => self.redis.resume(),
            Server::Kafka => self.kafka.resume(),
        }
    }

    /// Takes MongoDB's room away for a while. mongod may end over it, and is then started again once there is room.
    pub(super) async fn fill_disk(&self, length: Duration) -> Result<bool> {
        let Some(disk) = &self.disk else { return Ok(false) };
        disk.fill().await?;
        tokio::time::sleep(length).await;
        disk.clear().await?;
        // A ping is answered by a mongod that is about to end; one that writes everything down has got over it.
        let admin = self.billing.client().database("admin");
        let written = tokio::time::timeout(WRITTEN_DOWN, admin.run_command(doc! { "fsync": 1 })).await;
        if !matches!(written, Ok(Ok(_))) {
            self.restart(Server::MongoDb).await?;
        }
        Ok(true)
    }

    /// Which processes do not say that they are ready, and what they say instead.
    pub(in crate::chaos) async fn unready(&self, http: &reqwest::Client) -> Vec<String> {
        let mut unready = Vec::new();
        for member in &self.fleet.members {
            let answer = http.get(format!("{}/health/ready", member.url)).send().await;
            let said = match answer {
                Ok(answer) if answer.status().is_success() => continue,
                Ok(answer) => answer.text().await.unwrap_or_default(),
                Err(error) => error.to_string(),
            };
            unready.push(format!("{} is not ready: {said}", member.name));
        }
        unready
    }

    /// Whether every process says that it is ready.
    pub(in crate::chaos) async fn all_ready(&self, http: &reqwest::Client) -> bool {
        self.unready(http).await.is_empty()
    }
}
