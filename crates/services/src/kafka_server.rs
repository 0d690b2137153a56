//! An Apache Kafka broker of the caller's own: one node (in `KRaft` mode) that is both broker and controller.

use std::{ffi::OsString, path::Path, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    fetch,
    kafka_security::{KafkaSecurity, SecuredPorts},
    port, progress,
    supervisor::Supervised,
};

const DEADLINE: Duration = Duration::from_mins(3);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// A broker for tests needs little memory, and starts sooner without the compiler that pays off after minutes.
const JVM: [&str; 5] = [
    "-Xms64m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
];

/// A running broker. Dropping it stops it and removes its data. It creates no topics by itself.
#[derive(Debug)]
pub struct KafkaServer {
    ports: Ports,
    process: Supervised,
}

impl KafkaServer {
    /// Starts the broker (fetching it, and Java, first where they are not installed) and returns once clients can use it.
    pub async fn start() -> Result<Self> {
        Self::start_with(None, None).await
    }

    /// As [`Self::start`], with listeners beside the plain one that ask for TLS, for a login, or for both.
    pub async fn start_secured(security: &KafkaSecurity) -> Result<Self> {
        Self::start_with(Some(security), None).await
    }

    /// As [`Self::start`], with a listener for clients that come through a proxy, which listens at `proxy` on 127.0.0.1.
    pub async fn start_behind_proxy(proxy: u16) -> Result<Self> {
        Self::start_with(None, Some(proxy)).await
    }

    async fn start_with(security: Option<&KafkaSecurity>, proxy: Option<u16>) -> Result<Self> {
        let (java, jars) = tokio::try_join!(fetch::java(), fetch::kafka_jars())?;
        loop {
            let ports = Ports {
                clients: port::free()?,
                controller: port::free()?,
                proxied: proxy
                    .map(|proxy| Ok::<_, anyhow::Error>((port::free()?, proxy)))
                    .transpose()?,
                secured: security.map(|_| SecuredPorts::free()).transpose()?,
            };
            if !ports.differ() {
                continue;
            }
            let prepared = Self::prepare(&java, &jars, ports, security);
            let server = progress::during("formatting Kafka's storage", prepared).await?;
            server.process.start().await?;
            match progress::during("starting Kafka", server.wait_until_serving()).await {
                Ok(()) => return Ok(server),
                Err(_) if server.lost_its_port().await? => {}
                Err(failure) => return Err(failure),
            }
        }
    }

    async fn prepare(java: &Path, jars: &Path, ports: Ports, security: Option<&KafkaSecurity>) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("billwright-kafka-").tempdir()?;
        let settings = directory.path().join("server.properties");
        let mut text = properties(directory.path(), &ports);
        let mut users = Vec::new();
        if let Some(security) = security {
            text += &security.write_to(directory.path())?;
            users = security.format_arguments();
        }
        std::fs::write(&settings, text)?;
        let class_path = jars.join("*");
        format_storage(java, &class_path, &settings, &users).await?;

        let mut command: Vec<OsString> = vec![java.into()];
        command.extend(JVM.map(Into::into));
        command.extend(["-cp".into(), class_path.into(), "kafka.Kafka".into(), settings.into()]);
        Ok(Self {
            ports,
            process: Supervised::new("Kafka", directory, command)?,
        })
    }

    /// `127.0.0.1:…`, as `KAFKA_BROKERS` takes it.
    pub fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.ports.clients)
    }

    /// The listener for TLS where the client shows a certificate of its own; none of a broker that is not secured.
    pub fn ssl_brokers(&self) -> Option<String> {
        self.ports.secured.map(|ports| format!("127.0.0.1:{}", ports.ssl))
    }

    /// The listener for a login in the clear; none of a broker that is not secured.
    pub fn sasl_plaintext_brokers(&self) -> Option<String> {
        self.ports
            .secured
            .map(|ports| format!("127.0.0.1:{}", ports.sasl_plaintext))
    }

    /// The listener for a login by TLS; none of a broker that is not secured.
    pub fn sasl_ssl_brokers(&self) -> Option<String> {
        self.ports.secured.map(|ports| format!("127.0.0.1:{}", ports.sasl_ssl))
    }

    /// The port on 127.0.0.1, the same after a restart.
    pub fn port(&self) -> u16 {
        self.ports.clients
    }

    /// The port of the listener for clients that come through a proxy, if there is one.
    pub fn proxied_port(&self) -> Option<u16> {
        self.ports.proxied.map(|(own, _)| own)
    }

    /// The process id of the broker; an error while it is killed.
    pub fn pid(&self) -> Result<i32> {
        self.process.pid()
    }

    /// SIGKILL; returns when the process is gone.
    pub async fn kill(&self) -> Result<()> {
        self.process.kill().await
    }

    /// Starts again on the same port with the same data, killing first if need be; returns once clients can use it.
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
        Ok(self.ports.all().any(|port| !port::is_free(port)))
    }

    async fn wait_until_serving(&self) -> Result<()> {
        self.process
            .wait_until(DEADLINE, async || {
                let nodes = nodes_known_to(&self.brokers()).await?;
                ensure!(
                    nodes == [i32::from(self.port())],
                    "the broker is not registered yet: nodes {nodes:?}"
                );
                Ok(())
            })
            .await
    }
}

/// Where a broker listens.
#[derive(Debug, Clone, Copy)]
struct Ports {
    clients: u16,
    controller: u16,
    /// For clients that come through a proxy: the broker's own port, and the proxy's.
    proxied: Option<(u16, u16)>,
    secured: Option<SecuredPorts>,
}

impl Ports {
    fn all(&self) -> impl Iterator<Item = u16> {
        let proxied = self.proxied.map(|(own, _)| own);
        let secured = self.secured.into_iter().flat_map(SecuredPorts::all);
        [self.clients, self.controller]
            .into_iter()
            .chain(proxied)
            .chain(secured)
    }

    fn differ(&self) -> bool {
        let mut ports: Vec<u16> = self.all().collect();
        ports.sort_unstable();
        ports.windows(2).all(|pair| pair[0] != pair[1])
    }
}

/// The node is named after its port, so that no other broker's answer is taken for this one's. A killed broker may
/// register again only when its session has timed out, by default after 9 s.
fn properties(directory: &Path, ports: &Ports) -> String {
    let data = directory.join("data");
    let (port, controller) = (ports.clients, ports.controller);
    let listener = |port| format!(",PROXIED://127.0.0.1:{port}");
    let proxied = ports.proxied.map(|(own, _)| listener(own)).unwrap_or_default();
    let proxy = ports.proxied.map(|(_, proxy)| listener(proxy)).unwrap_or_default();
    let secured = ports.secured.map(SecuredPorts::listeners).unwrap_or_default();
    format!(
        "process.roles=broker,controller
node.id={port}
controller.quorum.voters={port}@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}{proxied}{secured}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}{proxy}{secured}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT,\
SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs={}
num.partitions=6
auto.create.topics.enable=false
offsets.topic.num.partitions=8
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=250
log.cleaner.dedupe.buffer.size=4194304
",
        data.display()
    )
}

async fn format_storage(java: &Path, class_path: &Path, settings: &Path, users: &[String]) -> Result<()> {
    let cluster = uuid::Uuid::new_v4();
    let done = tokio::process::Command::new(java)
        .args(JVM)
        .arg("-cp")
        .arg(class_path)
        .args([
            "kafka.tools.StorageTool",
            "format",
            "--cluster-id",
            &cluster_id(cluster),
            "--config",
        ])
        .arg(settings)
        .args(users)
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("cannot run {}", java.display()))?;
    if !done.status.success() {
        bail!(
            "Kafka cannot format its storage: {}{}",
            text(&done.stdout),
            text(&done.stderr)
        );
    }
    Ok(())
}

fn text(output: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(output)
}

/// Kafka writes ids as base64url without padding, and takes none that begins with a dash.
fn cluster_id(id: uuid::Uuid) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let encoded = URL_SAFE_NO_PAD.encode(id.as_bytes());
    if encoded.starts_with('-') {
        cluster_id(uuid::Uuid::new_v4())
    } else {
        encoded
    }
}

/// Fails unless one of `brokers` (comma separated) answers. Plain text only: no test broker speaks TLS.
pub(crate) async fn check(brokers: &str) -> Result<()> {
    let mut last = anyhow::anyhow!("no address is given");
    for broker in brokers.split(',').map(str::trim).filter(|broker| !broker.is_empty()) {
        match nodes_known_to(broker).await {
            Ok(_) => return Ok(()),
            Err(failure) => last = failure.context(format!("no answer from {broker}")),
        }
    }
    Err(last)
}

/// The node ids in a broker's answer to a Metadata request (version 0, about no topic in particular). A full client
/// would take its C library into every test that only wants MongoDB.
async fn nodes_known_to(broker: &str) -> Result<Vec<i32>> {
    const METADATA: [u8; 18] = [
        0, 0, 0, 14, // length of the rest
        0, 3, 0, 0, // Metadata, version 0
        0, 0, 0, 1, // correlation id
        255, 255, // no client id
        0, 0, 0, 0, // no topics
    ];
    let exchange = async {
        let mut connection = TcpStream::connect(broker).await?;
        connection.write_all(&METADATA).await?;
        let (_length, _correlation) = (connection.read_i32().await?, connection.read_i32().await?);
        let count = connection.read_i32().await?;
        ensure!(
            (0..10_000).contains(&count),
            "no Kafka broker: its answer names {count} nodes"
        );
        let mut nodes = Vec::new();
        for _ in 0..count {
            nodes.push(connection.read_i32().await?);
            let mut host = vec![0; usize::try_from(connection.read_i16().await?)?];
            connection.read_exact(&mut host).await?;
            let _port = connection.read_i32().await?;
        }
        Ok(nodes)
    };
    tokio::time::timeout(REQUEST_TIMEOUT, exchange)
        .await
        .context("no answer in 5 s")?
}
