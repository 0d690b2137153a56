//! Who stands in for Billz and Telegram: the peers' own fake where they are measured too, else the project's sandbox in
//! this process. Either knows the sales that the jobs of a run are about.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use billwright_sandbox::{
    BOT_TOKEN, CASHBOX_ID, Fault, GROUP_ID, Ledger, PRODUCT_ID, RateLimit, SECRET_TOKEN, SHOP_ID, Sandbox,
    SandboxSettings,
};
use billwright_services::free_port;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};

use super::ground::Ground;
use crate::process::Process;

/// How a sale of a number is called.
pub(super) fn sale(number: usize) -> String {
    format!("bench-order-{number}")
}

/// What a sale that can be paid costs.
pub(super) const PRICE: u32 = 100;
/// What every product costs.
const UNIT_PRICE: u32 = 100;
/// The one cash box of the peers' fake.
const FAKE_TILL: &str = "till-1";
const DEADLINE: Duration = Duration::from_secs(30);

/// The stand-in.
#[derive(Debug)]
pub(super) enum Billz {
    /// The project's own.
    Sandbox(Box<Sandbox>),
    /// The peers'.
    Fake { process: Box<Process>, url: String },
}

/// What was asked of it, and what it was made to do twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// Calls but logins and messages.
    pub(super) calls: u64,
    pub(super) paid_twice: u64,
    pub(super) clients_twice: u64,
}

impl Billz {
    /// The stand-in that suits the run, which takes `latency` for every answer. Of its `sales`, the first `payable` can
    /// be paid.
    pub(super) async fn open(ground: &Ground, sales: usize, payable: usize, latency: Duration) -> Result<Self> {
        if ground.peers().is_none() {
            let billz = Self::sandbox_with(ground, sales, payable).await?;
            if let (Self::Sandbox(sandbox), false) = (&billz, latency.is_zero()) {
                sandbox.faults().always("*", Fault::latency(latency));
            }
            return Ok(billz);
        }
        let billz = Self::fake(ground).await?;
        let control = async |path: &str, body: Value| {
            let url = format!("{}{path}", billz.url());
            let answer = ground.http().post(url).json(&body).send().await?;
            anyhow::Ok(answer.error_for_status()?)
        };
        control("/__config", json!({"latencyMs": u64::try_from(latency.as_millis())?})).await?;
        control(
            "/__seed",
            json!({"prefix": "bench-order-", "count": sales, "total": PRICE}),
        )
        .await?;
        Ok(billz)
    }

    /// The project's own with `sales`, all of them empty.
    pub(super) async fn sandbox(sales: usize) -> Result<Self> {
        let settings = SandboxSettings {
            drafts: (0..sales).map(sale).collect(),
            any_product: true,
            any_product_price: UNIT_PRICE.into(),
            ..SandboxSettings::default()
        };
        Ok(Self::Sandbox(Box::new(Sandbox::start(settings).await?)))
    }

    /// The project's own with `sales`, of which the first `payable` can be paid.
    pub(super) async fn sandbox_with(ground: &Ground, sales: usize, payable: usize) -> Result<Self> {
        let billz = Self::sandbox(sales).await?;
        if let Self::Sandbox(sandbox) = &billz {
            fill(sandbox, ground.http(), payable).await?;
        }
        Ok(billz)
    }

    async fn fake(ground: &Ground) -> Result<Self> {
        let peers = ground.peers().context("the fake is one of the peers")?;
        let port = free_port()?;
        let script = peers.folder().join("fake-billz/server.js");
        let mut process = Process::start(
            "fake-billz",
            peers.node(),
            &[&script.to_string_lossy()],
            [("PORT", port.to_string())],
            ground.folder(),
        )?;
        let url = format!("http://127.0.0.1:{port}");
        let begun = std::time::Instant::now();
        while ground.http().get(format!("{url}/__stats")).send().await.is_err() {
            process.check_running()?;
            ensure!(begun.elapsed() < DEADLINE, "the fake Billz does not answer");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(Self::Fake {
            process: Box::new(process),
            url,
        })
    }

    fn url(&self) -> String {
        match self {
            Self::Sandbox(sandbox) => sandbox.billz_url(),
            Self::Fake { url, .. } => url.clone(),
        }
    }

    /// Its process, where it has one of its own.
    pub(super) fn pid(&self) -> Option<i32> {
        match self {
            Self::Sandbox(_) => None,
            Self::Fake { process, .. } => process.pid(),
        }
    }

    /// The variables that lead a worker here.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        let url = self.url();
        let till = match self {
            Self::Sandbox(_) => CASHBOX_ID,
            Self::Fake { .. } => FAKE_TILL,
        };
        vec![
            ("BILLZ_CASHBOX_ID", till.to_owned()),
            ("BILLZ_BASE_URL", url.clone()),
            ("BILLZ_TOKEN", SECRET_TOKEN.to_owned()),
            ("BILLZ_SHOP_ID", SHOP_ID.to_owned()),
            ("TELEGRAM_BASE_URL", url),
            ("TELEGRAM_BOT_TOKEN", BOT_TOKEN.to_owned()),
            ("TELEGRAM_GROUP_ID", GROUP_ID.to_string()),
        ]
    }

    /// What was asked of it since it was opened.
    pub(super) async fn asked(&self, ground: &Ground) -> Result<Asked> {
        match self {
            Self::Sandbox(sandbox) => Ok(of_ledger(&sandbox.ledger())),
            Self::Fake { url, .. } => {
                let stats = ground.http().get(format!("{url}/__stats")).send().await?;
                Ok(of_stats(&stats.json().await?))
            }
        }
    }

    /// Lets one address make so many calls a second; only the project's own has a limit.
    pub(super) fn limit(&self, per_second: u32) {
        if let Self::Sandbox(sandbox) = self {
            sandbox.set_rate_limit(Some(RateLimit::per_second(per_second)));
        }
    }

    /// Everything that happened, where it is the project's own.
    pub(super) fn ledger(&self) -> Option<Ledger> {
        match self {
            Self::Sandbox(sandbox) => Some(sandbox.ledger()),
            Self::Fake { .. } => None,
        }
    }

    pub(super) async fn stop(self) -> Result<()> {
        match self {
            Self::Sandbox(sandbox) => sandbox.stop().await,
            Self::Fake { process, .. } => drop(process.stop().await?),
        }
        Ok(())
    }
}

/// Puts one product into each of the first `payable` sales.
async fn fill(sandbox: &Sandbox, http: &reqwest::Client, payable: usize) -> Result<()> {
    let url = sandbox.billz_url();
    let login = http
        .post(format!("{url}/v1/auth/login"))
        .json(&json!({"secret_token": SECRET_TOKEN}))
        .send()
        .await?;
    let login: Value = login.error_for_status()?.json().await?;
    let token = login["data"]["access_token"]
        .as_str()
        .context("no token came with the login")?;
    // Two of a product that costs 50.
    let line = json!({"product_id": PRODUCT_ID, "sold_measurement_value": PRICE / 50, "response_type": "HTTP"});
    stream::iter(0..payable)
        .map(|number| {
            http.post(format!("{url}/v2/order-product/{}", sale(number)))
                .header("Billz-Response-Channel", "HTTP")
                .bearer_auth(token)
                .json(&line)
                .send()
        })
        .buffer_unordered(16)
        .map(|answer| answer?.error_for_status())
        .try_for_each(|_| async { Ok(()) })
        .await
        .context("a sale could not be filled")
}

fn of_ledger(ledger: &Ledger) -> Asked {
    let is_call = |name: &str| !["login", "refresh", "sendMessage", "getMe", "getChat"].contains(&name);
    let calls = ledger.calls.iter().filter(|call| is_call(call.name)).count();
    let twice = |times: u32| u64::from(times.saturating_sub(1));
    let mut phones: Vec<&str> = ledger
        .clients
        .iter()
        .map(|client| client.phone_number.as_str())
        .collect();
    phones.sort_unstable();
    let clients = phones.len();
    phones.dedup();
    Asked {
        calls: u64::try_from(calls)
            .unwrap_or(u64::MAX)
            .saturating_add(ledger.calls_dropped),
        paid_twice: ledger
            .orders
            .iter()
            .map(|order| twice(ledger.times_paid(&order.id)))
            .sum(),
        clients_twice: u64::try_from(clients - phones.len()).unwrap_or(u64::MAX),
    }
}

fn of_stats(stats: &Value) -> Asked {
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let calls = stats["calls"].as_object();
    let is_call = |name: &str| !["v1/auth/login", "telegram"].contains(&name);
    Asked {
        calls: calls
            .into_iter()
            .flatten()
            .filter(|(name, _)| is_call(name))
            .map(|(_, calls)| number(calls))
            .sum(),
        paid_twice: number(&stats["orders"]["extraPayments"]),
        clients_twice: number(&stats["clients"]["duplicates"]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_fake_tells() {
        let stats = json!({
            "calls": {"v1/auth/login": 1, "telegram": 40, "GET v2/order": 7, "v1/client": 3},
            "orders": {"extraPayments": 2}, "clients": {"duplicates": 5},
        });
        let asked = Asked {
            calls: 10,
            paid_twice: 2,
            clients_twice: 5,
        };
        assert_eq!(of_stats(&stats), asked);
    }
}
