//! `billwright check`: the configuration and everything that it names, tried for real, with what to do about each failure.
//! Nothing is changed anywhere, and nobody is sent anything.

mod billz;
mod kafka;
mod mongodb;
mod redis;
mod system;
mod telegram;

use std::{process::ExitCode, time::Duration};

pub(crate) use self::system::local_address;
use billwright_store::WantedIndexes;
use futures_util::FutureExt as _;
use serde::Serialize;

use crate::{
    answer,
    config::{Role, RunConfig, Source},
};

/// How long everything about one dependency may take.
const PATIENCE: Duration = Duration::from_secs(45);

/// The command's arguments.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  billwright check\n  billwright check --roles worker --json\n  billwright check && billwright run\n\nExit statuses: 0 everything is fine or worth no more than a warning, 1 something failed, 2 wrong usage, 78 wrong configuration."
)]
pub(crate) struct Check {
    /// The roles to check for; by default every role whose configuration is there.
    #[arg(long, value_enum, value_delimiter = ',')]
    roles: Option<Vec<Role>>,
    /// Print the answer as JSON, with the configuration that holds.
    #[arg(long)]
    json: bool,
}

/// What came of one trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// It works.
    Ok,
    /// It works, and somebody should know something about it.
    Warning,
    /// It does not work.
    Failed,
}

/// One line of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Finding {
    /// What was tried.
    check: String,
    /// What came of it.
    result: Outcome,
    /// What was found.
    found: String,
    /// What to do about it.
    #[serde(rename = "whatToDo", skip_serializing_if = "Option::is_none")]
    what_to_do: Option<String>,
}

impl Finding {
    fn ok(check: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            check: check.into(),
            result: Outcome::Ok,
            found: found.into(),
            what_to_do: None,
        }
    }

    fn warning(check: impl Into<String>, found: impl Into<String>, what_to_do: impl Into<String>) -> Self {
        Self {
            result: Outcome::Warning,
            what_to_do: Some(what_to_do.into()),
            ..Self::ok(check, found)
        }
    }

    fn failed(check: impl Into<String>, found: impl Into<String>, what_to_do: impl Into<String>) -> Self {
        Self {
            result: Outcome::Failed,
            ..Self::warning(check, found, what_to_do)
        }
    }
}

impl Check {
    pub(crate) async fn run(self, source: &Source) -> anyhow::Result<ExitCode> {
        let config = match RunConfig::read(source, self.roles.as_deref()) {
            Ok(config) => config,
            Err(problems) if self.json => {
                answer::json(&serde_json::json!({
                    "result": "failed",
                    "problems": problems.0.iter().map(ToString::to_string).collect::<Vec<_>>(),
                }))?;
                return Err(problems.into());
            }
            Err(problems) => return Err(problems.into()),
        };
        let findings = everything(&config).await;
        let worst = findings
            .iter()
            .map(|finding| finding.result)
            .max()
            .unwrap_or(Outcome::Ok);
        if self.json {
            answer::json(&serde_json::json!({
                "result": worst,
                "findings": findings,
                "settings": source.effective_settings(),
            }))?;
        } else {
            print(&findings)?;
        }
        Ok(if worst == Outcome::Failed {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        })
    }
}

/// Tries everything at once: what is away makes nobody else wait.
async fn everything(config: &RunConfig) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (role, runs, reason) in config.roles.explained() {
        let found = if runs { "runs" } else { "does not run" };
        findings.push(Finding::ok(format!("role {role}"), format!("{found}: {reason}")));
    }
    let mut trials = vec![within("port", system::port(&config.http).boxed())];
    if let Some(worker) = &config.worker {
        let name = "MongoDB of the worker";
        let wanted = WantedIndexes::of_worker();
        trials.push(within(name, mongodb::check(name, &worker.mongo, wanted).boxed()));
        trials.push(within("Redis", redis::check(&worker.redis).boxed()));
        trials.push(within("Billz", billz::check(worker).boxed()));
    }
    if let Some(billing) = config.billing_mongo() {
        let name = "MongoDB of the billing service";
        let wanted = match &config.api {
            Some(_) => WantedIndexes::of_api(),
            None => WantedIndexes::of_events(),
        };
        trials.push(within(name, mongodb::check(name, billing, wanted).boxed()));
    }
    if let Some(events) = &config.events {
        trials.push(within("Kafka", kafka::check(&events.settings).boxed()));
    }
    let telegram = config.worker.as_ref().and_then(|worker| worker.telegram.as_ref());
    trials.push(within(
        "Telegram",
        telegram::check(telegram.or(config.telegram.as_ref())).boxed(),
    ));
    findings.extend(futures_util::future::join_all(trials).await.into_iter().flatten());
    findings
}

async fn within(name: &str, trial: futures_util::future::BoxFuture<'_, Vec<Finding>>) -> Vec<Finding> {
    match tokio::time::timeout(PATIENCE, trial).await {
        Ok(findings) => findings,
        Err(_) => vec![Finding::failed(
            name,
            format!("no end after {} s", PATIENCE.as_secs()),
            "see whether it is reachable from here, and whether it is overloaded",
        )],
    }
}

/// A table, and below it what to do.
fn print(findings: &[Finding]) -> anyhow::Result<()> {
    let mark = |outcome| match outcome {
        Outcome::Ok => "ok",
        Outcome::Warning => "WARNING",
        Outcome::Failed => "FAILED",
    };
    let width = findings
        .iter()
        .map(|finding| finding.check.chars().count())
        .max()
        .unwrap_or_default();
    for finding in findings {
        let found = finding.found.replace(char::is_control, " ");
        answer::line(format_args!(
            "{:<8}  {:<width$}  {found}",
            mark(finding.result),
            finding.check
        ))?;
        if let Some(what_to_do) = &finding.what_to_do {
            answer::line(format_args!("{:<8}  {:<width$}  -> {what_to_do}", "", ""))?;
        }
    }
    let count = |outcome| findings.iter().filter(|finding| finding.result == outcome).count();
    answer::line(format_args!(
        "\n{} fine, {} with a warning, {} failed",
        count(Outcome::Ok),
        count(Outcome::Warning),
        count(Outcome::Failed)
    ))
}

/// The major and minor number of a version such as `6.0.5`.
fn version_of(text: &str) -> (u32, u32) {
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or_default());
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

/// How far a server's clock is from ours, judged.
fn clock(check: &str, theirs_ms: i64, ours_ms: i64) -> Finding {
    let apart = theirs_ms.abs_diff(ours_ms);
    let found = format!("{apart} ms apart from ours");
    if apart < 2_000 {
        Finding::ok(check, found)
    } else {
        Finding::warning(
            check,
            found,
            "let the clocks of all machines be set by NTP: delays and ages are reckoned with them",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_far_off_is_a_warning() {
        assert_eq!(clock("x", 10_000, 10_500).result, Outcome::Ok);
        assert_eq!(clock("x", 10_000, 7_000).result, Outcome::Warning);
        assert!(Outcome::Failed > Outcome::Warning && Outcome::Warning > Outcome::Ok);
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert!(version_of("10.0.1") > version_of("6.0.5") && version_of("6.0.5") >= (6, 0));
        assert!(version_of("5.3") < (6, 0) && version_of("unknown") < (6, 0));
    }
}
