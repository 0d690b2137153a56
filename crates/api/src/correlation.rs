//! The correlation id: taken from the request, or made up, and carried through everything that is done for it.

use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
};
use billwright_domain::CorrelationId;
use billwright_trace_context::TraceContext;
use http::{HeaderName, HeaderValue};
use tracing::Instrument;
use uuid::Uuid;

use crate::measure;

/// The header that carries it in both directions.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-correlation-id");

tokio::task_local! {
    static CURRENT: CorrelationId;
}

/// The id of the request that is being answered.
pub(crate) fn current() -> Option<CorrelationId> {
    CURRENT.try_with(Clone::clone).ok()
}

/// Gives a request its id, and the answer too.
pub async fn carry(request: Request, next: Next) -> Response {
    carry_through(request, |request| next.run(request)).await
}

/// Gives a request its id, and what `answer` makes of it too.
pub(crate) async fn carry_through<F: Future<Output = Response>>(
    request: Request,
    answer: impl FnOnce(Request) -> F,
) -> Response {
    let id = given(&request).unwrap_or_else(made_up);
    let span = span(&request, &id);
    let value = HeaderValue::from_str(id.as_str()).ok();
    let mut response = CURRENT.scope(id, answer(request)).instrument(span.clone()).await;
    span.record("http.response.status_code", response.status().as_u16());
    if response.status().is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    if let Some(value) = value {
        response.headers_mut().insert(HEADER, value);
    }
    response
}

/// The span of a request, which continues the caller's trace. Named after the route, since a path may hold anything.
fn span(request: &Request, id: &CorrelationId) -> tracing::Span {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let method = measure::method_of(request.method());
    let span = tracing::info_span!(
        "http.request",
        correlation.id = %id,
        http.request.method = method,
        http.route = route,
        http.response.status_code = tracing::field::Empty,
        otel.name = route.map_or_else(|| method.to_owned(), |route| format!("{method} {route}")),
        otel.kind = "server",
        otel.status_code = tracing::field::Empty,
    );
    if let Some(trace) = TraceContext::find(|name| request.headers().get(name)?.to_str().ok()) {
        trace.continue_in(&span);
    }
    span
}

/// The id that the caller sent, unless it holds anything but visible ASCII characters.
fn given(request: &Request) -> Option<CorrelationId> {
    let text = request.headers().get(HEADER)?.to_str().ok()?;
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    plain.then(|| CorrelationId::parse(text).ok()).flatten()
}

fn made_up() -> CorrelationId {
    // The text of a UUID is always a valid id; the fallback only satisfies the type.
    loop {
        if let Ok(id) = CorrelationId::parse(&Uuid::now_v7().to_string()) {
            return id;
        }
    }
}
