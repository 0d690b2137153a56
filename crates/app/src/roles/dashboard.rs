//! The operations pages, which are there whatever the roles.

use std::{sync::Arc, time::Duration};

use axum::Router;
use billwright_dashboard::{
    Dashboard, DashboardSettings, EffectiveSetting, LogLevel, Process, QueueSource, SampleRecorder, Sources,
};
use billwright_domain::{Clock, HealthBoard};
use billwright_store::{Mongo, MongoSettings};
use billwright_worker::{RedisSettings, admin::QueueAddress};

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use super::{Running, worker::PreparedWorker};
use crate::{
    commands::QUEUE,
    config::{RunConfig, Source},
    telemetry::LogControl,
};

/// What the pages read, gathered before the roles take their configuration.
pub(crate) async fn sources(
    source: &Source,
    config: &RunConfig,
    worker: Option<&PreparedWorker>,
    logs: LogControl,
    health: HealthBoard,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Sources> {
    let billing = config
        .api
        .as_ref()
        .map(|api| &api.mongo)
        .or(config.events.as_ref().map(|events| &events.mongo));
    let billz = config.worker.as_ref();
    Ok(Sources {
        queue: billz.map(|worker| {
            QueueSource::new(QueueAddress {
                redis: RedisSettings {
                    url: worker.redis.url.clone(),
                },
                queue: QUEUE.to_owned(),
                prefix: worker.prefix.clone(),
            })
        }),
        billz_database: open(billz.map(|worker| &worker.mongo)).await?,
        billing_database: open(billing).await?,
        events: config.events.as_ref().map(|events| events.settings.clone()),
        consumer: Arc::default(),
        publishes_changes: config.api.as_ref().is_some_and(|api| api.publishes)
            || config
                .events
                .as_ref()
                .is_some_and(|events| events.settings.events_out_topic.is_some()),
        billz: worker.map(PreparedWorker::billz),
        telegram: worker.and_then(PreparedWorker::telegram),
        health,
        process: Process {
            name: super::worker::name(),
            version: env!("CARGO_PKG_VERSION"),
            roles: config.roles.running().map(|role| role.to_string()).collect(),
        },
        settings: settings(source),
        log_level: Some(Arc::new(logs)),
        clock,
    })
}

/// A pool of their own: pages must not stand in line with jobs and requests.
async fn open(settings: Option<&MongoSettings>) -> anyhow::Result<Option<Mongo>> {
    let Some(settings) = settings else {
        return Ok(None);
    };
    let settings = MongoSettings {
        max_pool_size: 8,
        ..settings.clone()
    };
    Ok(Some(Mongo::open(&settings).await?))
}

/// The pages, and what this process tells those of all processes.
pub(crate) fn start(
    settings: DashboardSettings,
    sources: Sources,
    samples: SampleRecorder,
    stop: CancellationToken,
) -> anyhow::Result<(Router, Running)> {
    if settings.users.is_none() {
        tracing::info!(
            "the dashboard is open to this machine alone; set `DASHBOARD_USERS` to let people in from elsewhere"
        );
    }
    let report = tokio::spawn(billwright_dashboard::report(sources.clone(), samples, stop));
    let running = Box::pin(async move {
        // A panic was reported where it happened.
        let _ = report.await;
    });
    Ok((Dashboard::new(settings, sources)?.router(), running))
}

fn settings(source: &Source) -> Vec<EffectiveSetting> {
    let settings = source.effective_settings().into_iter();
    settings
        .map(|setting| EffectiveSetting {
            name: setting.name,
            section: setting.section,
            shown_value: setting.shown_value,
            origin: setting.origin.to_string(),
            default: setting.default,
            about: setting.about,
        })
        .collect()
}

impl LogLevel for LogControl {
    fn current(&self) -> String {
        self.levels().filter
    }

    fn configured(&self) -> String {
        self.levels().configured
    }

    fn until(&self) -> Option<DateTime<Utc>> {
        self.levels().until
    }

    fn change(&self, filter: &str, lasting: Option<Duration>) -> Result<(), String> {
        self.set(filter, lasting)
    }
}
