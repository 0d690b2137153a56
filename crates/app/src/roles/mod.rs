//! From a role's configuration to the running role.

pub(crate) mod api;
pub(crate) mod dashboard;
pub(crate) mod events;
pub(crate) mod worker;

use std::sync::Arc;

use billwright_domain::{Clock, HealthBoard};
use billwright_store::{Mongo, MongoSettings};
use billwright_worker::QueueWatch;
use futures_util::future::BoxFuture;

use self::worker::PreparedWorker;
use crate::{alerts::Watched, config::RunConfig};

/// A role that runs; done once it has stopped after the stop of the process.
pub(crate) type Running = BoxFuture<'static, ()>;

/// What the process is watched by; the consumer of events is added once it runs.
pub(crate) async fn watched(
    config: &RunConfig,
    worker: Option<&PreparedWorker>,
    health: HealthBoard,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Watched> {
    let telegram = match worker {
        Some(worker) => worker.telegram(),
        None => config.telegram.clone().map(worker::telegram).transpose()?,
    };
    Ok(Watched {
        health,
        clock,
        queue: config
            .queue
            .as_ref()
            .map(QueueWatch::new)
            .transpose()
            .map_err(anyhow::Error::msg)?,
        billz: pool(config.worker.as_ref().map(|worker| &worker.mongo), 2).await?,
        billing: pool(config.billing_mongo(), 2).await?,
        breaker: worker.map(PreparedWorker::breaker),
        events: None,
        telegram,
    })
}

/// A pool of their own, of `size` connections, for those who look: they must not stand in line with jobs and requests.
async fn pool(settings: Option<&MongoSettings>, size: u32) -> anyhow::Result<Option<Mongo>> {
    let Some(settings) = settings else { return Ok(None) };
    let settings = MongoSettings {
        max_pool_size: size,
        ..settings.clone()
    };
    Ok(Some(Mongo::open(&settings).await?))
}
