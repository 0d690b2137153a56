//! Everything that a run needs: servers of its own, each behind a link, the stand-in for Billz and Telegram, and the
//! processes.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, anyhow};
use billwright_sandbox::{
    BOT_TOKEN, GROUP_ID, OTHER_PRODUCT_ID, PRODUCT_ID, Product, RateLimit, SCARCE_PRODUCT_ID, SECRET_TOKEN, SHOP_ID,
    Sandbox, SandboxSettings,
};
use billwright_services::{KafkaServer, MongoServer, RedisServer, progress};
use billwright_worker::{RedisSettings, admin::QueueAddress};
use mongodb::Database;
use rdkafka::admin::{AdminOptions, NewTopic, TopicReplication};
use secrecy::SecretString;

use super::{disk::Disk, fleet::Fleet, link::Link};
use crate::test_bed;

/// Billz calls a second. More than the real limit, so that there is something to see within minutes, and shared by the
/// processes through Redis as the real one is.
pub(super) const BILLZ_CALLS_PER_SECOND: u32 = 40;
/// Partitions of the topic of customer events.
const PARTITIONS: i32 = 6;
/// The names of the two databases.
pub(super) const BILLZ_DATABASE: &str = "billz_microservice";
pub(super) const BILLING_DATABASE: &str = "telecomx-billing";
/// The topics of customer events and of dead letters.
pub(super) const TOPIC: &str = "customers";
pub(super) const DEAD_LETTERS: &str = "customers.dlq";
const QUEUE: &str = "billz-operations";
const PREFIX: &str = "bull";
/// What the names of the queue's keys begin with.
pub(super) const QUEUE_KEYS: &str = "bull:billz-operations";

/// Whether Redis keeps its data when it is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum RedisPersistence {
    /// An append-only file, synchronised before every answer.
    Aof,
    /// None: a killed Redis has forgotten the queue.
    None,
}

/// The links, each to the server of its name.
#[derive(Debug)]
pub(super) struct Links {
    pub(super) mongodb: Link,
    pub(super) redis: Link,
    pub(super) kafka: Link,
}

/// The running whole.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) fleet: Fleet,
    pub(super) sandbox: Sandbox,
    pub(super) mongodb: MongoServer,
    pub(super) redis: RedisServer,
    pub(super) kafka: KafkaServer,
    pub(super) links: Links,
    pub(super) persistence: RedisPersistence,
    /// The small file system under MongoDB, where one could be made.
    pub(super) disk: Option<Disk>,
    /// The order worker's database, without a link in between.
    pub(super) billz: Database,
    /// The billing database, without a link in between.
    pub(super) billing: Database,
}

/// What the sandbox sells. There is always enough of it, but for [`SCARCE_PRODUCT_ID`], of which there is none.
pub(super) const PRICES: [(&str, u32); 3] = [(PRODUCT_ID, 50), (OTHER_PRODUCT_ID, 75), ("product-third", 20)];

impl Stage {
    /// Starts everything but the processes, with a disk under MongoDB that can be filled. Logs go to `directory`.
    pub(super) async fn set(
        seed: u64,
        processes: usize,
        persistence: RedisPersistence,
        program: &Path,
        directory: &Path,
    ) -> Result<Self> {
        Self::set_on(Disk::mount().await, seed, processes, persistence, program, directory).await
    }

    /// The same with MongoDB's data on `disk`, or where other temporary data is.
    pub(super) async fn set_on(
        disk: Option<Disk>,
        seed: u64,
        processes: usize,
        persistence: RedisPersistence,
        program: &Path,
        directory: &Path,
    ) -> Result<Self> {
        let links = Links {
            mongodb: Link::open().await?,
            redis: Link::open().await?,
            kafka: Link::open().await?,
        };
        let data = disk
            .as_ref()
            .map_or_else(std::env::temp_dir, |disk| disk.path().to_owned());
        let redis = match persistence {
            RedisPersistence::Aof => RedisServer::builder().append_only(),
            RedisPersistence::None => RedisServer::builder(),
        };
        let (mongodb, redis, kafka) = progress::during("starting MongoDB, Redis and Kafka", async {
            tokio::try_join!(
                MongoServer::start_in(&data),
                redis.start(),
                KafkaServer::start_behind_proxy(links.kafka.port())
            )
        })
        .await?;
        links.mongodb.lead_to(mongodb.port());
        links.redis.lead_to(redis.port());
        links.kafka.lead_to(
            kafka
                .proxied_port()
                .context("the broker has no listener for the link")?,
        );
        make_topic(&kafka.brokers()).await?;
        let sandbox = Sandbox::start(sandbox_settings(seed)).await?;
        let environment = environment(&links, &sandbox);
        let client = mongodb::Client::with_uri_str(format!(
            "{}&serverSelectionTimeoutMS=2000&directConnection=true",
            mongodb.uri()
        ))
        .await?;
        Ok(Self {
            fleet: Fleet::new(processes, program, environment, directory)?,
            billz: client.database(BILLZ_DATABASE),
            billing: client.database(BILLING_DATABASE),
            sandbox,
            mongodb,
            redis,
            kafka,
            links,
            persistence,
            disk,
        })
    }

    /// Where producers find the queue: at Redis itself, since it is not the producers who are tested.
    pub(super) fn queue(&self) -> QueueAddress {
        QueueAddress {
            redis: RedisSettings {
                url: SecretString::from(self.redis.url()),
            },
            queue: QUEUE.to_owned(),
            prefix: PREFIX.to_owned(),
        }
    }

    /// Fills the shelves again.
    pub(super) fn restock(&self) {
        for (product, _) in PRICES {
            self.sandbox.set_stock(product, 1_000_000_u32);
        }
        self.sandbox.set_stock(SCARCE_PRODUCT_ID, 0_u32);
    }
}

fn sandbox_settings(seed: u64) -> SandboxSettings {
    let mut settings = SandboxSettings {
        seed,
        rate_limit: Some(RateLimit::per_second(BILLZ_CALLS_PER_SECOND)),
        // Shorter than an hour, so that a jump of Billz's clock makes every token expire.
        token_lifetime: Duration::from_mins(50),
        drafts: Vec::new(),
        ..SandboxSettings::default()
    };
    settings.products = PRICES
        .iter()
        .map(|(id, price)| Product::new(id, id, (*price).into(), 1_000_000_u32.into()))
        .chain([Product::new(
            SCARCE_PRODUCT_ID,
            "sold out",
            100_u32.into(),
            0_u32.into(),
        )])
        .collect();
    settings
}

fn environment(links: &Links, sandbox: &Sandbox) -> Vec<(&'static str, String)> {
    let text = |value: &str| value.to_owned();
    // Discovery would name the server's own port and so lead past the link.
    let mongodb = format!("mongodb://127.0.0.1:{}/?directConnection=true", links.mongodb.port());
    vec![
        ("HOST", text("127.0.0.1")),
        ("MONGODB_URI", mongodb),
        ("REDIS_URL", format!("redis://127.0.0.1:{}", links.redis.port())),
        ("BULLMQ_PREFIX", text(PREFIX)),
        ("BILLZ_BASE_URL", sandbox.billz_url()),
        ("BILLZ_TOKEN", text(SECRET_TOKEN)),
        ("BILLZ_SHOP_ID", text(SHOP_ID)),
        ("BILLZ_RATE_LIMIT", format!("{BILLZ_CALLS_PER_SECOND}/s")),
        ("TELEGRAM_BASE_URL", sandbox.telegram_url()),
        ("TELEGRAM_BOT_TOKEN", text(BOT_TOKEN)),
        ("TELEGRAM_GROUP_ID", GROUP_ID.to_string()),
        ("KAFKA_BROKERS", format!("127.0.0.1:{}", links.kafka.port())),
        ("KAFKA_TOPIC", text(TOPIC)),
        ("KAFKA_MAX_RETRIES", text("0")),
    ]
}

async fn make_topic(brokers: &str) -> Result<()> {
    let new = NewTopic::new(TOPIC, PARTITIONS, TopicReplication::Fixed(1));
    let made = test_bed::admin(brokers)?
        .create_topics([&new], &AdminOptions::new())
        .await?;
    for outcome in made {
        outcome.map_err(|(topic, code)| anyhow!("the topic {topic} was not made: {code}"))?;
    }
    Ok(())
}
