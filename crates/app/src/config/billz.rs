//! The order worker, and what it needs of Billz and Telegram.

use billwright_connectors::budget::RateLimit;
use billwright_domain::{CashboxId, ShopId};
use billwright_store::MongoSettings;
use billwright_worker::admin::QueueAddress;
use chrono_tz::Tz;
use secrecy::SecretString;
use url::Url;

use super::{Reader, RedisConfig};
use crate::env_vars::{
    BILLZ_BASE_URL, BILLZ_CASHBOX_ID, BILLZ_RATE_LIMIT, BILLZ_SHOP_ID, BILLZ_TIMEZONE, BILLZ_TOKEN, BULLMQ_PREFIX,
    ENCRYPTION_KEY, TELEGRAM_BASE_URL, TELEGRAM_BOT_TOKEN, TELEGRAM_GROUP_ID, Variable, WORKER_CONCURRENCY,
};

/// Everything that the order worker needs.
#[derive(Debug, Clone)]
pub(crate) struct WorkerConfig {
    /// Its database.
    pub(crate) mongo: MongoSettings,
    /// The queue's Redis.
    pub(crate) redis: RedisConfig,
    /// Prefix of BullMQ's keys.
    pub(crate) prefix: String,
    /// Jobs in hand at a time.
    pub(crate) concurrency: usize,
    /// Billz.
    pub(crate) billz: BillzConfig,
    /// Telegram; `None` turns notifications off.
    pub(crate) telegram: Option<TelegramConfig>,
}

/// How to reach Billz.
#[derive(Debug, Clone)]
pub(crate) struct BillzConfig {
    /// The secret token; unset, the `integrations` document is used.
    pub(crate) token: Option<SecretString>,
    /// The shop; may be unset where the `integrations` document names it.
    pub(crate) shop_id: Option<ShopId>,
    /// The cash box; unset, the shop's first.
    pub(crate) cashbox_id: Option<CashboxId>,
    /// The address.
    pub(crate) base_url: Url,
    /// The calls that it allows.
    pub(crate) rate_limit: RateLimit,
    /// The shop's time zone.
    pub(crate) timezone: Tz,
    /// The key of the encrypted values in the `integrations` document, as 64 hexadecimal digits.
    pub(crate) encryption_key: Option<SecretString>,
}

/// How to reach the team over Telegram.
#[derive(Debug, Clone)]
pub(crate) struct TelegramConfig {
    /// The address.
    pub(crate) base_url: Url,
    /// The bot's token.
    pub(crate) bot_token: SecretString,
    /// The group.
    pub(crate) group_id: String,
}

impl WorkerConfig {
    /// Where its queue is.
    pub(crate) fn queue(&self) -> QueueAddress {
        self.redis.queue(self.prefix.clone())
    }

    /// Reads all of it; `mongo` was read before.
    pub(crate) fn read(reader: &mut Reader<'_>, mongo: Option<MongoSettings>) -> Option<Self> {
        let redis = RedisConfig::read(reader);
        let prefix = reader.text(&BULLMQ_PREFIX);
        let concurrency = reader.number(&WORKER_CONCURRENCY, 1..=10_000);
        let billz = BillzConfig::read(reader);
        let telegram = TelegramConfig::read(reader);
        Some(Self {
            mongo: mongo?,
            redis: redis?,
            prefix: prefix?,
            concurrency: concurrency?,
            billz: billz?,
            telegram: telegram?,
        })
    }
}

impl BillzConfig {
    /// Reads all of it. Token and shop may both be missing only where an `integrations` document can hold them, which the
    /// start of the worker finds out.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let token = reader.text(&BILLZ_TOKEN).map(SecretString::from);
        let shop = |text: &str| ShopId::parse(text).map_err(|mismatch| mismatch.expected.into_owned());
        let shop_id = if token.is_some() {
            reader.required(&BILLZ_SHOP_ID, "the id of the Billz shop in which sales are made", shop)
        } else {
            reader.optional(&BILLZ_SHOP_ID, shop)
        };
        let cashbox_id = reader.optional(&BILLZ_CASHBOX_ID, |text| {
            CashboxId::parse(text).map_err(|mismatch| mismatch.expected.into_owned())
        });
        let base_url = address(reader, &BILLZ_BASE_URL);
        let rate_limit = reader.optional(&BILLZ_RATE_LIMIT, |text| {
            text.parse::<RateLimit>().map_err(|error| error.to_string())
        });
        let timezone = reader.optional(&BILLZ_TIMEZONE, |text| {
            text.parse::<Tz>()
                .map_err(|_| "a time zone of the IANA list, as `Asia/Tashkent`".to_owned())
        });
        let encryption_key = reader.optional(&ENCRYPTION_KEY, |text| {
            let fits = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            if fits {
                Ok(SecretString::from(text))
            } else {
                Err("64 hexadecimal digits".to_owned())
            }
        });
        Some(Self {
            token,
            shop_id,
            cashbox_id,
            base_url: base_url?,
            rate_limit: rate_limit?,
            timezone: timezone?,
            encryption_key,
        })
    }
}

impl TelegramConfig {
    /// Reads all of it. The outer `None` is a problem, the inner one says that notifications are off.
    #[expect(
        clippy::option_option,
        reason = "a reader's `None` always means that a problem was noted"
    )]
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Option<Self>> {
        let bot_token = reader.text(&TELEGRAM_BOT_TOKEN);
        let group_id = reader.text(&TELEGRAM_GROUP_ID);
        let base_url = address(reader, &TELEGRAM_BASE_URL);
        match (bot_token, group_id) {
            (None, None) => Some(None),
            (Some(bot_token), Some(group_id)) => Some(Some(Self {
                base_url: base_url?,
                bot_token: bot_token.into(),
                group_id,
            })),
            (Some(_), None) => {
                reader.refuse(
                    &TELEGRAM_GROUP_ID,
                    "the id of the group to notify, since `TELEGRAM_BOT_TOKEN` is set",
                );
                None
            }
            (None, Some(_)) => {
                reader.refuse(
                    &TELEGRAM_BOT_TOKEN,
                    "the token of the bot, since `TELEGRAM_GROUP_ID` is set",
                );
                None
            }
        }
    }
}

fn address(reader: &mut Reader<'_>, variable: &Variable) -> Option<Url> {
    reader.optional(variable, |text| {
        Url::parse(text)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| "an address, as `https://host` or `http://127.0.0.1:4000/path`".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Source;

    fn report(values: &[(&'static str, &str)]) -> String {
        let source = Source::of(values);
        let mut reader = Reader::new(&source);
        let _ = BillzConfig::read(&mut reader);
        let _ = TelegramConfig::read(&mut reader);
        reader
            .finish()
            .map_or_else(|problems| problems.to_string(), |()| String::new())
    }

    #[test]
    fn one_half_of_telegram_is_a_problem() {
        assert_eq!(report(&[]), "");
        assert!(report(&[("TELEGRAM_BOT_TOKEN", "t")]).contains("TELEGRAM_GROUP_ID: found nothing"));
        assert!(report(&[("TELEGRAM_GROUP_ID", "-100")]).contains("TELEGRAM_BOT_TOKEN: found nothing"));
    }

    #[test]
    fn names_every_problem_at_once() {
        let report = report(&[
            ("BILLZ_TOKEN", "geheim"),
            ("BILLZ_BASE_URL", "ftp://billz"),
            ("BILLZ_RATE_LIMIT", "fast"),
            ("BILLZ_TIMEZONE", "Tashkent"),
            ("ENCRYPTION_KEY", "abc"),
        ]);
        for name in [
            "BILLZ_SHOP_ID",
            "BILLZ_BASE_URL",
            "BILLZ_RATE_LIMIT",
            "BILLZ_TIMEZONE",
            "ENCRYPTION_KEY",
        ] {
            assert!(report.contains(name), "{name} is missing in:\n{report}");
        }
        assert!(!report.contains("geheim"));
    }
}
