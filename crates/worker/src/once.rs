//! Runs an operation once, whichever worker gets which of its duplicates, and at whatever time.

use std::{future::Future, time::Duration};

use billwright_store::{
    billz::operations::{Claim, Operation, Operations},
    bson::{Bson, Document, doc},
};
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    context::Context,
    guard::Guard,
    job_error::{Decide, JobError},
    write_once::Journal,
};

/// How an operation's result came about.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Once {
    /// It was carried out just now.
    Ran(Value),
    /// It had been carried out before, by the job named.
    Folded { job_id: String, result: Value },
}

/// How long a duplicate waits in the worker for the first one's result, before its job is put off.
const PATIENCE: Duration = Duration::from_secs(5);

/// Claims `operation` and runs it with the journal of its earlier attempts, or gives the result that it had before.
pub(crate) async fn once<R: Future<Output = Result<Value, JobError>>>(
    context: &Context,
    guard: &Guard,
    operation: &Operation<'_>,
    run: impl FnOnce(LedgerJournal) -> R,
) -> Result<Once, JobError> {
    let journal = match claim(context, guard, operation).await? {
        Claim::Granted { journal } => journal,
        Claim::Done { job_id, result } => return Ok(Once::Folded { job_id, result }),
        Claim::Busy => {
            return Err(JobError::Later {
                after: Duration::from_secs(1),
                reason: "the same operation is under way in another job".to_owned(),
            });
        }
    };
    let journal = LedgerJournal {
        operations: context.operations.clone(),
        key: operation.key.to_owned(),
        owner: guard.owner().to_owned(),
        entries: journal,
    };
    context.reached("operation:claimed").await;
    let result = run(journal).await?;
    context.reached("operation:before_complete").await;
    if !context
        .operations
        .complete(operation.key, guard.owner(), &result)
        .await
        .decide()?
    {
        return Err(JobError::HandBack(
            "the attempt lost its hold on the operation".to_owned(),
        ));
    }
    guard.unclaimed();
    context.reached("operation:completed").await;
    Ok(Once::Ran(result))
}

async fn claim(context: &Context, guard: &Guard, operation: &Operation<'_>) -> Result<Claim, JobError> {
    let deadline = Instant::now() + PATIENCE;
    let mut pause = Duration::from_millis(50);
    loop {
        let since = Instant::now();
        let claim = context
            .operations
            .claim(operation, guard.owner(), guard.length())
            .await
            .decide()?;
        match claim {
            Claim::Granted { .. } => {
                guard.claimed(operation.key, since);
                return Ok(claim);
            }
            Claim::Busy if Instant::now() + pause < deadline => {
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = guard.lost().cancelled() => return Err(JobError::HandBack("the attempt was given up".to_owned())),
                }
                pause = (pause * 2).min(Duration::from_millis(500));
            }
            other => return Ok(other),
        }
    }
}

/// The journal of an operation, kept in the ledger: step by step what was intended and what came of it.
#[derive(Debug)]
pub(crate) struct LedgerJournal {
    operations: Operations,
    key: String,
    owner: String,
    entries: Document,
}

impl LedgerJournal {
    async fn write(&self) -> Result<(), JobError> {
        if self
            .operations
            .write_journal(&self.key, &self.owner, &self.entries)
            .await
            .decide()?
        {
            Ok(())
        } else {
            Err(JobError::HandBack(
                "the attempt lost its hold on the operation".to_owned(),
            ))
        }
    }
}

impl Journal for LedgerJournal {
    fn open(&self, step: &str) -> Option<Document> {
        let entry = self.entries.get_document(step).ok()?;
        match entry.get("outcome") {
            Some(_) => None,
            None => entry.get_document("before").ok().cloned(),
        }
    }

    fn outcome(&self, step: &str) -> Option<Document> {
        self.entries
            .get_document(step)
            .ok()?
            .get_document("outcome")
            .ok()
            .cloned()
    }

    async fn intend(&mut self, step: &str, before: Document) -> Result<(), JobError> {
        self.entries.insert(step, doc! { "before": before });
        self.write().await
    }

    async fn settle(&mut self, step: &str, outcome: Document) -> Result<(), JobError> {
        if let Some(Bson::Document(entry)) = self.entries.get_mut(step) {
            entry.insert("outcome", outcome);
        } else {
            self.entries.insert(step, doc! { "outcome": outcome });
        }
        self.write().await
    }

    async fn withdraw(&mut self, step: &str) -> Result<(), JobError> {
        self.entries.remove(step);
        self.write().await
    }
}
