//! The API over real HTTP and a real MongoDB.

mod access;
mod billings;
mod bodies;
mod documents;
mod idempotency;
mod lists;
mod numbers;
mod outage;
mod test_app;
mod users;
mod versions;
