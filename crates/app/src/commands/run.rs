//! `billwright run`: the roles in one process, from the check of the configuration to the graceful stop.

use std::{
    net::IpAddr,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use billwright_domain::{HealthBoard, SystemClock};
use futures_util::future::join_all;

use crate::{
    alerts,
    config::{Role, RunConfig, Source},
    http::{self, Operations, Routes, ServerLimits},
    lifecycle,
    roles::{self, Running},
    telemetry::{self, LogControl},
};

/// How long after the grace period whatever still runs is left alone.
const BEYOND_GRACE: Duration = Duration::from_secs(5);

/// The command's arguments.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  billwright run\n  billwright run --roles worker\n  billwright run --roles api,events --port 8080\n\nExit statuses: 0 stopped when told to, 1 failed, 2 wrong usage, 78 wrong configuration."
)]
pub(crate) struct Run {
    /// The roles to run; by default every role whose configuration is there.
    #[arg(long, value_enum, value_delimiter = ',')]
    roles: Option<Vec<Role>>,
}

impl Run {
    pub(crate) async fn run(self, source: &Source, logs: LogControl) -> anyhow::Result<ExitCode> {
        let config = RunConfig::read(source, self.roles.as_deref())?;
        let (metrics, samples) = telemetry::start_metrics()?;
        for (role, runs, reason) in config.roles.explained() {
            tracing::info!(%role, runs, reason, "role");
        }
        let health = HealthBoard::default();
        let clock = SystemClock::shared();
        let stop = lifecycle::stop_on_signals()?;
        lifecycle::debug_on_signal(logs.clone(), stop.clone())?;
        // The worker is prepared first: where its credentials are missing, nothing at all is started.
        let worker = match config.worker.clone() {
            Some(worker) => Some(roles::worker::prepare(worker, config.http.grace, Arc::clone(&clock)).await?),
            None => None,
        };
        let sources = roles::dashboard::sources(
            source,
            &config,
            worker.as_ref(),
            logs,
            health.clone(),
            Arc::clone(&clock),
        )
        .await?;
        let consumer = Arc::clone(&sources.consumer);
        let mut watched = roles::watched(&config, worker.as_ref(), health.clone(), Arc::clone(&clock)).await?;
        let listener = http::listen(&config.http).await?;
        let address = listener.local_addr()?;

        let stopping = Arc::new(AtomicBool::new(false));
        let operations = Operations {
            health: health.clone(),
            metrics,
            stopping: Arc::clone(&stopping),
        };
        let (pages, report) = roles::dashboard::start(config.dashboard, sources, samples, stop.clone())?;
        let operations = http::operations_router(operations);
        let mut router = operations.clone().merge(http::observed(pages));
        let mut running: Vec<(&str, Running)> = vec![("the dashboard's records", report)];
        if let Some(api) = config.api {
            if api.is_open() && !is_loopback(address.ip()) {
                tracing::warn!(%address, "the API is open to everybody who reaches this address; set `API_KEYS` or `API_JWT_JWKS_URL`, or `HOST=127.0.0.1`");
            }
            router = router.merge(roles::api::open(api, Arc::clone(&clock), health.clone()).await?);
        }
        if let Some(events) = config.events {
            let (events, control) =
                roles::events::start(events, Arc::clone(&clock), health.clone(), stop.clone()).await?;
            // Set once.
            let _ = consumer.set(control.clone());
            watched.events = Some(control);
            running.push(("the consumer of events", events));
        }
        if let Some(worker) = worker {
            running.push(("the worker", worker.start(health.clone(), stop.clone())));
        }
        let watching = tokio::spawn(alerts::watch(config.alerts, watched, stop.clone()));
        let watch: Running = Box::pin(async move {
            if let Err(error) = watching.await {
                tracing::error!(%error, "the watch over the process ended unexpectedly");
            }
        });
        running.push(("the watch over the process", watch));
        let reachable = Routes {
            all: router.fallback(billwright_api::not_found),
            operations,
        };
        let limits = ServerLimits::of_this_process();
        tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "listening");

        let server = tokio::spawn(http::serve(
            listener,
            reachable,
            limits,
            stop.clone(),
            config.http.grace,
        ));
        stop.cancelled().await;
        stopping.store(true, Ordering::Relaxed);
        let is_finished = finish(server, running, config.http.grace + BEYOND_GRACE).await;
        tracing::info!("stopped");
        Ok(if is_finished {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

/// Waits until the server and every role have finished what was in flight. Each keeps to the grace period by itself; one that
/// does not within `longest` is left alone, since what it has in flight is taken up again as after a crash. Says whether all
/// have finished.
async fn finish(
    server: tokio::task::JoinHandle<()>,
    mut running: Vec<(&'static str, Running)>,
    longest: Duration,
) -> bool {
    running.push((
        "the HTTP server",
        Box::pin(async move {
            if let Err(error) = server.await {
                tracing::error!(%error, "the HTTP server ended unexpectedly");
            }
        }),
    ));
    let finished = running.into_iter().map(async |(name, running)| {
        let is_finished = tokio::time::timeout(longest, running).await.is_ok();
        if !is_finished {
            tracing::error!(
                "{name} did not stop within {} s and is left as it is; what it had in flight is taken up again",
                longest.as_secs()
            );
        }
        is_finished
    });
    join_all(finished).await.into_iter().all(|is_finished| is_finished)
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_never_ends_does_not_keep_the_process() {
        let server = || tokio::spawn(async {});
        let ends: Running = Box::pin(tokio::time::sleep(Duration::from_secs(1)));
        assert!(finish(server(), vec![("one", ends)], Duration::from_secs(2)).await);
        let never: Running = Box::pin(std::future::pending());
        assert!(!finish(server(), vec![("one", never)], Duration::from_secs(2)).await);
    }
}
