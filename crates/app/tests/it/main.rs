//! The built binary, as an operator meets it: traces, metrics, alerts and commands, on real services.

mod alerts;
mod check;
mod metrics;
mod traces;
mod world;
