//! The API as a server on a port of its own, with a database of its own.

use std::{
    net::SocketAddr,
    sync::{Arc, Once},
    time::Duration,
};

use billwright_api::{Api, ApiSettings};
use billwright_domain::{Clock, HealthBoard, SystemClock};
use billwright_store::{Mongo, MongoSettings, billing::outbox::Outbox};
use mongodb::{
    Client, Collection, Database,
    bson::{Document, doc},
};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) struct TestApp {
    pub(crate) url: String,
    pub(crate) http: reqwest::Client,
    pub(crate) health: HealthBoard,
    pub(crate) mongo: Mongo,
    pub(crate) database: Database,
    uri: String,
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        Self::with(ApiSettings::default()).await
    }

    pub(crate) async fn with(settings: ApiSettings) -> Self {
        let server = billwright_services::shared::mongodb_uri().await.unwrap();
        let app = Self::on(&server, settings).await;
        app.ready().await;
        app
    }

    /// On the MongoDB at `server`, without waiting for it.
    pub(crate) async fn on(server: &str, settings: ApiSettings) -> Self {
        Self::open(server, |_| settings).await
    }

    /// With every change kept for publication.
    pub(crate) async fn publishing() -> Self {
        let server = billwright_services::shared::mongodb_uri().await.unwrap();
        let app = Self::open(&server, |mongo| ApiSettings {
            change_log: Some(Arc::new(Outbox::new(mongo.clone(), SystemClock::shared()))),
            ..ApiSettings::default()
        })
        .await;
        app.ready().await;
        app
    }

    async fn open(server: &str, settings: impl FnOnce(&Mongo) -> ApiSettings) -> Self {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let name = format!("billwright-api-{}", Uuid::new_v4().simple());
        let (address, options) = server.split_once('?').unwrap_or((server, ""));
        let uri = format!("{}/{name}?{options}", address.trim_end_matches('/'));
        let health = HealthBoard::default();
        let (mongo, url) = serve(&uri, &name, settings, SystemClock::shared(), health.clone()).await;
        let database = Client::with_uri_str(&uri).await.unwrap().database(&name);
        Self {
            url,
            http: reqwest::Client::new(),
            health,
            mongo,
            database,
            uri,
        }
    }

    /// The address of another process, as it were, on the same database, whose clock is `clock`.
    pub(crate) async fn another(&self, clock: Arc<dyn Clock>) -> String {
        serve(
            &self.uri,
            self.database.name(),
            |_| ApiSettings::default(),
            clock,
            HealthBoard::default(),
        )
        .await
        .1
    }

    pub(crate) async fn post_to(&self, url: &str, path: &str, body: &Value) -> Answer {
        Answer::of(self.http.post(format!("{url}{path}")).json(body)).await
    }

    /// Waits until the database is prepared.
    pub(crate) async fn ready(&self) {
        self.wait_for("the database to be prepared", || {
            let now = self.health.all().get("billing.mongodb").cloned();
            now.is_some_and(|now| now.detail.contains("transactions work") || now.detail.contains("no replica set"))
        })
        .await;
    }

    pub(crate) async fn wait_for(&self, what: &str, mut condition: impl FnMut() -> bool) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        while !condition() {
            assert!(tokio::time::Instant::now() < deadline, "waited too long for {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) fn users(&self) -> Collection<Document> {
        self.database.collection("users")
    }

    pub(crate) fn billings(&self) -> Collection<Document> {
        self.database.collection("billings")
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::PUT, path).json(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, path)).await
    }

    /// Makes a user and answers with the document.
    pub(crate) async fn user(&self, user_id: &str) -> Value {
        let made = self.post("/api/users", &json!({ "userId": user_id })).await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.json()
    }

    /// Makes a billing and answers with the document.
    pub(crate) async fn billing(&self, user_id: &str) -> Value {
        let body = json!({ "userId": user_id, "dueDate": "2025-10-15", "totalInvoice": "125000" });
        let made = self.post("/api/billings", &body).await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.json()
    }

    pub(crate) async fn sequence(&self) -> i64 {
        let counters: Collection<Document> = self.database.collection("counters");
        let counter = counters.find_one(doc! { "_id": "billingId" }).await.unwrap();
        counter.map_or(0, |counter| match counter.get("seq").unwrap() {
            mongodb::bson::Bson::Int32(sequence) => i64::from(*sequence),
            other => other.as_i64().unwrap(),
        })
    }
}

/// Serves the API on the database at `uri`.
async fn serve(
    uri: &str,
    name: &str,
    settings: impl FnOnce(&Mongo) -> ApiSettings,
    clock: Arc<dyn Clock>,
    health: HealthBoard,
) -> (Mongo, String) {
    let mongo = Mongo::open(&MongoSettings {
        uri: uri.into(),
        database: name.to_owned(),
        server_selection_timeout: Duration::from_millis(700),
        max_pool_size: 50,
    })
    .await
    .unwrap();
    let api = Api::open(settings(&mongo), mongo.clone(), clock, health);
    let router = api.router().fallback(billwright_api::not_found);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(listener, service).await.unwrap();
    });
    (mongo, url)
}

impl Drop for TestApp {
    fn drop(&mut self) {
        // A runtime of its own, since this one may be ending.
        let (uri, name) = (self.uri.clone(), self.database.name().to_owned());
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let options = format!("{uri}&serverSelectionTimeoutMS=200");
                let client = Client::with_uri_str(options).await.unwrap();
                let _ = client.database(&name).drop().await; // the server may be gone with everything on it
            });
        });
        let _ = dropped.join();
    }
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) async fn of(request: RequestBuilder) -> Self {
        Self::read(request.send().await.unwrap()).await
    }

    pub(crate) async fn read(response: Response) -> Self {
        let (status, headers): (StatusCode, _) = (response.status(), response.headers().clone());
        Self {
            status: status.as_u16(),
            headers,
            text: response.text().await.unwrap(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The sentence and the code of an error, after checking its shape.
    pub(crate) fn error(&self) -> (String, String) {
        let body = self.json();
        assert_eq!(body["correlationId"], self.header("x-correlation-id"), "{body}");
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        (text("error"), text("code"))
    }

    /// The fields that an error names.
    pub(crate) fn fields(&self) -> Vec<String> {
        let body = self.json();
        let details = body["details"].as_array().cloned().unwrap_or_default();
        details
            .iter()
            .map(|detail| detail["field"].as_str().unwrap().to_owned())
            .collect()
    }
}
