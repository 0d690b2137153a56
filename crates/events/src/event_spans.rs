//! The spans of single events, for those that belong to somebody's trace. A batch takes effect as a whole, so that its
//! events' spans last as long as the batch.

use billwright_domain::UserId;
use billwright_store::billing::{apply::CustomerWrite, outbox::WaitingEntry};
use billwright_trace_context::TraceContext;
use tracing::{Span, field::Empty};

use crate::{batch::Received, fold::Outcome, status::Place};

/// The spans of those events of a batch that belong to a trace.
pub(crate) struct EventSpans(Vec<(usize, Span)>);

impl EventSpans {
    /// Begins a span for each event that came with a trace.
    pub(crate) fn begin(place: &Place, received: &[Received<'_>]) -> Self {
        let valid = received
            .iter()
            .filter_map(|received| Some((received, received.decoded.as_ref().ok()?)));
        let traced = valid.enumerate().filter_map(|(index, (received, decoded))| {
            let trace = trace_of(&received.headers)?;
            let span = tracing::info_span!(
                parent: None,
                "event",
                otel.name = format!("event.{}", decoded.event.kind().to_lowercase()),
                otel.kind = "consumer",
                event.type = decoded.event.kind(),
                event.outcome = Empty,
                kafka.topic = place.0,
                kafka.partition = place.1,
                kafka.offset = rdkafka::Message::offset(&received.message),
            );
            trace.continue_in(&span);
            Some((index, span))
        });
        Self(traced.collect())
    }

    /// Has what is published of `customers` belong to the traces of the events that change them, to that of the last one
    /// where there are several; `customers` stand in the order of their ids. `changed` names the customer whom a valid event
    /// changes.
    pub(crate) fn hand_on<'a>(&self, customers: &mut [CustomerWrite], changed: impl Fn(usize) -> Option<&'a UserId>) {
        for (index, span) in &self.0 {
            let Some(user) = changed(*index) else { continue };
            if let Ok(place) = customers.binary_search_by(|customer| customer.user_id.cmp(user)) {
                customers[place].trace = TraceContext::of(span);
            }
        }
    }

    /// Ends the spans with what became of the valid events, in order.
    pub(crate) fn end(self, outcomes: &[Outcome]) {
        for (index, span) in self.0 {
            if let Some(outcome) = outcomes.get(index) {
                span.record("event.outcome", outcome.as_str());
            }
        }
    }
}

/// The trace that a message's headers name.
fn trace_of(headers: &[(String, Option<Vec<u8>>)]) -> Option<TraceContext> {
    if headers.is_empty() {
        return None;
    }
    TraceContext::find(|name| {
        let (_, value) = headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value.as_deref()?).ok()
    })
}

/// Notes in `trace` that a change is published, and gives the context that goes out with it: the trace goes on also where the
/// note itself is not taken.
pub(crate) fn published(trace: &TraceContext, entry: &WaitingEntry) -> TraceContext {
    let span = tracing::info_span!(
        parent: None,
        "event.publish",
        otel.name = format!("publish {}", entry.kind),
        otel.kind = "producer",
        event.type = entry.kind,
    );
    trace.continue_in(&span);
    TraceContext::of(&span).unwrap_or_else(|| trace.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_found_however_its_header_is_written() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let headers = |name: &str, value: &[u8]| vec![(name.to_owned(), Some(value.to_vec()))];
        assert_eq!(
            trace_of(&headers("TraceParent", parent.as_bytes())).unwrap().parent,
            parent
        );
        assert_eq!(trace_of(&headers("traceparent", b"\xff")), None);
        assert_eq!(trace_of(&[("traceparent".to_owned(), None)]), None);
        assert_eq!(trace_of(&[]), None);
    }
}
