//! What the operations pages keep, each collection in its file. It lies in the worker's database where there is one, else in
//! the billing database.

pub mod audit;
pub mod ended_sessions;
pub mod indexes;
pub mod processes;
pub mod replays;
pub mod samples;
