//! The configuration: read from flags, the environment and `.env`, in that order, and checked as a whole, so that one
//! report names every problem.

mod alerts;
mod billing;
mod billz;
mod dashboard;
mod effective;
mod env_file;
mod http;
mod mongo;
mod redis;
mod roles;
mod source;
mod traces;

use std::fmt;

use billwright_dashboard::DashboardSettings;
use billwright_store::MongoSettings;
use billwright_worker::admin::QueueAddress;

pub(crate) use self::{
    alerts::AlertsConfig,
    billing::{ApiConfig, EventsConfig, JwtConfig},
    billz::{BillzConfig, TelegramConfig, WorkerConfig},
    effective::Origin,
    http::HttpConfig,
    mongo::MongoConfig,
    redis::RedisConfig,
    roles::{Role, Roles},
    source::{Reader, Source},
    traces::{Sampler, TracesConfig},
};
use crate::{
    env_vars::{BULLMQ_PREFIX, LOG_LEVEL, REDIS_HOST, REDIS_URL, Variable},
    telemetry,
};

/// One thing that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfigProblem {
    /// The variable, flag or file.
    pub(crate) name: String,
    /// What was found; of a secret only its length.
    pub(crate) found: String,
    /// What would have been right.
    pub(crate) expected: String,
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}: found {}, expected {}",
            self.name, self.found, self.expected
        )
    }
}

/// Everything that is wrong with the configuration; never empty. The process ends with exit status 78.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfigProblems(pub(crate) Vec<ConfigProblem>);

impl fmt::Display for ConfigProblems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        writeln!(
            formatter,
            "the configuration has {count} problem{}; nothing was started",
            if count == 1 { "" } else { "s" }
        )?;
        for problem in &self.0 {
            writeln!(formatter, "  {problem}")?;
        }
        write!(
            formatter,
            "every variable is described by `billwright print-docs configuration`"
        )
    }
}

impl std::error::Error for ConfigProblems {}

/// Everything that `billwright run` needs.
#[derive(Debug)]
pub(crate) struct RunConfig {
    /// Which roles run and why.
    pub(crate) roles: Roles,
    /// The HTTP server.
    pub(crate) http: HttpConfig,
    /// The operations pages.
    pub(crate) dashboard: DashboardSettings,
    /// When the team is told that something is wrong.
    pub(crate) alerts: AlertsConfig,
    /// Where the team is told, whatever the roles.
    pub(crate) telegram: Option<TelegramConfig>,
    /// The queue that is looked at: the worker's, or the one that is named where the worker runs elsewhere, since nobody
    /// else is left to say that no worker is.
    pub(crate) queue: Option<QueueAddress>,
    /// The order worker, if it runs.
    pub(crate) worker: Option<WorkerConfig>,
    /// The API, if it runs.
    pub(crate) api: Option<ApiConfig>,
    /// The consumer of customer events, if it runs.
    pub(crate) events: Option<EventsConfig>,
}

impl RunConfig {
    /// Reads and checks all of it.
    pub(crate) fn read(source: &Source, wanted: Option<&[Role]>) -> Result<Self, ConfigProblems> {
        let mut reader = Reader::new(source);
        let roles = Roles::choose(source, wanted);
        let http = HttpConfig::read(&mut reader);
        // Logs and traces started with these already; here what is wrong is reported.
        let _ = reader.optional(&LOG_LEVEL, telemetry::parse_filter);
        let _ = TracesConfig::read(&mut reader);
        let alerts = AlertsConfig::read(&mut reader);
        // The worker reads it too, and would report a problem twice.
        let telegram = if roles.runs(Role::Worker) {
            Some(None)
        } else {
            TelegramConfig::read(&mut reader)
        };
        let databases = MongoConfig::read(&mut reader, roles.has_billz(), roles.has_billing());
        let worker = roles
            .runs(Role::Worker)
            .then(|| WorkerConfig::read(&mut reader, databases.billz.clone()));
        let api = roles
            .runs(Role::Api)
            .then(|| ApiConfig::read(&mut reader, databases.billing.clone()));
        let events = roles
            .runs(Role::Events)
            .then(|| EventsConfig::read(&mut reader, databases.billing.clone()));
        let dashboard = dashboard::read(&mut reader);
        let queue = if roles.runs(Role::Worker) {
            worker.as_ref().and_then(Option::as_ref).map(WorkerConfig::queue)
        } else if source.any_set(&[&REDIS_URL, &REDIS_HOST]) {
            let redis = RedisConfig::read(&mut reader);
            let prefix = reader.text(&BULLMQ_PREFIX);
            redis.zip(prefix).map(|(redis, prefix)| redis.queue(prefix))
        } else {
            None
        };
        reader.finish()?;
        let (Some(alerts), Some(telegram)) = (alerts, telegram) else {
            return Err(ConfigProblems(vec![]));
        };
        let (Some(http), Some(dashboard), worker, api, events) =
            (http, dashboard, worker.flatten(), api.flatten(), events.flatten())
        else {
            return Err(ConfigProblems(vec![]));
        };
        Ok(Self {
            roles,
            http,
            dashboard,
            alerts,
            telegram,
            queue,
            worker,
            api,
            events,
        })
    }

    /// The billing database, if the API or the consumer of events runs.
    pub(crate) fn billing_mongo(&self) -> Option<&MongoSettings> {
        let api = self.api.as_ref().map(|api| &api.mongo);
        api.or(self.events.as_ref().map(|events| &events.mongo))
    }

    /// The database in which alerts are kept: the worker's where it runs, else the billing database.
    pub(crate) fn alerts_mongo(&self) -> Option<&MongoSettings> {
        let worker = self.worker.as_ref().map(|worker| &worker.mongo);
        worker.or(self.billing_mongo())
    }
}

/// The longest value that an error repeats, in characters.
const LONGEST_SHOWN: usize = 200;

/// A problem with `variable`, whose value `found` is only shown if it is no secret.
fn problem(variable: &Variable, found: Option<&str>, expected: impl Into<String>) -> ConfigProblem {
    let found = match found {
        None => "nothing".to_owned(),
        Some(text) if variable.secret => format!("a value of {} characters", text.chars().count()),
        Some(text) if text.chars().nth(LONGEST_SHOWN).is_some() => {
            format!("a value of {} characters", text.chars().count())
        }
        Some(text) => format!("`{}`", text.escape_debug()),
    };
    ConfigProblem {
        name: variable.name.to_owned(),
        found,
        expected: expected.into(),
    }
}
