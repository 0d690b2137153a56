//! The connections through which the demo acts, as producers and callers do, and through which it looks at the effects:
//! MongoDB, Redis, the topic and the API, each directly.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use bson::{Document, doc};
use mongodb::{Collection, Database};
use rdkafka::{
    ClientConfig,
    message::OwnedHeaders,
    producer::{FutureProducer, FutureRecord},
};
use redis::{AsyncCommands as _, aio::MultiplexedConnection};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::test_bed::TestBed;

/// How long an effect may take to show. In passing it takes milliseconds; what is waited for longest is Telegram, whose
/// groups take one message a second.
const DEADLINE: Duration = Duration::from_secs(20);

/// Everything that a step needs.
pub(super) struct Stage {
    /// The running whole.
    pub(super) bed: TestBed,
    /// The order worker's database.
    pub(super) billz: Database,
    /// The billing database.
    pub(super) billing: Database,
    redis: MultiplexedConnection,
    producer: FutureProducer,
    http: reqwest::Client,
}

/// How a job ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// With this return value.
    Completed(Value),
    /// For good, with this reason, after so many attempts.
    Failed {
        /// What the producer reads as `failedReason`.
        reason: String,
        /// How often it was started.
        attempts: u32,
    },
}

impl Stage {
    /// Connects to everything in the test bed.
    pub(super) async fn set(bed: TestBed) -> Result<Self> {
        let database = async |uri: &str| {
            let client = mongodb::Client::with_uri_str(uri).await?;
            client
                .default_database()
                .context("the run's connection strings name a database")
        };
        let places = &bed.places;
        Ok(Self {
            billz: database(&places.billz_mongodb_uri).await?,
            billing: database(&places.billing_mongodb_uri).await?,
            redis: redis::Client::open(places.redis_url.as_str())?
                .get_multiplexed_async_connection()
                .await?,
            producer: ClientConfig::new()
                .set("bootstrap.servers", &places.kafka_brokers)
                .create()?,
            http: reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?,
            bed,
        })
    }

    /// Puts a job on the queue with the product's own command, and waits until Redis says that it ended.
    pub(super) async fn job(&self, kind: &str, payload: &Value) -> Result<Ended> {
        let correlation_id = uuid::Uuid::now_v7().to_string();
        self.job_as(kind, payload, &correlation_id).await
    }

    /// The same, under a correlation id that the producer chose.
    pub(super) async fn job_as(&self, kind: &str, payload: &Value, correlation_id: &str) -> Result<Ended> {
        let arguments = [
            "enqueue",
            kind,
            "--file",
            "-",
            "--correlation-id",
            correlation_id,
            "--json",
        ];
        let answer = self.bed.command(&arguments, &payload.to_string()).await?;
        let answer: Value = serde_json::from_str(&answer).context("`billwright enqueue` answers with JSON")?;
        let id = answer["jobId"].as_str().context("`billwright enqueue` names the job")?;
        self.ended(id).await
    }

    /// Puts a job on the queue as a producer does that checks nothing, in BullMQ's own format: the product's command would
    /// refuse it.
    pub(super) async fn unchecked_job(&self, kind: &str, payload: &Value) -> Result<Ended> {
        let queue = format!("{}:billz-operations", self.bed.places.bullmq_prefix);
        let mut redis = self.redis.clone();
        let id: u64 = redis.incr(format!("{queue}:id"), 1).await?;
        let data = json!({"type": kind, "payload": payload}).to_string();
        let job = [
            ("name", "demo"),
            ("data", &data),
            ("opts", r#"{"attempts":5}"#),
            ("timestamp", "1795960800000"),
            ("delay", "0"),
            ("priority", "0"),
        ];
        let mut add = redis::pipe();
        add.atomic()
            .hset_multiple(format!("{queue}:{id}"), &job)
            .lpush(format!("{queue}:wait"), id)
            .zadd(format!("{queue}:marker"), "0", 0);
        add.exec_async(&mut redis).await?;
        self.ended(&id.to_string()).await
    }

    async fn ended(&self, id: &str) -> Result<Ended> {
        let key = format!("{}:billz-operations:{id}", self.bed.places.bullmq_prefix);
        until("the job's end", async || {
            let job: std::collections::HashMap<String, String> = self.redis.clone().hgetall(&key).await?;
            if !job.contains_key("finishedOn") {
                return Ok(None);
            }
            if let Some(reason) = job.get("failedReason") {
                let attempts = job.get("ats").and_then(|count| count.parse().ok()).unwrap_or_default();
                return Ok(Some(Ended::Failed {
                    reason: reason.clone(),
                    attempts,
                }));
            }
            let value = job.get("returnvalue").map_or("null", String::as_str);
            Ok(Some(Ended::Completed(serde_json::from_str(value)?)))
        })
        .await
    }

    /// Produces an event for a customer and waits until the broker has it. The answer is its partition and offset.
    pub(super) async fn event(&self, key: &str, value: &str) -> Result<(i32, i64)> {
        let headers = OwnedHeaders::new();
        let record = FutureRecord::to(&self.bed.places.kafka_topic)
            .key(key)
            .payload(value)
            .headers(headers);
        match self.producer.send(record, DEADLINE).await {
            Ok(written) => Ok((written.partition, written.offset)),
            Err((error, _)) => Err(error).context("the broker took no event"),
        }
    }

    /// Calls the API; the answer is its status and body.
    pub(super) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<(u16, Value)> {
        let request = self
            .http
            .request(method, format!("{}{path}", self.bed.places.billwright_url));
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let response = request.send().await?;
        let status = response.status().as_u16();
        let text = response.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// `POST`, which must be answered with 201 and the new document.
    pub(super) async fn create(&self, path: &str, body: &Value) -> Result<Value> {
        let (status, answer) = self.call(Method::POST, path, Some(body)).await?;
        ensure!(status == 201, "POST {path} was answered with {status}: {answer}");
        Ok(answer)
    }

    /// `GET`, which must be answered with 200.
    pub(super) async fn read(&self, path: &str) -> Result<Value> {
        let (status, answer) = self.call(Method::GET, path, None).await?;
        ensure!(status == 200, "GET {path} was answered with {status}: {answer}");
        Ok(answer)
    }

    /// Waits until a collection holds a document that `filter` describes.
    pub(super) async fn document(&self, collection: &Collection<Document>, filter: Document) -> Result<Document> {
        let what = format!("a document in `{}` with {filter}", collection.name());
        until(&what, async || Ok(collection.find_one(filter.clone()).await?)).await
    }

    /// How many numbers the billing database has given out.
    pub(super) async fn numbers_given(&self) -> Result<i64> {
        let counter = self
            .billing
            .collection::<Document>("counters")
            .find_one(doc! {"_id": "billingId"})
            .await?;
        Ok(counter
            .as_ref()
            .and_then(|found| whole(found, "seq"))
            .unwrap_or_default())
    }
}

impl Ended {
    /// The return value; a failure is an error.
    pub(super) fn completed(self) -> Result<Value> {
        match self {
            Self::Completed(value) => Ok(value),
            Self::Failed { reason, .. } => bail!("the job failed: {reason}"),
        }
    }

    /// The reason of the failure, which must have come at the first attempt.
    pub(super) fn failed_at_once(self) -> Result<String> {
        match self {
            Self::Failed { reason, attempts: 1 } => Ok(reason),
            Self::Failed { reason, attempts } => bail!("the job was tried {attempts} times: {reason}"),
            Self::Completed(value) => bail!("the job was completed: {value}"),
        }
    }
}

/// Asks `look` again and again until it has an answer.
pub(super) async fn until<T>(what: &str, look: impl AsyncFn() -> Result<Option<T>>) -> Result<T> {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        ensure!(
            started.elapsed() < DEADLINE,
            "waited {} s in vain for {what}",
            DEADLINE.as_secs()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A number of a document, however wide it is stored.
pub(super) fn whole(document: &Document, field: &str) -> Option<i64> {
    let value = document.get(field)?;
    value.as_i32().map(i64::from).or_else(|| value.as_i64()).or_else(|| {
        let double = value.as_f64().filter(|double| double.fract() == 0.0)?;
        format!("{double}").parse().ok()
    })
}

/// An event in the envelope of the documentation.
pub(super) fn documented(kind: &str, payload: &Value) -> String {
    json!({"type": kind, "payload": payload}).to_string()
}

/// An event in the envelope that the live producer sends.
pub(super) fn live(kind: &str, data: &Value) -> String {
    json!({"event": kind, "data": data, "timestamp": "2026-11-29T12:00:00.000Z"}).to_string()
}
