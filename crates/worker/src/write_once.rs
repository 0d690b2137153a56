//! A write to Billz whose answer can be lost, and that must take effect once.
//!
//! The intent is written down first, then the write is sent, then its outcome is written down. Where an earlier attempt
//! left an intent without an outcome, Billz is read before anything is sent.

use std::future::Future;

use billwright_connectors::billz::{BillzCalls, BillzError};
use billwright_store::bson::Document;

use crate::{
    context::Context,
    guard::Guard,
    job_error::{Decide, JobError},
};

/// What reading Billz told about a write whose answer was lost.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Looked<T> {
    /// It took effect, and this is what its answer would have said.
    Done(T),
    /// It did not take effect, or not yet.
    NotDone,
    /// Something else happened in between; a sentence for people.
    Conflicting(String),
}

impl<T> Looked<T> {
    /// What the connector concluded, with the answer that stands for "done".
    pub(crate) fn of(looked: billwright_connectors::billz::look::Looked, answer: T) -> Self {
        use billwright_connectors::billz::look::Looked as Told;
        match looked {
            Told::Done => Self::Done(answer),
            Told::NotDone => Self::NotDone,
            Told::Conflicting(text) => Self::Conflicting(text),
        }
    }
}

/// One write to Billz, and how to find out whether it took effect.
pub(crate) trait Write: Sync {
    /// What the write answers.
    type Answer: Send + PartialEq;

    /// Its name in the journal.
    fn step(&self) -> String;

    /// What a later look must know of the time before the write.
    fn before(&self) -> Document {
        Document::new()
    }

    /// What later steps must know of the answer.
    fn outcome(&self, answer: &Self::Answer) -> Document;

    /// The answer again, from what [`Write::outcome`] made of it.
    fn recall(&self, outcome: &Document) -> Option<Self::Answer>;

    /// Sends it.
    fn send(&self, calls: &BillzCalls) -> impl Future<Output = Result<Self::Answer, BillzError>> + Send;

    /// Looks whether it took effect, given what [`Write::before`] said when it was sent.
    fn look(
        &self,
        calls: &BillzCalls,
        before: &Document,
    ) -> impl Future<Output = Result<Looked<Self::Answer>, BillzError>> + Send;
}

/// Where intents and outcomes are written down.
pub(crate) trait Journal: Send {
    /// What was written down before a write whose outcome is not known; `None` where there is no such write.
    fn open(&self, step: &str) -> Option<Document>;

    /// What came of a write, if it is known.
    fn outcome(&self, step: &str) -> Option<Document>;

    /// Writes down that a write is about to be sent.
    fn intend(&mut self, step: &str, before: Document) -> impl Future<Output = Result<(), JobError>> + Send;

    /// Writes down what came of it.
    fn settle(&mut self, step: &str, outcome: Document) -> impl Future<Output = Result<(), JobError>> + Send;

    /// Writes down that it was surely not carried out.
    fn withdraw(&mut self, step: &str) -> impl Future<Output = Result<(), JobError>> + Send;
}

/// Carries out `write` once, whatever became of earlier attempts at it.
pub(crate) async fn write_once<W: Write>(
    write: &W,
    calls: &BillzCalls,
    journal: &mut impl Journal,
    guard: &Guard,
    context: &Context,
) -> Result<W::Answer, JobError> {
    let step = write.step();
    if let Some(answer) = journal.outcome(&step).and_then(|outcome| write.recall(&outcome)) {
        return Ok(answer);
    }
    let before = if let Some(before) = journal.open(&step) {
        match look_twice(write, calls, &before, context).await? {
            Looked::Done(answer) => return settled(write, answer, journal, context).await,
            Looked::Conflicting(text) => return Err(conflict(&step, &text)),
            // Nothing has changed since it was written down, and an attempt that only looked knows nothing newer.
            Looked::NotDone => before,
        }
    } else {
        write.before()
    };
    journal.intend(&step, before.clone()).await?;
    context.reached(&format!("{step}:intended")).await;
    guard.check()?;
    match write.send(calls).await {
        Ok(answer) => {
            context.reached(&format!("{step}:answered")).await;
            settled(write, answer, journal, context).await
        }
        Err(lost @ BillzError::OutcomeUnknown { .. }) => {
            tokio::time::sleep(context.settle).await;
            match write.look(calls, &before).await {
                Ok(Looked::Done(answer)) => settled(write, answer, journal, context).await,
                Ok(Looked::Conflicting(text)) => Err(conflict(&step, &text)),
                Ok(Looked::NotDone) => Err(JobError::Retry(lost.to_string())),
                Err(error) => {
                    tracing::warn!(%error, step, "the outcome of a write is still unknown");
                    Err(JobError::Retry(lost.to_string()))
                }
            }
        }
        Err(error) => {
            // Not carried out for certain: the next attempt need not look.
            if let Err(unwritten) = journal.withdraw(&step).await {
                tracing::warn!(
                    error = unwritten.text(),
                    step,
                    "the next attempt will look although it need not"
                );
            }
            Err(error).decide()
        }
    }
}

async fn settled<W: Write>(
    write: &W,
    answer: W::Answer,
    journal: &mut impl Journal,
    context: &Context,
) -> Result<W::Answer, JobError> {
    let step = write.step();
    journal.settle(&step, write.outcome(&answer)).await?;
    context.reached(&format!("{step}:settled")).await;
    Ok(answer)
}

/// "Not done" is believed only when a second look, some seconds later, says so too.
async fn look_twice<W: Write>(
    write: &W,
    calls: &BillzCalls,
    before: &Document,
    context: &Context,
) -> Result<Looked<W::Answer>, JobError> {
    let first = write.look(calls, before).await.decide()?;
    if first != Looked::NotDone {
        return Ok(first);
    }
    tokio::time::sleep(context.settle).await;
    write.look(calls, before).await.decide()
}

fn conflict(step: &str, text: &str) -> JobError {
    JobError::reject(format!(
        "the answer to `{step}` was lost, and Billz shows something else than expected: {text}"
    ))
}
