//! The correlation id: taken from the request, or made up, and carried through everything that is done for it.

use axum::{extract::Request, middleware::Next, response::Response};
use billwright_domain::CorrelationId;
use http::{HeaderName, HeaderValue};
use tracing::Instrument;
use uuid::Uuid;

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
pub(crate) async fn carry(request: Request, next: Next) -> Response {
    carry_through(request, |request| next.run(request)).await
}

/// Gives a request its id, and what `answer` makes of it too.
pub(crate) async fn carry_through<F: Future<Output = Response>>(
    request: Request,
    answer: impl FnOnce(Request) -> F,
) -> Response {
    let id = given(&request).unwrap_or_else(made_up);
    let span = tracing::info_span!("http.request", correlation.id = %id, method = %request.method());
    let value = HeaderValue::from_str(id.as_str()).ok();
    let mut response = CURRENT.scope(id, answer(request)).instrument(span).await;
    if let Some(value) = value {
        response.headers_mut().insert(HEADER, value);
    }
    response
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
