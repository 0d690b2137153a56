use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use billwright_api::{ApiSettings, JwtSettings, hash_of_key};
use futures_util::FutureExt;
use reqwest::Method;
use serde_json::{Value, json};

use crate::test_app::{Answer, TestApp};

fn with_keys() -> ApiSettings {
    let keys = format!(
        "reports:read:{},shop:write:{}",
        hash_of_key("reads"),
        hash_of_key("writes")
    );
    ApiSettings {
        api_keys: keys.parse().unwrap(),
        ..ApiSettings::default()
    }
}

#[tokio::test]
async fn keys_open_what_their_scope_allows() {
    let app = TestApp::with(with_keys()).await;
    let send = |method: Method, header: &'static str, value: &'static str| {
        Answer::of(
            app.request(method, "/api/users")
                .header(header, value)
                .json(&json!({"userId": "c"})),
        )
    };
    let nothing = send(Method::GET, "x-other", "1").await;
    assert_eq!((nothing.status, nothing.error().1.as_str()), (401, "unauthorized"));
    assert_eq!(nothing.header("www-authenticate"), "Bearer");
    assert_eq!(send(Method::GET, "x-api-key", "guess").await.status, 401);
    assert_eq!(send(Method::GET, "authorization", "Bearer guess").await.status, 401);
    assert_eq!(send(Method::GET, "authorization", "Basic cmVhZHM6").await.status, 401);
    assert_eq!(send(Method::GET, "x-api-key", "reads").await.status, 200);
    let read_only = send(Method::POST, "x-api-key", "reads").await;
    assert_eq!((read_only.status, read_only.error().1.as_str()), (403, "forbidden"));
    assert_eq!(send(Method::POST, "authorization", "Bearer writes").await.status, 201);
    assert_eq!(
        app.get("/api/docs").await.status,
        200,
        "the documentation is for everybody"
    );
}

#[tokio::test]
async fn callers_do_not_share_idempotency_keys() {
    let keys = format!("a:write:{},b:write:{}", hash_of_key("a"), hash_of_key("b"));
    let app = TestApp::with(ApiSettings {
        api_keys: keys.parse().unwrap(),
        ..ApiSettings::default()
    })
    .await;
    let send = |key: &'static str, user: &'static str| {
        let request = app
            .request(Method::POST, "/api/users")
            .header("x-api-key", key)
            .header("idempotency-key", "1");
        Answer::of(request.json(&json!({ "userId": user })))
    };
    assert_eq!(send("a", "one").await.status, 201);
    assert_eq!(send("b", "two").await.json()["userId"], "two");
}

#[tokio::test]
async fn requests_past_the_rate_are_refused_with_the_time_to_wait() {
    let settings = ApiSettings {
        rate_limit: Some("3/m".parse().unwrap()),
        ..with_keys()
    };
    let app = TestApp::with(settings).await;
    let get = |key: &'static str| Answer::of(app.request(Method::GET, "/api/users/x").header("x-api-key", key));
    for _ in 0..3 {
        assert_eq!(get("reads").await.status, 404);
    }
    let refused = get("reads").await;
    assert_eq!((refused.status, refused.error().1.as_str()), (429, "rate_limited"));
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=20).contains(&wait), "{wait}");
    assert_eq!(get("writes").await.status, 404, "another key has its own rate");
}

#[tokio::test]
async fn without_keys_the_rate_counts_by_address_and_behind_a_proxy_by_the_forwarded_one() {
    let limited = |trust_proxy| ApiSettings {
        rate_limit: Some("1/m".parse().unwrap()),
        trust_proxy,
        ..ApiSettings::default()
    };
    let app = TestApp::with(limited(false)).await;
    let get = |app: &TestApp, from: &'static str| {
        Answer::of(app.request(Method::GET, "/api/users/x").header("x-forwarded-for", from))
    };
    assert_eq!(get(&app, "10.0.0.1").await.status, 404);
    assert_eq!(
        get(&app, "10.0.0.2").await.status,
        429,
        "a header that anybody can send is not believed"
    );
    let app = TestApp::with(limited(true)).await;
    assert_eq!(get(&app, "6.6.6.6, 10.0.0.1").await.status, 404);
    assert_eq!(get(&app, "10.0.0.2").await.status, 404);
    assert_eq!(get(&app, "7.7.7.7, 10.0.0.1").await.status, 429);
}

#[tokio::test]
async fn scripts_of_other_origins_are_let_in_only_where_configured() {
    let app = TestApp::start().await;
    let preflight = |app: &TestApp, origin: &'static str| {
        let request = app.request(Method::OPTIONS, "/api/users").header("origin", origin);
        Answer::of(request.header("access-control-request-method", "POST"))
    };
    assert_eq!(
        preflight(&app, "https://shop.example")
            .await
            .header("access-control-allow-origin"),
        ""
    );
    let settings = ApiSettings {
        cors_origins: "https://shop.example".parse().unwrap(),
        ..with_keys()
    };
    let app = TestApp::with(settings).await;
    let allowed = preflight(&app, "https://shop.example").await;
    assert_eq!(allowed.header("access-control-allow-origin"), "https://shop.example");
    assert!(
        allowed
            .header("access-control-allow-headers")
            .contains("idempotency-key")
    );
    assert_eq!(
        preflight(&app, "https://evil.example")
            .await
            .header("access-control-allow-origin"),
        ""
    );
}

/// A signer of tokens: an Ed25519 key made from a seed, and the key set that holds its public half.
struct Signer(ed25519_dalek::SigningKey);

impl Signer {
    fn new(seed: u8) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(&[seed; 32]))
    }

    fn key_set(&self, id: &str) -> String {
        let x = BASE64_URL_SAFE_NO_PAD.encode(self.0.verifying_key().as_bytes());
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": id, "x": x}]}).to_string()
    }

    fn token(&self, id: &str, claims: &Value) -> String {
        use ed25519_dalek::Signer as _;
        let head = json!({"alg": "EdDSA", "typ": "JWT", "kid": id}).to_string();
        let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        let signed = format!("{}.{}", encode(&head), encode(&claims.to_string()));
        let signature = self.0.sign(signed.as_bytes());
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }
}

fn claims(scope: &str, expires_in: i64) -> Value {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    json!({"sub": "shop", "iss": "https://login.example", "aud": "billing", "exp": now + expires_in, "scope": scope})
}

#[tokio::test]
async fn tokens_open_what_their_scope_allows_and_the_key_set_is_fetched_sparingly() {
    let signer = Signer::new(7);
    let fetched = Arc::new(AtomicU32::new(0));
    let key_set = signer.key_set("k1");
    let counter = Arc::clone(&fetched);
    let jwt = JwtSettings {
        key_set: Arc::new(move || {
            counter.fetch_add(1, Ordering::SeqCst);
            let key_set = key_set.clone();
            async move { Ok(key_set) }.boxed()
        }),
        audience: "billing".to_owned(),
        issuer: "https://login.example".to_owned(),
    };
    let app = TestApp::with(ApiSettings {
        jwt: Some(jwt),
        ..with_keys()
    })
    .await;
    let send = |method: Method, token: String| {
        Answer::of(
            app.request(method, "/api/users")
                .bearer_auth(token)
                .json(&json!({"userId": "c"})),
        )
    };
    assert_eq!(
        send(Method::GET, signer.token("k1", &claims("openid billwright:read", 60)))
            .await
            .status,
        200
    );
    assert_eq!(
        send(Method::POST, signer.token("k1", &claims("billwright:read", 60)))
            .await
            .status,
        403
    );
    assert_eq!(
        send(Method::POST, signer.token("k1", &claims("billwright:write", 60)))
            .await
            .status,
        201
    );
    let unscoped = send(Method::GET, signer.token("k1", &claims("openid", 60))).await;
    assert_eq!((unscoped.status, unscoped.error().1.as_str()), (403, "forbidden"));
    let changed = |name: &str, value: Value| {
        let mut claims = claims("billwright:write", 60);
        claims[name] = value;
        signer.token("k1", &claims)
    };
    for (token, fault) in [
        (signer.token("k1", &claims("billwright:write", -3600)), "it has expired"),
        (changed("aud", json!("other")), "another audience"),
        (changed("iss", json!("https://evil.example")), "another issuer"),
        (changed("exp", Value::Null), "it"),
        (
            Signer::new(8).token("k1", &claims("billwright:write", 60)),
            "its signature is wrong",
        ),
        (
            signer.token("k2", &claims("billwright:write", 60)),
            "not in the key set",
        ),
        ("a.b.c".to_owned(), "no JSON Web Token"),
    ] {
        let refused = send(Method::GET, token).await;
        assert_eq!(refused.status, 401, "{fault}");
        assert!(refused.error().0.contains(fault), "{}", refused.text);
    }
    let unsigned = format!(
        "{}.{}.",
        BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none","kid":"k1"}"#),
        BASE64_URL_SAFE_NO_PAD.encode(claims("billwright:write", 60).to_string())
    );
    assert_eq!(send(Method::GET, unsigned).await.status, 401);
    assert_eq!(
        send(Method::GET, "reads".to_owned()).await.status,
        200,
        "keys work beside tokens"
    );
    assert_eq!(fetched.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn while_the_key_set_cannot_be_had_tokens_wait() {
    let jwt = JwtSettings {
        key_set: Arc::new(|| async { Err("connection refused".to_owned()) }.boxed()),
        audience: "billing".to_owned(),
        issuer: "https://login.example".to_owned(),
    };
    let app = TestApp::with(ApiSettings {
        jwt: Some(jwt),
        ..ApiSettings::default()
    })
    .await;
    let token = Signer::new(7).token("k1", &claims("billwright:read", 60));
    let answer = Answer::of(app.request(Method::GET, "/api/users").bearer_auth(token)).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
}
