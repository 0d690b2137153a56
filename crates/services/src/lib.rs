//! Starts real MongoDB, Redis and Kafka for tests and the demo.
