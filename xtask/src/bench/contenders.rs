//! The processes that are measured, started alike whoever made them.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use billwright_services::free_port;

use super::{billz::Billz, figures::Contender, ground::Ground};
use crate::process::Process;

/// How long a process may take until it serves.
const START_DEADLINE: Duration = Duration::from_mins(1);

/// What a process is to do.
#[derive(Debug, Clone, Copy)]
pub(super) enum Service<'a> {
    /// The billing API.
    Api { database: &'a str },
    /// The consumer of customer events.
    Events {
        database: &'a str,
        topic: &'a str,
        group: &'a str,
    },
    /// The order worker.
    Worker {
        database: &'a str,
        billz: &'a Billz,
        in_hand: u32,
        /// `BILLZ_RATE_LIMIT`.
        rate: &'a str,
    },
    /// All of it in one process, which only ours can do.
    All {
        billing: &'a str,
        orders: &'a str,
        topic: &'a str,
        billz: &'a Billz,
    },
}

/// A process that is measured.
#[derive(Debug)]
pub(super) struct Running {
    process: Process,
    pub(super) pid: i32,
    /// Where its HTTP server is.
    pub(super) url: String,
    /// When it was started.
    pub(super) begun: Instant,
}

impl Running {
    /// An error if the process has ended.
    pub(super) fn check(&mut self) -> Result<()> {
        self.process.check_running()
    }

    /// Stops it as an operator would.
    pub(super) async fn stop(self) -> Result<()> {
        self.process.stop().await.map(drop)
    }
}

impl Ground {
    /// Starts a contender. It need not serve yet.
    pub(super) async fn start(&mut self, who: Contender, service: Service<'_>) -> Result<Running> {
        let port = free_port()?;
        let (program, arguments) = self.command(who, service)?;
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let environment = self.environment(who, service, port);
        let name = self.next_name(who);
        let begun = Instant::now();
        let mut process = Process::start(&name, &program, &arguments, environment, self.folder())?;
        let pid = loop {
            // The shell that watches it starts it in a moment.
            if let Some(pid) = process.pid() {
                break pid;
            }
            process.check_running()?;
            if begun.elapsed() > START_DEADLINE {
                bail!("{who} has no process after {} s", START_DEADLINE.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        Ok(Running {
            process,
            pid,
            url: format!("http://127.0.0.1:{port}"),
            begun,
        })
    }

    /// Starts a contender with an HTTP server and waits until it says that it is ready. Says how long that took.
    pub(super) async fn start_ready(&mut self, who: Contender, service: Service<'_>) -> Result<(Running, Duration)> {
        let mut running = self.start(who, service).await?;
        let path = if who == Contender::Ours {
            "/health/ready"
        } else {
            "/health"
        };
        let health = format!("{}{path}", running.url);
        loop {
            let answer = self.http().get(&health).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                let took = running.begun.elapsed();
                return Ok((running, took));
            }
            running.check()?;
            if running.begun.elapsed() > START_DEADLINE {
                bail!("{who} is not ready after {} s", START_DEADLINE.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn command(&self, who: Contender, service: Service<'_>) -> Result<(PathBuf, Vec<String>)> {
        if who == Contender::Ours {
            let mut arguments = vec!["run".to_owned()];
            if let Some(role) = service.role() {
                arguments.extend(["--roles".to_owned(), role.to_owned()]);
            }
            return Ok((self.program().to_owned(), arguments));
        }
        let peers = self.peers().context("no peers were given")?;
        let folder = match service {
            Service::Api { .. } | Service::Events { .. } => "telecomx",
            Service::Worker { .. } => "billz-worker",
            Service::All { .. } => bail!("no peer does everything in one process"),
        };
        Ok((peers.node().to_owned(), vec![script(peers.folder(), folder)]))
    }

    fn environment(&self, who: Contender, service: Service<'_>, port: u16) -> Vec<(&'static str, String)> {
        let servers = self.servers();
        let text = |value: &str| value.to_owned();
        let mut variables = vec![
            ("NODE_ENV", text("production")),
            ("HOST", text("127.0.0.1")),
            ("PORT", port.to_string()),
        ];
        let events = |topic: &str, group: &str| {
            [
                ("KAFKA_BROKERS", servers.kafka.brokers()),
                ("KAFKA_TOPIC", text(topic)),
                ("KAFKA_GROUP_ID", text(group)),
                (
                    "KAFKA_MODE",
                    text(if who == Contender::PeerOneByOne {
                        "message"
                    } else {
                        "batch"
                    }),
                ),
            ]
        };
        let worker = |billz: &Billz, in_hand: u32, rate: &str| {
            [
                ("REDIS_URL", servers.redis.url()),
                ("REDIS_HOST", text("127.0.0.1")),
                ("REDIS_PORT", servers.redis.port().to_string()),
                ("WORKER_CONCURRENCY", in_hand.to_string()),
                ("BILLZ_RATE_LIMIT", text(rate)),
            ]
            .into_iter()
            .chain(billz.environment())
            .collect::<Vec<_>>()
        };
        match service {
            Service::Api { database } => {
                variables.extend([("MONGODB_URI", self.uri(database)), ("KAFKA_ENABLED", text("false"))]);
            }
            Service::Events { database, topic, group } => {
                variables.push(("MONGODB_URI", self.uri(database)));
                variables.extend(events(topic, group));
            }
            Service::Worker {
                database,
                billz,
                in_hand,
                rate,
            } => {
                variables.push(("MONGODB_URI", self.uri(database)));
                variables.extend(worker(billz, in_hand, rate));
            }
            Service::All {
                billing,
                orders,
                topic,
                billz,
            } => {
                variables.extend([
                    ("BILLING_MONGODB_URI", self.uri(billing)),
                    ("BILLZ_MONGODB_URI", self.uri(orders)),
                ]);
                variables.extend(events(topic, &format!("{topic}-all")));
                variables.extend(worker(billz, 20, "off"));
            }
        }
        variables
    }
}

impl Service<'_> {
    /// As `--roles` takes it; none for all roles.
    fn role(self) -> Option<&'static str> {
        match self {
            Self::Api { .. } => Some("api"),
            Self::Events { .. } => Some("events"),
            Self::Worker { .. } => Some("worker"),
            Self::All { .. } => None,
        }
    }
}

fn script(peers: &Path, folder: &str) -> String {
    peers.join(folder).join("src/index.js").to_string_lossy().into_owned()
}
