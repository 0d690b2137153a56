//! Starts real MongoDB, Redis and Kafka for tests and the demo, and fetches the programs that this takes.
//!
//! Most tests want the servers that the whole run [shares](shared); a test that kills its server starts one of its own:
//! [`MongoServer`], [`RedisServer`], [`KafkaServer`]. Either way every server listens on 127.0.0.1 only, keeps its data
//! in a temporary folder, and is gone with the process that asked for it, however that process ends.

mod environment;
pub mod fetch;
mod kafka_security;
mod kafka_server;
mod mongo_server;
mod port;
pub mod progress;
mod redis_server;
pub mod shared;
mod supervisor;

pub use kafka_security::KafkaSecurity;
pub use kafka_server::KafkaServer;
pub use mongo_server::MongoServer;
pub use port::free as free_port;
pub use redis_server::{RedisServer, RedisServerBuilder};
pub use shared::Services;
