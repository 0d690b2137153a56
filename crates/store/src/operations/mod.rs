//! What the operations pages keep: `operations_audit`, `operations_processes`, `operations_samples`. It lies in the worker's
//! database where there is one, else in the billing database.

pub mod audit;
pub mod indexes;
pub mod processes;
pub mod replays;
pub mod samples;
