//! The servers that all tests of one run share: those that the environment names, else one of each, started when first
//! asked for and stopped with the process. A test keeps apart from the others by its names (database, prefix, topic).

use anyhow::{Context, Result, ensure};
use tokio::sync::OnceCell;
use url::Url;

use crate::{
    KafkaServer, MongoServer, RedisServer, environment::variable, kafka_server, mongo_server, progress, redis_server,
};

/// A server that somebody else runs, or one of ours; statics are never dropped, but its shell notices the end.
enum Source<S> {
    Named(String),
    Started(S),
}

/// The MongoDB server that `MONGODB_URI` names, else one started for this process.
pub async fn mongodb_uri() -> Result<String> {
    static SERVER: OnceCell<Source<MongoServer>> = OnceCell::const_new();
    let source = SERVER.get_or_try_init(async || match variable("MONGODB_URI") {
        Some(uri) => {
            let answer = progress::during(
                "waiting for the MongoDB server of `MONGODB_URI`",
                mongo_server::check(&uri),
            );
            answer.await.with_context(|| unreachable("MongoDB", "MONGODB_URI"))?;
            Ok(Source::Named(uri))
        }
        None => MongoServer::start().await.map(Source::Started),
    });
    Ok(match source.await? {
        Source::Named(uri) => uri.clone(),
        Source::Started(server) => server.uri(),
    })
}

/// The Redis server that `REDIS_URL`, or `REDIS_HOST` with `REDIS_PORT`, `REDIS_USERNAME`, `REDIS_PASSWORD` and
/// `REDIS_DB`, names, else one started for this process.
pub async fn redis_url() -> Result<String> {
    static SERVER: OnceCell<Source<RedisServer>> = OnceCell::const_new();
    let source = SERVER.get_or_try_init(async || match named_redis()? {
        Some((name, url)) => {
            let answer = progress::during(
                "waiting for the Redis server of the environment",
                redis_server::check(&url),
            );
            answer.await.with_context(|| unreachable("Redis", name))?;
            Ok(Source::Named(url))
        }
        None => RedisServer::start().await.map(Source::Started),
    });
    Ok(match source.await? {
        Source::Named(url) => url.clone(),
        Source::Started(server) => server.url(),
    })
}

/// The brokers that `KAFKA_BROKERS` names, else one started for this process.
pub async fn kafka_brokers() -> Result<String> {
    static SERVER: OnceCell<Source<KafkaServer>> = OnceCell::const_new();
    let source = SERVER.get_or_try_init(async || match variable("KAFKA_BROKERS") {
        Some(brokers) => {
            let answer = progress::during(
                "waiting for the brokers of `KAFKA_BROKERS`",
                kafka_server::check(&brokers),
            );
            answer.await.with_context(|| unreachable("Kafka", "KAFKA_BROKERS"))?;
            Ok(Source::Named(brokers))
        }
        None => KafkaServer::start().await.map(Source::Started),
    });
    Ok(match source.await? {
        Source::Named(brokers) => brokers.clone(),
        Source::Started(server) => server.brokers(),
    })
}

/// The address itself is left out: it may hold a password.
fn unreachable(server: &str, variable: &str) -> String {
    format!(
        "{server} does not answer at the address in `{variable}`: start it, correct the variable, or unset it to have a \
         server started"
    )
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
