//! Making drafts in Billz, and clearing away those that a lost answer left there.
//!
//! A draft carries our comment where Billz keeps it, and is found by it. Where Billz drops it a lost draft cannot be told
//! from another one by itself. It is told by what is known of all others: every draft that an operation of ours made is
//! claimed in `sale_claims`, so that one which is empty, has no comment, belongs to our shop, appeared between the sending of
//! our call and the loss of its answer, and is claimed by nobody, is the lost one. It is not used, since somebody may
//! have opened it at the till in the same seconds, but deleted, which for an empty draft costs nobody more than opening it
//! again. Who deletes claims first: had the answer of another worker's call merely been slower than us, that worker finds
//! its draft claimed and makes another.

use billwright_connectors::billz::{BillzCalls, BillzError, OrderQuery, SaleState, SaleSummary, look};
use billwright_domain::{BillzOrderId, ShopId};
use billwright_store::bson::{Document, doc};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use crate::{
    context::Context,
    guard::Guard,
    job_error::{Decide, JobError},
    write_once::{Journal, Looked, Write, write_once},
};

/// What making a draft needs.
pub(crate) struct Drafts<'a> {
    pub(crate) shop: &'a ShopId,
    /// Unique to the operation, so that the draft can be found by it.
    pub(crate) comment: &'a str,
    /// The operation that claims the draft.
    pub(crate) operation: &'a str,
    pub(crate) calls: &'a BillzCalls,
    pub(crate) guard: &'a Guard,
    pub(crate) context: &'a Context,
}

/// The step that makes the draft.
pub(crate) const CREATE: &str = "create_draft";
/// Open while a draft of ours may lie in Billz that nobody knows.
pub(crate) const STRAYS: &str = "delete_strays";

/// How far Billz's clock and ours may be apart, besides that it shows whole seconds only.
const SLACK: TimeDelta = TimeDelta::seconds(1);

impl Drafts<'_> {
    /// Makes a draft, or finds the one that was made when the answer was lost.
    pub(crate) async fn create(&self, journal: &mut impl Journal) -> Result<BillzOrderId, JobError> {
        self.note_lost(journal).await?;
        for _ in 0..5 {
            let write = DraftOnce {
                drafts: self,
                now: self.context.clock.now(),
            };
            let sale = write_once(&write, self.calls, journal, self.guard, self.context).await?;
            if self.context.sale_claims.claim(&sale, self.operation).await.decide()? {
                return Ok(sale);
            }
            // Another worker took it for a stray one of its own and deleted it.
            journal.withdraw(CREATE).await?;
        }
        Err(JobError::Retry(
            "other workers took our drafts for strays of theirs; is the clock right?".to_owned(),
        ))
    }

    /// Where a draft was asked for and no answer is known there may be one more than we know, made between the asking and
    /// now.
    async fn note_lost(&self, journal: &mut impl Journal) -> Result<(), JobError> {
        let Some(asked) = journal.open(CREATE) else {
            return Ok(());
        };
        let from = journal.open(STRAYS).and_then(|known| known.get_i64("from").ok());
        let from = from.or_else(|| asked.get_i64("at").ok()).unwrap_or_default();
        let now = self.context.clock.now().timestamp_millis();
        journal.intend(STRAYS, window(from, now)).await
    }

    async fn rows(&self, from: DateTime<Utc>, calls: &BillzCalls) -> Result<Vec<SaleSummary>, BillzError> {
        let local = |moment: DateTime<Utc>| moment.with_timezone(&self.context.timezone).date_naive();
        let query = OrderQuery {
            shop: self.shop.clone(),
            // A day on either side, for whatever zone Billz counts days in.
            from: local(from) - TimeDelta::days(1),
            to: local(self.context.clock.now()) + TimeDelta::days(1),
            comment: None,
        };
        calls.find_orders(&query).await
    }
}

/// The time in which a lost draft was made, in milliseconds. A clock that was set back in between, or another worker's that
/// is behind, would make it end before it began, and no draft be found.
fn window(asked: i64, now: i64) -> Document {
    doc! { "from": asked.min(now), "to": asked.max(now) }
}

/// The draft that was made, by the journal, also where nothing else knows of it yet.
pub(crate) fn made(journal: &impl Journal) -> Option<BillzOrderId> {
    sale_of(&journal.outcome(CREATE)?)
}

fn sale_of(outcome: &Document) -> Option<BillzOrderId> {
    BillzOrderId::parse(outcome.get_str("sale").ok()?).ok()
}

/// Deletes what a lost answer may have left in Billz, if the journal knows of one. `keep` is the draft that is in use.
pub(crate) async fn delete_strays(
    journal: &mut impl Journal,
    keep: Option<&BillzOrderId>,
    drafts: &Drafts<'_>,
) -> Result<(), JobError> {
    if keep.is_none() {
        drafts.note_lost(journal).await?;
    }
    let Some(window) = journal.open(STRAYS) else {
        return Ok(());
    };
    let moment = |name| window.get_i64(name).ok().and_then(DateTime::from_timestamp_millis);
    let (from, to) = (moment("from").unwrap_or_default(), moment("to").unwrap_or_default());
    for row in drafts.rows(from, drafts.calls).await.decide()? {
        if Some(&row.id) == keep || !is_ours(&row, drafts, from, to) {
            continue;
        }
        let claim = format!("stray:{}", drafts.operation);
        if !drafts.context.sale_claims.claim(&row.id, &claim).await.decide()? {
            continue;
        }
        match drafts.calls.delete_order(&row.id).await {
            Ok(()) | Err(BillzError::NotFound { .. }) => {
                metrics::counter!("billwright_stray_drafts_deleted_total").increment(1);
                tracing::info!(order.id = %row.id, "a draft whose answer had been lost was deleted");
            }
            // Somebody has put something into it since: so it was not ours.
            Err(error @ BillzError::Refused { .. }) => tracing::info!(%error, order.id = %row.id, "a draft was left"),
            other => other.decide()?,
        }
    }
    journal.settle(STRAYS, Document::new()).await
}

/// Deletes strays once the draft in use has been made. Where that is refused, or failed at the job's last attempt, what was
/// done stays done, and the warning that is returned says so.
pub(crate) async fn clear_strays(
    journal: &mut impl Journal,
    keep: &BillzOrderId,
    drafts: &Drafts<'_>,
    is_last: bool,
) -> Result<Option<String>, JobError> {
    match delete_strays(journal, Some(keep), drafts).await {
        Ok(()) => Ok(None),
        Err(JobError::Retry(reason)) if !is_last => Err(JobError::Retry(reason)),
        Err(JobError::Retry(reason) | JobError::Reject(reason)) => Ok(Some(left_over(&reason))),
        Err(other) => Err(other),
    }
}

/// What people are told where a stray draft could not be looked for.
pub(crate) fn left_over(reason: &str) -> String {
    format!("an empty draft whose answer was lost may be left in Billz, and could not be looked for: {reason}")
}

fn is_ours(row: &SaleSummary, drafts: &Drafts<'_>, from: DateTime<Utc>, to: DateTime<Utc>) -> bool {
    if row.state != SaleState::Draft {
        return false;
    }
    if !row.comment.is_empty() {
        return row.comment == drafts.comment;
    }
    let empty = row.quantity.is_some_and(|quantity| quantity.is_zero());
    let local = |moment: DateTime<Utc>| moment.with_timezone(&drafts.context.timezone).naive_local();
    let made = row
        .created_at
        .as_deref()
        .and_then(|text| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok());
    empty && made.is_some_and(|made| made >= local(from) - SLACK && made <= local(to) + SLACK)
}

struct DraftOnce<'a> {
    drafts: &'a Drafts<'a>,
    now: DateTime<Utc>,
}

impl Write for DraftOnce<'_> {
    type Answer = BillzOrderId;

    fn step(&self) -> String {
        CREATE.to_owned()
    }

    fn before(&self) -> Document {
        doc! { "at": self.now.timestamp_millis() }
    }

    fn outcome(&self, answer: &BillzOrderId) -> Document {
        doc! { "sale": answer.as_str() }
    }

    fn recall(&self, outcome: &Document) -> Option<BillzOrderId> {
        sale_of(outcome)
    }

    async fn send(&self, calls: &BillzCalls) -> Result<BillzOrderId, BillzError> {
        Ok(calls.create_order(self.drafts.shop, self.drafts.comment).await?.id)
    }

    async fn look(&self, calls: &BillzCalls, before: &Document) -> Result<Looked<BillzOrderId>, BillzError> {
        let at = before
            .get_i64("at")
            .ok()
            .and_then(DateTime::from_timestamp_millis)
            .unwrap_or(self.now);
        let found = self.drafts.rows(at, calls).await?;
        let ours = look::draft(&found, self.drafts.comment);
        Ok(ours.map_or(Looked::NotDone, |row| Looked::Done(row.id.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_back_leaves_a_time_in_which_the_draft_was_made() {
        assert_eq!(window(1_000, 5_000), doc! { "from": 1_000_i64, "to": 5_000_i64 });
        assert_eq!(window(5_000, 1_000), doc! { "from": 1_000_i64, "to": 5_000_i64 });
    }
}
