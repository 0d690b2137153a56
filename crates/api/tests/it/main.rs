//! The API over real HTTP and a real MongoDB.
#![expect(clippy::unwrap_used, reason = "a test ends where a step fails")]

mod access;
mod billings;
mod bodies;
mod documents;
mod idempotency;
mod indexes;
mod limits;
mod lists;
mod numbers;
mod outage;
mod publication;
mod seed;
mod standalone;
mod test_app;
mod users;
mod versions;
