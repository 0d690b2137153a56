//! A server that says what a test wants and keeps what it was asked, to the letter.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpListener, task::JoinHandle};

/// One request, as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Method, path and query: `GET /v1/shop?limit=100`.
    pub(crate) line: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// What is answered.
#[derive(Debug, Clone)]
pub(crate) struct Say {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    after: Duration,
}

impl Say {
    pub(crate) fn json(body: &Value) -> Self {
        Self::bytes(200, body.to_string())
    }

    pub(crate) fn status(status: u16) -> Self {
        Self::bytes(
            status,
            json!({"error": {"code": "", "message": "as the test wants"}}).to_string(),
        )
    }

    pub(crate) fn bytes(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/json".to_owned())],
            body: body.into(),
            after: Duration::ZERO,
        }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn after(mut self, delay: Duration) -> Self {
        self.after = delay;
        self
    }
}

#[derive(Debug, Default)]
struct Script {
    asked: Vec<Asked>,
    /// What is said next to a path; the last one is said again and again.
    answers: HashMap<String, VecDeque<Say>>,
    /// What is said to every other path.
    elsewhere: Option<Say>,
}

/// The server. Logs in whoever asks, unless the test says otherwise.
#[derive(Debug)]
pub(crate) struct Stub {
    url: String,
    script: Arc<Mutex<Script>>,
    server: JoinHandle<()>,
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Stub {
    pub(crate) async fn start() -> Self {
        let script = Arc::new(Mutex::new(Script::default()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&script));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let stub = Self { url, script, server };
        stub.says("/v1/auth/login", Say::json(&login("token-1")));
        stub
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Answers `path` with this next; what was said before it in the queue comes first, the last stays.
    pub(crate) fn says(&self, path: &str, say: Say) {
        self.script
            .lock()
            .unwrap()
            .answers
            .entry(path.to_owned())
            .or_default()
            .push_back(say);
    }

    /// Forgets what was to be said to `path`, and says this from now on.
    pub(crate) fn says_only(&self, path: &str, say: Say) {
        self.script
            .lock()
            .unwrap()
            .answers
            .insert(path.to_owned(), VecDeque::from([say]));
    }

    /// Answers every path with this for which nothing else was said.
    pub(crate) fn says_elsewhere(&self, say: Say) {
        self.script.lock().unwrap().elsewhere = Some(say);
    }

    /// What was asked, logins left out.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        let script = self.script.lock().unwrap();
        script
            .asked
            .iter()
            .filter(|asked| !asked.line.contains("/auth/login"))
            .cloned()
            .collect()
    }

    pub(crate) fn logins(&self) -> Vec<Asked> {
        let script = self.script.lock().unwrap();
        script
            .asked
            .iter()
            .filter(|asked| asked.line.contains("/auth/login"))
            .cloned()
            .collect()
    }

    /// The only thing that was asked besides a login.
    pub(crate) fn only(&self) -> Asked {
        let mut asked = self.asked();
        assert_eq!(asked.len(), 1, "{asked:#?}");
        asked.remove(0)
    }
}

/// A good answer to a login.
pub(crate) fn login(token: &str) -> Value {
    json!({"code": 200, "message": "ok", "error": null, "data": {
        "access_token": token, "refresh_token": "never-used", "token_type": "Bearer", "expires_in": 1_296_000
    }})
}

async fn answer(State(script): State<Arc<Mutex<Script>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let line = format!("{} {}", parts.method, parts.uri);
    let say = {
        let mut script = script.lock().unwrap();
        script.asked.push(Asked {
            line,
            headers: parts.headers,
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        });
        match script.answers.get_mut(parts.uri.path()) {
            Some(answers) if answers.len() > 1 => answers.pop_front().unwrap(),
            Some(answers) => answers[0].clone(),
            None => script.elsewhere.clone().unwrap_or_else(|| Say::bytes(200, "{}")),
        }
    };
    tokio::time::sleep(say.after).await;
    let mut response = (StatusCode::from_u16(say.status).unwrap(), Body::from(say.body)).into_response();
    response.headers_mut().clear();
    for (name, value) in say.headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

/// A server that answers whatever is sent to it with these bytes and closes.
pub(crate) async fn raw_server(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut seen = vec![0; 4096];
                let _ = tokio::io::AsyncReadExt::read(&mut connection, &mut seen).await;
                let _ = connection.write_all(answer).await;
                let _ = connection.shutdown().await;
            });
        }
    });
    url
}
