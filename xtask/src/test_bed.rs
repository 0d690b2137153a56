//! Everything at once: services, sandbox, and the real binary with all three roles, each on a free port and with
//! databases, queue and topic of the run's own.

use std::{net::TcpListener, path::PathBuf, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, anyhow, bail};
use billwright_sandbox::{
    BOT_TOKEN, GROUP_ID, GroupLimit, RateLimit, SECRET_TOKEN, SHOP_ID, Sandbox, SandboxSettings, TelegramSettings,
};
use billwright_services::{Services, progress};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{process::Command, time::Instant};

use crate::{
    cargo::cargo,
    process::{self, Process, Usage},
};

/// Partitions of the run's topic of customer events.
const PARTITIONS: i32 = 3;
/// How long a started program may take to answer.
const START_DEADLINE: Duration = Duration::from_secs(30);

/// Where the run's servers and data are.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// The address of the HTTP server: API, health, metrics.
    pub(crate) billwright_url: String,
    /// The address of the stand-in for Billz.
    pub(crate) billz_url: String,
    /// The address of the stand-in for Telegram.
    pub(crate) telegram_url: String,
    /// The order worker's database, with its name in the path.
    pub(crate) billz_mongodb_uri: String,
    /// The billing database, with its name in the path.
    pub(crate) billing_mongodb_uri: String,
    /// The server of the queue.
    pub(crate) redis_url: String,
    /// The prefix of the queue's keys.
    pub(crate) bullmq_prefix: String,
    /// The brokers, comma separated.
    pub(crate) kafka_brokers: String,
    /// The topic of customer events.
    pub(crate) kafka_topic: String,
    port: u16,
    rate_limit: String,
    /// Variables for the binary beside those that say where everything is.
    variables: Vec<(&'static str, String)>,
}

/// How much Billz and Telegram take, and with it how fast Billwright may go.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Limits {
    /// So many Billz calls a second, and what Telegram allows for one group.
    BillzCallsPerSecond(u32),
    /// As much as the machine can do.
    None,
}

/// The running whole.
#[derive(Debug)]
pub(crate) struct TestBed {
    /// Where everything is.
    pub(crate) places: Places,
    /// The stand-in for Billz and Telegram.
    pub(crate) sandbox: Sandbox,
    program: PathBuf,
    billwright: Process,
    directory: TempDir,
    services: Services,
}

impl TestBed {
    /// Builds the binary, starts everything and waits until all of it is ready.
    pub(crate) async fn start(limits: Limits) -> Result<Self> {
        Self::start_with(limits, Vec::new()).await
    }

    /// The same with more variables for the binary.
    pub(crate) async fn start_with(limits: Limits, variables: Vec<(&'static str, String)>) -> Result<Self> {
        Self::start_built(build(), limits, variables).await
    }

    /// The same with a binary that comes from `program`.
    pub(crate) async fn start_built(
        program: impl Future<Output = Result<PathBuf>>,
        limits: Limits,
        variables: Vec<(&'static str, String)>,
    ) -> Result<Self> {
        // The HTTP client asks for one even where nothing is encrypted; a second start finds it there.
        drop(rustls::crypto::ring::default_provider().install_default());
        let run = uuid::Uuid::new_v4().simple().to_string();
        let (program, services) = tokio::join!(program, services(&run));
        let (program, services) = (program?, services?);
        let sandbox = Sandbox::start(limits.sandbox_settings()).await?;
        let places = Places {
            variables,
            ..Places::new(&services, &sandbox, &run, limits)?
        };
        let directory = tempfile::Builder::new().prefix("billwright-").tempdir()?;
        let billwright = Process::start("billwright", &program, &["run"], places.environment(), directory.path())?;
        let mut bed = Self {
            places,
            sandbox,
            program,
            billwright,
            directory,
            services,
        };
        progress::during("waiting until Billwright is ready", bed.ready()).await?;
        Ok(bed)
    }

    async fn ready(&mut self) -> Result<()> {
        answers(
            &format!("{}/health/ready", self.places.billwright_url),
            &mut self.billwright,
        )
        .await
    }

    /// An error if the binary has ended, with the end of its log.
    pub(crate) fn check_running(&mut self) -> Result<()> {
        self.billwright.check_running()
    }

    /// What the binary takes of the machine now, where the system tells it.
    pub(crate) fn usage(&self) -> Option<Usage> {
        self.billwright.usage()
    }

    /// Runs another command of the binary on the same configuration, with `input` as its standard input.
    pub(crate) async fn command(&self, arguments: &[&str], input: &str) -> Result<String> {
        let mut child = Command::new(&self.program)
            .args(arguments)
            .env_clear()
            .envs(process::inherited())
            .envs(self.places.environment())
            .current_dir(self.directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            tokio::io::AsyncWriteExt::write_all(&mut stdin, input.as_bytes()).await?;
        }
        let output = child.wait_with_output().await?;
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.stderr);
            bail!(
                "`billwright {}` ended with {}: {}",
                arguments.join(" "),
                output.status,
                complaint.trim()
            );
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// What the binary logged.
    pub(crate) fn log(&self) -> String {
        self.billwright.log()
    }

    /// The last lines that the binary logged.
    pub(crate) fn log_end(&self, lines: usize) -> String {
        self.billwright.log_end(lines)
    }

    /// Stops the binary as an operator would and says how it ended; then removes what the run left in the services.
    pub(crate) async fn stop(self) -> Result<()> {
        let Self {
            places,
            billwright,
            sandbox,
            services,
            ..
        } = self;
        let ended = progress::during("stopping Billwright", billwright.stop()).await;
        sandbox.stop().await;
        places.remove_data().await?;
        drop(services);
        let status = ended?;
        if !status.success() {
            bail!("billwright ended with {status} after SIGTERM, instead of 0");
        }
        Ok(())
    }
}

impl Limits {
    fn sandbox_settings(self) -> SandboxSettings {
        match self {
            Self::None => SandboxSettings::default(),
            Self::BillzCallsPerSecond(calls) => SandboxSettings {
                rate_limit: Some(RateLimit::per_second(calls)),
                telegram: TelegramSettings {
                    group_limit: Some(GroupLimit::default()),
                    ..TelegramSettings::default()
                },
                ..SandboxSettings::default()
            },
        }
    }

    fn as_variable(self) -> String {
        match self {
            Self::None => "off".to_owned(),
            Self::BillzCallsPerSecond(calls) => format!("{calls}/s"),
        }
    }
}

impl Places {
    fn new(services: &Services, sandbox: &Sandbox, run: &str, limits: Limits) -> Result<Self> {
        let [(_, mongodb_uri), (_, redis_url), (_, kafka_brokers)] = services.variables();
        let port = free_port()?;
        Ok(Self {
            billwright_url: format!("http://127.0.0.1:{port}"),
            billz_url: sandbox.billz_url(),
            telegram_url: sandbox.telegram_url(),
            billz_mongodb_uri: with_database(&mongodb_uri, &format!("billz-{run}")),
            billing_mongodb_uri: with_database(&mongodb_uri, &format!("billing-{run}")),
            redis_url,
            bullmq_prefix: format!("bull-{run}"),
            kafka_brokers,
            kafka_topic: topic(run),
            port,
            rate_limit: limits.as_variable(),
            variables: Vec::new(),
        })
    }

    /// What the binary is configured with.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let text = |value: &str| value.to_owned();
        let mut variables = vec![
            ("HOST", text("127.0.0.1")),
            ("PORT", self.port.to_string()),
            ("BILLZ_MONGODB_URI", self.billz_mongodb_uri.clone()),
            ("BILLING_MONGODB_URI", self.billing_mongodb_uri.clone()),
            ("REDIS_URL", self.redis_url.clone()),
            ("BULLMQ_PREFIX", self.bullmq_prefix.clone()),
            ("BILLZ_BASE_URL", self.billz_url.clone()),
            ("BILLZ_TOKEN", text(SECRET_TOKEN)),
            ("BILLZ_SHOP_ID", text(SHOP_ID)),
            ("BILLZ_RATE_LIMIT", self.rate_limit.clone()),
            ("TELEGRAM_BASE_URL", self.telegram_url.clone()),
            ("TELEGRAM_BOT_TOKEN", text(BOT_TOKEN)),
            ("TELEGRAM_GROUP_ID", GROUP_ID.to_string()),
            ("KAFKA_BROKERS", self.kafka_brokers.clone()),
            ("KAFKA_TOPIC", self.kafka_topic.clone()),
            ("KAFKA_GROUP_ID", format!("{}-consumer", self.kafka_topic)),
        ];
        variables.extend(self.variables.iter().cloned());
        variables
    }

    /// Servers that were there before must be as they were; those of this run are about to go, but a copy of the data
    /// is the same everywhere.
    async fn remove_data(&self) -> Result<()> {
        for uri in [&self.billz_mongodb_uri, &self.billing_mongodb_uri] {
            let database = mongodb::Client::with_uri_str(uri).await?;
            database
                .default_database()
                .context("the run's connection strings name a database")?
                .drop()
                .await?;
        }
        let mut redis = redis::Client::open(self.redis_url.as_str())?
            .get_multiplexed_async_connection()
            .await?;
        let pattern = format!("{}*", self.bullmq_prefix);
        let keys: Vec<String> = {
            let mut found = redis::AsyncCommands::scan_match::<_, String>(&mut redis, pattern).await?;
            let mut keys = Vec::new();
            while let Some(key) = found.next_item().await {
                keys.push(key?);
            }
            keys
        };
        if !keys.is_empty() {
            redis::AsyncCommands::unlink::<_, ()>(&mut redis, keys).await?;
        }
        let dead_letters = format!("{}.dlq", self.kafka_topic);
        admin(&self.kafka_brokers)?
            .delete_topics(&[&self.kafka_topic, &dead_letters], &AdminOptions::new())
            .await?;
        Ok(())
    }
}

/// Starts the services, or takes those that the environment names, and makes a topic.
async fn services(run: &str) -> Result<Services> {
    let services = Services::start().await?;
    let [_, _, (_, kafka_brokers)] = services.variables();
    let topic = topic(run);
    let new = NewTopic::new(&topic, PARTITIONS, TopicReplication::Fixed(1));
    for outcome in admin(&kafka_brokers)?
        .create_topics([&new], &AdminOptions::new())
        .await?
    {
        outcome.map_err(|(topic, code)| anyhow!("the topic {topic} was not made: {code}"))?;
    }
    Ok(services)
}

fn topic(run: &str) -> String {
    format!("customers-{run}")
}

/// An administrator of topics.
pub(crate) fn admin(brokers: &str) -> Result<AdminClient<DefaultClientContext>> {
    Ok(ClientConfig::new().set("bootstrap.servers", brokers).create()?)
}

/// The connection string with another database in its path.
pub(crate) fn with_database(uri: &str, database: &str) -> String {
    let (address, options) = uri
        .split_once('?')
        .map_or((uri, None), |(address, options)| (address, Some(options)));
    let host = address.find("://").map_or(0, |position| position + 3);
    let end = address[host..]
        .find('/')
        .map_or(address.len(), |position| host + position);
    let options = options.map(|options| format!("?{options}")).unwrap_or_default();
    format!("{}/{database}{options}", &address[..end])
}

/// Builds the binary and finds out where it is, whatever the folder for targets.
pub(crate) async fn build() -> Result<PathBuf> {
    let mut command = cargo();
    // Without `--package`: with the features of the whole workspace, so that nothing is built twice.
    command.args(["build", "--bin", "billwright"]);
    built_by(command, "billwright").await
}

/// Runs a `cargo build` of the binary called `name` and finds out where it is.
pub(crate) async fn built_by(mut build: Command, name: &str) -> Result<PathBuf> {
    let output = build
        .args(["--message-format", "json-render-diagnostics"])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!("the binary `{name}` does not build; cargo has told why");
    }
    String::from_utf8(output.stdout)?
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == name && message["target"]["kind"][0] == "bin")
        .find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)))
        .with_context(|| format!("cargo built `{name}` without saying where it is"))
}

/// A port on which nobody listens now.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// Waits until `url` is answered with success by `process`.
async fn answers(url: &str, process: &mut Process) -> Result<()> {
    let started = Instant::now();
    loop {
        process.check_running()?;
        let last = match reqwest::get(url).await {
            Ok(response) if response.status().is_success() => return Ok(()),
            Ok(response) => format!("{}: {}", response.status(), response.text().await.unwrap_or_default()),
            Err(error) => error.to_string(),
        };
        if started.elapsed() > START_DEADLINE {
            let log = process.log_end(20);
            bail!(
                "{url} does not answer with success after {} s: {last}\nThe log ends with:\n{log}",
                START_DEADLINE.as_secs()
            );
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn puts_the_database_into_the_path() {
        for (uri, expected) in [
            (
                "mongodb://127.0.0.1:27117/?replicaSet=rs0",
                "mongodb://127.0.0.1:27117/shop?replicaSet=rs0",
            ),
            ("mongodb://127.0.0.1:27117", "mongodb://127.0.0.1:27117/shop"),
            ("mongodb://a:1,b:2/other?w=1", "mongodb://a:1,b:2/shop?w=1"),
            ("mongodb://a:1?w=1", "mongodb://a:1/shop?w=1"),
        ] {
            assert_eq!(with_database(uri, "shop"), expected);
        }
    }
}
