//! Redis: whether it is there, and whether it keeps what it is given.

use std::{collections::HashMap, time::Duration};

use billwright_domain::{Clock as _, SystemClock};
use billwright_worker::RedisSettings;
use redis::{AsyncConnectionConfig, RedisError, aio::MultiplexedConnection};

use super::{Finding, clock, version_of};
use crate::config::RedisConfig;

const NAME: &str = "Redis";
/// The oldest version that BullMQ is made for.
const OLDEST: (u32, u32) = (6, 2);

/// Tries it.
pub(super) async fn check(config: &RedisConfig) -> Vec<Finding> {
    match facts(config).await {
        Ok(facts) => judged(&facts),
        Err(error) => {
            let what_to_do = match error.code() {
                Some("NOAUTH" | "WRONGPASS") => "set `REDIS_PASSWORD` (and `REDIS_USERNAME`), or `REDIS_URL`",
                Some("NOPERM") => "give the Redis user all commands on the keys of the queue",
                _ => {
                    "see that Redis runs, and that `REDIS_HOST` and `REDIS_PORT`, or `REDIS_URL`, name it; `REDIS_TLS=true` where it wants TLS"
                }
            };
            // The library's texts hold no address.
            vec![Finding::failed(NAME, error.to_string(), what_to_do)]
        }
    }
}

struct Facts {
    info: HashMap<String, String>,
    /// The server's clock, in milliseconds since 1970.
    clock_ms: i64,
    ping: Duration,
}

impl Facts {
    fn get(&self, name: &str) -> &str {
        self.info.get(name).map_or("", String::as_str)
    }
}

async fn facts(config: &RedisConfig) -> Result<Facts, RedisError> {
    let patience = Some(Duration::from_secs(5));
    let settings = AsyncConnectionConfig::new()
        .set_connection_timeout(patience)
        .set_response_timeout(patience);
    let client = RedisSettings {
        url: config.url.clone(),
    }
    .client()?;
    let mut connection: MultiplexedConnection = client.get_multiplexed_async_connection_with_config(&settings).await?;
    let began = std::time::Instant::now();
    redis::cmd("PING").query_async::<()>(&mut connection).await?;
    let ping = began.elapsed();
    let info: String = redis::cmd("INFO").query_async(&mut connection).await?;
    let info = info
        .lines()
        .filter_map(|line| line.trim_end().split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let (seconds, micros): (i64, i64) = redis::cmd("TIME").query_async(&mut connection).await?;
    Ok(Facts {
        info,
        clock_ms: seconds * 1_000 + micros / 1_000,
        ping,
    })
}

fn judged(facts: &Facts) -> Vec<Finding> {
    let part = |what: &str| format!("{NAME}: {what}");
    let mut findings = vec![Finding::ok(NAME, format!("answered in {} ms", facts.ping.as_millis()))];
    let version = facts.get("redis_version");
    let found = format!("Redis {version}");
    findings.push(if version_of(version) >= OLDEST {
        Finding::ok(part("version"), found)
    } else {
        Finding::failed(
            part("version"),
            found,
            "update to Redis 6.2 or later: BullMQ's scripts need it",
        )
    });
    findings.push(match facts.get("maxmemory_policy") {
        "noeviction" => Finding::ok(part("eviction"), "noeviction"),
        "" => Finding::warning(
            part("eviction"),
            "Redis does not tell",
            "see that `maxmemory-policy` is `noeviction`",
        ),
        policy => Finding::failed(
            part("eviction"),
            policy,
            "set `maxmemory-policy noeviction`: with any other one Redis throws jobs away when its memory is full",
        ),
    });
    let aof = facts.get("aof_enabled") == "1";
    let saves_fail = facts.get("rdb_last_bgsave_status") == "err" || facts.get("aof_last_write_status") == "err";
    findings.push(match (aof, saves_fail) {
        (_, true) => Finding::failed(
            part("persistence"),
            "the last save failed",
            "look at the log of Redis and at its disk: it may refuse writes soon",
        ),
        (true, false) => Finding::ok(part("persistence"), "append-only file"),
        (false, false) => Finding::warning(
            part("persistence"),
            "snapshots only, or none",
            "set `appendonly yes`: a crash of Redis loses the jobs since the last snapshot",
        ),
    });
    if facts.get("role") == "slave" {
        findings.push(Finding::failed(
            part("role"),
            "a replica, which takes no writes",
            "let `REDIS_HOST` or `REDIS_URL` name the primary",
        ));
    }
    findings.push(clock(
        &part("clock"),
        facts.clock_ms,
        SystemClock.now().timestamp_millis(),
    ));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::check::Outcome;

    fn result(pairs: &[(&str, &str)], check: &str) -> Outcome {
        let mut info: HashMap<String, String> = [
            ("redis_version", "8.2.3"),
            ("maxmemory_policy", "noeviction"),
            ("aof_enabled", "1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        info.extend(
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        let facts = Facts {
            info,
            clock_ms: SystemClock.now().timestamp_millis(),
            ping: Duration::ZERO,
        };
        let findings = judged(&facts);
        findings
            .iter()
            .find(|finding| finding.check.ends_with(check))
            .unwrap()
            .result
    }

    #[test]
    fn what_would_lose_jobs_fails() {
        assert_eq!(result(&[], "eviction"), Outcome::Ok);
        assert_eq!(
            result(&[("maxmemory_policy", "allkeys-lru")], "eviction"),
            Outcome::Failed
        );
        assert_eq!(result(&[("redis_version", "5.0.14")], "version"), Outcome::Failed);
        assert_eq!(
            result(&[("rdb_last_bgsave_status", "err")], "persistence"),
            Outcome::Failed
        );
        assert_eq!(result(&[("aof_enabled", "0")], "persistence"), Outcome::Warning);
        assert_eq!(result(&[("role", "slave")], "role"), Outcome::Failed);
    }
}
