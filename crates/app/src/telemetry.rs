//! Logs and metrics of the process. Answers go to standard output, logs to standard error.

use std::io::IsTerminal as _;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{
    config::{Reader, Source},
    env_vars::{LOG_LEVEL, NODE_ENV},
};

/// Upper bounds of duration buckets, in seconds: from a cached read to a job that waited for Billz.
const SECONDS: [f64; 14] = [
    0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0,
];

/// Starts logging as the configuration says. A bad filter is reported with the rest of the configuration, so here it
/// falls back to the default.
pub(crate) fn start_logging(source: &Source) {
    let mut reader = Reader::new(source);
    let filter = reader
        .optional(&LOG_LEVEL, parse_filter)
        .unwrap_or_else(|| EnvFilter::new("info"));
    let registry = tracing_subscriber::registry().with(filter);
    let started = if source.get(&NODE_ENV) == Some("production") {
        registry
            .with(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr))
            .try_init()
    } else {
        registry
            .with(
                fmt::layer()
                    .with_target(false)
                    .with_ansi(std::io::stderr().is_terminal())
                    .with_writer(std::io::stderr),
            )
            .try_init()
    };
    // A second start would be a fault of ours, and the first one's settings serve as well.
    drop(started);
}

/// Reads `LOG_LEVEL`.
pub(crate) fn parse_filter(text: &str) -> Result<EnvFilter, String> {
    // The libraries below us log what they recover from by themselves.
    let quiet = "mongodb=warn,rdkafka=warn,hyper=warn,reqwest=warn,bullmq=warn";
    EnvFilter::try_new(format!("{quiet},{text}"))
        .map_err(|_| "a level (`info`) or a filter (`info,billwright_worker=debug`)".to_owned())
}

/// Starts collecting metrics. The handle renders them in Prometheus's text form.
pub(crate) fn start_metrics() -> anyhow::Result<PrometheusHandle> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .install_recorder()?;
    Ok(handle)
}
