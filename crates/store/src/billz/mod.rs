//! The worker's database: `orders`, `cards`, `clients`, `users` (sellers), `integrations`, `logs`, and what Billwright
//! keeps beside them.
