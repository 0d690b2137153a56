//! W3C trace context in and out: what came with a request, a job or an event continues its sender's trace, and what goes
//! out carries ours. Without a tracer, as where nothing is exported, all of this does nothing.

use opentelemetry::{
    propagation::{Extractor, Injector},
    trace::TraceContextExt,
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The header that names the trace and the span that something belongs to.
pub const TRACEPARENT: &str = "traceparent";
/// The header with what the systems on the way noted for themselves.
pub const TRACESTATE: &str = "tracestate";

/// The longest `tracestate` that is taken over; the specification asks for no more.
const LONGEST_STATE: usize = 512;

/// The context that came with something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    /// The `traceparent`.
    pub parent: String,
    /// The `tracestate`, if any.
    pub state: Option<String>,
}

impl TraceContext {
    /// The context in what came with something; `find` looks a header up by its name in small letters. `None` where there
    /// is none, or none that a trace could go on from.
    pub fn find<'a>(find: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        let parent = find(TRACEPARENT)?.trim();
        let shaped = parent.len() >= 55 && parent.len() <= 256 && parent.is_ascii() && {
            let mut parts = parent.split('-').map(str::len);
            parts.by_ref().take(4).eq([2, 32, 16, 2])
        };
        let state = find(TRACESTATE).filter(|state| state.len() <= LONGEST_STATE);
        shaped.then(|| Self {
            parent: parent.to_owned(),
            state: state.map(ToOwned::to_owned),
        })
    }

    /// Makes `span` a child of this context. Must be done before the span is entered.
    pub fn continue_in(&self, span: &Span) {
        let context = opentelemetry::global::get_text_map_propagator(|propagator| propagator.extract(self));
        if context.span().span_context().is_valid() {
            // Fails only where there is no tracer, and then there is no trace to go on with.
            let _ = span.set_parent(context);
        }
    }

    /// The context of `span`, to be handed on; `None` where the span belongs to no trace.
    pub fn of(span: &Span) -> Option<Self> {
        let mut found = Found::default();
        let context = span.context();
        opentelemetry::global::get_text_map_propagator(|propagator| propagator.inject_context(&context, &mut found));
        Some(Self {
            parent: found.parent?,
            state: found.state.filter(|state| !state.is_empty()),
        })
    }

    /// The context of the span that is current.
    pub fn current() -> Option<Self> {
        Self::of(&Span::current())
    }

    /// The headers that hand the context on.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let state = self.state.as_deref().map(|state| (TRACESTATE, state));
        [(TRACEPARENT, self.parent.as_str())].into_iter().chain(state)
    }
}

impl Extractor for TraceContext {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            TRACEPARENT => Some(&self.parent),
            TRACESTATE => self.state.as_deref(),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        self.headers().map(|(name, _)| name).collect()
    }
}

#[derive(Default)]
struct Found {
    parent: Option<String>,
    state: Option<String>,
}

impl Injector for Found {
    fn set(&mut self, key: &str, value: String) {
        match key {
            TRACEPARENT => self.parent = Some(value),
            TRACESTATE => self.state = Some(value),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_sdk::{propagation::TraceContextPropagator, trace::SdkTracerProvider};
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_trace_goes_on_through_a_span() {
        opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
        let provider = SdkTracerProvider::builder().build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
        let came = TraceContext::find(|name| match name {
            TRACEPARENT => Some(PARENT),
            TRACESTATE => Some("vendor=1"),
            _ => None,
        })
        .unwrap();
        let span = tracing::info_span!("job");
        came.continue_in(&span);
        let inner = span.in_scope(|| tracing::info_span!("call"));
        let goes_out = TraceContext::of(&inner).unwrap();
        assert!(goes_out.parent.starts_with("00-0af7651916cd43dd8448eb211c80319c-"));
        assert_ne!(
            goes_out.parent, PARENT,
            "the call's own span is the parent from here on"
        );
        assert_eq!(goes_out.state.as_deref(), Some("vendor=1"));
    }

    #[test]
    fn what_is_no_context_is_none() {
        for text in [
            "",
            "x",
            "00-1-2-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        ] {
            assert_eq!(TraceContext::find(|_| Some(text)), None, "{text}");
        }
        assert_eq!(TraceContext::find(|_| None), None);
    }

    #[test]
    fn without_a_tracer_nothing_goes_out() {
        assert_eq!(TraceContext::of(&tracing::info_span!("job")), None);
    }
}
