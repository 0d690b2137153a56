//! The operations pages, which are there whatever the roles.

use std::{sync::Arc, time::Duration};

use axum::Router;
use billwright_dashboard::{
    Dashboard, DashboardSettings, EffectiveSetting, LogLevel, Process, QueueSource, SampleRecorder, Sources,
};
use billwright_domain::{Clock, HealthBoard};
use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use super::{Running, pool, worker::PreparedWorker};
use crate::{
    config::{RunConfig, Source},
    telemetry::LogControl,
};

/// How many connections to each database serve the pages.
const CONNECTIONS: u32 = 8;

/// What the pages read, gathered before the roles take their configuration.
pub(crate) async fn sources(
    source: &Source,
    config: &RunConfig,
    worker: Option<&PreparedWorker>,
    logs: LogControl,
    health: HealthBoard,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Sources> {
    let billz = config.worker.as_ref();
    Ok(Sources {
        queue: billz.map(|worker| QueueSource::new(worker.queue())),
        billz_database: pool(billz.map(|worker| &worker.mongo), CONNECTIONS).await?,
        billing_database: pool(config.billing_mongo(), CONNECTIONS).await?,
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
        ..Sources::none(clock)
    })
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
    let sources = Sources {
        stop: stop.clone(),
        ..sources
    };
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
