//! The built binary, as an operator meets it: traces, metrics, alerts, pages and commands, on real services.

#![expect(
    clippy::unwrap_used,
    reason = "the functions that several tests share may panic as tests do"
)]

mod alerts;
mod check;
mod dashboard;
mod metrics;
mod traces;
mod world;
