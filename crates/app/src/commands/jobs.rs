//! `billwright jobs`: looks at the queue's jobs and acts on them.

use std::process::ExitCode;

use billwright_domain::SystemClock;
use billwright_store::Mongo;
use billwright_worker::admin::{JobState, JobSummary, QueueAdmin, saga::SagaAdmin};

use super::queue;
use crate::{
    answer,
    config::{ConfigProblems, MongoConfig, Reader, Roles, Source},
};

/// The command's arguments.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  billwright jobs list\n  billwright jobs list --state waiting --limit 10 --json\n  billwright jobs show 812\n  billwright jobs retry 812"
)]
pub(crate) struct Jobs {
    #[command(subcommand)]
    action: Action,
    /// Print the answer as JSON.
    #[arg(long, global = true)]
    json: bool,
}

/// What to do.
#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List the jobs of a state.
    List {
        /// The state: waiting, prioritized, delayed, active, completed or failed.
        #[arg(long, default_value = "failed", value_parser = state)]
        state: JobState,
        /// How many to skip.
        #[arg(long, default_value_t = 0)]
        offset: u32,
        /// How many to list.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
    /// Show one job.
    Show {
        /// The job's id.
        id: String,
    },
    /// Run a failed job again.
    Retry {
        /// The job's id.
        id: String,
    },
    /// Remove a job that is not being run.
    Remove {
        /// The job's id.
        id: String,
    },
    /// Run a delayed job now.
    Promote {
        /// The job's id.
        id: String,
    },
}

fn state(word: &str) -> Result<JobState, String> {
    JobState::parse(word).map_err(|error| error.to_string())
}

impl Jobs {
    pub(crate) async fn run(self, source: &Source) -> anyhow::Result<ExitCode> {
        let queue = queue(source).await?;
        let done = match self.action {
            Action::List { state, offset, limit } => {
                let list = queue.list(state, offset, limit).await?;
                if self.json {
                    answer::json(&list)?;
                } else {
                    answer::rows(&list.jobs)?;
                    answer::line(format_args!(
                        "{} of {} {} jobs",
                        list.jobs.len(),
                        list.total,
                        state.as_str()
                    ))?;
                }
                return Ok(ExitCode::SUCCESS);
            }
            Action::Show { id } => {
                answer::json(&queue.show(&id).await?.redacted())?;
                return Ok(ExitCode::SUCCESS);
            }
            Action::Retry { id } => retry(source, &queue, &id).await?,
            Action::Remove { id } => queue.remove(&id).await?,
            Action::Promote { id } => queue.promote(&id).await?,
        };
        if self.json {
            answer::json(&done)?;
        } else {
            answer::rows(&[done])?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Runs a failed job again. The journal of an order that was taken back lies in the worker's database and begins anew.
async fn retry(source: &Source, queue: &QueueAdmin, id: &str) -> anyhow::Result<JobSummary> {
    let mut reader = Reader::new(source);
    let roles = Roles::choose(source, None);
    let databases = MongoConfig::read(&mut reader, true, roles.has_billz() && roles.has_billing());
    reader.finish()?;
    let Some(billz) = databases.billz else {
        return Err(ConfigProblems(Vec::new()).into());
    };
    let mongo = Mongo::open(&billz).await?;
    Ok(SagaAdmin::new(&mongo).retry(queue, id, &*SystemClock::shared()).await?)
}
