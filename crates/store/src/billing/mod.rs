//! The billing database: `users`, `billings`, `counters`, and what Billwright keeps beside them.

pub mod apply;
mod billing_store;
pub mod billings;
pub mod changes;
pub mod counters;
pub mod creation;
pub mod idempotency;
pub mod indexes;
pub mod lease;
pub mod lists;
mod lookup;
pub mod outbox;
pub mod positions;
pub mod rows;
pub mod seed;
pub mod set_aside;
pub mod transaction;
pub mod users;
pub mod version;
pub mod writes;

pub use billing_store::BillingStore;
