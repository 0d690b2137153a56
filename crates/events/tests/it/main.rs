//! The consumer on a real broker and a real MongoDB.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "the functions that several tests share may panic as tests do"
)]

mod admin;
mod bed;
mod dead_letters;
mod effects;
mod kills;
mod model;
mod order;
mod outages;
mod outbox;
mod replays;
mod security;
mod standalone;
mod topics;
