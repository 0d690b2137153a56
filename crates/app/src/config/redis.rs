//! How to reach Redis.

use billwright_worker::{RedisSettings, admin::QueueAddress};
use secrecy::SecretString;
use url::Url;

use super::Reader;
use crate::{
    commands::QUEUE,
    env_vars::{REDIS_DB, REDIS_HOST, REDIS_PASSWORD, REDIS_PORT, REDIS_TLS, REDIS_URL, REDIS_USERNAME},
};

/// How to reach Redis.
#[derive(Debug, Clone)]
pub(crate) struct RedisConfig {
    /// The whole address, password and all.
    pub(crate) url: SecretString,
}

impl RedisConfig {
    /// Where the queue is whose keys begin with `prefix`.
    pub(crate) fn queue(&self, prefix: String) -> QueueAddress {
        QueueAddress {
            redis: RedisSettings { url: self.url.clone() },
            queue: QUEUE.to_owned(),
            prefix,
        }
    }

    /// Reads `REDIS_URL`, or else makes the address from the single variables.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        if reader.source.get(&REDIS_URL).is_some() {
            let url = reader.optional(&REDIS_URL, |text| {
                Url::parse(text)
                    .ok()
                    .filter(|url| matches!(url.scheme(), "redis" | "rediss") && url.has_host())
                    .map(|_| text.to_owned())
                    .ok_or_else(|| "a Redis address, as `redis://user:password@host:6379/0`".to_owned())
            })?;
            return Some(Self { url: url.into() });
        }
        let host = reader.text(&REDIS_HOST)?;
        let port = reader.number(&REDIS_PORT, 1..=u16::MAX)?;
        let database = reader.number(&REDIS_DB, 0..=u16::MAX)?;
        let tls = reader.boolean(&REDIS_TLS)?;
        let mut url = Url::parse(if tls {
            "rediss://placeholder"
        } else {
            "redis://placeholder"
        })
        .ok()?;
        let host_fits = url.set_host(Some(&host)).is_ok();
        if !host_fits {
            reader.refuse(&REDIS_HOST, "a host name or address");
            return None;
        }
        // The setters fail only for addresses without a host, which this one has.
        let _ = url.set_port(Some(port));
        let _ = url.set_username(&reader.text(&REDIS_USERNAME).unwrap_or_default());
        let _ = url.set_password(reader.text(&REDIS_PASSWORD).as_deref());
        url.set_path(&database.to_string());
        Some(Self {
            url: String::from(url).into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::config::Source;

    fn url(values: &[(&'static str, &str)]) -> Option<String> {
        let source = Source::of(values);
        let mut reader = Reader::new(&source);
        let found = RedisConfig::read(&mut reader);
        reader.finish().ok()?;
        found.map(|config| config.url.expose_secret().to_owned())
    }

    #[test]
    fn is_made_from_the_single_variables() {
        assert_eq!(url(&[]).unwrap(), "redis://localhost:6379/0");
        let all = [
            ("REDIS_HOST", "r"),
            ("REDIS_PORT", "7"),
            ("REDIS_USERNAME", "u"),
            ("REDIS_PASSWORD", "p@/:#"),
            ("REDIS_DB", "3"),
            ("REDIS_TLS", "true"),
        ];
        assert_eq!(url(&all).unwrap(), "rediss://u:p%40%2F%3A%23@r:7/3");
    }

    #[test]
    fn the_address_wins_and_is_checked() {
        assert_eq!(
            url(&[("REDIS_URL", "redis://x:1"), ("REDIS_HOST", "r")]).unwrap(),
            "redis://x:1"
        );
        assert!(url(&[("REDIS_URL", "http://x")]).is_none() && url(&[("REDIS_PORT", "0")]).is_none());
    }
}
