//! A shop: the dashboard with a sandbox of Billz, and workers where a test wants one.

use std::time::Duration;

use billwright_connectors::{
    billz::{Billz, BillzSettings},
    breaker::{Breaker, BreakerSettings},
    budget::Budget,
};
use billwright_dashboard::Sources;
use billwright_domain::{HealthBoard, ShopId, SystemClock};
use billwright_sandbox::{SECRET_TOKEN, SHOP_ID, Sandbox, SandboxSettings};
use billwright_store::billz::indexes;
use billwright_worker::{
    RetryPolicy, WorkerHandle, WorkerSettings,
    admin::{EnqueueOptions, JobState, QueueAdmin},
};
use mongodb::bson::{Document, doc, oid::ObjectId};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    browser::Browser,
    test_dashboard::{PASSWORD, TestDashboard},
};

/// How long anything may take before a test gives up on it.
const DEADLINE: Duration = Duration::from_secs(30);

/// The phone number of the client that tests make.
pub(crate) const PHONE: &str = "+998901112233";

pub(crate) struct Shop {
    pub(crate) dashboard: TestDashboard,
    pub(crate) sandbox: Sandbox,
    pub(crate) billz: Billz,
    pub(crate) queue: QueueAdmin,
}

/// A worker that ends with the test.
pub(crate) struct Worker {
    handle: WorkerHandle,
    cancel: CancellationToken,
}

impl Worker {
    pub(crate) async fn stop(self) {
        self.cancel.cancel();
        tokio::time::timeout(DEADLINE, self.handle.finished()).await.unwrap();
    }
}

impl Shop {
    pub(crate) async fn open() -> Self {
        Self::open_with(|_| {}).await
    }

    /// With sources that a test changes.
    pub(crate) async fn open_with(change: impl FnOnce(&mut Sources)) -> Self {
        let sandbox = Sandbox::start(SandboxSettings::default()).await.unwrap();
        let mut dashboard = TestDashboard::worker().await;
        indexes::ensure(&dashboard.mongo).await.unwrap();
        let shop = ShopId::parse(SHOP_ID).unwrap();
        let mut settings = BillzSettings::new(
            sandbox.billz_url().parse().unwrap(),
            SECRET_TOKEN.to_owned().into(),
            shop,
        );
        settings.request_timeout = Duration::from_secs(2);
        let clock = SystemClock::shared();
        let breaker = BreakerSettings {
            failures: 10_000,
            ..BreakerSettings::default()
        };
        let breaker = Breaker::new(breaker, clock.clone());
        let billz = Billz::new(settings, Budget::unlimited(), breaker, clock, None).unwrap();
        dashboard.sources.billz = Some(billz.clone());
        change(&mut dashboard.sources);
        let queue = dashboard.queue_admin().await;
        Self {
            dashboard: dashboard.start().await,
            sandbox,
            billz,
            queue,
        }
    }

    /// Starts a worker; `base` is the first wait between attempts.
    pub(crate) fn worker(&self, base: Duration) -> Worker {
        let mut settings = WorkerSettings::new(self.dashboard.queue.redis.clone(), ShopId::parse(SHOP_ID).unwrap());
        settings.prefix.clone_from(&self.dashboard.queue.prefix);
        settings.settle = Duration::from_millis(50);
        settings.look_after_every = Duration::from_mins(1);
        settings.grace = Duration::from_secs(5);
        settings.retry = RetryPolicy {
            base,
            ..RetryPolicy::default()
        };
        let (cancel, health) = (CancellationToken::new(), HealthBoard::default());
        let mongo = self.dashboard.mongo.clone();
        let clock = SystemClock::shared();
        let handle = billwright_worker::start(settings, self.billz.clone(), None, mongo, clock, health, cancel.clone());
        Worker { handle, cancel }
    }

    /// Adds a job as a producer does.
    pub(crate) async fn add(&self, kind: &str, payload: Value) -> String {
        self.add_with(kind, payload, &EnqueueOptions::default()).await
    }

    pub(crate) async fn add_with(&self, kind: &str, payload: Value, options: &EnqueueOptions) -> String {
        let correlation = uuid::Uuid::new_v4().to_string();
        let data = json!({"type": kind, "payload": payload, "correlationId": correlation, "timestamp": 1});
        self.queue.add("job", data, options).await.unwrap()
    }

    /// Waits until a job is in this state.
    pub(crate) async fn is(&self, job: &str, state: JobState) {
        let deadline = tokio::time::Instant::now() + DEADLINE;
        loop {
            let now = self.queue.show(job).await.unwrap();
            if now.summary.state == state {
                return;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "job {job} is not {state:?}: {now:?}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A client document.
    pub(crate) async fn client(&self) -> ObjectId {
        let id = ObjectId::new();
        let client =
            doc! { "_id": id, "phone": 998_901_112_233.0, "firstName": "Aziza", "lastName": "Karimova", "__v": 0 };
        self.dashboard
            .database
            .collection::<Document>("clients")
            .insert_one(client)
            .await
            .unwrap();
        id
    }

    /// The order document with this number.
    pub(crate) async fn order(&self, number: &str) -> Document {
        let orders = self.dashboard.database.collection::<Document>("orders");
        orders.find_one(doc! { "orderID": number }).await.unwrap().unwrap()
    }

    /// Places an order and waits until it is placed. Returns its job and its document's id.
    pub(crate) async fn placed(&self, number: &str, client: ObjectId) -> (String, String) {
        let job = self.add("PLACE_ORDER", order(number, client)).await;
        self.is(&job, JobState::Completed).await;
        let id = self.order(number).await.get_object_id("_id").unwrap().to_hex();
        (job, id)
    }

    /// The operator in front of another process's dashboard, which has seen no sale yet.
    pub(crate) async fn operator_elsewhere(&self) -> Browser {
        let mut browser = self.dashboard.browser_elsewhere().await;
        browser.sign_in("anna", PASSWORD).await;
        browser
    }

    pub(crate) async fn close(self) {
        self.dashboard.drop_all().await;
        self.sandbox.stop().await;
    }
}

/// A payload of `PLACE_ORDER`: two products, 225 in all.
pub(crate) fn order(number: &str, client: ObjectId) -> Value {
    json!({
        "orderID": number, "clientIdSys": client.to_hex(), "region": "Tashkent", "subTotalPrice": 225, "totalPrice": 225,
        "discountAmount": 0, "isPaid": false,
        "products": [
            {"productID": "p-1", "ID": "prod123", "qty": 3, "name": "Tea", "subTotalPrice": 150, "totalPrice": 150},
            {"productID": "product123", "qty": 1, "name": "Cup", "subTotalPrice": 75, "totalPrice": 75},
        ],
    })
}

/// What stands in the page between two texts.
pub(crate) fn between<'a>(page: &'a str, from: &str, to: &str) -> &'a str {
    let after = page
        .split(from)
        .nth(1)
        .unwrap_or_else(|| panic!("`{from}` is not in:\n{page}"));
    after.split(to).next().unwrap_or_default()
}
