//! Every environment variable that Billwright reads: the one list behind the configuration, `--help`, `.env.example` and
//! `docs/CONFIGURATION.md`.

/// An environment variable.
#[derive(Debug)]
pub(crate) struct Variable {
    /// Its name.
    pub(crate) name: &'static str,
    /// The heading under which it is documented.
    pub(crate) section: &'static str,
    /// What holds when it is unset, as text for people and, where it is a value, as the value itself.
    pub(crate) default: Default,
    /// Whether its value must never be shown.
    pub(crate) secret: bool,
    /// What it is for.
    pub(crate) about: &'static str,
}

/// What holds when a variable is unset.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Default {
    /// This value.
    Value(&'static str),
    /// Something that is better told than written.
    Told(&'static str),
}

macro_rules! variables {
    ($($section:literal { $($name:ident $(($secret:ident))? = $kind:ident $default:literal, $about:literal;)+ })+) => {
        $($(
            #[doc = $about]
            pub(crate) static $name: Variable = Variable {
                name: stringify!($name),
                section: $section,
                default: Default::$kind($default),
                secret: variables!(@secret $($secret)?),
                about: $about,
            };
        )+)+

        /// All of them, in the order in which they are documented.
        pub(crate) static ALL: &[&Variable] = &[$($(&$name,)+)+];
    };
    (@secret secret) => { true };
    (@secret) => { false };
}

variables! {
    "Service" {
        PORT = Value "3000", "Port of the HTTP server: health, metrics, API documentation, and the API itself.";
        HOST = Told "every address of the machine", "Address that the HTTP server listens on.";
        NODE_ENV = Value "development", "`production` selects JSON logs; anything else logs for reading.";
        LOG_LEVEL = Value "info", "What is logged: `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,billwright_worker=debug`.";
        SHUTDOWN_GRACE_SECONDS = Value "30", "How long a stop waits for what is in flight.";
    }
    "Alerts" {
        ALERT_OLDEST_JOB_SECONDS = Value "600", "Seconds that the oldest job may wait before the team is told; 0 turns this off, as with the alerts below.";
        ALERT_NO_WORKER_SECONDS = Value "60", "Seconds for which jobs may wait without a connected worker. A process without the worker looks too where `REDIS_URL` or `REDIS_HOST` is set.";
        ALERT_BREAKER_OPEN_SECONDS = Value "300", "Seconds for which Billz may be away; that it is away is told at once.";
        ALERT_EVENT_LAG = Value "1000", "Events that a partition may be behind while it does not catch up.";
        ALERT_DEAD_LETTERS = Value "1", "Messages that must go to the dead letters within ten minutes.";
        ALERT_BAD_MESSAGES = Value "true", "Whether too large a share of bad messages is told.";
        ALERT_INTERVAL_SECONDS = Value "10", "Seconds between two looks.";
        ALERT_OVER_AFTER_SECONDS = Value "60", "Seconds for which everything must be fine before an alert counts as over.";
        ALERT_RUNBOOK_URL = Value "docs/RUNBOOK.md", "Address of the runbook, which alerts link to.";
    }
    "Traces" {
        OTEL_EXPORTER_OTLP_ENDPOINT = Told "none: no traces", "Address of the collector that takes OTLP over HTTP, as `http://collector:4318`; `/v1/traces` is added.";
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT = Told "made from `OTEL_EXPORTER_OTLP_ENDPOINT`", "Whole address that spans are posted to.";
        OTEL_EXPORTER_OTLP_HEADERS(secret) = Told "none", "Headers for the collector, as `name=value,other=value`.";
        OTEL_EXPORTER_OTLP_PROTOCOL = Value "http/protobuf", "Protocol; no other is spoken.";
        OTEL_EXPORTER_OTLP_TIMEOUT = Value "10000", "Milliseconds that the collector may take for an answer.";
        OTEL_SERVICE_NAME = Told "`billwright`", "Name of the service in traces.";
        OTEL_RESOURCE_ATTRIBUTES = Told "none", "Further attributes of the process, as `deployment.environment=production`.";
        OTEL_TRACES_SAMPLER = Value "parentbased_always_on", "Which traces are kept: `always_on`, `always_off`, `traceidratio`, or one of them with `parentbased_` before it, which follows the caller's decision.";
        OTEL_TRACES_SAMPLER_ARG = Value "1", "Share that `traceidratio` keeps, from 0 to 1.";
        OTEL_BSP_SCHEDULE_DELAY = Value "5000", "Milliseconds for which finished spans are gathered.";
        OTEL_BSP_MAX_QUEUE_SIZE = Value "2048", "Finished spans that wait at most; further ones are dropped.";
        OTEL_SDK_DISABLED = Value "false", "Whether traces are off although a collector is named.";
    }
    "MongoDB" {
        MONGODB_URI(secret) = Value "mongodb://localhost:27017", "Server for every role. A database in its path is used only when one product runs.";
        BILLZ_MONGODB_URI(secret) = Told "`MONGODB_URI` with the database `billz_microservice`", "Database of the order worker.";
        BILLING_MONGODB_URI(secret) = Told "`MONGODB_URI` with the database `telecomx-billing`", "Database of users and billings.";
    }
    "Redis" {
        REDIS_URL(secret) = Told "made from the variables below", "`redis://` or `rediss://` address; wins over the single variables.";
        REDIS_HOST = Value "localhost", "Host of the Redis that holds the queue.";
        REDIS_PORT = Value "6379", "Port of Redis.";
        REDIS_USERNAME = Told "none", "User name for Redis.";
        REDIS_PASSWORD(secret) = Told "none", "Password for Redis.";
        REDIS_DB = Value "0", "Number of the Redis database.";
        REDIS_TLS = Value "false", "Whether Redis is reached over TLS.";
    }
    "Billz" {
        BILLZ_TOKEN(secret) = Told "none; the worker needs it, or an `integrations` document", "Billz secret token, exchanged for an access token at login.";
        BILLZ_SHOP_ID = Told "none; the worker needs it", "Billz shop in which sales are made.";
        BILLZ_CASHBOX_ID = Told "the shop's first cash box", "Cash box of the shop for new sales.";
        BILLZ_BASE_URL = Value "https://api-admin.billz.ai", "Address of Billz; the sandbox can stand in.";
        BILLZ_RATE_LIMIT = Value "2/s", "Calls that Billz allows from one address, shared by all workers behind it: `2/s`, `120/m`, `10/5s` or `off`.";
        BILLZ_TIMEZONE = Value "Asia/Tashkent", "Time zone of the shop, in which postpone times are given.";
        ENCRYPTION_KEY(secret) = Told "none", "64 hexadecimal digits; needed only if the `integrations` document holds encrypted values.";
    }
    "Queue" {
        BULLMQ_PREFIX = Value "bull", "Prefix of BullMQ's keys in Redis.";
        WORKER_CONCURRENCY = Value "20", "Jobs that one worker process has in hand at a time.";
    }
    "Telegram" {
        TELEGRAM_BOT_TOKEN(secret) = Told "none: notifications are off", "Token of the bot that notifies the team.";
        TELEGRAM_GROUP_ID = Told "none: notifications are off", "Group that is notified.";
        TELEGRAM_BASE_URL = Value "https://api.telegram.org", "Address of Telegram; the sandbox can stand in.";
    }
    "API" {
        API_KEYS(secret) = Told "none: the API is open, as the service that it replaces", "Keys of the API, comma separated, each `name:scope:sha256-of-the-key-in-hex` with the scope `read` or `write`.";
        API_JWT_JWKS_URL = Told "none", "Address of the key set that signs accepted JSON Web Tokens.";
        API_JWT_AUDIENCE = Told "none; needed with `API_JWT_JWKS_URL`", "Audience (`aud`) that a token must name.";
        API_JWT_ISSUER = Told "none; needed with `API_JWT_JWKS_URL`", "Issuer (`iss`) that a token must name.";
        API_RATE_LIMIT = Told "none", "Requests allowed per key or address, such as `100/s`.";
        API_TRUST_PROXY = Value "false", "Whether a proxy in front sets `X-Forwarded-For`, whose last entry is then the client's address.";
        API_CORS_ORIGINS = Told "none: other origins are refused", "Origins that browsers may call the API from, comma separated, or `*`.";
    }
    "Dashboard" {
        DASHBOARD_USERS(secret) = Told "none: only this machine reaches the dashboard", "People who may use the dashboard, comma separated, each as `billwright dashboard-user` prints it: `name:role:hash`.";
        DASHBOARD_SESSION_KEY(secret) = Told "random: a restart signs everybody out", "At least 32 random characters that sign the dashboard's sessions; the same for processes behind one address.";
        DASHBOARD_IDLE_MINUTES = Value "30", "Minutes without a request after which the dashboard signs a person out.";
    }
    "Kafka" {
        KAFKA_BROKERS = Value "localhost:9092", "Brokers, comma separated.";
        KAFKA_TOPIC = Value "customers", "Topic of customer events; several are comma separated.";
        KAFKA_GROUP_ID = Value "telecomx-billing-consumer", "Consumer group.";
        KAFKA_CLIENT_ID = Value "telecomx-billing-service", "Name of this client towards the brokers.";
        KAFKA_MAX_RETRIES = Value "5", "Connection attempts before the consumer gives up; 0 = for ever.";
        KAFKA_GROUP_INSTANCE_ID = Told "none: membership is dynamic", "Name of this group member for static membership; unique in the group.";
        KAFKA_SECURITY_PROTOCOL = Value "PLAINTEXT", "`PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`.";
        KAFKA_SASL_MECHANISM = Value "PLAIN", "`PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`; counts where the protocol asks for a login.";
        KAFKA_SASL_USERNAME = Told "none", "User name for SASL.";
        KAFKA_SASL_PASSWORD(secret) = Told "none", "Password for SASL.";
        KAFKA_SSL_CA_LOCATION = Told "the system's certificates", "File of the certificates that may sign the brokers'.";
        KAFKA_SSL_CERTIFICATE_LOCATION = Told "none", "File of this client's certificate.";
        KAFKA_SSL_KEY_LOCATION = Told "none", "File of this client's private key.";
        KAFKA_SSL_KEY_PASSWORD(secret) = Told "none", "Password of the private key.";
        KAFKA_EVENTS_TOPIC = Told "none: nothing is published", "Topic to which changes of users and billings are published.";
        SET_ASIDE_EXPIRY_HOURS = Value "168", "How long an event for a customer who is not known yet is kept before it goes to the dead letters.";
        FIRST_BILLING_DUE_DAYS = Value "14", "Days that a new customer has to pay the first billing.";
        FIRST_BILLING_SERVICE_ID = Value "1", "`serviceId` of the first billing.";
        FIRST_BILLING_TOTAL = Value "100000", "`totalInvoice` of the first billing.";
    }
}

impl Variable {
    /// Whether it holds an address, which is a secret only in part.
    pub(crate) fn is_address(&self) -> bool {
        self.name.ends_with("_URI") || self.name.ends_with("_URL")
    }

    /// The value that holds when the variable is unset, if it is a value.
    pub(crate) fn default_value(&self) -> Option<&'static str> {
        match self.default {
            Default::Value(value) => Some(value),
            Default::Told(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contract's own list; what it names must exist under that name for ever.
    const CONTRACT: [&str; 28] = [
        "MONGODB_URI",
        "BILLZ_MONGODB_URI",
        "BILLING_MONGODB_URI",
        "REDIS_HOST",
        "REDIS_PORT",
        "REDIS_PASSWORD",
        "REDIS_URL",
        "REDIS_USERNAME",
        "REDIS_DB",
        "REDIS_TLS",
        "BILLZ_TOKEN",
        "BILLZ_SHOP_ID",
        "BILLZ_CASHBOX_ID",
        "BILLZ_BASE_URL",
        "BILLZ_RATE_LIMIT",
        "BILLZ_TIMEZONE",
        "TELEGRAM_BOT_TOKEN",
        "TELEGRAM_GROUP_ID",
        "TELEGRAM_BASE_URL",
        "PORT",
        "NODE_ENV",
        "KAFKA_BROKERS",
        "KAFKA_TOPIC",
        "KAFKA_GROUP_ID",
        "KAFKA_CLIENT_ID",
        "KAFKA_MAX_RETRIES",
        "ENCRYPTION_KEY",
        "API_KEYS",
    ];

    #[test]
    fn every_variable_of_the_contract_is_there() {
        for name in CONTRACT {
            assert!(ALL.iter().any(|variable| variable.name == name), "{name} is missing");
        }
    }

    #[test]
    fn no_variable_is_listed_twice() {
        let mut names: Vec<_> = ALL.iter().map(|variable| variable.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }
}
