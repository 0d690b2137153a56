//! The built binary, as an operator meets it: traces, metrics, alerts, pages and commands, on real services.

mod alerts;
mod check;
mod dashboard;
mod metrics;
mod traces;
mod world;
