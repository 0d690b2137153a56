//! The HTTP server: health and metrics for every role, and the API where it runs.

mod limits;
mod server;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::Context as _;
use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use billwright_domain::{Condition, HealthBoard};
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub(crate) use self::{
    limits::ServerLimits,
    server::{Routes, serve},
};
use crate::{config::HttpConfig, telemetry::Metrics};

/// What the operations routes need to know.
#[derive(Clone)]
pub(crate) struct Operations {
    /// The condition of the dependencies.
    pub(crate) health: HealthBoard,
    /// The metrics.
    pub(crate) metrics: Metrics,
    /// Set once the process is stopping: readiness is red from then on.
    pub(crate) stopping: Arc<AtomicBool>,
}

/// The routes that are there whatever the roles.
pub(crate) fn operations_router(operations: Operations) -> Router {
    Router::new()
        .route("/health", get(ready))
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/health/startup", get(startup))
        .route("/metrics", get(metrics))
        .layer(axum::middleware::from_fn(billwright_api::measure))
        .with_state(operations)
}

/// `router` with what every page has: a correlation id, a span, and its place in the metrics.
pub(crate) fn observed(router: Router) -> Router {
    router
        .layer(axum::middleware::from_fn(billwright_api::measure))
        .layer(axum::middleware::from_fn(billwright_api::carry_correlation_id))
}

/// Alive as long as it answers.
async fn live() -> Json<Value> {
    Json(json!({ "status": "up", "version": env!("CARGO_PKG_VERSION") }))
}

/// Ready when every dependency works at least in part, each by name.
async fn ready(State(operations): State<Operations>) -> Response {
    let dependencies = operations.health.all();
    let (status, word) = if operations.stopping.load(Ordering::Relaxed) {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping")
    } else {
        match operations.health.worst() {
            Condition::Up => (StatusCode::OK, "up"),
            Condition::Degraded => (StatusCode::OK, "degraded"),
            Condition::Down => (StatusCode::SERVICE_UNAVAILABLE, "down"),
        }
    };
    (status, Json(json!({ "status": word, "dependencies": dependencies }))).into_response()
}

/// Started once everything was reached, if only for a moment. What is away after that is the business of readiness.
async fn startup(State(operations): State<Operations>) -> Response {
    let missing = operations.health.never_reached();
    let (status, word) = if missing.is_empty() {
        (StatusCode::OK, "started")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "starting")
    };
    (status, Json(json!({ "status": word, "notReachedYet": missing }))).into_response()
}

async fn metrics(State(operations): State<Operations>) -> Response {
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        operations.metrics.render(),
    )
        .into_response()
}

/// Takes the port, so that a port that is taken already ends the start with a clear message.
pub(crate) async fn listen(config: &HttpConfig) -> anyhow::Result<TcpListener> {
    let taken = |address: SocketAddr| {
        format!("cannot listen on {address}; set `PORT` to a free port, or stop what holds this one")
    };
    if let Some(host) = config.host {
        let address = SocketAddr::new(host, config.port);
        return TcpListener::bind(address).await.with_context(|| taken(address));
    }
    // Node listened on IPv6 and IPv4 alike; a machine without IPv6 gets IPv4 alone.
    let both = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), config.port);
    let only = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), config.port);
    match TcpListener::bind(both).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Err(error).with_context(|| taken(both)),
        Err(_) => TcpListener::bind(only).await.with_context(|| taken(only)),
    }
}
