//! The pages over real HTTP, with real MongoDB and Redis.

#![expect(
    clippy::unwrap_used,
    reason = "the functions that several tests share may panic as tests do"
)]

mod billing;
mod browser;
mod events;
mod guard;
mod job;
mod jobs;
mod notifications;
mod orders;
mod overview;
mod settings;
mod shop;
mod test_dashboard;
mod viewers;
mod volume;
