//! The access token: one login whatever happens at once, shared between workers, renewed in time.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use billwright_connectors::{
    billz::{Billz, BillzError, RedisTokenStore, StoredToken, TokenStore},
    budget::Budget,
};
use billwright_domain::{Clock, MockClock, SystemClock};
use billwright_services::{RedisServer, shared};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::{
    Shelf, calls, client, client_with, id, settings,
    stub::{Say, Stub, login},
};

const PATH: &str = "/v2/order/sale";
const LOGIN: &str = "/v1/auth/login";

fn with_store(stub: &Stub, store: Arc<dyn TokenStore>) -> Billz {
    client_with(
        settings(stub.url()),
        Budget::unlimited(),
        SystemClock::shared(),
        Some(store),
    )
}

fn redis_store(url: &str, prefix: &str) -> Arc<dyn TokenStore> {
    let secret = billwright_sandbox::SECRET_TOKEN.to_owned().into();
    Arc::new(RedisTokenStore::new(redis::Client::open(url).unwrap(), prefix, &secret).unwrap())
}

async fn delete(billz: &Billz) -> Result<(), BillzError> {
    calls(billz).delete_order(&id("sale")).await
}

#[tokio::test]
async fn fifty_calls_at_once_log_in_once() {
    let stub = Stub::start().await;
    let billz = client(settings(stub.url()));
    let outcomes = join_all((0..50).map(|_| delete(&billz))).await;
    assert!(outcomes.into_iter().all(|outcome| outcome.is_ok()));
    assert_eq!((stub.logins().len(), stub.asked().len()), (1, 50));
}

#[tokio::test]
async fn a_rejected_token_leads_to_one_login_and_one_repeat() {
    let stub = Stub::start().await;
    let expired = json!({"code": 401, "message": "token error", "error": "Token is expired", "data": null});
    let billz = client(settings(stub.url()));
    delete(&billz).await.unwrap();
    stub.says_only(LOGIN, Say::json(&login("token-2")));
    stub.says_only(PATH, Say::bytes(401, expired.to_string()));
    stub.says(PATH, Say::json(&json!({})));
    delete(&billz).await.unwrap();
    let tokens: Vec<_> = stub
        .asked()
        .iter()
        .map(|asked| asked.header("authorization").to_owned())
        .collect();
    assert_eq!(tokens, ["Bearer token-1", "Bearer token-1", "Bearer token-2"]);
    assert_eq!(stub.logins().len(), 2);
}

#[tokio::test]
async fn many_rejected_calls_share_the_new_login() {
    let sandbox = billwright_sandbox::Sandbox::start(billwright_sandbox::SandboxSettings::default())
        .await
        .unwrap();
    let billz = client(settings(&sandbox.billz_url()));
    calls(&billz).shops().await.unwrap();
    sandbox.revoke_tokens();
    let (billz, order) = (&billz, &id(billwright_sandbox::ORDER_ID));
    let outcomes = join_all((0..20).map(|_| async move { calls(billz).order(order).await })).await;
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(sandbox.ledger().calls_named("login").len(), 2);
}

#[tokio::test]
async fn a_token_that_is_rejected_again_is_the_secrets_fault() {
    let stub = Stub::start().await;
    stub.says_only(PATH, Say::status(401));
    let error = delete(&client(settings(stub.url()))).await.unwrap_err();
    assert!(
        matches!(error, BillzError::Unauthorized { .. }) && !error.is_transient(),
        "{error}"
    );
    assert!(stub.logins().len() <= 3 && stub.asked().len() <= 3);
}

#[tokio::test]
async fn a_wrong_secret_is_said_plainly() {
    let stub = Stub::start().await;
    for say in [
        Say::json(&json!({"code": 401, "message": "wrong secret", "error": null, "data": null})),
        Say::bytes(400, json!({"code": 400, "message": "wrong secret"}).to_string()),
        Say::bytes(401, json!({"code": 401, "message": "wrong secret"}).to_string()),
    ] {
        stub.says_only(LOGIN, say);
        let error = delete(&client(settings(stub.url()))).await.unwrap_err();
        assert_eq!(
            error,
            BillzError::Unauthorized {
                text: "wrong secret".to_owned()
            }
        );
        assert!(error.to_string().contains("BILLZ_TOKEN"));
    }
    assert!(stub.asked().is_empty());
}

#[tokio::test]
async fn a_login_that_gets_no_answer_is_tried_once_more() {
    let stub = Stub::start().await;
    stub.says_only(LOGIN, Say::status(502));
    stub.says(LOGIN, Say::json(&login("token-1")));
    delete(&client(settings(stub.url()))).await.unwrap();
    stub.says_only(LOGIN, Say::status(502));
    let error = delete(&client(settings(stub.url()))).await.unwrap_err();
    assert_eq!(error.outcome(), "unavailable");
    stub.says_only(LOGIN, Say::json(&json!({"code": 200, "data": {}})));
    let error = delete(&client(settings(stub.url()))).await.unwrap_err();
    assert_eq!(error.outcome(), "bad_reply");
}

fn jwt(end: DateTime<Utc>) -> String {
    let claims = URL_SAFE_NO_PAD.encode(json!({"exp": end.timestamp()}).to_string());
    format!("head.{claims}.signature")
}

#[tokio::test]
async fn is_renewed_a_day_before_its_end_which_the_token_itself_tells() {
    let stub = Stub::start().await;
    let clock = MockClock::at(SystemClock.now());
    let end = clock.now() + TimeDelta::days(15);
    // What the login says beside it contradicts the token.
    let mut first = login(&jwt(end));
    first["data"]["expires_in"] = json!(3600);
    stub.says_only(LOGIN, Say::json(&first));
    let billz = client_with(settings(stub.url()), Budget::unlimited(), Arc::new(clock.clone()), None);
    delete(&billz).await.unwrap();
    clock.advance(TimeDelta::days(13));
    delete(&billz).await.unwrap();
    assert_eq!(stub.logins().len(), 1);

    // Billz cannot log anybody in just now, but the old token is good for some hours still.
    stub.says_only(LOGIN, Say::status(503));
    clock.advance(TimeDelta::hours(30));
    delete(&billz).await.unwrap();
    assert_eq!(stub.asked().len(), 3);

    stub.says_only(LOGIN, Say::json(&login("token-2")));
    delete(&billz).await.unwrap();
    assert_eq!(stub.asked()[3].header("authorization"), "Bearer token-2");

    // An opaque token ends when the login said.
    clock.advance(TimeDelta::days(14));
    let logins = stub.logins().len();
    delete(&billz).await.unwrap();
    assert_eq!(stub.logins().len(), logins + 1);
}

#[tokio::test]
async fn workers_share_one_login_through_redis() {
    let stub = Stub::start().await;
    stub.says_only(
        LOGIN,
        Say::json(&login("the-access-token")).after(Duration::from_millis(100)),
    );
    let url = shared::redis_url().await.unwrap();
    let prefix = uuid::Uuid::new_v4().to_string();
    let workers: Vec<_> = (0..4).map(|_| with_store(&stub, redis_store(&url, &prefix))).collect();
    let outcomes = join_all(workers.iter().map(delete)).await;
    assert!(outcomes.into_iter().all(|outcome| outcome.is_ok()));
    assert_eq!(stub.logins().len(), 1);

    // One of them meets a rejected token; the others take its new one when they meet it too.
    stub.says_only(LOGIN, Say::json(&login("token-2")));
    for worker in &workers {
        stub.says_only(PATH, Say::status(401));
        stub.says(PATH, Say::json(&json!({})));
        delete(worker).await.unwrap();
    }
    assert_eq!(stub.logins().len(), 2);

    // What lies in Redis is no token that anybody could use.
    let mut connection = redis::Client::open(url)
        .unwrap()
        .get_multiplexed_async_connection()
        .await
        .unwrap();
    let keys: Vec<String> = redis::cmd("KEYS")
        .arg(format!("{prefix}:*"))
        .query_async(&mut connection)
        .await
        .unwrap();
    assert_eq!(keys.len(), 1, "{keys:?}");
    let stored: String = redis::cmd("GET")
        .arg(&keys[0])
        .query_async(&mut connection)
        .await
        .unwrap();
    assert!(!stored.contains("token-2") && !keys[0].contains(billwright_sandbox::SECRET_TOKEN));
    let lives_ms: i64 = redis::cmd("PTTL")
        .arg(&keys[0])
        .query_async(&mut connection)
        .await
        .unwrap();
    assert!(lives_ms > 1_295_000_000, "{lives_ms}");
    let _: i64 = redis::cmd("DEL").arg(&keys).query_async(&mut connection).await.unwrap();
}

#[tokio::test]
async fn what_another_secret_sealed_is_not_read() {
    let url = shared::redis_url().await.unwrap();
    let prefix = uuid::Uuid::new_v4().to_string();
    let ours = redis_store(&url, &prefix);
    let token = StoredToken {
        access_token: "token".to_owned().into(),
        expires_at: SystemClock.now() + TimeDelta::seconds(20),
    };
    ours.save(&token).await.unwrap();
    let read = ours.load().await.unwrap().unwrap();
    assert_eq!(
        (read.access_token.expose_secret(), read.expires_at),
        ("token", token.expires_at)
    );

    let secret = "another secret".to_owned().into();
    let other = RedisTokenStore::new(redis::Client::open(&*url).unwrap(), &prefix, &secret).unwrap();
    assert!(other.load().await.unwrap().is_none());
    // Somebody's hand in Redis does no harm.
    let mut connection = redis::Client::open(url)
        .unwrap()
        .get_multiplexed_async_connection()
        .await
        .unwrap();
    let keys: Vec<String> = redis::cmd("KEYS")
        .arg(format!("{prefix}:*"))
        .query_async(&mut connection)
        .await
        .unwrap();
    let _: () = redis::cmd("SET")
        .arg(&keys[0])
        .arg("AAAA")
        .arg("PX")
        .arg(20_000)
        .query_async(&mut connection)
        .await
        .unwrap();
    assert!(ours.load().await.unwrap().is_none());
    assert!(!format!("{ours:?} {other:?} {token:?}").contains("token\""));
}

#[tokio::test]
async fn a_process_that_dies_in_its_login_holds_the_others_up_only_for_a_while() {
    let url = shared::redis_url().await.unwrap();
    let prefix = uuid::Uuid::new_v4().to_string();
    let dead = redis_store(&url, &prefix);
    assert!(dead.begin_turn(Duration::from_millis(300)).await.unwrap());
    let living = redis_store(&url, &prefix);
    assert!(!living.begin_turn(Duration::from_secs(1)).await.unwrap());
    living.end_turn().await;
    assert!(
        !living.begin_turn(Duration::from_secs(1)).await.unwrap(),
        "ended another's turn"
    );

    let stub = Stub::start().await;
    delete(&with_store(&stub, living)).await.unwrap();
    assert_eq!(stub.logins().len(), 1);
}

#[tokio::test]
async fn without_redis_each_worker_logs_in_by_itself() {
    let redis = RedisServer::start().await.unwrap();
    let stub = Stub::start().await;
    let billz = with_store(&stub, redis_store(&redis.url(), "x"));
    redis.kill().await.unwrap();
    delete(&billz).await.unwrap();
    delete(&billz).await.unwrap();
    assert_eq!(stub.logins().len(), 1);
}

#[tokio::test]
async fn a_token_from_the_store_is_used_until_it_is_rejected() {
    let stub = Stub::start().await;
    let shelf = Arc::new(Shelf::default());
    let stale = StoredToken {
        access_token: "stored".to_owned().into(),
        expires_at: SystemClock.now() + TimeDelta::days(10),
    };
    shelf.save(&stale).await.unwrap();
    let billz = with_store(&stub, Arc::clone(&shelf) as Arc<dyn TokenStore>);
    delete(&billz).await.unwrap();
    assert_eq!(
        (stub.logins().len(), stub.only().header("authorization")),
        (0, "Bearer stored")
    );

    stub.says_only(PATH, Say::status(401));
    stub.says(PATH, Say::json(&json!({})));
    delete(&billz).await.unwrap();
    assert_eq!(stub.asked().last().unwrap().header("authorization"), "Bearer token-1");
    assert_eq!(
        shelf.load().await.unwrap().unwrap().access_token.expose_secret(),
        "token-1"
    );
}
