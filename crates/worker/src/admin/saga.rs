//! What a person may do with an order's way into Billz: start it over once everything was taken back, or have steps looked
//! at again that are written down as done. Neither can place an order twice or pay twice: a step that is re-opened is looked up
//! in Billz before anything is sent, and steps for which such a look could be wrong are never re-opened.

use std::time::Duration;

use billwright_domain::{Clock, DocumentId};
use billwright_store::{
    Mongo, StoreError,
    billz::{
        leases::{Leases, Memory},
        order_sagas::{OrderSagas, Saga, SagaState, SagaStep},
    },
};
use uuid::Uuid;

use super::{AdminError, JobState, JobSummary, QueueAdmin, operation_of};

/// For how long the order is held while its journal is changed.
const HOLD: Duration = Duration::from_secs(10);

/// Why a step is not re-opened, or an order's way not started over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WhyNot {
    /// The order is placed: there is nothing to do again.
    #[error("the order is placed")]
    Placed,
    /// What was made in Billz is being taken back, and nothing may be added to it.
    #[error("the order is being taken back; try again once that is done")]
    BeingTakenBack,
    /// Everything was taken back: there is no step left, only a new beginning.
    #[error("everything was taken back; retry the job to begin anew")]
    TakenBack,
    /// It is under way and needs no new beginning.
    #[error("the order is under way already")]
    UnderWay,
    /// A payment was begun. A payment is never sent again because of what a person says.
    #[error("a payment was begun, and only reading Billz may tell what came of it")]
    PaymentBegun,
    /// The sale is parked, and its parts cannot change any more.
    #[error("the sale is parked, and its contents cannot change")]
    Parked,
    /// To make the draft or the client again could leave two of them.
    #[error("a second draft or client could come of it")]
    MakesAnother,
    /// The step is open: it is looked up in Billz anyway.
    #[error("the next attempt looks the step up in Billz anyway")]
    OpenAnyway,
    /// There is no such step.
    #[error("there is no such step")]
    NoSuchStep,
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum SagaError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The queue failed.
    #[error(transparent)]
    Queue(#[from] AdminError),
    /// A worker is working on the order right now.
    #[error("a worker is working on the order right now")]
    Busy,
    /// It is not safe, or there is nothing to do.
    #[error("the order's journal stays as it is: {0}")]
    Refused(WhyNot),
}

/// Whether `step` may be looked at again, together with the steps after it.
pub fn may_reopen(saga: &Saga, step: &str) -> Result<(), WhyNot> {
    match saga.state {
        SagaState::Running => {}
        SagaState::Placed => return Err(WhyNot::Placed),
        SagaState::Compensating => return Err(WhyNot::BeingTakenBack),
        SagaState::Cancelled => return Err(WhyNot::TakenBack),
    }
    let place = saga
        .steps
        .iter()
        .position(|known| known.name == step)
        .ok_or(WhyNot::NoSuchStep)?;
    if saga.step("pay").is_some() {
        return Err(WhyNot::PaymentBegun);
    }
    if !can_be_looked_up(step) {
        return Err(WhyNot::MakesAnother);
    }
    if saga.steps[place].done_at.is_none() {
        return Err(WhyNot::OpenAnyway);
    }
    if step != "park" && saga.step("park").is_some() {
        return Err(WhyNot::Parked);
    }
    Ok(())
}

/// Steps that set a value, or whose effect a look at the sale tells beyond doubt.
fn can_be_looked_up(step: &str) -> bool {
    matches!(step, "attach_client" | "discount" | "park") || step.starts_with("add_item:")
}

/// The journals of orders, to be acted on.
#[derive(Debug, Clone)]
pub struct SagaAdmin {
    sagas: OrderSagas,
    leases: Leases,
}

impl SagaAdmin {
    /// The journals in `mongo`.
    pub fn new(mongo: &Mongo) -> Self {
        Self {
            sagas: OrderSagas::new(mongo),
            leases: Leases::new(mongo),
        }
    }

    /// The journal that a job with this data drives, if it drives one.
    pub async fn of_job(&self, id: &str, data: &serde_json::Value) -> Result<Option<Saga>, StoreError> {
        let saga = self.sagas.of_job(id).await?;
        // Job ids begin anew with the queue.
        Ok(saga.filter(|saga| operation_of(data).is_some_and(|operation| operation == saga.operation)))
    }

    /// Puts a failed job back into the queue. An order that was taken back is placed anew; one that is still being taken back is
    /// refused, since its job could only fail again.
    pub async fn retry(&self, queue: &QueueAdmin, id: &str, clock: &dyn Clock) -> Result<JobSummary, SagaError> {
        let job = queue.show(id).await?;
        let saga = if job.summary.state == JobState::Failed && job.summary.r#type.as_deref() == Some("PLACE_ORDER") {
            self.of_job(id, &job.data).await?
        } else {
            None
        };
        match saga {
            Some(saga) if saga.state == SagaState::Compensating => Err(SagaError::Refused(WhyNot::BeingTakenBack)),
            Some(saga) if saga.state == SagaState::Cancelled && saga.reason.is_some() => {
                let change = |saga: &mut Saga| match saga.state {
                    // Without a reason the journal is begun anew by the next attempt.
                    SagaState::Cancelled => {
                        saga.reason = None;
                        Ok(())
                    }
                    SagaState::Placed => Err(WhyNot::Placed),
                    SagaState::Compensating => Err(WhyNot::BeingTakenBack),
                    SagaState::Running => Err(WhyNot::UnderWay),
                };
                self.change(&saga, clock, change).await?;
                Ok(queue.retry(id).await?)
            }
            _ => Ok(queue.retry(id).await?),
        }
    }

    /// Has `step` and those after it looked up in Billz again by the next attempt. Returns how many were re-opened.
    pub async fn reopen(&self, saga: &Saga, step: &str, clock: &dyn Clock) -> Result<usize, SagaError> {
        let mut reopened = 0;
        let change = |saga: &mut Saga| {
            may_reopen(saga, step)?;
            let place = saga
                .steps
                .iter()
                .position(|known| known.name == step)
                .ok_or(WhyNot::NoSuchStep)?;
            let later = saga.steps.iter_mut().skip(place);
            for step in later.filter(|step| step.done_at.is_some() && can_be_looked_up(&step.name)) {
                reopen(step);
                reopened += 1;
            }
            Ok(())
        };
        self.change(saga, clock, change).await?;
        Ok(reopened)
    }

    /// Changes a journal while nobody works on its order.
    async fn change(
        &self,
        seen: &Saga,
        clock: &dyn Clock,
        change: impl FnOnce(&mut Saga) -> Result<(), WhyNot>,
    ) -> Result<(), SagaError> {
        let Some(order) = seen.order_id() else {
            return Err(SagaError::Refused(WhyNot::NoSuchStep));
        };
        let (key, owner) = (format!("order:{order}"), format!("dashboard:{}", Uuid::now_v7()));
        let Some(lease) = self.leases.acquire(&key, &owner, HOLD, Memory::Left).await? else {
            return Err(SagaError::Busy);
        };
        let changed = self.change_held(&order, seen, lease.fence, clock, change).await;
        if let Err(error) = self.leases.release(&[key], &owner).await {
            tracing::debug!(%error, "a lease was not given back and runs out by itself");
        }
        changed
    }

    async fn change_held(
        &self,
        order: &DocumentId,
        seen: &Saga,
        fence: i64,
        clock: &dyn Clock,
        change: impl FnOnce(&mut Saga) -> Result<(), WhyNot>,
    ) -> Result<(), SagaError> {
        let mut saga = self.sagas.take_over(order, fence).await?.ok_or(SagaError::Busy)?;
        if saga.operation != seen.operation {
            return Err(SagaError::Busy);
        }
        change(&mut saga).map_err(SagaError::Refused)?;
        if self.sagas.save(&mut saga, clock.now()).await? {
            Ok(())
        } else {
            Err(SagaError::Busy)
        }
    }
}

/// From now on the step was decided on, and what came of it is not known. What it must know of the time before stays.
fn reopen(step: &mut SagaStep) {
    step.done_at = None;
    step.outcome.clear();
}

#[cfg(test)]
mod tests {
    use billwright_store::bson::{DateTime, Document, oid::ObjectId};

    use super::*;

    fn saga(state: SagaState, steps: &[(&str, bool)]) -> Saga {
        let now = DateTime::from_millis(0);
        let steps = steps.iter().map(|(name, done)| SagaStep {
            name: (*name).to_owned(),
            intended_at: now,
            done_at: done.then_some(now),
            before: Document::new(),
            outcome: Document::new(),
            others: Document::new(),
        });
        Saga {
            order: ObjectId::new(),
            fence: 1,
            state,
            operation: String::new(),
            job_id: String::new(),
            correlation_id: String::new(),
            comment: String::new(),
            billz_id: None,
            steps: steps.collect(),
            warnings: Vec::new(),
            reason: None,
            compensation_attempts: 0,
            compensation_error: None,
            compensation_due: None,
            expires_at: None,
            created_at: now,
            updated_at: now,
            others: Document::new(),
        }
    }

    #[test]
    fn only_what_a_look_can_tell_beyond_doubt_is_re_opened() {
        let steps = [
            ("create_draft", true),
            ("client", true),
            ("attach_client", true),
            ("add_item:p", true),
        ];
        let running = saga(SagaState::Running, &steps);
        assert_eq!(may_reopen(&running, "attach_client"), Ok(()));
        assert_eq!(may_reopen(&running, "add_item:p"), Ok(()));
        assert_eq!(may_reopen(&running, "create_draft"), Err(WhyNot::MakesAnother));
        assert_eq!(may_reopen(&running, "client"), Err(WhyNot::MakesAnother));
        assert_eq!(may_reopen(&running, "nothing"), Err(WhyNot::NoSuchStep));
        let open = saga(SagaState::Running, &[("add_item:p", false)]);
        assert_eq!(may_reopen(&open, "add_item:p"), Err(WhyNot::OpenAnyway));
    }

    #[test]
    fn nothing_is_re_opened_once_a_payment_was_begun_or_the_sale_is_parked() {
        for begun in [true, false] {
            let paying = saga(SagaState::Running, &[("attach_client", true), ("pay", begun)]);
            assert_eq!(may_reopen(&paying, "attach_client"), Err(WhyNot::PaymentBegun));
            assert_eq!(may_reopen(&paying, "pay"), Err(WhyNot::PaymentBegun));
        }
        let parked = saga(SagaState::Running, &[("attach_client", true), ("park", true)]);
        assert_eq!(may_reopen(&parked, "attach_client"), Err(WhyNot::Parked));
        assert_eq!(may_reopen(&parked, "park"), Ok(()));
    }

    #[test]
    fn a_way_that_has_ended_is_not_gone_again() {
        for (state, why) in [
            (SagaState::Placed, WhyNot::Placed),
            (SagaState::Compensating, WhyNot::BeingTakenBack),
            (SagaState::Cancelled, WhyNot::TakenBack),
        ] {
            assert_eq!(
                may_reopen(&saga(state, &[("attach_client", true)]), "attach_client"),
                Err(why)
            );
        }
    }
}
