//! The billing API and the consumer of customer events.

use std::time::Duration;

use billwright_api::{ApiKeys, CorsOrigins, RateLimit};
use billwright_domain::{Money, billing::FirstBillingDefaults};
use billwright_events::{EventsSettings, Security};
use billwright_store::MongoSettings;
use chrono::TimeDelta;
use url::Url;

use super::Reader;
use crate::env_vars::{
    ALL, API_CORS_ORIGINS, API_JWT_AUDIENCE, API_JWT_ISSUER, API_JWT_JWKS_URL, API_KEYS, API_RATE_LIMIT,
    API_TRUST_PROXY, FIRST_BILLING_DUE_DAYS, FIRST_BILLING_SERVICE_ID, FIRST_BILLING_TOTAL, KAFKA_BROKERS,
    KAFKA_CLIENT_ID, KAFKA_EVENTS_TOPIC, KAFKA_GROUP_ID, KAFKA_GROUP_INSTANCE_ID, KAFKA_MAX_RETRIES, KAFKA_TOPIC,
    SET_ASIDE_EXPIRY_HOURS, Variable,
};

/// Everything that the API needs.
#[derive(Debug)]
pub(crate) struct ApiConfig {
    /// Its database.
    pub(crate) mongo: MongoSettings,
    /// The keys that give access.
    pub(crate) keys: ApiKeys,
    /// How tokens give access, if they do.
    pub(crate) jwt: Option<JwtConfig>,
    /// The requests that a key or an address may make.
    pub(crate) rate_limit: Option<RateLimit>,
    /// The origins whose scripts may call the API.
    pub(crate) cors_origins: CorsOrigins,
    /// Whether `X-Forwarded-For` is believed.
    pub(crate) trust_proxy: bool,
    /// Whether changes are published, so that they must be noted.
    pub(crate) publishes: bool,
}

/// How JSON Web Tokens give access.
#[derive(Debug, Clone)]
pub(crate) struct JwtConfig {
    /// Where the key set is.
    pub(crate) jwks_url: Url,
    /// The audience that a token must be for.
    pub(crate) audience: String,
    /// The issuer that a token must be from.
    pub(crate) issuer: String,
}

impl ApiConfig {
    /// Reads all of it; `mongo` was read before.
    pub(crate) fn read(reader: &mut Reader<'_>, mongo: Option<MongoSettings>) -> Option<Self> {
        let keys = reader.optional(&API_KEYS, |text| {
            text.parse::<ApiKeys>().map_err(|problem| problem.to_string())
        });
        let jwt = JwtConfig::read(reader);
        let rate_limit = reader.optional(&API_RATE_LIMIT, |text| {
            text.parse::<RateLimit>().map_err(|problem| problem.to_string())
        });
        let cors_origins = reader.optional(&API_CORS_ORIGINS, |text| {
            text.parse::<CorsOrigins>().map_err(|problem| problem.to_string())
        });
        let trust_proxy = reader.boolean(&API_TRUST_PROXY);
        Some(Self {
            mongo: mongo?,
            keys: keys.unwrap_or_default(),
            jwt,
            rate_limit,
            cors_origins: cors_origins.unwrap_or_default(),
            trust_proxy: trust_proxy?,
            publishes: reader.text(&KAFKA_EVENTS_TOPIC).is_some(),
        })
    }
}

impl JwtConfig {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let jwks_url = reader.optional(&API_JWT_JWKS_URL, |text| {
            Url::parse(text)
                .ok()
                .filter(|url| matches!(url.scheme(), "http" | "https"))
                .ok_or_else(|| "an address, as `https://login.example.com/keys`".to_owned())
        })?;
        let named = |text: &str| Ok(text.to_owned());
        let audience = reader.required(
            &API_JWT_AUDIENCE,
            "the audience that tokens name, since `API_JWT_JWKS_URL` is set",
            named,
        );
        let issuer = reader.required(
            &API_JWT_ISSUER,
            "the issuer that tokens name, since `API_JWT_JWKS_URL` is set",
            named,
        );
        Some(Self {
            jwks_url,
            audience: audience?,
            issuer: issuer?,
        })
    }
}

/// Everything that the consumer of customer events needs.
#[derive(Debug)]
pub(crate) struct EventsConfig {
    /// Its database.
    pub(crate) mongo: MongoSettings,
    /// The consumer itself.
    pub(crate) settings: EventsSettings,
}

impl EventsConfig {
    /// Reads all of it; `mongo` was read before.
    pub(crate) fn read(reader: &mut Reader<'_>, mongo: Option<MongoSettings>) -> Option<Self> {
        let settings = Self::read_settings(reader);
        Some(Self {
            mongo: mongo?,
            settings: settings?,
        })
    }

    /// Reads the consumer's settings alone, for commands that need no database.
    pub(crate) fn read_settings(reader: &mut Reader<'_>) -> Option<EventsSettings> {
        let brokers = reader.optional(&KAFKA_BROKERS, brokers);
        let topics = reader.optional(&KAFKA_TOPIC, |text| {
            let topics: Vec<String> = text
                .split(',')
                .map(|topic| topic.trim().to_owned())
                .filter(|topic| !topic.is_empty())
                .collect();
            let fits = |topic: &String| {
                topic.len() <= 249
                    && topic
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
            };
            if !topics.is_empty() && topics.iter().all(fits) {
                Ok(topics)
            } else {
                Err("names of topics (letters, digits, `.`, `_`, `-`), comma separated".to_owned())
            }
        });
        let group_id = reader.text(&KAFKA_GROUP_ID);
        let client_id = reader.text(&KAFKA_CLIENT_ID);
        let max_retries = reader.number(&KAFKA_MAX_RETRIES, 0..=u32::MAX);
        let security = security(reader);
        let first_billing = first_billing(reader);
        let set_aside_hours: Option<u64> = reader.number(&SET_ASIDE_EXPIRY_HOURS, 1..=24 * 366);
        let group_instance_id = reader.text(&KAFKA_GROUP_INSTANCE_ID);
        let events_out_topic = reader.text(&KAFKA_EVENTS_TOPIC);
        if let (Some(out), Some(topics)) = (&events_out_topic, &topics)
            && topics.contains(out)
        {
            reader.refuse(
                &KAFKA_EVENTS_TOPIC,
                "another topic than those in `KAFKA_TOPIC`, or what is published would be consumed",
            );
        }
        Some(EventsSettings {
            topics: topics?,
            group_id: group_id?,
            client_id: client_id?,
            max_retries: max_retries?,
            security: security?,
            first_billing: first_billing?,
            set_aside_expiry: Duration::from_secs(set_aside_hours? * 3600),
            group_instance_id,
            events_out_topic,
            ..EventsSettings::new(brokers?)
        })
    }
}

fn brokers(text: &str) -> Result<String, String> {
    let brokers: Vec<&str> = text
        .split(',')
        .map(str::trim)
        .filter(|broker| !broker.is_empty())
        .collect();
    let fits = |broker: &&str| {
        broker
            .rsplit_once(':')
            .is_none_or(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
            && !broker.contains("//")
    };
    if !brokers.is_empty() && brokers.iter().all(fits) {
        Ok(brokers.join(","))
    } else {
        Err("brokers, comma separated, as `broker1:9092,broker2:9092`".to_owned())
    }
}

fn security(reader: &mut Reader<'_>) -> Option<Security> {
    let source = reader.source;
    let variable = |name: &str| ALL.iter().find(|variable| variable.name == name).copied();
    let read = Security::from_variables(|name| source.get(variable(name)?).map(ToOwned::to_owned));
    match read {
        Ok(security) => Some(security),
        Err(problems) => {
            for problem in problems {
                let known: Option<&Variable> = variable(problem.variable);
                if let Some(known) = known {
                    reader.refuse(known, problem.expected);
                }
            }
            None
        }
    }
}

fn first_billing(reader: &mut Reader<'_>) -> Option<FirstBillingDefaults> {
    let due_days: Option<i64> = reader.number(&FIRST_BILLING_DUE_DAYS, 0..=3660);
    let service_id = reader.text(&FIRST_BILLING_SERVICE_ID);
    let total = reader.optional(&FIRST_BILLING_TOTAL, |text| {
        let amount =
            Money::from_json(&serde_json::Value::from(text)).map_err(|mismatch| mismatch.expected.into_owned())?;
        amount.ok_or_else(|| "an amount".to_owned())
    });
    Some(FirstBillingDefaults {
        due_after: TimeDelta::days(due_days?),
        service_id: service_id?,
        total_invoice: total?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Source;

    fn settings(values: &[(&'static str, &str)]) -> Result<EventsSettings, String> {
        let source = Source::of(values);
        let mut reader = Reader::new(&source);
        let found = EventsConfig::read_settings(&mut reader);
        reader.finish().map_err(|problems| problems.to_string())?;
        Ok(found.unwrap())
    }

    #[test]
    fn the_defaults_are_those_of_the_service_that_it_replaces() {
        let defaults = settings(&[]).unwrap();
        assert_eq!(defaults.brokers, "localhost:9092");
        assert_eq!(
            (defaults.topics, defaults.max_retries),
            (vec!["customers".to_owned()], 5)
        );
    }

    #[test]
    fn every_variable_of_a_secure_connection_is_known() {
        for name in billwright_events::SECURITY_VARIABLES {
            assert!(ALL.iter().any(|variable| variable.name == name), "{name} is missing");
        }
    }

    #[test]
    fn what_is_published_is_not_consumed() {
        let report = settings(&[("KAFKA_TOPIC", "a,b"), ("KAFKA_EVENTS_TOPIC", "b")]).unwrap_err();
        assert!(report.contains("KAFKA_EVENTS_TOPIC"), "{report}");
        assert!(settings(&[("KAFKA_TOPIC", "a,b"), ("KAFKA_EVENTS_TOPIC", "c")]).is_ok());
    }

    #[test]
    fn names_every_problem_at_once() {
        let report = settings(&[
            ("KAFKA_BROKERS", "http://k:9092"),
            ("KAFKA_TOPIC", "a b"),
            ("KAFKA_SECURITY_PROTOCOL", "SASL_SSL"),
            ("KAFKA_MAX_RETRIES", "-1"),
            ("FIRST_BILLING_TOTAL", "much"),
        ])
        .unwrap_err();
        for name in [
            "KAFKA_BROKERS",
            "KAFKA_TOPIC",
            "KAFKA_SASL_USERNAME",
            "KAFKA_SASL_PASSWORD",
            "KAFKA_MAX_RETRIES",
            "FIRST_BILLING_TOTAL",
        ] {
            assert!(report.contains(name), "{name} is missing in:\n{report}");
        }
    }
}
