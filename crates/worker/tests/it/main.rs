//! The worker against real Redis, real MongoDB, and the sandbox over real HTTP.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "the functions that several tests share may panic and print as tests do"
)]

mod admin;
mod bad_fields;
mod billz_errors;
mod bullmq;
mod child;
mod documents;
mod duplicates;
mod faults;
mod kills;
mod lost_answers;
mod notifications;
mod overtaking;
mod payloads;
mod recovery;
mod redis_access;
mod refusals;
mod retries;
mod saga;
mod shutdown;
mod types;
mod versions;
mod world;
