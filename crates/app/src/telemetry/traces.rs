//! Traces over OTLP, where a collector is named; nothing at all where none is.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use billwright_connectors::export::ExportTarget;
use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider},
};
use secrecy::ExposeSecret as _;
use tokio::runtime::Handle;
use tracing::{Level, Metadata};
use tracing_subscriber::{Layer, filter::filter_fn, registry::LookupSpan};

use crate::config::TracesConfig;

/// How long the end of the process waits for the last spans to get away.
const LAST_SPANS: Duration = Duration::from_secs(3);

/// The running export. Finished spans wait in a bounded queue; while the collector is away they are dropped.
#[derive(Debug, Clone)]
pub(crate) struct Traces(SdkTracerProvider);

impl Traces {
    /// Starts to export. Exporting itself is done on `runtime`.
    pub(crate) fn start(config: TracesConfig, runtime: Handle) -> anyhow::Result<Self> {
        let client = Collector {
            target: ExportTarget::new(&config.endpoint, config.timeout)?,
            host: config.endpoint.host_str().unwrap_or_default().to_owned(),
            runtime,
            failing: Arc::default(),
        };
        let headers: HashMap<String, String> = config
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), value.expose_secret().to_owned()))
            .collect();
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_endpoint(config.endpoint.as_str())
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(config.timeout)
            .with_headers(headers)
            .build()
            .context("traces cannot be exported")?;
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(config.queue)
            .with_max_export_batch_size(config.queue.min(512))
            .with_scheduled_delay(config.delay)
            .build();
        let processor = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(processor)
            .with_sampler(sampler(config.sampler))
            .with_resource(resource(config.service_name, config.attributes))
            .build();
        opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
        Ok(Self(provider))
    }

    /// What turns our spans into spans of a trace. Personal data and secrets are in none of their fields: those are ids,
    /// words from fixed lists and counts.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: tracing::Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("billwright"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(belongs_to_a_trace))
    }

    /// Sends what is left, for a moment at most. Blocks.
    pub(crate) fn finish(self) {
        if let Err(error) = self.0.shutdown_with_timeout(LAST_SPANS) {
            tracing::debug!(%error, "the last spans were not exported");
        }
    }
}

/// Our own spans, and what went wrong within them.
fn belongs_to_a_trace(metadata: &Metadata<'_>) -> bool {
    let most = if metadata.is_span() { Level::INFO } else { Level::WARN };
    metadata.target().starts_with("billwright") && *metadata.level() <= most
}

fn sampler(config: crate::config::Sampler) -> Sampler {
    let own = if config.ratio >= 1.0 {
        Sampler::AlwaysOn
    } else if config.ratio <= 0.0 {
        Sampler::AlwaysOff
    } else {
        Sampler::TraceIdRatioBased(config.ratio)
    };
    if config.parent_based {
        Sampler::ParentBased(Box::new(own))
    } else {
        own
    }
}

fn resource(service_name: String, attributes: Vec<(String, String)>) -> Resource {
    Resource::builder_empty()
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attribute(KeyValue::new("process.pid", i64::from(std::process::id())))
        .with_attributes(attributes.into_iter().map(|(name, value)| KeyValue::new(name, value)))
        .with_service_name(service_name)
        .build()
}

/// The way to the collector. The SDK exports from a thread of its own, which knows no runtime.
#[derive(Clone)]
struct Collector {
    target: ExportTarget,
    host: String,
    runtime: Handle,
    failing: Arc<AtomicBool>,
}

impl fmt::Debug for Collector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Collector").field(&self.host).finish()
    }
}

impl Collector {
    /// One word when it begins to fail, and one when it works again.
    fn note(&self, problem: Option<&str>) {
        let was = self.failing.swap(problem.is_some(), Ordering::Relaxed);
        match problem {
            Some(reason) if !was => tracing::warn!(
                host = self.host,
                reason,
                "traces cannot be exported and are dropped meanwhile; see `OTEL_EXPORTER_OTLP_ENDPOINT`"
            ),
            None if was => tracing::info!(host = self.host, "traces are exported again"),
            _ => {}
        }
    }
}

#[async_trait::async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let target = self.target.clone();
        let answer = self.runtime.spawn(async move { target.send(request).await }).await;
        match answer {
            Ok(Ok(response)) => {
                let refused = (!response.status().is_success()).then(|| format!("it answered {}", response.status()));
                self.note(refused.as_deref());
                Ok(response)
            }
            Ok(Err(error)) => {
                self.note(Some(&error.to_string()));
                Err(error.into())
            }
            Err(error) => Err(error.into()),
        }
    }
}
