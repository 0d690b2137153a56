//! Counts and times requests.

use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
};
use http::Method;
use tokio::time::Instant;

/// `billwright_http_requests_total` and `billwright_http_request_duration_seconds` (until the answer begins), by method, route
/// and status. Routes are patterns, so that their number is bounded.
pub async fn measure(request: Request, next: Next) -> Response {
    let method = method_of(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let started = Instant::now();
    let response = next.run(request).await;
    let route = route.map_or_else(|| "unknown".to_owned(), |route| route.as_str().to_owned());
    let status = response.status().as_u16().to_string();
    metrics::histogram!("billwright_http_request_duration_seconds", "method" => method, "route" => route.clone(), "status" => status.clone())
        .record(started.elapsed().as_secs_f64());
    metrics::counter!("billwright_http_requests_total", "method" => method, "route" => route, "status" => status)
        .increment(1);
    response
}

/// Clients can make methods up; a label must not follow them.
pub(crate) fn method_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}
