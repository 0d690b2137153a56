//! Billz's limit of calls, and what it does to an address that does not stop.

use std::time::Duration;

use billwright_sandbox::{BurstBlock, Ledger, RateLimit, RetryAfter};
use reqwest::Method;
use serde_json::Value;

use crate::client::{Shop, http};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn two_calls_a_second_pass_and_the_third_gets_429() {
    let shop = Shop::open().await;
    shop.sandbox.set_rate_limit(Some(RateLimit::per_second(2)));
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(shop.get("/v1/shop").await.0.as_u16());
    }
    assert_eq!(statuses, [200, 200, 429, 429]);
    let refused = shop.send(Method::GET, "/v1/shop", Value::Null).await.unwrap();
    assert_eq!(
        (refused.status().as_u16(), refused.headers().get("retry-after")),
        (429, None)
    );
    shop.sandbox
        .set_variant(|variants| variants.retry_after = RetryAfter::Sent);
    let refused = shop.send(Method::GET, "/v1/shop", Value::Null).await.unwrap();
    assert_eq!(refused.headers()["retry-after"], "1");
    tokio::time::sleep(SECOND).await;
    assert_eq!(shop.get("/v1/shop").await.0, 200);
    let refused = shop
        .sandbox
        .ledger()
        .calls
        .iter()
        .filter(|call| call.status == Some(429))
        .count();
    assert_eq!(refused, 4);
}

#[tokio::test]
async fn the_limit_is_per_address_and_not_for_telegram_or_steering() {
    let shop = Shop::open().await;
    shop.sandbox.set_rate_limit(Some(RateLimit::per_second(1)));
    assert_eq!(shop.get("/v1/shop").await.0, 200);
    assert_eq!(shop.get("/v1/shop").await.0, 429);
    let _ = http();
    let other = reqwest::Client::builder()
        .local_address(std::net::IpAddr::from([127, 0, 0, 2]))
        .build()
        .unwrap();
    let url = shop.sandbox.billz_url();
    let status = other
        .get(format!("{url}/v1/shop"))
        .bearer_auth(&shop.token)
        .send()
        .await
        .unwrap()
        .status();
    assert_eq!(status, 200);
    assert_eq!(shop.get("/__sandbox/ledger").await.0, 200);
    let token = billwright_sandbox::BOT_TOKEN;
    assert_eq!(shop.get(&format!("/bot{token}/getMe")).await.0, 200);
}

#[tokio::test]
async fn a_burst_blocks_the_address_for_a_while() {
    let block = BurstBlock {
        refused_per_second: 3,
        lasts: Duration::from_millis(400),
    };
    let shop = Shop::open().await;
    shop.sandbox.set_rate_limit(Some(RateLimit {
        per_second: 2,
        block: Some(block),
    }));
    let status = async || {
        shop.send(Method::GET, "/v1/shop", Value::Null)
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(status().await);
    }
    assert_eq!(statuses, [200, 200, 429, 429, 429, 403]);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(status().await, 200);
}

#[tokio::test]
async fn the_ledger_knows_the_busiest_second() {
    let shop = Shop::open().await;
    for _ in 0..4 {
        shop.get("/v1/shop").await;
    }
    let mut ledger = shop.sandbox.ledger();
    assert!(ledger.calls.windows(2).all(|pair| pair[0].at_us <= pair[1].at_us));
    let set = |ledger: &mut Ledger, moments: [u64; 5]| {
        ledger
            .calls
            .iter_mut()
            .zip(moments)
            .for_each(|(call, at)| call.at_us = at);
    };
    set(&mut ledger, [0, 400_000, 999_999, 1_000_000, 2_500_000]);
    assert_eq!(ledger.peak_billz_calls(SECOND), 3);
    assert_eq!(ledger.peak_billz_calls(Duration::from_micros(1)), 1);
    assert_eq!(ledger.peak_billz_calls(Duration::from_mins(1)), 5);
    set(&mut ledger, [0, 500_000, 1_000_000, 1_500_000, 2_000_000]);
    assert_eq!(
        ledger.peak_billz_calls(SECOND),
        2,
        "the end of a window is no longer in it"
    );
}
