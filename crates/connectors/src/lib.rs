//! Outgoing HTTP: Billz and Telegram, with the budget of calls and the circuit breaker that guard them.
//!
//! What lives here knows vendors' addresses, bodies and failures. What an order is, and what is retried when, is decided
//! by the callers; the types of this crate tell them what happened: refused, unavailable, or *outcome unknown*.

#![deny(clippy::float_arithmetic)]

pub mod billz;
pub mod breaker;
pub mod budget;
pub mod document;
pub mod export;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod http;
mod link;
mod redact;
pub mod telegram;
pub mod telegram_probe;
