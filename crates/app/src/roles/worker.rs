//! The order worker.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::http::{HeaderMap, HeaderValue};
use billwright_connectors::{
    billz::{Billz, BillzSettings, RedisTokenStore, TokenStore},
    breaker::{Breaker, BreakerSettings},
    budget::{Budget, BudgetSettings},
    telegram::{Telegram, TelegramSettings},
};
use billwright_domain::{Clock, HealthBoard, ShopId};
use billwright_store::{
    Mongo,
    billz::integrations::{EncryptionKey, Integrations},
};
use billwright_trace_context::TraceContext;
use billwright_worker::{IntegrationTokenStore, RedisSettings, WorkerSettings};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::Running;
use crate::{
    config::{BillzConfig, ConfigProblem, ConfigProblems, RedisConfig, TelegramConfig, WorkerConfig},
    env_vars::{BILLZ_SHOP_ID, BILLZ_TOKEN},
};

/// A worker whose credentials are at hand.
pub(crate) struct PreparedWorker {
    settings: WorkerSettings,
    billz: Billz,
    telegram: Option<Telegram>,
    mongo: Mongo,
    clock: Arc<dyn Clock>,
}

/// How the worker gets into Billz.
struct Credentials {
    secret: SecretString,
    shop_id: ShopId,
    token_store: Arc<dyn TokenStore>,
}

/// Gets everything ready that the worker needs. Redis and Billz may be away; MongoDB is only asked where the token lies
/// there.
pub(crate) async fn prepare(
    config: WorkerConfig,
    grace: Duration,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<PreparedWorker> {
    let mongo = Mongo::open(&config.mongo).await?;
    let credentials = credentials(&config.billz, &config.redis, &mongo, Arc::clone(&clock)).await?;
    let billz = billz(config.billz, &config.redis, credentials, Arc::clone(&clock))?;
    if config.telegram.is_none() {
        tracing::info!("notifications are off: `TELEGRAM_BOT_TOKEN` and `TELEGRAM_GROUP_ID` are not set");
    }
    let telegram = config.telegram.map(telegram).transpose()?;
    let settings = WorkerSettings {
        prefix: config.prefix,
        name: name(),
        concurrency: config.concurrency,
        grace,
        timezone: billz.settings().timezone,
        ..WorkerSettings::new(
            RedisSettings { url: config.redis.url },
            billz.settings().shop_id.clone(),
        )
    };
    Ok(PreparedWorker {
        settings,
        billz,
        telegram,
        mongo,
        clock,
    })
}

impl PreparedWorker {
    /// The breaker before Billz.
    pub(crate) fn breaker(&self) -> Breaker {
        self.billz.breaker().clone()
    }

    /// The Billz client, for the operations pages.
    pub(crate) fn billz(&self) -> Billz {
        self.billz.clone()
    }

    /// Telegram, for alerts and the operations pages.
    pub(crate) fn telegram(&self) -> Option<Telegram> {
        self.telegram.clone()
    }

    /// Starts to take jobs.
    pub(crate) fn start(self, health: HealthBoard, stop: CancellationToken) -> Running {
        let handle = billwright_worker::start(
            self.settings,
            self.billz,
            self.telegram,
            self.mongo,
            self.clock,
            health,
            stop,
        );
        Box::pin(handle.finished())
    }
}

/// The Billz client of this configuration alone, for who only asks.
pub(crate) async fn connect(config: &WorkerConfig, mongo: &Mongo, clock: Arc<dyn Clock>) -> anyhow::Result<Billz> {
    let credentials = credentials(&config.billz, &config.redis, mongo, Arc::clone(&clock)).await?;
    billz(config.billz.clone(), &config.redis, credentials, clock)
}

/// The Billz client by this configuration and these credentials.
fn billz(
    config: BillzConfig,
    redis: &RedisConfig,
    credentials: Credentials,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Billz> {
    let settings = BillzSettings {
        cashbox_id: config.cashbox_id,
        timezone: config.timezone,
        trace_headers: Some(continue_trace),
        ..BillzSettings::new(config.base_url, credentials.secret, credentials.shop_id)
    };
    let budget = Budget::new(BudgetSettings::new(
        config.rate_limit,
        Some(redis_client(redis)?),
        settings.host(),
    ))?;
    let breaker = Breaker::new(BreakerSettings::default(), Arc::clone(&clock));
    Ok(Billz::new(
        settings,
        budget,
        breaker,
        clock,
        Some(credentials.token_store),
    )?)
}

/// Lets Billz go on with the trace that a call belongs to.
fn continue_trace(headers: &mut HeaderMap) {
    let Some(context) = TraceContext::current() else { return };
    for (name, value) in context.headers() {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
}

fn redis_client(redis: &RedisConfig) -> anyhow::Result<redis::Client> {
    let settings = RedisSettings { url: redis.url.clone() };
    settings.client().context("the Redis address cannot be used")
}

/// The token and the shop from the environment, or else from the active `integrations` document.
async fn credentials(
    config: &BillzConfig,
    redis: &RedisConfig,
    mongo: &Mongo,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Credentials> {
    if let (Some(secret), Some(shop_id)) = (&config.token, &config.shop_id) {
        let token_store = RedisTokenStore::new(redis_client(redis)?, "billwright", secret)?;
        return Ok(Credentials {
            secret: secret.clone(),
            shop_id: shop_id.clone(),
            token_store: Arc::new(token_store),
        });
    }
    let key = config.encryption_key.as_ref().map(EncryptionKey::parse).transpose()?;
    let integrations = Integrations::new(mongo, key.clone());
    let expected_token =
        || "the Billz secret token, or an active `integrations` document of type `billz` that holds it".to_owned();
    let stored = match integrations.load().await {
        Ok(Some(stored)) => stored,
        Ok(None) => {
            let found = format!("nothing, and no such document in the database `{}`", mongo.name());
            let mut problems = vec![ConfigProblem {
                name: BILLZ_TOKEN.name.to_owned(),
                found,
                expected: expected_token(),
            }];
            if config.shop_id.is_none() {
                problems.push(ConfigProblem {
                    name: BILLZ_SHOP_ID.name.to_owned(),
                    found: "nothing".to_owned(),
                    expected: "the id of the Billz shop in which sales are made".to_owned(),
                });
            }
            return Err(ConfigProblems(problems).into());
        }
        Err(error) => {
            let found = format!("nothing, and the `integrations` document cannot be used: {error}");
            return Err(ConfigProblems(vec![ConfigProblem {
                name: BILLZ_TOKEN.name.to_owned(),
                found,
                expected: expected_token(),
            }])
            .into());
        }
    };
    let shop_id = match (&config.shop_id, stored.shop_id.as_deref().map(ShopId::parse)) {
        (Some(shop_id), _) => shop_id.clone(),
        (None, Some(Ok(shop_id))) => shop_id,
        (None, stored) => {
            let found = if stored.is_some() {
                "a `shop_id` in the `integrations` document that is no identifier"
            } else {
                "nothing, and no `shop_id` in the `integrations` document"
            };
            return Err(ConfigProblems(vec![ConfigProblem {
                name: BILLZ_SHOP_ID.name.to_owned(),
                found: found.to_owned(),
                expected: "the id of the Billz shop in which sales are made".to_owned(),
            }])
            .into());
        }
    };
    tracing::info!(
        database = mongo.name(),
        "the Billz token is taken from the `integrations` document"
    );
    Ok(Credentials {
        secret: stored.secret,
        shop_id,
        token_store: Arc::new(IntegrationTokenStore::new(mongo, key, clock)),
    })
}

pub(crate) fn telegram(config: TelegramConfig) -> anyhow::Result<Telegram> {
    let settings = TelegramSettings {
        base_url: config.base_url,
        bot_token: config.bot_token,
        group_id: config.group_id,
    };
    Ok(Telegram::new(&settings)?)
}

/// The worker's name as BullMQ's `getWorkers` shows it: where it runs, and which process it is.
pub(super) fn name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("billwright@{}#{}", host.trim(), std::process::id())
}
