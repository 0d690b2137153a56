//! The Kafka consumer: one file per customer event.
