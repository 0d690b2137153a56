//! `billwright enqueue`: puts one job on the queue, checked as the worker would check it.

use std::{io::Read as _, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;
use billwright_domain::{Clock as _, SystemClock};
use billwright_worker::admin::{self, EnqueueOptions, JobState};
use serde_json::Value;

use super::queue;
use crate::{answer, config::Source};

/// The command's arguments.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  billwright enqueue GET_ORDER --file order.json --wait\n  echo '{\"orderId\":\"order123\"}' | billwright enqueue GET_ORDER --file -"
)]
pub(crate) struct Enqueue {
    /// The job's type, such as `PLACE_ORDER`.
    r#type: String,
    /// The file that holds the payload as JSON, or `-` for standard input.
    #[arg(long)]
    file: PathBuf,
    /// Wait until the job has ended; a job that fails ends this command with status 1.
    #[arg(long)]
    wait: bool,
    /// How long to wait, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, requires = "wait")]
    timeout: u64,
    /// Priority: lower numbers first, all of them behind jobs without one.
    #[arg(long)]
    priority: Option<u32>,
    /// Seconds to wait before the job may run.
    #[arg(long, value_name = "SECONDS")]
    delay: Option<u64>,
    /// How often the job is tried; the worker's own policy when not given.
    #[arg(long)]
    attempts: Option<u32>,
    /// The job's id; the queue's next number when not given.
    #[arg(long)]
    job_id: Option<String>,
    /// The correlation id; made up when not given.
    #[arg(long)]
    correlation_id: Option<String>,
    /// Print the answer as JSON.
    #[arg(long)]
    json: bool,
}

impl Enqueue {
    pub(crate) async fn run(self, source: &Source) -> anyhow::Result<ExitCode> {
        let payload = self.payload()?;
        let queue = queue(source).await?;
        let options = EnqueueOptions {
            priority: self.priority,
            delay: self.delay.map(Duration::from_secs),
            attempts: self.attempts,
            backoff: None,
            job_id: self.job_id,
            correlation_id: self.correlation_id,
        };
        let now = SystemClock.now().timestamp_millis();
        let added = admin::enqueue(&queue, &self.r#type, &payload, &options, now).await?;
        if !self.wait {
            if self.json {
                answer::json(&added)?;
            } else {
                answer::line(format_args!(
                    "job {} added, correlation id {}",
                    added.job_id, added.correlation_id
                ))?;
            }
            return Ok(ExitCode::SUCCESS);
        }
        let end = admin::wait(&queue, &added.job_id, Duration::from_secs(self.timeout)).await?;
        if self.json {
            answer::json(&serde_json::json!({
                "jobId": added.job_id, "correlationId": added.correlation_id, "state": end.state,
                "returnValue": end.return_value, "failedReason": end.failed_reason,
            }))?;
        } else if let Some(reason) = &end.failed_reason {
            answer::line(format_args!("job {} failed: {reason}", added.job_id))?;
        } else {
            let returned = end.return_value.clone().unwrap_or_default();
            answer::line(format_args!("job {} completed: {returned}", added.job_id))?;
        }
        Ok(if end.state == JobState::Completed {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    fn payload(&self) -> anyhow::Result<Value> {
        let text = if self.file.as_os_str() == "-" {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .context("standard input cannot be read as text")?;
            text
        } else {
            std::fs::read_to_string(&self.file).with_context(|| format!("`{}` cannot be read", self.file.display()))?
        };
        serde_json::from_str(&text).with_context(|| {
            format!(
                "`{}` holds no JSON, expected the payload as a JSON object",
                self.file.display()
            )
        })
    }
}
