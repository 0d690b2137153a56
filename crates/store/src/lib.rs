//! MongoDB: every document shape and every query of both products, and nothing else knows that there is a MongoDB.
//!
//! Documents are written so that the historical services' Mongoose models read them unchanged: see [`values`].

mod abandoned;
pub mod alerts;
pub mod billing;
pub mod billz;
mod database;
mod diagnosis;
mod error;
pub mod json;
pub mod operations;
pub mod values;

pub use abandoned::end_abandoned_transactions;
pub use database::{ConnectionFacts, Mongo, MongoSettings, Topology};
pub use diagnosis::{ComparedIndexes, MongoFacts, WantedIndexes};
pub use error::StoreError;
pub use mongodb::bson;
