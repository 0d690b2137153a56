//! What is told about the calls: metrics by name, and log lines that hold neither secrets nor personal data.
//!
//! A program of its own, since log lines are only all there if the one who listens was there before the first of them.

#![expect(
    clippy::unwrap_used,
    reason = "the functions that several tests share may panic as tests do"
)]

#[path = "../it/stub.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod stub;

use std::{
    io::Write,
    sync::{Mutex, OnceLock},
};

use billwright_connectors::{
    billz::{Billz, BillzCalls, BillzSettings, CallContext, NewClient},
    breaker::{Breaker, BreakerSettings},
    budget::{Budget, BudgetSettings},
    telegram::{Telegram, TelegramSettings},
};
use billwright_domain::{BillzOrderId, CorrelationId, Money, PaymentTypeId, Phone, ShopId, SystemClock};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::json;
use tracing_subscriber::EnvFilter;

use stub::{Say, Stub, login};

const PHONE: &str = "998901112233";
const ACCESS_TOKEN: &str = "the-access-token";
const BOT_TOKEN: &str = "123456:the-bot-token";

/// Everything that was logged in this process, at the finest level.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Logged;

impl Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn listen() {
    static LISTENING: OnceLock<()> = OnceLock::new();
    LISTENING.get_or_init(|| {
        tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new("trace"))
            .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
            .with_ansi(false)
            .with_writer(|| Logged)
            .init();
    });
}

fn billz(stub: &Stub, budget: Budget) -> Billz {
    let secret = billwright_sandbox::SECRET_TOKEN.to_owned().into();
    let settings = BillzSettings::new(stub.url().parse().unwrap(), secret, ShopId::parse("shop-main").unwrap());
    let clock = SystemClock::shared();
    let breaker = Breaker::new(BreakerSettings::default(), SystemClock::shared());
    Billz::new(settings, budget, breaker, clock, None).unwrap()
}

fn calls(billz: &Billz) -> BillzCalls {
    billz.calls(CallContext::ordinary(CorrelationId::parse("correlation-1").unwrap()))
}

fn sale() -> BillzOrderId {
    BillzOrderId::parse("sale").unwrap()
}

/// Makes calls of every kind of outcome.
async fn make_calls(stub: &Stub) {
    stub.says_only("/v1/auth/login", Say::json(&login(ACCESS_TOKEN)));
    let refusal = json!({"error": {"code": "DUPLICATE", "message": format!("+{PHONE} exists")}}).to_string();
    stub.says(
        "/v1/client",
        Say::json(&json!({"clients": [{"id": "client-1", "phone_numbers": [PHONE]}]})),
    );
    stub.says("/v1/client", Say::bytes(409, refusal));
    stub.says(
        "/v1/client",
        Say::bytes(200, format!(r#"{{"phone_number": "{PHONE}"}}"#)),
    );
    let billz = billz(stub, Budget::unlimited());
    let client = NewClient {
        first_name: "Aziza".to_owned(),
        last_name: None,
        phone: Phone::parse(PHONE).unwrap(),
    };
    calls(&billz).find_client(&client.phone).await.unwrap();
    for _ in 0..2 {
        let error = calls(&billz).create_client(&client).await.unwrap_err();
        tracing::info!(%error, ?client, "not created");
    }
    let error = calls(&billz).find_client(&client.phone).await.unwrap_err();
    tracing::info!(%error, ?error, ?billz, "not found");
    stub.says("/v2/order-payment/sale", Say::status(500));
    calls(&billz)
        .pay(&sale(), &PaymentTypeId::parse("card").unwrap(), Money::whole(5), "")
        .await
        .unwrap_err();
    let telegram = Telegram::new(&TelegramSettings {
        base_url: stub.url().parse().unwrap(),
        bot_token: BOT_TOKEN.to_owned().into(),
        group_id: "-100".to_owned(),
    });
    let error = telegram.unwrap().send("hello").await.unwrap_err();
    tracing::info!(%error, "not sent");
}

#[tokio::test]
async fn no_log_line_holds_a_secret_or_a_whole_phone_number() {
    listen();
    make_calls(&Stub::start().await).await;
    let log = String::from_utf8(LOG.lock().unwrap().clone()).unwrap();
    assert!(
        log.contains("billz.call") && log.contains("correlation-1") && log.contains("logged in to Billz"),
        "{log}"
    );
    for hidden in [
        PHONE,
        ACCESS_TOKEN,
        billwright_sandbox::SECRET_TOKEN,
        "the-bot-token",
        "never-used",
    ] {
        let line = log.lines().find(|line| line.contains(hidden));
        assert_eq!(line, None, "a line holds {hidden}");
    }
}

#[tokio::test]
async fn every_call_is_counted_and_timed() {
    listen();
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    let stub = Stub::start().await;
    let guard = metrics::set_default_local_recorder(&recorder);
    make_calls(&stub).await;
    drop(guard);
    let shown = metrics.render();
    for line in [
        r#"billwright_billz_calls_total{call="login",outcome="ok"} 1"#,
        r#"billwright_billz_calls_total{call="find_client",outcome="ok"} 1"#,
        r#"billwright_billz_calls_total{call="find_client",outcome="bad_reply"} 1"#,
        r#"billwright_billz_calls_total{call="create_client",outcome="refused"} 1"#,
        r#"billwright_billz_calls_total{call="create_client",outcome="outcome_unknown"} 1"#,
        r#"billwright_billz_calls_total{call="pay",outcome="outcome_unknown"} 1"#,
        r#"billwright_billz_call_duration_seconds_count{call="pay"} 1"#,
        "billwright_billz_breaker_state 0",
        r#"billwright_telegram_messages_total{outcome="outcome_unknown"} 1"#,
    ] {
        assert!(shown.contains(line), "{line} is not in\n{shown}");
    }
}

#[tokio::test]
async fn the_wait_for_the_budget_is_measured() {
    listen();
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let limit = BudgetSettings::new("1000/s".parse().unwrap(), None, "x");
    let stub = Stub::start().await;
    let billz = billz(&stub, Budget::new(limit).unwrap());
    calls(&billz).delete_order(&sale()).await.unwrap();
    let shown = metrics.render();
    // The login is as urgent as a payment, since payments may wait for it.
    for urgency in ["payment", "ordinary"] {
        let line = format!(r#"billwright_billz_budget_wait_seconds_count{{urgency="{urgency}"}} 1"#);
        assert!(shown.contains(&line), "{line} is not in\n{shown}");
    }
}
