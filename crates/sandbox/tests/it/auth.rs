//! Tokens and roles.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use billwright_sandbox::{AccessToken, Endpoint, ForbiddenList, LoginRefusal, SECRET_TOKEN, SandboxSettings};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::Shop;

fn token_error() -> Value {
    json!({"code": 401, "message": "token error", "error": "Token is expired", "data": null})
}

#[tokio::test]
async fn login_answers_with_a_jwt_that_expires_in_fifteen_days() {
    let shop = Shop::open().await;
    let (status, body) = shop.post("/v1/auth/login", json!({"secret_token": SECRET_TOKEN})).await;
    assert_eq!(status, 200);
    assert_eq!(
        (&body["code"], &body["message"], &body["error"]),
        (&json!(200), &json!("ok"), &Value::Null)
    );
    assert_eq!(
        (&body["data"]["token_type"], &body["data"]["expires_in"]),
        (&json!("Bearer"), &json!(1_296_000))
    );
    let token = body["data"]["access_token"].as_str().unwrap();
    let parts: Vec<Vec<u8>> = token
        .split('.')
        .map(|part| URL_SAFE_NO_PAD.decode(part).unwrap())
        .collect();
    let [header, claims, _signature] = parts.as_slice() else {
        panic!("{token} has not three parts")
    };
    let header: Value = serde_json::from_slice(header).unwrap();
    let claims: Value = serde_json::from_slice(claims).unwrap();
    assert_eq!(header, json!({"alg": "HS256", "typ": "JWT"}));
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        1_296_000
    );
}

#[tokio::test]
async fn a_wrong_secret_is_refused_in_either_way() {
    let shop = Shop::open().await;
    let (status, body) = shop.post("/v1/auth/login", json!({"secret_token": "wrong"})).await;
    assert_eq!((status.as_u16(), &body["code"]), (401, &json!(401)));
    assert!(body["message"].is_string());
    shop.sandbox
        .set_variant(|variants| variants.login_refusal = LoginRefusal::InBody);
    let (status, body) = shop.post("/v1/auth/login", json!({})).await;
    assert_eq!((status.as_u16(), &body["code"]), (200, &json!(401)));
}

#[tokio::test]
async fn a_missing_bad_expired_or_revoked_token_is_the_documented_401() {
    let mut shop = Shop::open().await;
    let good = std::mem::replace(&mut shop.token, "nonsense".to_owned());
    let (status, body) = shop.get("/v1/shop").await;
    assert_eq!((status.as_u16(), body), (401, token_error()));
    let bare = shop
        .http
        .get(format!("{}/v1/shop", shop.sandbox.billz_url()))
        .send()
        .await
        .unwrap();
    assert_eq!(bare.status(), 401);

    shop.token = good;
    assert_eq!(shop.get("/v1/shop").await.0, 200);
    shop.sandbox.advance_clock(chrono::TimeDelta::days(16));
    assert_eq!(
        shop.get("/v1/shop").await,
        (reqwest::StatusCode::UNAUTHORIZED, token_error())
    );

    shop.login().await;
    assert_eq!(shop.get("/v1/shop").await.0, 200);
    shop.sandbox.revoke_tokens();
    assert_eq!(shop.get("/v1/shop").await.0, 401);
}

#[tokio::test]
async fn expires_in_may_contradict_the_token_and_the_token_may_be_opaque() {
    let shop = Shop::with(SandboxSettings {
        expires_in: Some(86_400),
        ..SandboxSettings::default()
    })
    .await;
    shop.sandbox
        .set_variant(|variants| variants.access_token = AccessToken::Opaque);
    let (_, body) = shop.post("/v1/auth/login", json!({"secret_token": SECRET_TOKEN})).await;
    assert_eq!(body["data"]["expires_in"], 86_400);
    assert!(!body["data"]["access_token"].as_str().unwrap().contains('.'));
}

#[tokio::test]
async fn a_refresh_token_works_once_and_a_spent_one_revokes_everything() {
    let mut shop = Shop::open().await;
    let (_, body) = shop.post("/v1/auth/login", json!({"secret_token": SECRET_TOKEN})).await;
    let refresh = json!({"refresh_token": body["data"]["refresh_token"]});
    let (status, fresh) = shop.post("/v2/auth/refresh", refresh.clone()).await;
    assert_eq!(status, 200);
    shop.token = fresh["data"]["access_token"].as_str().unwrap().to_owned();
    assert_eq!(shop.get("/v1/shop").await.0, 200);
    assert_eq!(shop.post("/v2/auth/refresh", refresh).await.0, 401);
    assert_eq!(shop.get("/v1/shop").await.0, 401);
}

#[tokio::test]
async fn a_role_without_a_method_gets_403_or_an_empty_list() {
    let shop = Shop::open().await;
    shop.sandbox.forbid(&[Endpoint::CreateOrder, Endpoint::Shops]);
    let (status, body) = shop.post("/v2/order", json!({})).await;
    assert_eq!((status.as_u16(), &body["message"]), (403, &json!("access denied")));
    assert_eq!(shop.get("/v1/shop").await.0, 403);
    shop.sandbox
        .set_variant(|variants| variants.forbidden_list = ForbiddenList::Empty);
    let (status, body) = shop.get("/v1/shop").await;
    assert_eq!((status.as_u16(), body), (200, json!({"count": 0, "shops": null})));
    assert_eq!(shop.post("/v2/order", json!({})).await.0, 403);
    assert_eq!(shop.get("/v1/user").await.0, 200);
}

#[tokio::test]
async fn an_unknown_route_is_the_known_404() {
    let shop = Shop::open().await;
    let expected = json!({"error": {"code": "NOT_FOUND", "message": "not found"}});
    for (method, path) in [
        (Method::GET, "/v1/orders"),
        (Method::POST, "/v1/orders"),
        (Method::POST, "/v2/order/cancel_postpone"),
        (Method::PUT, "/v2/order/return-postpone"),
        (Method::GET, "/v1/payment-type"),
        (Method::POST, "/v2/order-product/"),
    ] {
        let (status, body) = shop.call(method, path, Value::Null).await;
        assert_eq!((status.as_u16(), body), (404, expected.clone()), "{path}");
    }
}

#[tokio::test]
async fn secrets_never_reach_the_ledger() {
    let shop = Shop::open().await;
    let books = serde_json::to_string(&shop.sandbox.ledger()).unwrap();
    assert!(!books.contains(SECRET_TOKEN), "{books}");
    assert!(!books.contains(&shop.token), "{books}");
}
