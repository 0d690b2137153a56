//! The library's worker, with a body that may panic, events that are drained, and a stop that hands back.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bullmq::{Error, Job, Queue, QueueOptions, RateLimiterOptions, Worker, WorkerOptions, worker::WorkerEvent};
use serde_json::Value;

use super::{QueuedJob, RedisLink, job::TakenIn};
use crate::WorkerSettings;

/// How a job ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Disposition {
    /// Done, with the job's return value.
    Completed(Value),
    /// Failed for good, with `failedReason`.
    Failed(String),
    /// To be fetched again after a while.
    Delayed(Duration),
    /// Back to the head of the queue, as if it had never been fetched.
    HandedBack,
    /// Back to the head of the queue, and nobody fetches anything for a while.
    SlowDown(Duration),
}

/// Why fetching rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Pause {
    /// The breaker is open: jobs wait in the queue, not in memory.
    Breaker,
    /// MongoDB is away, and every job needs it.
    MongoDb,
    /// The worker is stopping.
    Stopping,
}

/// The running worker.
pub(crate) struct QueueWorker {
    worker: Arc<Worker>,
    pauses: Mutex<BTreeSet<Pause>>,
    concurrency: usize,
}

impl QueueWorker {
    /// Connects and starts fetching. Must not be called before Redis answered a PING: the library takes 40 s to notice
    /// that it is away, and does not notice at all that it wants a password.
    pub(crate) async fn start<F, R>(settings: &WorkerSettings, link: &RedisLink, run: F) -> Result<Self, String>
    where
        F: Fn(QueuedJob) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Disposition> + Send + 'static,
    {
        let queue = Queue::with_options(
            &settings.queue,
            QueueOptions {
                connection: settings.redis.for_library(),
                prefix: settings.prefix.clone(),
                ..QueueOptions::default()
            },
        )
        .await
        .map_err(|error| error.to_string())?;
        let queue = Arc::new(queue);
        let options = WorkerOptions::new()
            .connection(settings.redis.for_library())
            .prefix(&settings.prefix)
            .name(&settings.name)
            .concurrency(settings.concurrency)
            .lock_duration(settings.lock_duration)
            .stalled_interval(settings.stalled_interval)
            .max_stalled_count(settings.max_stalled_count)
            .drain_delay(Duration::from_secs(1))
            .run_retry_delay(Duration::from_secs(1))
            .maximum_rate_limit_delay(Duration::from_secs(5))
            // Without any limiter a rate limit that a job asks for is not looked at.
            .limiter(RateLimiterOptions::new(u64::from(u32::MAX), Duration::from_secs(1)));
        let link = link.clone();
        let processor = move |job: Job, _cancelled| {
            let (queue, link, run) = (queue.clone(), link.clone(), run.clone());
            async move { process(job, &queue, &link, run).await }
        };
        let worker = Worker::with_options(&settings.queue, processor, options)
            .await
            .map_err(|error| error.to_string())?;
        let worker = Arc::new(worker);
        drain_events(&worker);
        Ok(Self {
            worker,
            pauses: Mutex::default(),
            concurrency: settings.concurrency,
        })
    }

    /// Stops fetching for one reason, or no longer for that reason.
    pub(crate) fn pause(&self, reason: Pause, on: bool) {
        let mut pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        let was = pauses.is_empty();
        if on {
            pauses.insert(reason)
        } else {
            pauses.remove(&reason)
        };
        match (was, pauses.is_empty()) {
            (true, false) => self.worker.pause(),
            (false, true) => self.worker.resume(),
            _ => {}
        }
    }

    /// Why fetching rests, if it does.
    pub(crate) fn paused(&self) -> Vec<Pause> {
        self.pauses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .copied()
            .collect()
    }

    /// Lets one job at a time through, or as many as configured.
    pub(crate) fn one_at_a_time(&self, on: bool) {
        self.worker.set_concurrency(if on { 1 } else { self.concurrency });
    }

    /// How many jobs are under way.
    pub(crate) async fn active(&self) -> usize {
        self.worker.active_count().await
    }

    /// Ends the worker. Jobs that are still under way get `patience` to end.
    pub(crate) async fn close(&self, link: &RedisLink, patience: Duration) {
        let patience = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        let closed = tokio::select! {
            closed = self.worker.close(patience) => closed,
            never = keep_waking(link) => match never {},
        };
        if let Err(error) = closed {
            tracing::warn!(%error, "the queue's worker did not close cleanly");
        }
    }
}

/// The library's `close` waits for its blocking call to end, which takes 5 s where jobs are delayed. The marker ends it. It
/// wakes whoever has waited longest, so that it is set until the turn was ours; the others find nothing and wait again.
async fn keep_waking(link: &RedisLink) -> Infallible {
    loop {
        tokio::time::sleep(Duration::from_millis(20)).await;
        link.wake_one().await;
    }
}

async fn process<F, R>(job: Job, queue: &Queue, link: &RedisLink, run: F) -> Result<Value, Error>
where
    F: Fn(QueuedJob) -> R,
    R: Future<Output = Disposition> + Send + 'static,
{
    let queued = match QueuedJob::take_in(job, link).await {
        Ok(TakenIn::Ready(queued)) => *queued,
        // "Rate limited" without a rate limit is how the library hands a job back without counting an attempt.
        Ok(TakenIn::Repaired) => return Err(Error::RateLimited { delay_ms: 0 }),
        Err(error) => {
            tracing::warn!(%error, "a job's fields could not be read; it goes back");
            tokio::time::sleep(Duration::from_secs(1)).await;
            return Err(Error::RateLimited { delay_ms: 0 });
        }
    };
    // In a task of its own: the library renews the lock of a job for ever whose body panicked.
    let disposition = match tokio::spawn(run(queued.clone())).await {
        Ok(disposition) => disposition,
        Err(error) if error.is_panic() => {
            let reason = format!("internal error: the worker panicked at this job: {error}");
            if let Err(error) = queued.record_failure(&reason, &reason, false).await {
                tracing::warn!(%error, "a failure was not written to its job");
            }
            Disposition::Failed(reason)
        }
        Err(_) => Disposition::HandedBack,
    };
    match disposition {
        Disposition::Completed(value) => Ok(value),
        Disposition::Failed(reason) => Err(Error::Unrecoverable(reason)),
        Disposition::Delayed(delay) => put_off(&queued, delay).await,
        Disposition::HandedBack => Err(Error::RateLimited { delay_ms: 0 }),
        Disposition::SlowDown(delay) => {
            let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX).max(1);
            if let Err(error) = queue.rate_limit(delay_ms).await {
                tracing::warn!(%error, "the queue could not be slowed down");
            }
            Err(Error::RateLimited { delay_ms })
        }
    }
}

/// Moves a job to the delayed ones. While Redis does not answer this is tried again: any other end would fail the job.
async fn put_off(queued: &QueuedJob, delay: Duration) -> Result<Value, Error> {
    for _ in 0..5 {
        match queued.put_off(delay).await {
            // A script's refusal means that the job is not ours any more, most likely because an answer was lost and the
            // job is where it should be.
            Ok(()) | Err(Error::Script { .. }) => return Err(Error::Delayed),
            Err(error) => {
                tracing::warn!(%error, "a job could not be put off yet");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
    Err(Error::RateLimited { delay_ms: 0 })
}

/// The channel is unbounded and holds every result, so that somebody must read it.
fn drain_events(worker: &Arc<Worker>) {
    let worker = Arc::downgrade(worker);
    tokio::spawn(async move {
        loop {
            let Some(worker) = worker.upgrade() else { return };
            match tokio::time::timeout(Duration::from_secs(1), worker.next_event()).await {
                Ok(Some(WorkerEvent::Error(error))) => tracing::warn!(%error, "the queue's worker met an error"),
                Ok(Some(WorkerEvent::Closed) | None) => return,
                Ok(Some(_)) | Err(_) => {}
            }
        }
    });
}
