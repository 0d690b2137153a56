//! What a test of the binary needs: a sandbox, databases, a queue and a topic of its own, and processes that end with it.

use std::{
    collections::BTreeMap,
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::http::Request;
use billwright_connectors::export::ExportTarget;
use billwright_sandbox::{BOT_TOKEN, GROUP_ID, SECRET_TOKEN, SHOP_ID, Sandbox, SandboxSettings};
use billwright_worker::{
    RedisSettings,
    admin::{EnqueueOptions, QueueAddress, QueueAdmin},
};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer as _},
    message::{Header, OwnedHeaders, OwnedMessage},
    producer::{FutureProducer, FutureRecord},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdin, Command},
};
use url::Url;

/// How long anything may take before a test gives up on it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(90);

/// Asks the program to stop when the pipe from the test closes, which happens even to a test that is killed.
const WATCH: &str = r#"
exec 3<&0
"$@" </dev/null 3<&- &
program=$!
{ cat <&3 >/dev/null; kill -TERM "$program"; } 2>/dev/null &
exec 3<&-
wait "$program"
"#;

/// Waits for a condition.
pub(crate) async fn until<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = tokio::time::Instant::now();
    loop {
        if let Some(met) = condition().await {
            return met;
        }
        assert!(begun.elapsed() < DEADLINE, "waited in vain for: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A world of a test's own.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) environment: BTreeMap<&'static str, String>,
    pub(crate) topic: String,
    kafka: ClientConfig,
    admin: AdminClient<DefaultClientContext>,
    producer: FutureProducer,
    folder: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(SandboxSettings::default()).await
    }

    pub(crate) async fn with(settings: SandboxSettings) -> Self {
        use billwright_services::shared;
        let unique = uuid::Uuid::new_v4().simple().to_string();
        let sandbox = Sandbox::start(settings).await.unwrap();
        let brokers = shared::kafka_brokers().await.unwrap();
        let mongodb = shared::mongodb_uri().await.unwrap();
        let database = |name: &str| {
            let (server, options) = mongodb.split_once('?').unwrap_or((&mongodb, ""));
            format!("{}/{name}_{unique}?{options}", server.trim_end_matches('/'))
        };
        let topic = format!("app-{unique}");
        let kafka = ClientConfig::new().set("bootstrap.servers", &brokers).clone();
        let admin: AdminClient<DefaultClientContext> = kafka.create().unwrap();
        let new = NewTopic::new(&topic, 1, TopicReplication::Fixed(1));
        admin.create_topics([&new], &AdminOptions::new()).await.unwrap();
        let environment = BTreeMap::from([
            ("NODE_ENV", "production".to_owned()),
            ("HOST", "127.0.0.1".to_owned()),
            ("PORT", "0".to_owned()),
            ("BILLZ_MONGODB_URI", database("app_billz")),
            ("BILLING_MONGODB_URI", database("app_billing")),
            ("REDIS_URL", shared::redis_url().await.unwrap()),
            ("BULLMQ_PREFIX", format!("app-{unique}")),
            ("KAFKA_BROKERS", brokers.clone()),
            ("KAFKA_TOPIC", topic.clone()),
            ("KAFKA_GROUP_ID", topic.clone()),
            ("BILLZ_TOKEN", SECRET_TOKEN.to_owned()),
            ("BILLZ_SHOP_ID", SHOP_ID.to_owned()),
            ("BILLZ_BASE_URL", sandbox.billz_url()),
            ("BILLZ_RATE_LIMIT", "off".to_owned()),
            ("TELEGRAM_BASE_URL", sandbox.telegram_url()),
            ("TELEGRAM_BOT_TOKEN", BOT_TOKEN.to_owned()),
            ("TELEGRAM_GROUP_ID", GROUP_ID.to_string()),
        ]);
        Self {
            sandbox,
            environment,
            topic,
            admin,
            producer: kafka.create().unwrap(),
            kafka,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn set(&mut self, name: &'static str, value: impl std::fmt::Display) {
        self.environment.insert(name, value.to_string());
    }

    /// Starts the service and waits until it listens.
    pub(crate) async fn start(&self, arguments: &[&str]) -> Process {
        let mut shell = Command::new("sh")
            .args(["-c", WATCH, "billwright", env!("CARGO_BIN_EXE_billwright"), "run"])
            .args(arguments)
            .env_clear()
            .envs(&self.environment)
            .env("PATH", "/usr/bin:/bin")
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let log: Arc<Mutex<Vec<Value>>> = Arc::default();
        let mut lines = BufReader::new(shell.stderr.take().unwrap()).lines();
        let kept = Arc::clone(&log);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let line = serde_json::from_str(&line).unwrap_or_else(|_| json!({ "text": line }));
                kept.lock().unwrap().push(line);
            }
        });
        let mut process = Process {
            pipe: shell.stdin.take(),
            shell,
            log,
            base: "http://127.0.0.1:9/".parse().unwrap(),
        };
        let address = until("the process to listen", async || {
            let log = process.log.lock().unwrap();
            let line = log.iter().find(|line| line["message"] == "listening")?;
            Some(line["address"].as_str().unwrap().to_owned())
        })
        .await;
        process.base = format!("http://{address}/").parse().unwrap();
        process
    }

    /// Runs a command to its end: status, answer and log.
    pub(crate) async fn command(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_billwright"))
            .args(arguments)
            .env_clear()
            .envs(&self.environment)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(DEADLINE, output).await.unwrap().unwrap();
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    }

    pub(crate) async fn queue(&self) -> QueueAdmin {
        let address = QueueAddress {
            redis: RedisSettings {
                url: self.environment["REDIS_URL"].clone().into(),
            },
            queue: "billz-operations".to_owned(),
            prefix: self.environment["BULLMQ_PREFIX"].clone(),
        };
        QueueAdmin::connect(&address).await.unwrap()
    }

    /// Adds a job as a producer does whose telemetry left `trace`.
    pub(crate) async fn add(&self, kind: &str, payload: Value, trace: Option<&str>) -> String {
        let id = uuid::Uuid::new_v4().to_string();
        let options = EnqueueOptions {
            job_id: Some(id.clone()),
            // Until its options are as they should be.
            delay: trace.map(|_| Duration::from_hours(1)),
            ..EnqueueOptions::default()
        };
        let data = json!({ "type": kind, "payload": payload, "correlationId": id, "timestamp": 1 });
        let queue = self.queue().await;
        queue.add("job", data, &options).await.unwrap();
        if let Some(trace) = trace {
            let client = redis::Client::open(self.environment["REDIS_URL"].as_str()).unwrap();
            let mut redis = client.get_multiplexed_async_connection().await.unwrap();
            let key = format!("{}:billz-operations:{id}", self.environment["BULLMQ_PREFIX"]);
            let options = json!({ "attempts": 0, "tm": json!({ "traceparent": trace }).to_string() }).to_string();
            redis::cmd("HSET")
                .arg(key)
                .arg("opts")
                .arg(options)
                .query_async::<()>(&mut redis)
                .await
                .unwrap();
            queue.promote(&id).await.unwrap();
        }
        id
    }

    /// Puts a message on the topic.
    pub(crate) async fn publish(&self, value: &str, headers: &[(&str, &str)]) {
        let mut all = OwnedHeaders::new();
        for (key, value) in headers {
            all = all.insert(Header {
                key,
                value: Some(*value),
            });
        }
        until("the broker to take a message", async || {
            let record = FutureRecord::to(&self.topic)
                .key("u1")
                .payload(value)
                .headers(all.clone());
            self.producer.send(record, Duration::from_secs(10)).await.ok()
        })
        .await;
    }

    /// Makes a topic of one partition, with a property.
    pub(crate) async fn create_topic(&self, name: &str, property: Option<(&str, &str)>) {
        let mut new = NewTopic::new(name, 1, TopicReplication::Fixed(1));
        if let Some((name, value)) = property {
            new = new.set(name, value);
        }
        let made = self.admin.create_topics([&new], &AdminOptions::new()).await.unwrap();
        assert!(made.iter().all(Result::is_ok), "{made:?}");
    }

    /// Makes the topic of the dead letters so small that it takes nothing until [`Self::take_dead_letters`].
    pub(crate) async fn refuse_dead_letters(&self) {
        let name = format!("{}.dlq", self.topic);
        self.create_topic(&name, Some(("max.message.bytes", "10"))).await;
    }

    /// Lets the dead letters be written.
    pub(crate) async fn take_dead_letters(&self) {
        let name = format!("{}.dlq", self.topic);
        let change = AlterConfig::new(ResourceSpecifier::Topic(&name)).set("max.message.bytes", "1000000");
        let changed = self.admin.alter_configs([&change], &AdminOptions::new()).await.unwrap();
        assert!(changed.iter().all(Result::is_ok), "{changed:?}");
    }

    /// The first message of a topic of one partition, once there is one.
    pub(crate) async fn first_of(&self, topic: &str) -> OwnedMessage {
        let mut kafka = self.kafka.clone();
        let consumer: BaseConsumer = kafka.set("group.id", format!("{topic}-reader")).create().unwrap();
        until("a message to be published", async || {
            let patience = Duration::from_secs(5);
            let (_, end) = consumer.fetch_watermarks(topic, 0, patience).ok()?;
            (end > 0).then_some(())
        })
        .await;
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
        consumer.assign(&assignment).unwrap();
        until("the message to be read", async || {
            let polled = consumer.poll(Duration::from_millis(100))?;
            Some(polled.ok()?.detach())
        })
        .await
    }

    /// What the group was told.
    pub(crate) fn told(&self) -> Vec<String> {
        let ledger = self.sandbox.ledger();
        ledger
            .messages
            .iter()
            .map(|message| message.plain_text.clone())
            .collect()
    }

    /// Removes the databases, the queue and the topics.
    pub(crate) async fn end(self) {
        for name in ["BILLZ_MONGODB_URI", "BILLING_MONGODB_URI"] {
            let client = mongodb::Client::with_uri_str(&self.environment[name]).await.unwrap();
            client.default_database().unwrap().drop().await.unwrap();
        }
        let client = redis::Client::open(self.environment["REDIS_URL"].as_str()).unwrap();
        if let Ok(mut redis) = client.get_multiplexed_async_connection().await {
            let mut keys = redis::cmd("KEYS");
            keys.arg(format!("{}:*", self.environment["BULLMQ_PREFIX"]));
            let keys: Vec<String> = keys.query_async(&mut redis).await.unwrap();
            if !keys.is_empty() {
                redis::cmd("DEL").arg(keys).query_async::<()>(&mut redis).await.unwrap();
            }
        }
        let topics = ["", ".dlq", "-out"].map(|suffix| format!("{}{suffix}", self.topic));
        let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
        // Not every test has all of them.
        let _ = self.admin.delete_topics(&topics, &AdminOptions::new()).await;
    }
}

/// A running service.
pub(crate) struct Process {
    shell: Child,
    pipe: Option<ChildStdin>,
    log: Arc<Mutex<Vec<Value>>>,
    base: Url,
}

impl Process {
    /// Status and body of a page.
    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let target = ExportTarget::new(&self.base, Duration::from_secs(20)).unwrap();
        let mut request = Request::get(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = target
            .send(request.body(axum::body::Bytes::new()).unwrap())
            .await
            .unwrap();
        (
            response.status().as_u16(),
            String::from_utf8_lossy(response.body()).into_owned(),
        )
    }

    /// The lines of the log so far.
    pub(crate) fn log(&self) -> Vec<Value> {
        self.log.lock().unwrap().clone()
    }

    /// Waits until everything that it depends on works.
    pub(crate) async fn ready(&self) {
        until("readiness", async || {
            (self.get("health/ready", &[]).await.0 == 200).then_some(())
        })
        .await;
    }

    /// Stops it gracefully.
    pub(crate) async fn stop(mut self) -> Vec<Value> {
        drop(self.pipe.take());
        tokio::time::timeout(DEADLINE, self.shell.wait())
            .await
            .unwrap()
            .unwrap();
        self.log()
    }
}
