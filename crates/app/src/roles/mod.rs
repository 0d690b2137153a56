//! From a role's configuration to the running role.

pub(crate) mod api;
pub(crate) mod dashboard;
pub(crate) mod events;
pub(crate) mod worker;

use std::sync::Arc;

use billwright_domain::{Clock, HealthBoard};
use billwright_store::{Mongo, MongoSettings};
use billwright_worker::{QueueWatch, RedisSettings, admin::QueueAddress};
use futures_util::future::BoxFuture;

use self::worker::PreparedWorker;
use crate::{alerts::Watched, commands::QUEUE, config::RunConfig};

/// A role that runs; done once it has stopped after the stop of the process.
pub(crate) type Running = BoxFuture<'static, ()>;

/// What the process is watched by; the consumer of events is added once it runs.
pub(crate) async fn watched(
    config: &RunConfig,
    worker: Option<&PreparedWorker>,
    health: HealthBoard,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Watched> {
    let billing = config
        .api
        .as_ref()
        .map(|api| &api.mongo)
        .or(config.events.as_ref().map(|events| &events.mongo));
    let queue = config.worker.as_ref().map(|worker| QueueAddress {
        redis: RedisSettings {
            url: worker.redis.url.clone(),
        },
        queue: QUEUE.to_owned(),
        prefix: worker.prefix.clone(),
    });
    let telegram = match worker {
        Some(worker) => worker.alerts_telegram(),
        None => config.telegram.clone().map(worker::telegram).transpose()?,
    };
    Ok(Watched {
        health,
        clock,
        queue: queue
            .map(|queue| QueueWatch::new(&queue))
            .transpose()
            .map_err(anyhow::Error::msg)?,
        billz: pool(config.worker.as_ref().map(|worker| &worker.mongo)).await?,
        billing: pool(billing).await?,
        breaker: worker.map(PreparedWorker::breaker),
        events: None,
        telegram,
    })
}

/// A small pool of their own for those who look: they must not stand in line with jobs and requests.
async fn pool(settings: Option<&MongoSettings>) -> anyhow::Result<Option<Mongo>> {
    let Some(settings) = settings else { return Ok(None) };
    let settings = MongoSettings {
        max_pool_size: 2,
        ..settings.clone()
    };
    Ok(Some(Mongo::open(&settings).await?))
}
