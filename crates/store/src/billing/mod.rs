//! The billing database: `users`, `billings`, `counters`, and what Billwright keeps beside them.
