//! The configuration as people are shown it: every variable's value, without its secrets, and where it came from.

use std::fmt;

use serde::Serialize;

use super::Source;
use crate::env_vars::{self, Default, Variable};

/// Where a value came from. Each wins over the ones after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Origin {
    /// A flag of the command line.
    Flag,
    /// The environment.
    Environment,
    /// The file `.env`.
    File,
    /// Nothing was set, so that the default holds.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::File => ".env",
            Self::Default => "default",
        })
    }
}

/// One variable as people are shown it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EffectiveSetting {
    /// The variable.
    pub(crate) name: &'static str,
    /// The heading under which it is documented.
    pub(crate) section: &'static str,
    /// What it is for.
    pub(crate) about: &'static str,
    /// The value that holds, its secrets masked; what the default means where nothing is set.
    pub(crate) shown_value: String,
    /// Where the value came from.
    pub(crate) origin: Origin,
    /// What would hold if nothing were set.
    pub(crate) default: &'static str,
}

impl Source {
    /// Every variable as people are shown it, in the order in which they are documented.
    pub(crate) fn effective_settings(&self) -> Vec<EffectiveSetting> {
        let setting = |variable: &&'static Variable| {
            let default = match variable.default {
                Default::Value(text) | Default::Told(text) => text,
            };
            EffectiveSetting {
                name: variable.name,
                section: variable.section,
                about: variable.about,
                shown_value: self
                    .get(variable)
                    .map_or_else(|| default.to_owned(), |value| shown(variable, value)),
                origin: self.origin(variable),
                default,
            }
        };
        env_vars::ALL.iter().map(setting).collect()
    }
}

/// A value without its secrets. Addresses keep what tells where they lead.
fn shown(variable: &Variable, value: &str) -> String {
    if value.contains("://") && (!variable.secret || variable.is_address()) {
        return masked_address(value);
    }
    if variable.secret {
        return format!("•••• ({} characters)", value.chars().count());
    }
    value.to_owned()
}

/// Options in an address that tell nothing but how to connect. Others are masked: some hold passwords.
const PLAIN_OPTIONS: [&str; 14] = [
    "appname",
    "authmechanism",
    "authsource",
    "compressors",
    "connecttimeoutms",
    "directconnection",
    "maxpoolsize",
    "readpreference",
    "replicaset",
    "retrywrites",
    "serverselectiontimeoutms",
    "ssl",
    "tls",
    "w",
];

/// An address without user name, password and whatever else could be a secret. By hand, since MongoDB's addresses may
/// name several hosts, which no URL can.
fn masked_address(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else {
        return address.to_owned();
    };
    let (place, query) = rest
        .split_once('?')
        .map_or((rest, None), |(place, query)| (place, Some(query)));
    if query.is_some_and(|query| query.contains('@')) {
        // Somebody forgot to encode a password, and nobody can tell where it ends.
        return format!("{scheme}://***");
    }
    let place = match place.rfind('@') {
        Some(at) => format!("***@{}", &place[at + 1..]),
        None => place.to_owned(),
    };
    let Some(query) = query else {
        return format!("{scheme}://{place}");
    };
    let options: Vec<String> = query
        .split('&')
        .map(|option| match option.split_once('=') {
            Some((name, _)) if !PLAIN_OPTIONS.contains(&name.to_ascii_lowercase().as_str()) => format!("{name}=***"),
            _ => option.to_owned(),
        })
        .collect();
    format!("{scheme}://{place}?{}", options.join("&"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn setting(source: &Source, name: &str) -> EffectiveSetting {
        let settings = source.effective_settings();
        settings.into_iter().find(|setting| setting.name == name).unwrap()
    }

    #[test]
    fn says_where_every_value_came_from() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "PORT=8080\nREDIS_HOST=r").unwrap();
        let mut source = Source::of(&[("PORT", "9000")]);
        source.add_file(file.path());
        assert_eq!(setting(&source, "REDIS_HOST").origin, Origin::File);
        assert_eq!(setting(&source, "REDIS_HOST").shown_value, "r");
        let untouched = setting(&Source::default(), "REDIS_PORT");
        assert_eq!(
            (untouched.origin, untouched.shown_value.as_str()),
            (Origin::Default, "6379")
        );
        assert_eq!(
            setting(&Source::of(&[("PORT", "1")]), "PORT").origin,
            Origin::Environment
        );
        let told = setting(&Source::default(), "TELEGRAM_BOT_TOKEN");
        assert_eq!(told.shown_value, "none: notifications are off");
    }

    #[test]
    fn no_secret_is_shown() {
        let secret = "hünter2";
        for variable in env_vars::ALL.iter().filter(|variable| variable.secret) {
            for value in [
                secret.to_owned(),
                format!("mongodb://user:{secret}@db1,db2:27018/shop?replicaSet=rs0&proxyPassword={secret}"),
                format!("redis://:p@{secret}/?@host:6379/0"),
            ] {
                let source = Source::of(&[(variable.name, &value)]);
                let shown = setting(&source, variable.name).shown_value;
                assert!(!shown.contains(secret), "{}: {shown}", variable.name);
            }
        }
        let source = Source::of(&[("BILLZ_BASE_URL", "https://user:geheim@billz/api")]);
        assert_eq!(setting(&source, "BILLZ_BASE_URL").shown_value, "https://***@billz/api");
    }

    #[test]
    fn an_address_keeps_what_tells_where_it_leads() {
        let shown = |value: &str| setting(&Source::of(&[("MONGODB_URI", value)]), "MONGODB_URI").shown_value;
        assert_eq!(
            shown("mongodb://u:p@a:1,b:2/shop?replicaSet=rs0&authMechanismProperties=AWS_SESSION_TOKEN:x"),
            "mongodb://***@a:1,b:2/shop?replicaSet=rs0&authMechanismProperties=***"
        );
        assert_eq!(shown("mongodb://localhost/x"), "mongodb://localhost/x");
    }
}
