//! The sandbox over real HTTP: each call, each rule, each fault, each habit.

mod client;
mod sale;
