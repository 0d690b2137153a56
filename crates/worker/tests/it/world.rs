//! What a test of the worker needs: a sandbox, a database, a queue, a producer that writes jobs as Node does, and workers.

use std::{sync::Arc, time::Duration};

use billwright_connectors::{
    billz::{Billz, BillzSettings},
    breaker::{Breaker, BreakerSettings},
    budget::Budget,
    telegram::{Telegram, TelegramSettings},
};
use billwright_domain::{HealthBoard, ShopId, SystemClock};
use billwright_sandbox::{BOT_TOKEN, GROUP_ID, SECRET_TOKEN, SHOP_ID, Sandbox, SandboxSettings};
use billwright_store::{Mongo, MongoSettings, bson::oid::ObjectId};
use billwright_worker::{RedisSettings, RetryPolicy, WorkerHandle, WorkerSettings};
use mongodb::{
    Collection, Database,
    bson::{Document, doc},
};
use redis::{AsyncCommands, aio::MultiplexedConnection};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// How long anything may take before a test gives up on it.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// A world of a test's own.
pub(crate) struct World {
    pub(crate) sandbox: Arc<Sandbox>,
    pub(crate) database: Database,
    pub(crate) redis: MultiplexedConnection,
    pub(crate) prefix: String,
    mongo: Mongo,
    mongo_uri: String,
    redis_url: String,
}

/// A worker of a test.
pub(crate) struct Worker {
    pub(crate) handle: WorkerHandle,
    pub(crate) cancel: CancellationToken,
    pub(crate) health: HealthBoard,
}

impl Worker {
    pub(crate) fn start(settings: WorkerSettings, billz: Billz, telegram: Option<Telegram>, mongo: Mongo) -> Self {
        let (cancel, health) = (CancellationToken::new(), HealthBoard::default());
        let clock = SystemClock::shared();
        let handle = billwright_worker::start(settings, billz, telegram, mongo, clock, health.clone(), cancel.clone());
        Self { handle, cancel, health }
    }

    /// Stops it gracefully.
    pub(crate) async fn stop(self) {
        self.cancel.cancel();
        tokio::time::timeout(DEADLINE, self.handle.finished()).await.unwrap();
    }
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ended {
    Completed(Value),
    Failed(String),
}

impl Ended {
    /// The return value of a job that must have completed.
    pub(crate) fn value(self) -> Value {
        match self {
            Self::Completed(value) => value,
            Self::Failed(reason) => panic!("the job failed: {reason}"),
        }
    }

    /// The reason of a job that must have failed.
    pub(crate) fn reason(self) -> String {
        match self {
            Self::Failed(reason) => reason,
            Self::Completed(value) => panic!("the job completed: {value}"),
        }
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(SandboxSettings::default()).await
    }

    pub(crate) async fn with(settings: SandboxSettings) -> Self {
        let uri = billwright_services::shared::mongodb_uri().await.unwrap();
        let redis_url = billwright_services::shared::redis_url().await.unwrap();
        Self::on(settings, uri, redis_url).await
    }

    /// A world on servers of a test's own.
    pub(crate) async fn on(settings: SandboxSettings, uri: String, redis_url: String) -> Self {
        let unique = uuid::Uuid::new_v4().simple().to_string();
        let name = format!("test_worker_{unique}");
        let mongo = open_mongo(&uri, &name).await;
        let client = mongodb::Client::with_uri_str(&uri).await.unwrap();
        let redis = redis_client(&redis_url);
        let patient = redis::AsyncConnectionConfig::new().set_response_timeout(Some(DEADLINE));
        Self {
            sandbox: Arc::new(Sandbox::start(settings).await.unwrap()),
            database: client.database(&name),
            redis: redis
                .get_multiplexed_async_connection_with_config(&patient)
                .await
                .unwrap(),
            prefix: format!("test-{unique}"),
            mongo,
            mongo_uri: uri,
            redis_url,
        }
    }

    /// The same world after its Redis was away.
    pub(crate) async fn reconnected(self) -> Self {
        let redis = redis_client(&self.redis_url);
        let patient = redis::AsyncConnectionConfig::new().set_response_timeout(Some(DEADLINE));
        Self {
            redis: redis
                .get_multiplexed_async_connection_with_config(&patient)
                .await
                .unwrap(),
            ..self
        }
    }

    /// The same world with a queue of its own.
    pub(crate) fn with_queue(&self, name: &str) -> Self {
        Self {
            sandbox: self.sandbox.clone(),
            database: self.database.clone(),
            redis: self.redis.clone(),
            prefix: format!("{}-{name}", self.prefix),
            mongo: self.mongo.clone(),
            mongo_uri: self.mongo_uri.clone(),
            redis_url: self.redis_url.clone(),
        }
    }

    /// The same world with a queue and a sandbox of its own.
    pub(crate) async fn beside(&self, name: &str, settings: SandboxSettings) -> Self {
        Self {
            sandbox: Arc::new(Sandbox::start(settings).await.unwrap()),
            ..self.with_queue(name)
        }
    }

    /// Settings that make a test quick.
    pub(crate) fn settings(&self) -> WorkerSettings {
        quick_settings(&self.redis_url, &self.prefix)
    }

    /// A Billz client with time-outs that suit a test, no budget, and a breaker that stays closed.
    pub(crate) fn billz(&self) -> Billz {
        self.billz_with(BreakerSettings {
            failures: 10_000,
            ..BreakerSettings::default()
        })
    }

    pub(crate) fn billz_with(&self, breaker: BreakerSettings) -> Billz {
        billz_at(&self.sandbox.billz_url(), Duration::from_millis(1_500), breaker)
    }

    pub(crate) fn telegram(&self) -> Telegram {
        Telegram::new(&TelegramSettings {
            base_url: self.sandbox.telegram_url().parse().unwrap(),
            bot_token: BOT_TOKEN.to_owned().into(),
            group_id: GROUP_ID.to_string(),
        })
        .unwrap()
    }

    /// Starts a worker, without notifications.
    pub(crate) fn start(&self) -> Worker {
        self.start_with(self.settings(), self.billz(), None)
    }

    pub(crate) fn start_with(&self, settings: WorkerSettings, billz: Billz, telegram: Option<Telegram>) -> Worker {
        Worker::start(settings, billz, telegram, self.mongo.clone())
    }

    pub(crate) fn mongo(&self) -> Mongo {
        self.mongo.clone()
    }

    pub(crate) fn mongo_uri(&self) -> &str {
        &self.mongo_uri
    }

    pub(crate) fn redis_url(&self) -> &str {
        &self.redis_url
    }

    pub(crate) fn collection(&self, name: &str) -> Collection<Document> {
        self.database.collection(name)
    }

    /// The name of one of the queue's keys.
    pub(crate) fn key(&self, suffix: &str) -> String {
        format!("{}:billz-operations:{suffix}", self.prefix)
    }

    /// Adds a job as a Node producer does that asks for nothing.
    pub(crate) async fn add(&self, kind: &str, payload: Value) -> String {
        let correlation = uuid::Uuid::new_v4().to_string();
        self.add_data(&json!({"type": kind, "payload": payload, "correlationId": correlation, "timestamp": 1}))
            .await
    }

    pub(crate) async fn add_data(&self, data: &Value) -> String {
        self.add_raw(&data.to_string(), r#"{"attempts":0}"#, true).await
    }

    /// Adds a job with exactly these texts as data and options. Version 4 writes no marker.
    pub(crate) async fn add_raw(&self, data: &str, options: &str, marker: bool) -> String {
        let mut redis = self.redis.clone();
        let id: u64 = redis.incr(self.key("id"), 1).await.unwrap();
        let (id, key) = (id.to_string(), self.key(&id.to_string()));
        let mut pipe = redis::pipe();
        pipe.atomic()
            .hset_multiple(
                &key,
                &[
                    ("name", "job"),
                    ("data", data),
                    ("opts", options),
                    ("delay", "0"),
                    ("priority", "0"),
                ],
            )
            .hset(&key, "timestamp", "1764400000000")
            .lpush(self.key("wait"), &id);
        if marker {
            pipe.cmd("ZADD").arg(self.key("marker")).arg(0).arg("0");
        }
        for event in ["added", "waiting"] {
            pipe.cmd("XADD")
                .arg(self.key("events"))
                .arg("*")
                .arg("event")
                .arg(event)
                .arg("jobId")
                .arg(&id);
        }
        pipe.query_async::<()>(&mut redis).await.unwrap();
        id
    }

    /// A field of a job's hash, as Node would read it.
    pub(crate) async fn field(&self, job: &str, field: &str) -> Option<String> {
        self.redis.clone().hget(self.key(job), field).await.unwrap()
    }

    pub(crate) async fn logs(&self, job: &str) -> Vec<String> {
        self.redis
            .clone()
            .lrange(format!("{}:logs", self.key(job)), 0, -1)
            .await
            .unwrap()
    }

    /// Waits until a job has completed or failed.
    pub(crate) async fn ended(&self, job: &str) -> Ended {
        let mut redis = self.redis.clone();
        let deadline = tokio::time::Instant::now() + DEADLINE;
        loop {
            let (completed, failed): (Option<f64>, Option<f64>) = redis::pipe()
                .zscore(self.key("completed"), job)
                .zscore(self.key("failed"), job)
                .query_async(&mut redis)
                .await
                .unwrap();
            if completed.is_some() {
                let text = self
                    .field(job, "returnvalue")
                    .await
                    .unwrap_or_else(|| "null".to_owned());
                return Ended::Completed(serde_json::from_str(&text).unwrap());
            }
            if failed.is_some() {
                return Ended::Failed(self.field(job, "failedReason").await.unwrap_or_default());
            }
            if tokio::time::Instant::now() > deadline {
                let fields: std::collections::BTreeMap<String, String> = redis.hgetall(self.key(job)).await.unwrap();
                panic!("job {job} has not ended: {fields:?}, logs {:?}", self.logs(job).await);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Adds a job and waits for its end.
    pub(crate) async fn run(&self, kind: &str, payload: Value) -> Ended {
        let job = self.add(kind, payload).await;
        self.ended(&job).await
    }

    /// What a dead worker held runs out, as it would after half a minute.
    pub(crate) async fn let_locks_run_out(&self, job: &str) {
        self.redis
            .clone()
            .del::<_, ()>(format!("{}:lock", self.key(job)))
            .await
            .unwrap();
        let held = doc! { "owner": { "$regex": format!("^{}:", self.key(job)) } };
        for collection in ["leases", "operations"] {
            let gone = doc! { "$set": { "until": 0_i64 } };
            self.collection(collection)
                .update_many(held.clone(), gone)
                .await
                .unwrap();
        }
    }

    /// A client document, with or without an id in Billz.
    pub(crate) async fn client(&self, phone: f64, billz_id: Option<&str>) -> ObjectId {
        let id = ObjectId::new();
        let mut client = doc! { "_id": id, "phone": phone, "firstName": "Aziza", "lastName": "Karimova", "__v": 0 };
        if let Some(billz_id) = billz_id {
            client.insert("billzId", billz_id);
        }
        self.collection("clients").insert_one(client).await.unwrap();
        id
    }

    /// Drops what the test made.
    pub(crate) async fn end(self) {
        self.database.drop().await.unwrap();
        let mut redis = self.redis.clone();
        let keys: Vec<String> = redis.keys(format!("{}*", self.prefix)).await.unwrap();
        if !keys.is_empty() {
            redis.del::<_, ()>(keys).await.unwrap();
        }
        if let Some(sandbox) = Arc::into_inner(self.sandbox) {
            sandbox.stop().await;
        }
    }
}

/// A connection to one database.
pub(crate) async fn open_mongo(uri: &str, database: &str) -> Mongo {
    let settings = MongoSettings {
        uri: uri.to_owned().into(),
        database: database.to_owned(),
        server_selection_timeout: Duration::from_secs(2),
        max_pool_size: 20,
    };
    Mongo::open(&settings).await.unwrap()
}

fn redis_client(url: &str) -> redis::Client {
    let settings = RedisSettings {
        url: url.to_owned().into(),
    };
    settings.client().unwrap()
}

/// Settings that make a test quick.
pub(crate) fn quick_settings(redis_url: &str, prefix: &str) -> WorkerSettings {
    let redis = RedisSettings {
        url: redis_url.to_owned().into(),
    };
    let mut settings = WorkerSettings::new(redis, ShopId::parse(SHOP_ID).unwrap());
    prefix.clone_into(&mut settings.prefix);
    // Locks are long, so that a busy machine loses none; a test that needs one to run out says so.
    settings.stalled_interval = Duration::from_millis(300);
    settings.settle = Duration::from_millis(50);
    settings.look_after_every = Duration::from_millis(300);
    settings.grace = Duration::from_secs(5);
    settings.retry = RetryPolicy {
        base: Duration::from_millis(20),
        ..RetryPolicy::default()
    };
    settings
}

/// A Billz client without a budget.
pub(crate) fn billz_at(url: &str, request_timeout: Duration, breaker: BreakerSettings) -> Billz {
    let shop = ShopId::parse(SHOP_ID).unwrap();
    let secret = SECRET_TOKEN.to_owned().into();
    let mut settings = BillzSettings::new(url.parse().unwrap(), secret, shop);
    settings.request_timeout = request_timeout;
    settings.operation_timeout = request_timeout * 2;
    let clock = SystemClock::shared();
    let breaker = Breaker::new(breaker, clock.clone());
    Billz::new(settings, Budget::unlimited(), breaker, clock, None).unwrap()
}

/// Waits until `condition` holds.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    while !condition().await {
        assert!(tokio::time::Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A payload of `PLACE_ORDER`: two products, 225 in all.
pub(crate) fn order(number: &str, client: ObjectId) -> Value {
    json!({
        "orderID": number, "clientIdSys": client.to_hex(), "region": "Tashkent", "subTotalPrice": 225, "totalPrice": 225,
        "discountAmount": 0, "isPaid": false, "storeId": "store123", "unknownField": 1,
        "products": [
            {"productID": "p-1", "ID": "prod123", "qty": 3, "name": {"en": "A", "uz": "B"}, "sku": "S", "barCode": "1",
             "subTotalPrice": 150, "totalPrice": 150, "discountAmount": 0},
            {"productID": "product123", "qty": 1, "name": "C", "sku": "T", "barCode": "2", "subTotalPrice": 75,
             "totalPrice": 75, "discountAmount": 0},
        ],
    })
}
