//! What one attempt at one job holds: its claim in the ledger, and the leases on the order or the client that it works
//! on. They are renewed while it lives; once one of them is lost nothing is sent to Billz any more.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use billwright_store::{
    StoreError,
    billz::{
        leases::{HeldLease, Leases, Memory},
        operations::Operations,
    },
    bson::Document,
};
use tokio::{
    sync::{Mutex as AsyncMutex, OwnedMutexGuard},
    time::Instant,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::job_error::{Decide, JobError};

/// Who in this process waits for which lease: jobs of one process queue up here, in order and without asking MongoDB.
#[derive(Debug, Default, Clone)]
pub(crate) struct LocalQueues(Arc<Mutex<HashMap<String, Weak<AsyncMutex<()>>>>>);

impl LocalQueues {
    fn of(&self, key: &str) -> Arc<AsyncMutex<()>> {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = queues.get(key).and_then(Weak::upgrade) {
            return queue;
        }
        // Queues that nobody stands in any more are swept out when the map is looked at anyway.
        if queues.len() > 1_000 {
            queues.retain(|_, queue| queue.strong_count() > 0);
        }
        let queue = Arc::new(AsyncMutex::new(()));
        queues.insert(key.to_owned(), Arc::downgrade(&queue));
        queue
    }
}

/// How long an attempt waits for a lease before its job is put off, and with it its place in the worker.
const PATIENCE: Duration = Duration::from_secs(5);

/// What one attempt holds.
#[derive(Debug)]
pub(crate) struct Guard {
    leases: Leases,
    queues: LocalQueues,
    owner: String,
    length: Duration,
    held: Arc<Mutex<Held>>,
    places: Mutex<Vec<(String, OwnedMutexGuard<()>)>>,
    /// What is left on leases when they are given back.
    notes: Mutex<Vec<(String, Document)>>,
    /// Cancelled when something that was held is lost, and when the worker gives the job up.
    lost: CancellationToken,
    _renewal: DropGuard,
}

#[derive(Debug, Default)]
struct Held {
    operation: Option<String>,
    leases: Vec<String>,
    /// Until when everything is surely held, by this machine's monotonic clock.
    until: Option<Instant>,
}

impl Guard {
    /// A guard that holds nothing yet. `given_up` is cancelled when the worker stops for good.
    pub(crate) fn new(
        leases: Leases,
        operations: Operations,
        queues: LocalQueues,
        owner: String,
        length: Duration,
        given_up: &CancellationToken,
    ) -> Self {
        let held = Arc::<Mutex<Held>>::default();
        let lost = given_up.child_token();
        let ended = CancellationToken::new();
        let renewal = renew(
            held.clone(),
            leases.clone(),
            operations,
            owner.clone(),
            length,
            lost.clone(),
        );
        tokio::spawn(ended.clone().run_until_cancelled_owned(renewal));
        Self {
            leases,
            queues,
            owner,
            length,
            held,
            places: Mutex::default(),
            notes: Mutex::default(),
            lost,
            _renewal: ended.drop_guard(),
        }
    }

    /// Who holds: unique to this attempt.
    pub(crate) fn owner(&self) -> &str {
        &self.owner
    }

    /// How long what is held stays held without a renewal.
    pub(crate) fn length(&self) -> Duration {
        self.length
    }

    /// Cancelled when nothing may be sent any more.
    pub(crate) fn lost(&self) -> &CancellationToken {
        &self.lost
    }

    /// Fails once something that was held is lost. To be asked before every effect.
    pub(crate) fn check(&self) -> Result<(), JobError> {
        let until = self.held().until;
        if self.lost.is_cancelled() {
            return Err(JobError::HandBack(
                "the attempt was given up: the worker stops, or lost its hold on the job".to_owned(),
            ));
        }
        if until.is_some_and(|until| Instant::now() >= until) {
            self.lost.cancel();
            return Err(JobError::HandBack("the attempt lost its hold on the job".to_owned()));
        }
        Ok(())
    }

    /// Notes that the claim on the operation `key` is ours since `since`.
    pub(crate) fn claimed(&self, key: &str, since: Instant) {
        let mut held = self.held();
        held.operation = Some(key.to_owned());
        held.until = Some(held.until.unwrap_or(since + self.length).min(since + self.length));
    }

    /// The operation ended, and there is nothing to renew any more.
    pub(crate) fn unclaimed(&self) {
        self.held().operation = None;
    }

    /// Takes the lease `key`, waiting for it for a while.
    pub(crate) async fn acquire(&self, key: &str) -> Result<HeldLease, JobError> {
        self.hold(key, Memory::Left).await
    }

    /// The same, and takes off what was noted there: if this attempt dies, the next one finds nothing that is no longer
    /// true.
    pub(crate) async fn acquire_with_memory(&self, key: &str) -> Result<HeldLease, JobError> {
        self.hold(key, Memory::Taken).await
    }

    async fn hold(&self, key: &str, memory: Memory) -> Result<HeldLease, JobError> {
        let later = || JobError::Later {
            after: Duration::from_secs(1),
            reason: "another job is working on the same order or client".to_owned(),
        };
        let deadline = Instant::now() + PATIENCE;
        if self.held().leases.iter().any(|held| held == key) {
            // An attempt that asks again for what it holds must not wait for itself.
            return self
                .leases
                .acquire(key, &self.owner, self.length, memory)
                .await
                .decide()?
                .ok_or_else(later);
        }
        let place = tokio::select! {
            place = self.queues.of(key).lock_owned() => place,
            () = tokio::time::sleep_until(deadline) => return Err(later()),
            () = self.lost.cancelled() => return Err(JobError::HandBack("the attempt was given up".to_owned())),
        };
        let mut pause = Duration::from_millis(20);
        loop {
            let since = Instant::now();
            if let Some(lease) = self
                .leases
                .acquire(key, &self.owner, self.length, memory)
                .await
                .decide()?
            {
                self.places
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push((key.to_owned(), place));
                let mut held = self.held();
                held.leases.push(key.to_owned());
                held.until = Some(held.until.unwrap_or(since + self.length).min(since + self.length));
                return Ok(lease);
            }
            if Instant::now() + pause >= deadline {
                return Err(later());
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.lost.cancelled() => return Err(JobError::HandBack("the attempt was given up".to_owned())),
            }
            pause = (pause * 2).min(Duration::from_millis(250));
        }
    }

    /// Leaves a note on the lease `key` for those who hold it next. What is noted only saves calls, so that a failure to
    /// note it is no failure; where an older note would then mislead, it must have been taken off.
    pub(crate) async fn remember(&self, key: &str, memory: Document) {
        if let Err(error) = self.leases.remember(key, &self.owner, memory).await {
            tracing::debug!(%error, "a note for later jobs was not kept");
        }
    }

    /// Leaves a note on the lease `key` for those who hold it next, once it is given back; lost if the attempt dies
    /// before. Only for what stays true however much later it is read.
    pub(crate) fn remember_at_release(&self, key: &str, memory: Document) {
        self.notes().push((key.to_owned(), memory));
    }

    /// Gives one lease back before the attempt ends, so that others need not wait for the rest of it.
    pub(crate) async fn release_one(&self, key: &str) {
        self.held().leases.retain(|held| held != key);
        self.give_back(vec![key.to_owned()]).await;
        self.places
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|(place, _)| place != key);
    }

    /// Gives the leases back. The claim on the operation ends with its own outcome.
    pub(crate) async fn release(&self) {
        let leases = std::mem::take(&mut self.held().leases);
        self.give_back(leases).await;
        self.places.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    async fn give_back(&self, mut keys: Vec<String>) {
        let notes: Vec<_> = self.notes().extract_if(.., |(key, _)| keys.contains(key)).collect();
        for (key, note) in notes {
            keys.retain(|other| *other != key);
            self.given_back(self.leases.release_noting(&key, &self.owner, note).await);
        }
        if !keys.is_empty() {
            self.given_back(self.leases.release(&keys, &self.owner).await);
        }
    }

    fn given_back(&self, released: Result<(), StoreError>) {
        if let Err(error) = released {
            tracing::debug!(%error, owner = self.owner, "leases were not given back and run out by themselves");
        }
    }

    fn notes(&self) -> std::sync::MutexGuard<'_, Vec<(String, Document)>> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Renews what is held, three times within its length, and cancels `lost` when that did not succeed in time.
async fn renew(
    held: Arc<Mutex<Held>>,
    leases: Leases,
    operations: Operations,
    owner: String,
    length: Duration,
    lost: CancellationToken,
) {
    let lock = || held.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let until = lock().until;
        let next = Instant::now() + length / 3;
        // A margin is left for the call that is being sent when the hold ends.
        let end = until.map(|until| until - length / 10);
        match end {
            Some(end) if end <= Instant::now() => {
                lost.cancel();
                return;
            }
            Some(end) => tokio::time::sleep_until(next.min(end)).await,
            None => tokio::time::sleep_until(next).await,
        }
        let (operation, keys) = {
            let held = lock();
            (held.operation.clone(), held.leases.clone())
        };
        let since = Instant::now();
        let renewed = tokio::time::timeout(length / 3, async {
            let claim = match &operation {
                Some(key) => operations.renew(key, &owner, length).await?,
                None => true,
            };
            let kept = if keys.is_empty() {
                0
            } else {
                leases.renew(&keys, &owner, length).await?
            };
            Ok::<_, StoreError>((claim, kept))
        })
        .await;
        match renewed {
            Ok(Ok((claim, kept))) => {
                let mut held = lock();
                let unchanged = held.operation == operation && held.leases == keys;
                if unchanged && (!claim || usize::try_from(kept).ok() != Some(keys.len())) {
                    drop(held);
                    tracing::warn!("an attempt lost its hold on its job; it sends nothing any more");
                    lost.cancel();
                    return;
                }
                if unchanged && (operation.is_some() || !keys.is_empty()) {
                    held.until = Some(since + length);
                }
            }
            Ok(Err(error)) => tracing::warn!(%error, "an attempt's hold on its job could not be renewed"),
            Err(_) => tracing::warn!("renewing an attempt's hold on its job took too long"),
        }
    }
}
