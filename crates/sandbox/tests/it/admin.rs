//! Steering over HTTP, the page, and the life of the server itself.

use std::time::{Duration, Instant};

use billwright_sandbox::{BOT_TOKEN, Fault, GROUP_ID, PRODUCT_ID, RateLimit, SECRET_TOKEN, Sandbox, SandboxSettings};
use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::client::{Shop, http, until};

#[tokio::test]
async fn the_ledger_is_read_over_http() {
    let shop = Shop::open().await;
    let order = shop.filled().await;
    shop.pay(&order, json!(100)).await;
    let (status, ledger) = shop.get("/__sandbox/ledger").await;
    assert_eq!(status, 200);
    assert_eq!(
        (&ledger["payments"][0]["order_id"], &ledger["payments"][0]["amount"]),
        (&json!(order), &json!(100))
    );
    assert_eq!(
        (&ledger["orders"][0]["state"], &ledger["orders"][0]["total"]),
        (&json!("paid"), &json!(100))
    );
    assert_eq!(ledger["calls"].as_array().unwrap().len(), 4, "steering is no call");
    assert!(ledger["peak_billz_calls_per_second"].as_u64().unwrap() >= 1);
}

#[tokio::test]
async fn faults_are_set_read_and_cleared_over_http() {
    let shop = Shop::open().await;
    let rules = json!([
        {"call": "shops", "times": 1, "fault": {"kind": "answer", "status": 503}},
        {"call": "users", "skip": 1, "probability": 1.0, "fault": {"kind": "latency", "delay": {"between_ms": [1, 5]}}},
        {"call": "pay", "order": "o", "fault": {"kind": "cut_after"}},
    ]);
    assert_eq!(shop.post("/__sandbox/faults", rules).await.0, 200);
    assert_eq!(shop.get("/__sandbox/faults").await.1.as_array().unwrap().len(), 3);
    let response = shop.send(Method::GET, "/v1/shop", Value::Null).await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(shop.call(Method::DELETE, "/__sandbox/faults", Value::Null).await.0, 200);
    assert_eq!(shop.get("/__sandbox/faults").await.1, json!([]));

    for wrong in [
        json!({"call": "paid", "fault": {"kind": "cut_after"}}),
        json!({"call": "pay", "fault": {"kind": "explode"}}),
        json!({"call": "pay"}),
        json!({"call": "pay", "time": 1, "fault": {"kind": "cut_after"}}),
        json!([{"call": "pay", "fault": {"kind": "cut_after"}}, {"call": "paid", "fault": {"kind": "cut_after"}}]),
    ] {
        let (status, answer) = shop.post("/__sandbox/faults", wrong.clone()).await;
        assert_eq!(status, 400, "{wrong}");
        assert!(answer["error"].as_str().unwrap().len() > 10);
    }
    assert!(shop.sandbox.faults().rules().is_empty(), "all of a list or nothing");
}

#[tokio::test]
async fn settings_change_over_http() {
    let shop = Shop::open().await;
    let change = json!({"variants": {"list_count": "zero"}, "forbidden": ["users"], "any_product": true,
        "rate_limit": 50, "telegram_limits": true});
    assert_eq!(shop.post("/__sandbox/config", change).await.0, 200);
    assert_eq!(shop.get("/v1/shop").await.1["count"], 0);
    assert_eq!(shop.get("/v1/user").await.0, 403);
    let variants = shop.get("/__sandbox/config").await.1["variants"].clone();
    assert_eq!(
        (&variants["list_count"], &variants["same_product"]),
        (&json!("zero"), &json!("sums"))
    );
    assert_eq!(
        shop.post("/__sandbox/config", json!({"clock_offset_seconds": 16 * 86_400}))
            .await
            .0,
        200
    );
    assert_eq!(shop.get("/v1/shop").await.0, 401, "the token has expired");
    for wrong in [
        json!({"varients": {}}),
        json!({"variants": {"list_count": "maybe"}}),
        json!({"variants": {"x": 1}}),
        json!({"forbidden": ["flying"]}),
        json!([]),
    ] {
        assert_eq!(shop.post("/__sandbox/config", wrong.clone()).await.0, 400, "{wrong}");
    }
}

#[tokio::test]
async fn stock_tokens_and_groups_change_over_http() {
    let shop = Shop::open().await;
    assert_eq!(
        shop.post("/__sandbox/stock", json!({"product_id": PRODUCT_ID, "stock": 1.5}))
            .await
            .0,
        200
    );
    let order = shop.draft().await;
    assert_eq!(
        shop.add(&order, PRODUCT_ID, json!(2)).await.1["data"]["error_code"],
        20016
    );
    for wrong in [
        json!({"product_id": "x", "stock": 1}),
        json!({"product_id": PRODUCT_ID, "stock": -1}),
        json!({}),
    ] {
        assert_eq!(shop.post("/__sandbox/stock", wrong).await.0, 400);
    }
    assert_eq!(shop.post("/__sandbox/revoke-tokens", Value::Null).await.0, 200);
    assert_eq!(shop.get("/v1/shop").await.0, 401);
    assert_eq!(
        shop.post("/__sandbox/telegram", json!({"kicked": GROUP_ID})).await.0,
        200
    );
    let path = format!("/bot{BOT_TOKEN}/sendMessage");
    let message = json!({"chat_id": GROUP_ID, "text": "x"});
    assert_eq!(shop.post(&path, message.clone()).await.0, 403);
    assert_eq!(
        shop.post("/__sandbox/telegram", json!({"readmitted": GROUP_ID}))
            .await
            .0,
        200
    );
    assert_eq!(
        shop.post("/__sandbox/telegram", json!({"moved": {"from": GROUP_ID, "to": -5}}))
            .await
            .0,
        200
    );
    assert_eq!(
        shop.post(&path, message).await.1["parameters"]["migrate_to_chat_id"],
        -5
    );
    assert_eq!(shop.post("/__sandbox/nothing", Value::Null).await.0, 404);
}

#[tokio::test]
async fn a_reset_puts_everything_back() {
    let mut shop = Shop::open().await;
    let first = shop.filled().await;
    shop.sandbox.faults().always("*", Fault::status(500));
    shop.sandbox.set_rate_limit(Some(RateLimit::per_second(1)));
    shop.sandbox
        .set_variant(|variants| variants.list_count = billwright_sandbox::ListCount::Zero);
    assert_eq!(shop.post("/__sandbox/reset", Value::Null).await.0, 200);
    let ledger = shop.sandbox.ledger();
    assert_eq!(
        (ledger.calls.len(), ledger.orders.len(), ledger.clients.len()),
        (0, 0, 0)
    );
    shop.login().await;
    assert_eq!(shop.get("/v1/shop").await.1["count"], 2);
    assert_eq!(shop.filled().await, first, "and the same ids come again");
}

#[tokio::test]
async fn ids_and_numbers_derive_from_the_seed() {
    let run = async |seed: u64| -> Vec<Value> {
        let shop = Shop::with(SandboxSettings {
            seed,
            ..SandboxSettings::default()
        })
        .await;
        let order = shop.filled().await;
        let number = shop.read(&order).await["order_number"].clone();
        let client = shop.client("998901112233").await.1["id"].clone();
        let line = shop.read(&order).await["order_detail"]["order_items"][0]["id"].clone();
        vec![json!(order), number, client, line]
    };
    let (first, again, other) = (run(3).await, run(3).await, run(4).await);
    assert_eq!(first, again);
    assert!(
        first.iter().zip(&other).all(|(one, two)| one != two),
        "{first:?} {other:?}"
    );
}

#[tokio::test]
async fn the_page_shows_the_books_escaped_and_without_phone_numbers() {
    let shop = Shop::open().await;
    shop.done(
        Method::POST,
        "/v1/client",
        json!({"first_name": "<script>alert(1)</script>", "phone_number": "998901112233"}),
    )
    .await;
    let order = shop.filled().await;
    let body = json!({"order_id": order, "comment": "<b>\"Order\"</b> & 'more'", "time": "2099-01-01 00:00:00"});
    shop.done(Method::POST, "/v2/order/create_postpone", body).await;
    shop.sandbox.faults().always("pay", Fault::CutAfter);
    let page = http().get(shop.sandbox.billz_url()).send().await.unwrap();
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    let page = page.text().await.unwrap();
    assert!(
        page.contains("&lt;b&gt;&quot;Order&quot;&lt;/b&gt; &amp; &#39;more&#39;"),
        "{page}"
    );
    assert!(page.contains(&order) && page.contains("parked") && page.contains("cut_after"));
    assert!(!page.contains("<script>") && !page.contains("998901112233") && !page.contains(SECRET_TOKEN));
    assert!(page.contains("••••••••2233"));
    assert!(!page.contains("src=") && !page.contains("href="), "it fetches nothing");
}

#[tokio::test]
async fn the_ledger_keeps_so_many_calls_and_counts_the_rest() {
    let shop = Shop::with(SandboxSettings {
        calls_kept: 3,
        ..SandboxSettings::default()
    })
    .await;
    for _ in 0..4 {
        shop.get("/v1/shop").await;
    }
    let ledger = shop.sandbox.ledger();
    assert_eq!((ledger.calls.len(), ledger.calls_dropped), (3, 2));
    assert_eq!((ledger.calls[2].sequence, ledger.calls[2].status), (5, Some(200)));
}

#[tokio::test]
async fn a_call_is_written_down_with_what_a_test_asks_for() {
    let shop = Shop::open().await;
    let order = shop.filled().await;
    let url = format!("{}/v2/order/{order}?x=1", shop.sandbox.billz_url());
    shop.http
        .get(url)
        .bearer_auth(&shop.token)
        .header("X-Correlation-Id", "c-1")
        .send()
        .await
        .unwrap();
    let ledger = shop.sandbox.ledger();
    let call = ledger.calls_named("get_order")[0].clone();
    assert_eq!(
        (call.correlation_id.as_deref(), call.method.as_str(), call.status),
        (Some("c-1"), "GET", Some(200))
    );
    assert_eq!(
        (call.order_id.as_deref(), call.query, call.peer.as_str()),
        (
            Some(order.as_str()),
            vec![("x".to_owned(), "1".to_owned())],
            "127.0.0.1"
        )
    );
    assert_eq!(ledger.calls_for(&order).len(), 2);
    let body = ledger.calls_named("add_product")[0].body.clone().unwrap();
    assert_eq!(body["product_id"], PRODUCT_ID);
    assert!(ledger.calls.windows(2).all(|pair| pair[0].at_us <= pair[1].at_us));
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let shop = Shop::open().await;
    let url = format!("{}/v1/client", shop.sandbox.billz_url());
    let response = shop
        .http
        .post(url)
        .bearer_auth(&shop.token)
        .body(vec![b' '; 5 * 1024 * 1024])
        .send()
        .await;
    // The answer may come while the body is still on its way, and then the connection goes.
    assert!(response.map_or(true, |response| response.status() == 413));
    assert_eq!(shop.get("/v1/shop").await.0, 200);
}

#[tokio::test]
async fn a_drop_closes_the_port_and_the_connections() {
    let shop = Shop::open().await;
    let url = shop.sandbox.billz_url();
    shop.sandbox.faults().next("shops", Fault::Hang);
    let waiting = tokio::spawn(shop.http.get(format!("{url}/v1/shop")).bearer_auth(&shop.token).send());
    until(|| !shop.sandbox.ledger().calls_named("shops").is_empty()).await;
    let started = Instant::now();
    drop(shop);
    assert!(waiting.await.unwrap().is_err());
    while tokio::net::TcpStream::connect(url.trim_start_matches("http://"))
        .await
        .is_ok()
    {
        assert!(started.elapsed() < Duration::from_secs(2), "the port is still open");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn it_serves_until_it_is_told_to_stop() {
    let sandbox = Sandbox::start(SandboxSettings::like_the_real_services(0))
        .await
        .unwrap();
    let (address, stop) = (sandbox.address(), CancellationToken::new());
    let serving = tokio::spawn(sandbox.serve_until(stop.clone()));
    assert_eq!(
        http().get(format!("http://{address}/")).send().await.unwrap().status(),
        200
    );
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(2), serving)
        .await
        .unwrap()
        .unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_taken_port_is_said() {
    let first = Sandbox::start(SandboxSettings::default()).await.unwrap();
    let settings = SandboxSettings {
        address: first.address(),
        ..SandboxSettings::default()
    };
    let error = Sandbox::start(settings).await.unwrap_err().to_string();
    assert!(
        error.contains(&first.address().to_string()) && error.contains("another port"),
        "{error}"
    );
}
