//! The servers that all tests of one run share: those that the environment names, else one of each, started when first
//! asked for and stopped with the process. A test keeps apart from the others by its names (database, prefix, topic).

use anyhow::{Context, Result, ensure};
use tokio::sync::OnceCell;
use url::Url;

use crate::{
    KafkaServer, MongoServer, RedisServer, environment::variable, kafka_server, mongo_server, progress, redis_server,
};

/// A server that somebody else runs, or one of ours; statics are never dropped, but its shell notices the end.
#[derive(Debug)]
enum Source<S> {
    Named(String),
    Started(S),
}

/// The MongoDB server that `MONGODB_URI` names, else one started for this process.
pub async fn mongodb_uri() -> Result<String> {
    static SERVER: OnceCell<Source<MongoServer>> = OnceCell::const_new();
    Ok(SERVER.get_or_try_init(mongodb).await?.address(MongoServer::uri))
}

/// The Redis server that `REDIS_URL`, or `REDIS_HOST` with `REDIS_PORT`, `REDIS_USERNAME`, `REDIS_PASSWORD` and
/// `REDIS_DB`, names, else one started for this process.
pub async fn redis_url() -> Result<String> {
    static SERVER: OnceCell<Source<RedisServer>> = OnceCell::const_new();
    Ok(SERVER.get_or_try_init(redis).await?.address(RedisServer::url))
}

/// The brokers that `KAFKA_BROKERS` names, else one started for this process.
pub async fn kafka_brokers() -> Result<String> {
    static SERVER: OnceCell<Source<KafkaServer>> = OnceCell::const_new();
    Ok(SERVER.get_or_try_init(kafka).await?.address(KafkaServer::brokers))
}

/// All three at once, for a program that hands them to others. What was started stops when this is dropped.
#[derive(Debug)]
pub struct Services {
    mongodb: Source<MongoServer>,
    redis: Source<RedisServer>,
    kafka: Source<KafkaServer>,
}

impl Services {
    /// Takes the servers that the environment names and starts the others.
    pub async fn start() -> Result<Self> {
        let (mongodb, redis, kafka) = tokio::try_join!(mongodb(), redis(), kafka())?;
        Ok(Self { mongodb, redis, kafka })
    }

    /// Environment variables that point tests, and the product, at these servers.
    pub fn variables(&self) -> [(&'static str, String); 3] {
        [
            ("MONGODB_URI", self.mongodb.address(MongoServer::uri)),
            ("REDIS_URL", self.redis.address(RedisServer::url)),
            ("KAFKA_BROKERS", self.kafka.address(KafkaServer::brokers)),
        ]
    }
}

impl<S> Source<S> {
    fn address(&self, of_started: impl FnOnce(&S) -> String) -> String {
        match self {
            Self::Named(address) => address.clone(),
            Self::Started(server) => of_started(server),
        }
    }
}

async fn mongodb() -> Result<Source<MongoServer>> {
    let Some(uri) = variable("MONGODB_URI") else {
        return MongoServer::start().await.map(Source::Started);
    };
    named("MongoDB", "MONGODB_URI", mongo_server::check(&uri)).await?;
    Ok(Source::Named(uri))
}

async fn redis() -> Result<Source<RedisServer>> {
    let Some((name, url)) = named_redis()? else {
        return RedisServer::start().await.map(Source::Started);
    };
    named("Redis", name, redis_server::check(&url)).await?;
    Ok(Source::Named(url))
}

async fn kafka() -> Result<Source<KafkaServer>> {
    let Some(brokers) = variable("KAFKA_BROKERS") else {
        return KafkaServer::start().await.map(Source::Started);
    };
    named("Kafka", "KAFKA_BROKERS", kafka_server::check(&brokers)).await?;
    Ok(Source::Named(brokers))
}

/// The address itself is left out of what is said: it may hold a password.
async fn named(server: &str, variable: &str, answer: impl Future<Output = Result<()>>) -> Result<()> {
    progress::during(&format!("waiting for the {server} of `{variable}`"), answer).await.with_context(|| {
        format!(
            "{server} does not answer at the address in `{variable}`: start it, correct the variable, or unset it to \
             have a server started"
        )
    })
}

fn named_redis() -> Result<Option<(&'static str, String)>> {
    if let Some(url) = variable("REDIS_URL") {
        return Ok(Some(("REDIS_URL", url)));
    }
    let (host, port) = (variable("REDIS_HOST"), variable("REDIS_PORT"));
    let name = if host.is_some() { "REDIS_HOST" } else { "REDIS_PORT" };
    if host.is_none() && port.is_none() {
        let stray = variable("REDIS_PASSWORD").is_some();
        ensure!(
            !stray,
            "`REDIS_PASSWORD` is set without `REDIS_HOST`, `REDIS_PORT` or `REDIS_URL`: name the server too"
        );
        return Ok(None);
    }
    let (host, port) = (
        host.unwrap_or_else(|| "localhost".to_owned()),
        port.unwrap_or_else(|| "6379".to_owned()),
    );
    let address = format!("redis://{host}:{port}");
    let mut url =
        Url::parse(&address).with_context(|| format!("`REDIS_HOST` and `REDIS_PORT` make no address: {address}"))?;
    let refused = "the address of Redis takes no user name or password";
    if let Some(name) = variable("REDIS_USERNAME") {
        url.set_username(&name).ok().context(refused)?;
    }
    if let Some(password) = variable("REDIS_PASSWORD") {
        url.set_password(Some(&password)).ok().context(refused)?;
    }
    if let Some(database) = variable("REDIS_DB") {
        url.set_path(&database);
    }
    Ok(Some((name, url.into())))
}
