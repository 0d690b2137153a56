//! One file per command.

pub(crate) mod check;
mod completions;
mod dashboard_user;
mod enqueue;
mod events;
mod jobs;
mod print_docs;
mod run;
mod sandbox;
mod seed;
pub(crate) mod status;

use std::{
    fmt::Display,
    io::{self, Write},
    process::ExitCode,
};

use billwright_worker::admin::QueueAdmin;

use crate::{
    config::{ConfigProblems, Reader, RedisConfig, Source},
    env_vars::BULLMQ_PREFIX,
    telemetry::LogControl,
};

/// What Billwright can be told to do.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Run the roles: order worker, billing API, event consumer.
    Run(run::Run),
    /// Try the configuration and everything that it names for real.
    Check(check::Check),
    /// Show what is going on right now.
    Status(status::Status),
    /// Run a stand-in for Billz and Telegram, to try everything without credentials.
    Sandbox(sandbox::Sandbox),
    /// Put a job on the queue.
    Enqueue(enqueue::Enqueue),
    /// Look at the queue's jobs and act on them.
    Jobs(jobs::Jobs),
    /// Look at the consumer of customer events and act on it.
    Events(events::Events),
    /// Fill the billing database with believable users and billings.
    Seed(seed::Seed),
    /// Make a person's entry for `DASHBOARD_USERS`.
    DashboardUser(dashboard_user::DashboardUser),
    /// Print generated documentation.
    PrintDocs(print_docs::PrintDocs),
    /// Print completions for a shell.
    Completions(completions::Completions),
}

impl Command {
    /// Whether its spans are worth exporting: those of the service, not those of a person's question.
    pub(crate) fn is_traced(&self) -> bool {
        matches!(self, Self::Run(_))
    }

    /// Carries the command out.
    pub(crate) async fn run(self, source: &Source, logs: LogControl) -> anyhow::Result<ExitCode> {
        match self {
            Self::Run(command) => command.run(source, logs).await,
            Self::Check(command) => command.run(source).await,
            Self::Status(command) => command.run(source).await,
            Self::Sandbox(command) => command.run().await,
            Self::Enqueue(command) => command.run(source).await,
            Self::Jobs(command) => command.run(source).await,
            Self::Events(command) => command.run(source).await,
            Self::Seed(command) => command.run(source).await,
            Self::DashboardUser(command) => command.run(),
            Self::PrintDocs(command) => command.run(),
            Self::Completions(command) => command.run(),
        }
    }
}

/// The name of the queue; producers everywhere know it.
pub(crate) const QUEUE: &str = "billz-operations";

/// The queue, for commands that look at it or act on it.
async fn queue(source: &Source) -> anyhow::Result<QueueAdmin> {
    let mut reader = Reader::new(source);
    let redis = RedisConfig::read(&mut reader);
    let prefix = reader.text(&BULLMQ_PREFIX);
    reader.finish()?;
    let (Some(redis), Some(prefix)) = (redis, prefix) else {
        return Err(ConfigProblems(Vec::new()).into());
    };
    Ok(QueueAdmin::connect(&redis.queue(prefix)).await?)
}

/// Tells a person what went wrong, on standard error.
pub(crate) fn complain(text: impl Display) -> io::Result<()> {
    writeln!(io::stderr(), "{text}")
}
