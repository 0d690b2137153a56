//! The pages over real HTTP, with real MongoDB and Redis.

mod browser;
mod guard;
mod job;
mod jobs;
mod orders;
mod overview;
mod shop;
mod test_dashboard;
mod volume;
