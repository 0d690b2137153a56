//! The pages over real HTTP, with real MongoDB and Redis.

mod browser;
mod guard;
mod overview;
mod test_dashboard;
