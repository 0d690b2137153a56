//! The billing database: `users`, `billings`, `counters`, and what Billwright keeps beside them.

pub mod billings;
pub mod counters;
pub mod users;
