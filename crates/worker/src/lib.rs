//! The order worker: takes jobs from the BullMQ queue and drives Billz, one file per job type in [`jobs`].
//!
//! The way of a job: [`bullmq_queue`] fetches it, [`runner`] decodes it and decides what its failure means, [`once`] makes
//! sure that it takes effect once, the file in [`jobs`] does it, through [`write_once`] wherever an answer can be lost.

pub mod admin;
mod attempt_record;
mod bullmq_queue;
mod context;
mod drafts;
mod envelope;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod guard;
mod job_error;
pub mod jobs;
mod maintenance;
mod notify;
mod once;
mod queue_watch;
mod redis_trust;
mod retry_policy;
mod runner;
mod saga;
mod settings;
mod stored_login;
mod supervisor;
mod telegram_sender;
mod write_once;

pub use queue_watch::{QueueSight, QueueWatch};
pub use retry_policy::RetryPolicy;
pub use settings::{Checkpoint, RedisSettings, WorkerSettings};
pub use stored_login::IntegrationTokenStore;
pub use supervisor::{WorkerHandle, WorkerState, start};
