//! The sandbox over real HTTP: each call, each rule, each fault, each habit.

#![expect(clippy::unwrap_used, reason = "what helps a test may fail as a test does")]

mod admin;
mod auth;
mod cart;
mod client;
mod clients;
mod faults;
mod lists;
mod queue;
mod rate_limit;
mod sale;
mod telegram;
mod variants;
