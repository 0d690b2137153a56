//! `cargo xtask services`: real servers for development, gone at Ctrl-C.

use anyhow::Result;
use billwright_services::{KafkaServer, MongoServer, RedisServer};

/// One of each, running until dropped.
pub(crate) struct Services {
    mongodb: MongoServer,
    redis: RedisServer,
    kafka: KafkaServer,
}

impl Services {
    /// Starts all three at once, fetching first what is not installed.
    pub(crate) async fn start() -> Result<Self> {
        let (mongodb, redis, kafka) =
            tokio::try_join!(MongoServer::start(), RedisServer::start(), KafkaServer::start())?;
        Ok(Self { mongodb, redis, kafka })
    }

    /// What points tests and the product at these servers.
    pub(crate) fn variables(&self) -> [(&'static str, String); 3] {
        [
            ("MONGODB_URI", self.mongodb.uri()),
            ("REDIS_URL", self.redis.url()),
            ("KAFKA_BROKERS", self.kafka.brokers()),
        ]
    }
}

#[expect(
    clippy::print_stdout,
    reason = "the command's answer, to be pasted into another terminal"
)]
pub(crate) async fn run() -> Result<()> {
    let services = Services::start().await?;
    for (name, value) in services.variables() {
        println!("export {name}='{value}'");
    }
    println!("# MongoDB, Redis and Kafka are running; Ctrl-C stops them and removes their data");
    tokio::signal::ctrl_c().await?;
    Ok(())
}
