//! Each fault: what the caller sees, and what really happened.

use std::time::{Duration, Instant};

use billwright_sandbox::{Delay, Endpoint, Fault, FaultRule, PRODUCT_ID, SandboxSettings};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Shop, payment, until};

/// Pays a sale of 100 with a fault set, and says what came and how often it was really paid.
async fn paid_with(fault: Fault) -> (Shop, Result<(u16, String), reqwest::Error>, u32) {
    let shop = Shop::open().await;
    let order = shop.filled().await;
    shop.sandbox.faults().next("pay", fault);
    let seen = match shop
        .send(
            Method::POST,
            &format!("/v2/order-payment/{order}"),
            payment(&json!(100)),
        )
        .await
    {
        Ok(response) => {
            let status = response.status().as_u16();
            response.text().await.map(|text| (status, text))
        }
        Err(error) => Err(error),
    };
    let times = shop.sandbox.ledger().times_paid(&order);
    (shop, seen, times)
}

#[tokio::test]
async fn a_cut_before_leaves_nothing_and_a_cut_after_leaves_the_effect() {
    for (fault, times, name) in [(Fault::CutBefore, 0, "cut_before"), (Fault::CutAfter, 1, "cut_after")] {
        let (shop, seen, paid) = paid_with(fault).await;
        assert!(seen.is_err(), "{seen:?}");
        assert_eq!(paid, times);
        let ledger = shop.sandbox.ledger();
        let call = ledger.calls_named("pay")[0].clone();
        assert_eq!(
            (call.status, call.fault.as_deref(), call.effect),
            (None, Some(name), times == 1)
        );
        assert!(shop.sandbox.faults().rules().is_empty(), "it is used up");
        assert_eq!(shop.get("/v1/shop").await.0, 200, "other connections live on");
    }
}

#[tokio::test]
async fn a_status_comes_before_or_after_the_effect() {
    let (_, seen, paid) = paid_with(Fault::status(503)).await;
    assert_eq!((seen.unwrap().0, paid), (503, 0));
    let (_, seen, paid) = paid_with(Fault::status_after_effect(502)).await;
    assert_eq!((seen.unwrap().0, paid), (502, 1));
}

#[tokio::test]
async fn too_many_requests_comes_with_and_without_retry_after() {
    let shop = Shop::open().await;
    shop.sandbox.faults().next("shops", Fault::rate_limited(Some(7)));
    shop.sandbox.faults().after(1, "shops", Fault::rate_limited(None));
    let first = shop.send(Method::GET, "/v1/shop", Value::Null).await.unwrap();
    assert_eq!(
        (
            first.status().as_u16(),
            first.headers()["retry-after"].to_str().unwrap()
        ),
        (429, "7")
    );
    assert_eq!(shop.get("/v1/shop").await.0, 200);
    let third = shop.send(Method::GET, "/v1/shop", Value::Null).await.unwrap();
    assert_eq!(
        (third.status().as_u16(), third.headers().get("retry-after")),
        (429, None)
    );
}

#[tokio::test]
async fn bodies_come_truncated_empty_broken_or_as_a_page() {
    let (_, seen, paid) = paid_with(Fault::TruncatedBody).await;
    assert!(seen.is_err(), "half a body came as a whole one: {seen:?}");
    assert_eq!(paid, 1);
    let (_, seen, paid) = paid_with(Fault::EmptyBody).await;
    assert_eq!((seen.unwrap(), paid), ((200, String::new()), 1));
    let (_, seen, paid) = paid_with(Fault::broken_json()).await;
    assert!(serde_json::from_str::<Value>(&seen.unwrap().1).is_err());
    assert_eq!(paid, 1);
    let (_, seen, paid) = paid_with(Fault::html_page()).await;
    let (status, text) = seen.unwrap();
    assert!(status == 200 && text.starts_with("<html>") && paid == 0);
    let (_, seen, _) = paid_with(Fault::bad_gateway_page()).await;
    assert_eq!(seen.unwrap().0, 502);
}

#[tokio::test]
async fn a_page_says_that_it_is_html() {
    let shop = Shop::open().await;
    shop.sandbox.faults().next("shops", Fault::html_page());
    let response = shop.send(Method::GET, "/v1/shop", Value::Null).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/html");
}

/// Sends a payment in a task of its own, waits until the sandbox has it, and hangs up.
async fn pay_and_hang_up(shop: &Shop, order: &str) {
    let before = shop.sandbox.ledger().calls_named("pay").len();
    let request = shop
        .http
        .post(format!("{}/v2/order-payment/{order}", shop.sandbox.billz_url()));
    let request = request
        .bearer_auth(&shop.token)
        .header("Billz-Response-Channel", "HTTP");
    let sent = tokio::spawn(request.json(&payment(&json!(100))).send());
    until(|| shop.sandbox.ledger().calls_named("pay").len() > before).await;
    until(|| {
        shop.sandbox
            .ledger()
            .calls_named("pay")
            .iter()
            .all(|call| call.fault.is_some())
    })
    .await;
    assert!(!sent.is_finished());
    sent.abort();
}

#[tokio::test]
async fn time_passes_before_the_effect_and_a_caller_who_hangs_up_does_not_undo_it() {
    let shop = Shop::open().await;
    let order = shop.filled().await;
    shop.sandbox
        .faults()
        .next("pay", Fault::latency(Duration::from_millis(700)));
    pay_and_hang_up(&shop, &order).await;
    assert_eq!(shop.sandbox.ledger().times_paid(&order), 0, "not yet");
    until(|| shop.sandbox.ledger().times_paid(&order) == 1).await;
}

#[tokio::test]
async fn a_slow_answer_comes_after_the_effect() {
    let shop = Shop::open().await;
    let order = shop.filled().await;
    shop.sandbox
        .faults()
        .next("pay", Fault::slow_answer(Duration::from_mins(5)));
    pay_and_hang_up(&shop, &order).await;
    until(|| shop.sandbox.ledger().times_paid(&order) == 1).await;
}

#[tokio::test]
async fn delays_are_drawn_within_their_bounds_and_add_up() {
    let shop = Shop::open().await;
    let faults = shop.sandbox.faults();
    faults.always(
        "shops",
        Fault::latency_between(Duration::from_millis(20), Duration::from_millis(40)),
    );
    faults.always("*", Fault::latency_of(&[Duration::from_millis(10)]));
    let started = Instant::now();
    shop.get("/v1/shop").await;
    assert!(started.elapsed() >= Duration::from_millis(30));
    let ledger = shop.sandbox.ledger();
    assert_eq!(ledger.calls_named("shops")[0].fault.as_deref(), Some("latency+latency"));
    faults.clear();
    faults.next(
        "shops",
        Fault::Latency {
            delay: Delay::OneOfMs(Vec::new()),
        },
    );
    assert_eq!(shop.get("/v1/shop").await.0, 200);
}

#[tokio::test]
async fn a_body_drips() {
    let shop = Shop::open().await;
    shop.sandbox.faults().next(
        "users",
        Fault::SlowDrip {
            bytes: 40,
            every_ms: 10,
        },
    );
    let started = Instant::now();
    let (status, body) = shop.get("/v1/user").await;
    assert_eq!((status.as_u16(), &body["count"]), (200, &json!(2)));
    assert!(
        started.elapsed() >= Duration::from_millis(30),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn silence_lasts_and_leaves_what_it_says() {
    for (fault, times) in [(Fault::Hang, 0), (Fault::HangAfter, 1)] {
        let shop = Shop::open().await;
        let order = shop.filled().await;
        shop.sandbox.faults().next("pay", fault);
        pay_and_hang_up(&shop, &order).await;
        until(|| shop.sandbox.ledger().times_paid(&order) == times).await;
        let ledger = shop.sandbox.ledger();
        assert_eq!(ledger.calls_named("pay")[0].status, None);
    }
}

#[tokio::test]
async fn a_token_is_revoked_in_the_middle() {
    let mut shop = Shop::open().await;
    shop.sandbox.faults().next("shops", Fault::TokenRevoked);
    assert_eq!(shop.get("/v1/shop").await.0, 401);
    assert_eq!(shop.get("/v1/shop").await.0, 401, "until the next login");
    shop.login().await;
    assert_eq!(shop.get("/v1/shop").await.0, 200);
}

#[tokio::test]
async fn goods_sell_out_in_the_middle() {
    let shop = Shop::open().await;
    let (order, held) = (shop.filled().await, shop.filled().await);
    shop.park(&held).await;
    shop.sandbox.faults().next_for("park", &order, Fault::SoldOut);
    assert_eq!(shop.park(&order).await.1["data"]["error_code"], 20016);
    assert_eq!(
        shop.pay(&held, json!(100)).await.0,
        200,
        "what is parked is not sold to others"
    );
    let other = shop.draft().await;
    assert_eq!(
        shop.add(&other, PRODUCT_ID, json!(1)).await.1["data"]["error_code"],
        20016
    );
}

#[tokio::test]
async fn billz_may_say_no_in_a_200() {
    let (_, seen, paid) = paid_with(Fault::processing_error("INTERNAL", "could not process")).await;
    let (status, text) = seen.unwrap();
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (status, &answer["status_code"], &answer["error"]["code"], paid),
        (200, &json!(500), &json!("INTERNAL"), 0)
    );
    for (fault, code) in [(Fault::out_of_stock(), 20016), (Fault::wrong_amount(), 20020)] {
        let (_, seen, paid) = paid_with(fault).await;
        let (status, text) = seen.unwrap();
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((status, &answer["data"]["error_code"], paid), (400, &json!(code), 0));
    }
}

#[tokio::test]
async fn a_fault_befalls_the_calls_that_it_names() {
    let shop = Shop::open().await;
    let (first, second) = (shop.filled().await, shop.filled().await);
    let faults = shop.sandbox.faults();
    faults.next_for("park", &second, Fault::status(500));
    assert_eq!(shop.park(&first).await.0, 200);
    assert_eq!(shop.park(&second).await.0, 500, "the sale is named in the body");
    faults.next_for("get_order", &second, Fault::status(500));
    assert_eq!(shop.get(&format!("/v2/order/{first}")).await.0, 200);
    assert_eq!(
        shop.get(&format!("/v2/order/{second}")).await.0,
        500,
        "the sale is named in the path"
    );
    faults.times("shops", 2, Fault::status(500));
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(shop.get("/v1/shop").await.0.as_u16());
    }
    assert_eq!(statuses, [500, 500, 200]);
    faults.always("*", Fault::status(500));
    faults.clear();
    assert_eq!(shop.get("/v1/shop").await.0, 200);
}

#[tokio::test]
async fn a_held_call_takes_effect_once_it_is_released_even_if_its_caller_has_gone() {
    let shop = Shop::open().await;
    let faults = shop.sandbox.faults();
    faults.next("create_client", Fault::Hold);
    let call = tokio::time::timeout(Duration::from_millis(200), shop.client("998901112233"));
    assert!(call.await.is_err(), "the call was answered");
    let clients = || shop.sandbox.ledger().client_count("998901112233");
    assert_eq!(clients(), 0);
    faults.release();
    until(|| clients() == 1).await;
}

#[tokio::test]
async fn chance_is_the_same_with_the_same_seed() {
    let drawn = async |seed: u64| -> Vec<u16> {
        let shop = Shop::with(SandboxSettings {
            seed,
            ..SandboxSettings::default()
        })
        .await;
        shop.sandbox.faults().with_probability("shops", 0.5, Fault::status(500));
        let mut statuses = Vec::new();
        for _ in 0..24 {
            statuses.push(shop.get("/v1/shop").await.0.as_u16());
        }
        statuses
    };
    let (first, again, other) = (drawn(7).await, drawn(7).await, drawn(8).await);
    assert_eq!(first, again);
    assert_ne!(first, other);
    assert!(first.contains(&200) && first.contains(&500));
}

#[tokio::test]
async fn a_wrong_rule_is_refused_and_says_why() {
    let shop = Shop::open().await;
    let faults = shop.sandbox.faults();
    let refused = |rule: FaultRule| faults.add(rule).unwrap_err();
    assert!(refused(FaultRule::every("paid", Fault::CutAfter)).contains("`pay`"));
    assert!(
        refused(FaultRule {
            probability: 1.5,
            ..FaultRule::every("pay", Fault::CutAfter)
        })
        .contains("1.5")
    );
    assert!(refused(FaultRule::every("pay", Fault::status(99))).contains("99"));
    assert!(refused(FaultRule::every("pay", Fault::SlowDrip { bytes: 0, every_ms: 1 })).contains("bytes"));
    assert!(
        Endpoint::ALL
            .iter()
            .all(|endpoint| Endpoint::named(endpoint.name()) == Some(*endpoint))
    );
}

#[tokio::test]
#[should_panic(expected = "no call is named `paid`")]
async fn a_typing_error_in_a_test_does_not_pass_in_silence() {
    let shop = Shop::open().await;
    shop.sandbox.faults().next("paid", Fault::CutAfter);
}
