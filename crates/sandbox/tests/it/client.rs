//! A plain HTTP client for the tests, which asks for synchronous answers as a good client does.

use std::{
    sync::Once,
    time::{Duration, Instant},
};

use billwright_sandbox::{
    CASHBOX_ID, PAYMENT_TYPE_ID, PRODUCT_ID, SECRET_TOKEN, SHOP_ID, Sandbox, SandboxSettings, Variants,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// A sandbox and a client that is logged in to it.
pub(crate) struct Shop {
    pub(crate) sandbox: Sandbox,
    pub(crate) http: reqwest::Client,
    pub(crate) token: String,
}

pub(crate) fn http() -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder()
        .timeout(Duration::from_secs(20))
        .build()
        .unwrap()
}

impl Shop {
    pub(crate) async fn open() -> Self {
        Self::with(SandboxSettings::default()).await
    }

    pub(crate) async fn with_variant(change: impl FnOnce(&mut Variants)) -> Self {
        let mut settings = SandboxSettings::default();
        change(&mut settings.variants);
        Self::with(settings).await
    }

    pub(crate) async fn with(settings: SandboxSettings) -> Self {
        let mut shop = Self {
            sandbox: Sandbox::start(settings).await.unwrap(),
            http: http(),
            token: String::new(),
        };
        shop.login().await;
        shop
    }

    pub(crate) async fn login(&mut self) {
        let (status, body) = self
            .call(Method::POST, "/v1/auth/login", json!({"secret_token": SECRET_TOKEN}))
            .await;
        assert_eq!(status, 200, "{body}");
        body["data"]["access_token"]
            .as_str()
            .unwrap()
            .clone_into(&mut self.token);
    }

    /// Sends a call and gives back whatever comes.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Value,
    ) -> Result<reqwest::Response, reqwest::Error> {
        let url = format!("{}{path}", self.sandbox.billz_url());
        let mut request = self.http.request(method, url).bearer_auth(&self.token);
        if !body.is_null() {
            request = request.json(&body);
        }
        request.header("Billz-Response-Channel", "HTTP").send().await
    }

    /// Sends a call that is answered in JSON.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let response = self.send(method, path, body).await.unwrap();
        (response.status(), response.json().await.unwrap())
    }

    /// Sends a call that succeeds.
    pub(crate) async fn done(&self, method: Method, path: &str, body: Value) -> Value {
        let (status, answer) = self.call(method, path, body).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.call(Method::GET, path, Value::Null).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        self.call(Method::POST, path, body).await
    }

    pub(crate) async fn draft(&self) -> String {
        let answer = self
            .done(
                Method::POST,
                "/v2/order",
                json!({"shop_id": SHOP_ID, "cashbox_id": CASHBOX_ID}),
            )
            .await;
        answer["data"]["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn add(&self, order: &str, product: &str, quantity: Value) -> (StatusCode, Value) {
        let body = json!({"product_id": product, "sold_measurement_value": quantity, "used_wholesale_price": false,
            "is_manual": false, "response_type": "HTTP"});
        self.post(&format!("/v2/order-product/{order}"), body).await
    }

    /// A draft with two pieces of the usual product: 100 in all.
    pub(crate) async fn filled(&self) -> String {
        let order = self.draft().await;
        let (status, answer) = self.add(&order, PRODUCT_ID, json!(2)).await;
        assert_eq!(status, 200, "{answer}");
        order
    }

    pub(crate) async fn park(&self, order: &str) -> (StatusCode, Value) {
        let body = json!({"order_id": order, "comment": "Order 1042", "time": "2099-12-20 06:47:30"});
        self.post("/v2/order/create_postpone", body).await
    }

    pub(crate) async fn unpark(&self, order: &str) -> (StatusCode, Value) {
        self.post("/v2/order/return-postpone", json!({"order_id": order})).await
    }

    pub(crate) async fn pay(&self, order: &str, amount: Value) -> (StatusCode, Value) {
        self.post(&format!("/v2/order-payment/{order}"), payment(&amount)).await
    }

    pub(crate) async fn delete(&self, order: &str) -> (StatusCode, Value) {
        self.call(Method::DELETE, &format!("/v2/order/{order}"), Value::Null)
            .await
    }

    pub(crate) async fn read(&self, order: &str) -> Value {
        self.done(Method::GET, &format!("/v2/order/{order}"), Value::Null).await
    }

    pub(crate) async fn client(&self, phone: &str) -> (StatusCode, Value) {
        self.post(
            "/v1/client",
            json!({"first_name": "Aziza", "phone_number": phone, "gender": 0}),
        )
        .await
    }
}

pub(crate) fn payment(amount: &Value) -> Value {
    json!({"payments": [{"company_payment_type_id": PAYMENT_TYPE_ID, "paid_amount": amount, "returned_amount": 0,
        "company_payment_type": {"name": "Карта"}}],
        "comment": "", "with_cashback": 0, "without_cashback": false, "skip_ofd": false})
}

/// Waits until something has come true.
pub(crate) async fn until(what: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !what() {
        assert!(Instant::now() < deadline, "it did not come true within ten seconds");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The keys of an object, in their order.
pub(crate) fn names(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}
