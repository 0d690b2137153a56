//! The worker against real Redis, real MongoDB, and the sandbox over real HTTP.

#![expect(
    clippy::unwrap_used,
    reason = "the functions that several tests share may panic as tests do"
)]

mod types;
mod world;
