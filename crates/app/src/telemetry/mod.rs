//! Logs and metrics of the process. Answers go to standard output, logs to standard error.

mod log_control;
pub(crate) mod metric_list;
mod traces;

use std::{io::IsTerminal as _, time::Duration};

use billwright_dashboard::SampleRecorder;
use billwright_domain::SystemClock;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_util::layers::FanoutBuilder;
use tokio::runtime::Handle;
use tracing::{Level, Metadata};
use tracing_subscriber::{
    Layer, Registry, filter::filter_fn, fmt, layer::SubscriberExt, reload, util::SubscriberInitExt,
};

pub(crate) use self::log_control::{LogControl, parse_filter};
use self::traces::Traces;
use crate::{
    config::{Reader, Source, TracesConfig},
    env_vars::{LOG_LEVEL, NODE_ENV},
};

/// Upper bounds of duration buckets, in seconds: from a cached read to a job that waited for Billz.
const SECONDS: [f64; 14] = [
    0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0,
];

/// Upper bounds of the buckets of batches, in messages.
const SIZES: [f64; 8] = [1.0, 5.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];

/// How often what histograms were given is added up.
const UPKEEP: Duration = Duration::from_secs(5);

/// The logs and traces of the process.
pub(crate) struct Telemetry {
    /// Changes what is logged.
    pub(crate) logs: LogControl,
    traces: Option<Traces>,
}

impl Telemetry {
    /// Starts logging as the configuration says, and exporting traces where it `exports` and a collector is named. What is
    /// wrong is reported with the rest of the configuration, so that here it falls back to the default.
    pub(crate) fn start(source: &Source, exports: bool, runtime: &Handle) -> anyhow::Result<Self> {
        let config = TracesConfig::read(&mut Reader::new(source)).flatten();
        let traces = config
            .filter(|_| exports)
            .map(|config| Traces::start(config, runtime.clone()))
            .transpose()?;
        Ok(Self {
            logs: start_logging(source, traces.as_ref()),
            traces,
        })
    }

    /// Sends the spans that are left.
    pub(crate) fn finish(self) {
        if let Some(traces) = self.traces {
            traces.finish();
        }
    }
}

fn start_logging(source: &Source, traces: Option<&Traces>) -> LogControl {
    let configured = Reader::new(source)
        .optional(&LOG_LEVEL, |text| parse_filter(text).map(|_| text.to_owned()))
        .unwrap_or_else(|| "info".to_owned());
    let filter = parse_filter(&configured).unwrap_or_default();
    let (filter, handle) = reload::Layer::new(filter);
    let filter = tracing_subscriber::filter::FilterExt::or(filter, filter_fn(is_span_of_ours));
    let layer: Box<dyn Layer<Registry> + Send + Sync> = if source.get(&NODE_ENV) == Some("production") {
        Box::new(json_lines())
    } else {
        Box::new(
            fmt::layer()
                .with_target(false)
                .with_ansi(std::io::stderr().is_terminal())
                .with_writer(std::io::stderr),
        )
    };
    // A second start would be a fault of ours, and the first one's settings serve as well.
    drop(
        tracing_subscriber::registry()
            .with(layer.with_filter(filter))
            .with(traces.map(Traces::layer))
            .try_init(),
    );
    LogControl::new(handle, configured, SystemClock::shared())
}

/// One JSON object a line, the fields of the spans around it beside its own, so that `correlation.id` has its place in
/// every line of a job, a request or an event.
fn json_lines() -> impl Layer<Registry> + Send + Sync {
    json_subscriber::fmt::layer()
        .flatten_event(true)
        .flatten_span_list_on_top_level(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_writer(std::io::stderr)
}

/// The spans of our own crates are kept whatever the level, since a warning within them needs their correlation id.
fn is_span_of_ours(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && *metadata.level() <= Level::INFO && metadata.target().starts_with("billwright")
}

/// The metrics of the process. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    handle: PrometheusHandle,
    process: metrics_process::Collector,
}

impl Metrics {
    /// All of them in Prometheus's text form.
    pub(crate) fn render(&self) -> String {
        self.process.collect();
        self.handle.render()
    }
}

/// Starts collecting metrics, and what of them the dashboard charts. Must be called within the asynchronous runtime.
pub(crate) fn start_metrics() -> anyhow::Result<(Metrics, SampleRecorder)> {
    let prometheus = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Full("billwright_events_batch_size".to_owned()), &SIZES)?
        .build_recorder();
    let handle = prometheus.handle();
    let upkeep = handle.clone();
    tokio::spawn(async move {
        // Where nobody asks for the metrics, what histograms were given would pile up.
        let mut every = tokio::time::interval(UPKEEP);
        loop {
            every.tick().await;
            upkeep.run_upkeep();
        }
    });
    let samples = SampleRecorder::default();
    let both = FanoutBuilder::default()
        .add_recorder(prometheus)
        .add_recorder(samples.clone())
        .build();
    metrics::set_global_recorder(both).map_err(|_| anyhow::anyhow!("metrics are collected already"))?;
    metric_list::describe();
    metrics::gauge!("billwright_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    let process = metrics_process::Collector::default();
    process.describe();
    Ok((Metrics { handle, process }, samples))
}
