//! What a person does with the queue, in the library's terms.

pub(crate) mod browse;
pub(crate) mod run_now;

use std::{collections::HashMap, time::Duration};

use billwright_store::billz::operation_log::redacted;
use bullmq::{
    Error, Job, JobOptions, Queue, QueueOptions,
    types::{BackoffStrategy, RetryOptions},
};
use redis::AsyncCommands;
use serde::Serialize;
use serde_json::Value;

use super::RedisLink;
use crate::RedisSettings;

/// Where a queue is.
#[derive(Debug, Clone)]
pub struct QueueAddress {
    /// The Redis that holds it.
    pub redis: RedisSettings,
    /// Its name.
    pub queue: String,
    /// What the names of its keys begin with.
    pub prefix: String,
}

/// Why something could not be done with the queue.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Redis cannot be reached.
    #[error("Redis cannot be reached: {0}")]
    Unreachable(String),
    /// There is no such job.
    #[error("there is no job `{id}` in the queue `{queue}`; it may have been removed after it ended")]
    NotFound {
        /// The id.
        id: String,
        /// The queue.
        queue: String,
    },
    /// The job is in a state in which this cannot be done.
    #[error("job `{id}` is {state}, expected {expected}")]
    WrongState {
        /// The id.
        id: String,
        /// The state that it is in.
        state: &'static str,
        /// The states in which it can be done.
        expected: &'static str,
    },
    /// A worker is running the job.
    #[error("job `{id}` is being run by a worker right now; wait until it has ended")]
    Locked {
        /// The id.
        id: String,
    },
    /// The job has not ended in time.
    #[error("job `{id}` has not ended after {} s; it goes on", after.as_secs())]
    StillRunning {
        /// The id.
        id: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// What was asked for is wrong.
    #[error("{0}")]
    Invalid(String),
    /// Redis, or a script of BullMQ, refused.
    #[error("the queue refused: {0}")]
    Refused(String),
}

/// The state of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// In the waiting list.
    Waiting,
    /// Being run.
    Active,
    /// To be run later.
    Delayed,
    /// Waiting among those that were given a priority.
    Prioritized,
    /// Done.
    Completed,
    /// Failed for good.
    Failed,
}

impl JobState {
    /// Every state, in the order in which a job goes through them.
    pub const ALL: [Self; 6] = [
        Self::Waiting,
        Self::Prioritized,
        Self::Delayed,
        Self::Active,
        Self::Completed,
        Self::Failed,
    ];

    /// The state's word, as on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Active => "active",
            Self::Delayed => "delayed",
            Self::Prioritized => "prioritized",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }

    /// The state that a word names.
    pub fn parse(word: &str) -> Result<Self, AdminError> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == word)
            .ok_or_else(|| {
                let known = Self::ALL.map(Self::as_str).join(", ");
                AdminError::Invalid(format!(
                    "state: found `{}`, expected one of {known}",
                    word.escape_debug()
                ))
            })
    }

    fn of(state: bullmq::types::JobState) -> Option<Self> {
        use bullmq::types::JobState as Told;
        Some(match state {
            Told::Waiting => Self::Waiting,
            Told::Active => Self::Active,
            Told::Delayed => Self::Delayed,
            Told::Prioritized => Self::Prioritized,
            Told::Completed => Self::Completed,
            Told::Failed => Self::Failed,
            Told::WaitingChildren | Told::Unknown => return None,
        })
    }
}

/// How a job is to be added.
#[derive(Debug, Clone, Default)]
pub struct EnqueueOptions {
    /// Jobs with a priority wait behind those without one; lower numbers go first.
    pub priority: Option<u32>,
    /// How long to wait before it may run.
    pub delay: Option<Duration>,
    /// How often it is tried; the worker's policy where not given.
    pub attempts: Option<u32>,
    /// The first wait between attempts, which doubles.
    pub backoff: Option<Duration>,
    /// The job's id; the queue's next number where not given.
    pub job_id: Option<String>,
    /// The correlation id; made up where not given.
    pub correlation_id: Option<String>,
}

/// How many jobs there are in each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct JobCounts {
    /// In the waiting list.
    pub waiting: u64,
    /// Waiting with a priority.
    pub prioritized: u64,
    /// To be run later.
    pub delayed: u64,
    /// Being run.
    pub active: u64,
    /// Done, as far as they are kept.
    pub completed: u64,
    /// Failed for good, as far as they are kept.
    pub failed: u64,
}

/// One row of a list of jobs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobSummary {
    /// The job's id.
    pub id: String,
    /// The name that its producer gave it.
    pub name: String,
    /// The type in its envelope.
    pub r#type: Option<String>,
    /// The correlation id in its envelope.
    pub correlation_id: Option<String>,
    /// The state it is in.
    pub state: JobState,
    /// When it was added, in milliseconds since 1970.
    pub added_at: u64,
    /// When its last attempt began.
    pub processed_at: Option<u64>,
    /// When it ended.
    pub finished_at: Option<u64>,
    /// How many attempts were made.
    pub attempts_made: u32,
    /// For how long it was put off, in milliseconds.
    pub delay: u64,
    /// Its priority, 0 for none.
    pub priority: u32,
    /// Why it failed, if it did.
    pub failed_reason: Option<String>,
}

/// A page of jobs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobList {
    /// How many there are in this state.
    pub total: u64,
    /// The page.
    pub jobs: Vec<JobSummary>,
}

/// Everything about one job. Its data is as the producer sent it: whoever shows it redacts it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobView {
    /// What a list says of it.
    #[serde(flatten)]
    pub summary: JobSummary,
    /// The data as the producer sent it.
    pub data: Value,
    /// The options as they lie in Redis.
    pub options: Value,
    /// The progress in percent, or whatever the worker said.
    pub progress: Value,
    /// The return value of a job that is done.
    pub return_value: Option<Value>,
    /// One entry for each attempt that failed.
    pub stacktrace: Vec<String>,
    /// The log's lines.
    pub logs: Vec<String>,
    /// The worker that ran it last.
    pub processed_by: Option<String>,
}

impl JobView {
    /// The same without personal data and secrets, as it may be shown to a person.
    #[must_use]
    pub fn redacted(mut self) -> Self {
        self.data = redacted(&self.data);
        self.return_value = self.return_value.as_ref().map(redacted);
        self
    }
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobEnd {
    /// Completed or failed.
    pub state: JobState,
    /// The return value of a job that is done.
    pub return_value: Option<Value>,
    /// Why it failed.
    pub failed_reason: Option<String>,
}

/// The queue, to be looked at and acted on.
pub struct QueueAdmin {
    queue: Queue,
    link: RedisLink,
}

impl std::fmt::Debug for QueueAdmin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("QueueAdmin").finish_non_exhaustive()
    }
}

impl QueueAdmin {
    /// Connects.
    pub async fn connect(address: &QueueAddress) -> Result<Self, AdminError> {
        let link = RedisLink::new(&address.redis, &address.queue, &address.prefix)
            .map_err(|error| AdminError::Invalid(format!("the address of Redis is none: {error}")))?;
        // The library takes 40 s to notice that Redis is away.
        link.ping().await.map_err(AdminError::Unreachable)?;
        let options = QueueOptions {
            connection: address.redis.for_library(),
            prefix: address.prefix.clone(),
            ..QueueOptions::default()
        };
        let queue = Queue::with_options(&address.queue, options).await.map_err(refused)?;
        Ok(Self { queue, link })
    }

    /// Adds a job as it is. [`crate::admin::enqueue`] checks it first.
    pub async fn add(&self, name: &str, data: Value, options: &EnqueueOptions) -> Result<String, AdminError> {
        let millis = |length: Duration| u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        let mut job = JobOptions::new();
        job.priority = options.priority;
        job.delay = options.delay.map(millis);
        job.attempts = options.attempts;
        job.backoff = options
            .backoff
            .map(|backoff| BackoffStrategy::Exponential(millis(backoff)));
        job.job_id.clone_from(&options.job_id);
        let added = self.queue.add(name, data).options(job).await.map_err(refused)?;
        Ok(added.id().to_owned())
    }

    /// How many jobs there are in each state.
    pub async fn counts(&self) -> Result<JobCounts, AdminError> {
        let counts = self.queue.get_job_counts().await.map_err(refused)?;
        Ok(JobCounts {
            waiting: counts.waiting + counts.paused,
            prioritized: counts.prioritized,
            delayed: counts.delayed,
            active: counts.active,
            completed: counts.completed,
            failed: counts.failed,
        })
    }

    /// Jobs in one state from `offset` on, at most `limit`: those that run next first, and of those that ended the newest.
    pub async fn list(&self, state: JobState, offset: u32, limit: u32) -> Result<JobList, AdminError> {
        let counts = self.counts().await?;
        let total = match state {
            JobState::Waiting => counts.waiting,
            JobState::Active => counts.active,
            JobState::Delayed => counts.delayed,
            JobState::Prioritized => counts.prioritized,
            JobState::Completed => counts.completed,
            JobState::Failed => counts.failed,
        };
        let (start, end) = (
            i64::from(offset),
            i64::from(offset) + i64::from(limit.clamp(1, 1_000)) - 1,
        );
        let newest_first = matches!(state, JobState::Completed | JobState::Failed);
        let jobs = self
            .queue
            .get_jobs(&[state.as_str()], start, end, !newest_first)
            .await
            .map_err(refused)?;
        Ok(JobList {
            total,
            jobs: jobs.iter().map(|job| summary(job, state)).collect(),
        })
    }

    /// Everything about one job.
    pub async fn show(&self, id: &str) -> Result<JobView, AdminError> {
        let (job, state) = self.find(id).await?;
        let mut connection = self.link.connection();
        let key = self.link.keys.job_key(id);
        let fields: HashMap<String, String> = connection.hgetall(&key).await.map_err(unreachable)?;
        let logs: Vec<String> = connection
            .lrange(format!("{key}:logs"), 0, -1)
            .await
            .map_err(unreachable)?;
        let json = |name: &str| {
            fields
                .get(name)
                .and_then(|text| serde_json::from_str::<Value>(text).ok())
        };
        let stacktrace = json("stacktrace").and_then(|stack| serde_json::from_value(stack).ok());
        Ok(JobView {
            summary: summary(&job, state),
            data: job.data().clone(),
            options: json("opts").unwrap_or_default(),
            progress: json("progress").unwrap_or_default(),
            return_value: json("returnvalue").filter(|_| state == JobState::Completed),
            stacktrace: stacktrace.unwrap_or_default(),
            logs,
            processed_by: job.processed_by().map(str::to_owned),
        })
    }

    /// How a job ended; `None` while it has not.
    pub async fn end_of(&self, id: &str) -> Result<Option<JobEnd>, AdminError> {
        let (job, state) = self.find(id).await?;
        Ok(match state {
            JobState::Completed => Some(JobEnd {
                state,
                return_value: serde_json::from_str(job.returnvalue()).ok(),
                failed_reason: None,
            }),
            JobState::Failed => Some(JobEnd {
                state,
                return_value: None,
                failed_reason: Some(job.failed_reason().to_owned()),
            }),
            _ => None,
        })
    }

    /// Puts a failed job back into the queue, with all its attempts before it.
    pub async fn retry(&self, id: &str) -> Result<JobSummary, AdminError> {
        let (mut job, state) = self.find(id).await?;
        if state != JobState::Failed {
            return Err(wrong_state(id, state, "failed"));
        }
        let options = RetryOptions {
            reset_attempts_made: true,
            reset_attempts_started: false,
        };
        job.retry("failed", Some(options)).await.map_err(refused)?;
        // What observers of version 4 read.
        let mut connection = self.link.connection();
        let key = self.link.keys.job_key(id);
        connection
            .hdel::<_, _, ()>(&key, "attemptsMade")
            .await
            .map_err(unreachable)?;
        self.summary_of(id).await
    }

    /// Lets a delayed job run now.
    pub async fn promote(&self, id: &str) -> Result<JobSummary, AdminError> {
        let (job, state) = self.find(id).await?;
        if state != JobState::Delayed {
            return Err(wrong_state(id, state, "delayed"));
        }
        job.promote().await.map_err(refused)?;
        self.summary_of(id).await
    }

    /// Removes a job that is not being run. Returns what it was.
    pub async fn remove(&self, id: &str) -> Result<JobSummary, AdminError> {
        let (job, state) = self.find(id).await?;
        if state == JobState::Active || !self.queue.remove(id).await.map_err(refused)? {
            return Err(AdminError::Locked { id: id.to_owned() });
        }
        Ok(summary(&job, state))
    }

    async fn summary_of(&self, id: &str) -> Result<JobSummary, AdminError> {
        let (job, state) = self.find(id).await?;
        Ok(summary(&job, state))
    }

    async fn find(&self, id: &str) -> Result<(Job, JobState), AdminError> {
        let not_found = || AdminError::NotFound {
            id: id.chars().take(100).collect(),
            queue: self.queue.name().to_owned(),
        };
        // `id` becomes part of a key's name, and other keys of the queue are not hashes.
        if id.is_empty() || id.contains(':') {
            return Err(not_found());
        }
        let state = self.queue.get_job_state(id).await.map_err(refused)?;
        let state = JobState::of(state).ok_or_else(not_found)?;
        let job = self.queue.get_job(id).await.map_err(refused)?;
        Ok((job.ok_or_else(not_found)?, state))
    }
}

fn wrong_state(id: &str, state: JobState, expected: &'static str) -> AdminError {
    AdminError::WrongState {
        id: id.to_owned(),
        state: state.as_str(),
        expected,
    }
}

fn summary(job: &Job, state: JobState) -> JobSummary {
    let text = |name: &str| job.data().get(name).and_then(Value::as_str).map(str::to_owned);
    JobSummary {
        id: job.id().to_owned(),
        name: job.name().to_owned(),
        r#type: text("type"),
        correlation_id: text("correlationId"),
        state,
        added_at: job.timestamp(),
        processed_at: job.processed_on(),
        finished_at: job.finished_on(),
        attempts_made: job.attempts_made(),
        delay: job.delay(),
        priority: job.priority(),
        failed_reason: Some(job.failed_reason().to_owned()).filter(|reason| !reason.is_empty()),
    }
}

fn refused(error: Error) -> AdminError {
    match error {
        Error::Redis(error) => unreachable(error),
        other => AdminError::Refused(other.to_string()),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
fn unreachable(error: redis::RedisError) -> AdminError {
    AdminError::Unreachable(super::connection::explain(&error))
}
