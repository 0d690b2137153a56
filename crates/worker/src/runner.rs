//! Runs one fetched job: decodes it, runs it once, decides what a failure means, and writes down what came of it.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use billwright_connectors::billz::{CallContext, CallLog};
use billwright_domain::CorrelationId;
use billwright_store::billz::{
    operation_log::{LogEntry, redacted},
    operations::Operation,
};
use futures_util::FutureExt;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;

use crate::{
    attempt_record,
    bullmq_queue::{Disposition, QueuedJob},
    context::Context,
    envelope::{Envelope, Identity, operation_key},
    guard::Guard,
    job_error::JobError,
    jobs::{Attempt, Defaults, Done, Job, action_of, unknown},
    notify::{Notice, Told},
    once::{Once, once},
};

/// How soon a job is tried again that failed while nobody could be told.
const UNTOLD: Duration = Duration::from_secs(2);

/// Runs jobs. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Runner {
    context: Arc<Context>,
    /// Cancelled when the worker gives up the jobs that are still under way.
    given_up: CancellationToken,
}

/// A job that could be decoded.
struct Decoded {
    job: Job,
    payload: Value,
    correlation_id: CorrelationId,
}

/// Whom a job's failure is about, as far as that is known.
struct Subject {
    kind: &'static str,
    correlation_id: Option<CorrelationId>,
    order_id: Option<String>,
}

impl Runner {
    pub(crate) fn new(context: Arc<Context>, given_up: CancellationToken) -> Self {
        Self { context, given_up }
    }

    /// Runs one job to its disposition.
    pub(crate) async fn run(self, mut queued: QueuedJob) -> Disposition {
        let began = Instant::now();
        let decoded = self.decode(&mut queued).await;
        // From the data, so that it is known of a job that is refused too.
        let Identity { kind, correlation_id } = queued.data.as_ref().map(Identity::of).unwrap_or_default();
        let span = tracing::info_span!(
            "job",
            "job.type" = kind,
            job.id = queued.id(),
            job.attempt = queued.failures() + 1,
            correlation.id = correlation_id.as_ref().map(CorrelationId::as_str),
            job.outcome = tracing::field::Empty,
            otel.name = format!("job.{}", kind.to_lowercase()),
            otel.kind = "consumer",
            otel.status_code = tracing::field::Empty,
        );
        if let Some(trace) = &queued.options.trace {
            trace.continue_in(&span);
        }
        if queued.failures() == 0 {
            let waited = self
                .context
                .clock
                .now()
                .timestamp_millis()
                .saturating_sub_unsigned(queued.added_at_ms());
            let waited = Duration::from_millis(u64::try_from(waited).unwrap_or_default());
            metrics::histogram!("billwright_job_wait_seconds", "type" => kind).record(waited.as_secs_f64());
        }
        metrics::gauge!("billwright_jobs_active").increment(1.0);
        let disposition = self
            .conclude(&queued, decoded, kind, correlation_id)
            .instrument(span.clone())
            .await;
        metrics::gauge!("billwright_jobs_active").decrement(1.0);
        let outcome = match &disposition {
            Disposition::Completed(_) => "completed",
            Disposition::Failed(_) => "failed",
            Disposition::Delayed(_) => "delayed",
            Disposition::HandedBack => "handed_back",
            Disposition::SlowDown(_) => "rate_limited",
        };
        span.record("job.outcome", outcome);
        if outcome == "failed" {
            span.record("otel.status_code", "ERROR");
        }
        metrics::counter!("billwright_jobs_total", "type" => kind, "outcome" => outcome).increment(1);
        metrics::histogram!("billwright_job_duration_seconds", "type" => kind).record(began.elapsed().as_secs_f64());
        disposition
    }

    async fn decode(&self, queued: &mut QueuedJob) -> Result<Decoded, JobError> {
        let data = queued.data.clone().map_err(JobError::Reject)?;
        let envelope = Envelope::read(&data)?;
        let correlation_id = match envelope.correlation_id {
            Some(given) => given,
            None => make_correlation_id(queued, data).await?,
        };
        let context = &self.context;
        let defaults = Defaults {
            shop_id: context.shop_id.clone(),
            local_now: context.local_now(),
            park_until: context.default_park_until(),
            timezone: context.timezone,
        };
        let job = Job::decode(&envelope.kind, &envelope.payload, &defaults)
            .map_err(|problems| JobError::from_problems(&envelope.kind, &problems))?;
        if let Job::Unknown(kind) = &job {
            return Err(unknown(kind));
        }
        Ok(Decoded {
            job,
            payload: envelope.payload,
            correlation_id,
        })
    }

    async fn conclude(
        &self,
        queued: &QueuedJob,
        decoded: Result<Decoded, JobError>,
        kind: &'static str,
        correlation_id: Option<CorrelationId>,
    ) -> Disposition {
        let subject = Subject {
            kind,
            correlation_id,
            order_id: decoded.as_ref().ok().and_then(|decoded| decoded.job.order_id()),
        };
        let decoded = match decoded {
            Ok(decoded) => decoded,
            Err(error) => return self.failed(queued, &subject, error).await,
        };
        match self.attempt(queued, &decoded).await {
            Ok(value) => {
                queued.report_success(&format!("{kind} done")).await;
                tracing::info!("job done");
                Disposition::Completed(value)
            }
            Err(error) => self.failed(queued, &subject, error).await,
        }
    }

    /// One attempt at a decoded job.
    async fn attempt(&self, queued: &QueuedJob, decoded: &Decoded) -> Result<Value, JobError> {
        let context = &*self.context;
        let owner = format!("{}:{}:{}", queued.queue(), queued.id(), Uuid::now_v7());
        let guard = Guard::new(
            context.leases.clone(),
            context.operations.clone(),
            context.queues.clone(),
            owner,
            context.lease_length,
            &self.given_up,
        );
        let (log, began_at) = (CallLog::default(), context.clock.now());
        let calls = context
            .billz
            .calls(CallContext {
                correlation_id: decoded.correlation_id.clone(),
                urgency: decoded.job.urgency(),
                cancel: guard.lost().clone(),
            })
            .recorded_in(&log);
        let key = operation_key(&decoded.correlation_id, decoded.job.kind(), &decoded.payload);
        let is_last = queued.failures() + 1 >= context.retry.attempts_for(queued.options.retries);
        let mut attempt = Attempt {
            context,
            job: queued,
            guard: &guard,
            calls,
            correlation_id: &decoded.correlation_id,
            operation: &key,
            is_last,
            journal: None,
        };
        queued
            .report(
                &format!("{} started, attempt {}", decoded.job.kind(), queued.failures() + 1),
                Some(5),
            )
            .await;
        let result = if decoded.job.reads_only() {
            let done = caught(decoded.job.run(&mut attempt)).await;
            match done {
                Ok(done) => {
                    self.succeeded(queued, decoded, &done).await;
                    Ok(done.value)
                }
                Err(error) => Err(error),
            }
        } else {
            self.once(queued, decoded, &guard, attempt, &key).await
        };
        let record = attempt_record::Record {
            job_id: queued.id(),
            kind: decoded.job.kind(),
            correlation_id: decoded.correlation_id.as_str(),
            operation: &key,
            order_id: decoded.job.order_id(),
            payload: &decoded.payload,
            number: queued.failures() + 1,
            is_last,
            began_at,
            ended_at: context.clock.now(),
            calls: &log,
            result: &result,
        };
        tokio::join!(guard.release(), attempt_record::write(&context.attempts, record));
        result
    }

    async fn once(
        &self,
        queued: &QueuedJob,
        decoded: &Decoded,
        guard: &Guard,
        mut attempt: Attempt<'_>,
        key: &str,
    ) -> Result<Value, JobError> {
        let order_id = decoded.job.order_id();
        let payload = redacted(&decoded.payload);
        let operation = Operation {
            key,
            kind: decoded.job.kind(),
            correlation_id: &decoded.correlation_id,
            job_id: queued.id(),
            order_id: order_id.as_deref(),
            payload: &payload,
        };
        let is_last = attempt.is_last;
        let attempt = &mut attempt;
        let outcome = once(&self.context, guard, &operation, |journal| async move {
            attempt.journal = Some(journal);
            let done = caught(decoded.job.run(attempt)).await?;
            // Before the ledger says that it is done: a crash in between tells people twice rather than never.
            self.succeeded(queued, decoded, &done).await;
            self.context.reached("operation:told").await;
            Ok(done.value)
        })
        .await;
        match outcome {
            Ok(Once::Ran(value)) => Ok(value),
            Ok(Once::Folded { job_id, result }) => {
                queued
                    .report(
                        &format!("this was done before, by job {job_id}; its result is returned"),
                        Some(90),
                    )
                    .await;
                Ok(result)
            }
            Err(error) => {
                let ends = matches!(error, JobError::Reject(_)) || (matches!(error, JobError::Retry(_)) && is_last);
                let state = if ends { "failed" } else { "waiting" };
                let released = self
                    .context
                    .operations
                    .release(key, guard.owner(), state, &error.text())
                    .await;
                if let Err(error) = released {
                    tracing::debug!(%error, "the claim on the operation was not given back and runs out by itself");
                }
                guard.unclaimed();
                Err(error)
            }
        }
    }

    /// Writes down an operation's success.
    async fn succeeded(&self, queued: &QueuedJob, decoded: &Decoded, done: &Done) {
        let mut description = json!({
            "operation": decoded.job.kind().to_lowercase(),
            "jobId": queued.id(),
            "payload": redacted(&decoded.payload),
        });
        if !decoded.job.reads_only() {
            description["result"] = done.value.clone();
        }
        if !done.warnings.is_empty() {
            description["warnings"] = json!(done.warnings);
        }
        let entry = LogEntry {
            section: "billz",
            action: action_of(decoded.job.kind()),
            order_id: decoded.job.order_id(),
            description,
            success: true,
            correlation_id: Some(decoded.correlation_id.to_string()),
            error_message: None,
        };
        tokio::join!(self.log(&entry), async {
            if let Some(notice) = &done.notice {
                self.context.notify.tell(notice).await;
            }
        });
    }

    /// Decides what a failure means for the job, and writes it down.
    async fn failed(&self, queued: &QueuedJob, subject: &Subject, error: JobError) -> Disposition {
        let context = &self.context;
        let (reason, failures) = (error.text(), queued.failures() + 1);
        match error {
            JobError::HandBack(reason) => {
                queued.report(&format!("handed back: {reason}"), None).await;
                tracing::info!(reason, "job handed back");
                // The reason is about to be seen to: the worker stops or pauses. A lost hold is let run out first.
                if self.given_up.is_cancelled() || context.billz.breaker().check().is_err() {
                    Disposition::HandedBack
                } else {
                    Disposition::Delayed(Duration::from_secs(1))
                }
            }
            JobError::Later { after, reason } => {
                queued.report(&format!("put off: {reason}"), None).await;
                Disposition::Delayed(after)
            }
            JobError::SlowDown(after) => {
                queued.report(&format!("put off: {reason}"), None).await;
                Disposition::SlowDown(after)
            }
            JobError::Retry(_) if failures < context.retry.attempts_for(queued.options.retries) => {
                let delay = context.retry.delay(queued.options.retries, failures);
                let line = format!(
                    "attempt {failures} failed, next in {:.1} s: {reason}",
                    delay.as_secs_f32()
                );
                queued.report(&line, None).await;
                tracing::warn!(reason, delay_ms = delay.as_millis(), "job failed and is tried again");
                self.record(queued, &reason, subject.kind, true).await;
                Disposition::Delayed(delay)
            }
            JobError::Retry(_) | JobError::Reject(_) => {
                if self.tell_of_failure(queued, subject, &reason).await == Told::NotYet {
                    let line = format!("failed, and is tried again since nobody can be told of it now: {reason}");
                    queued.report(&line, None).await;
                    return Disposition::Delayed(UNTOLD);
                }
                queued.report(&format!("failed for good: {reason}"), None).await;
                tracing::error!(reason, "job failed for good");
                self.record(queued, &reason, subject.kind, false).await;
                self.failed_for_good(queued, subject, &reason).await;
                Disposition::Failed(reason)
            }
        }
    }

    /// A failure becomes final only once its message is stored: whoever fails while MongoDB is away would fail unheard.
    async fn tell_of_failure(&self, queued: &QueuedJob, subject: &Subject, reason: &str) -> Told {
        let order_id = subject.order_id.as_deref();
        let notice = Notice::operation_failed(subject.kind, reason, order_id, queued.id());
        self.context.notify.tell(&notice).await
    }

    async fn failed_for_good(&self, queued: &QueuedJob, subject: &Subject, reason: &str) {
        let Subject { kind, order_id, .. } = subject;
        let payload = queued.data.as_ref().ok().map(|data| redacted(&data["payload"]));
        let entry = LogEntry {
            section: "errors",
            action: action_of(kind),
            order_id: order_id.clone(),
            description: json!({
                "operation": kind.to_lowercase(),
                "jobId": queued.id(),
                "payload": payload,
            }),
            success: false,
            correlation_id: subject.correlation_id.as_ref().map(CorrelationId::to_string),
            error_message: Some(reason.to_owned()),
        };
        self.log(&entry).await;
    }

    /// Writes the failure to the job, as Node would.
    async fn record(&self, queued: &QueuedJob, reason: &str, kind: &str, counted: bool) {
        let attempts = self.context.retry.attempts_for(queued.options.retries);
        let trace = format!(
            "JobError: {reason}\n    at job.{} (attempt {} of {attempts})\n    at {}",
            kind.to_lowercase(),
            queued.failures() + 1,
            queued.queue(),
        );
        if let Err(error) = queued.record_failure(reason, &trace, counted).await {
            tracing::warn!(error, "a failure was not written to its job");
        }
    }

    /// The operation log is for people; a job does not fail because it cannot be written.
    async fn log(&self, entry: &LogEntry) {
        if let Err(error) = self.context.log.add(entry, self.context.clock.now()).await {
            tracing::warn!(%error, "an entry of the operation log was not written");
        }
    }
}

/// A panic in a job's body is a failure like any other, and a final one: it would panic again.
async fn caught(body: impl Future<Output = Result<Done, JobError>>) -> Result<Done, JobError> {
    match AssertUnwindSafe(body).catch_unwind().await {
        Ok(result) => result,
        Err(panic) => {
            let text = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "no text".to_owned());
            tracing::error!(text, "a job panicked");
            Err(JobError::reject(format!("internal error, please report it: {text}")))
        }
    }
}

/// Makes up a correlation id and keeps it in the job's data, for the job's retries.
async fn make_correlation_id(queued: &mut QueuedJob, mut data: Value) -> Result<CorrelationId, JobError> {
    let made = Uuid::now_v7().to_string();
    let id = CorrelationId::parse(&made).map_err(|mismatch| JobError::reject(mismatch.to_string()))?;
    data["correlationId"] = Value::from(made);
    queued.set_data(data).await.map_err(JobError::Retry)?;
    Ok(id)
}
