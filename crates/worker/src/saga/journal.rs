//! The saga's journal in MongoDB, as the steps see it.

use billwright_domain::{BillzOrderId, CorrelationId};
use billwright_store::{
    billz::order_sagas::{Saga, SagaState, SagaStep},
    bson::{DateTime, Document},
};
use chrono::TimeDelta;

use crate::{
    context::Context,
    job_error::{Decide, JobError},
    write_once::Journal,
};

/// The journal of one order, held by one attempt. A write to it fails once another attempt has taken it over.
pub(crate) struct SagaJournal<'a> {
    pub(crate) saga: Saga,
    context: &'a Context,
}

impl<'a> SagaJournal<'a> {
    pub(crate) fn new(saga: Saga, context: &'a Context) -> Self {
        Self { saga, context }
    }

    /// Begins anew for the given operation.
    pub(crate) async fn begin(
        &mut self,
        operation: &str,
        job_id: &str,
        correlation_id: &CorrelationId,
        comment: &str,
    ) -> Result<(), JobError> {
        let now = self.now();
        self.saga = Saga {
            order: self.saga.order,
            fence: self.saga.fence,
            state: SagaState::Running,
            operation: operation.to_owned(),
            job_id: job_id.to_owned(),
            correlation_id: correlation_id.to_string(),
            comment: comment.to_owned(),
            billz_id: None,
            steps: Vec::new(),
            warnings: Vec::new(),
            reason: None,
            compensation_attempts: 0,
            compensation_error: None,
            compensation_due: None,
            expires_at: None,
            created_at: now,
            updated_at: now,
            others: std::mem::take(&mut self.saga.others),
        };
        self.save().await
    }

    /// Notes the sale in Billz.
    pub(crate) async fn know_sale(&mut self, sale: &BillzOrderId) -> Result<(), JobError> {
        if self.saga.billz_id.as_deref() == Some(sale.as_str()) {
            return Ok(());
        }
        self.saga.billz_id = Some(sale.to_string());
        self.save().await
    }

    /// Adds a warning, once.
    pub(crate) fn warn(&mut self, warning: String) {
        if !self.saga.warnings.contains(&warning) {
            self.saga.warnings.push(warning);
        }
    }

    /// Notes what came of a step. It is written down with the next step's intent.
    pub(crate) fn note(&mut self, step: &str, outcome: Document) {
        let now = self.now();
        match self.find(step) {
            Some(known) => {
                known.done_at = Some(now);
                known.outcome = outcome;
            }
            None => self.saga.steps.push(SagaStep {
                name: step.to_owned(),
                intended_at: now,
                done_at: Some(now),
                before: Document::new(),
                outcome,
                others: Document::new(),
            }),
        }
        metrics::counter!("billwright_saga_steps_total", "step" => label(step)).increment(1);
    }

    /// The order is placed.
    pub(crate) async fn placed(&mut self) -> Result<(), JobError> {
        self.saga.state = SagaState::Placed;
        self.saga.reason = None;
        self.forget_later();
        self.save().await
    }

    /// The order cannot be placed for this reason; from here on everything is taken back.
    pub(crate) async fn give_up(&mut self, reason: &str) -> Result<(), JobError> {
        self.saga.state = SagaState::Compensating;
        self.saga.expires_at = None;
        self.saga.reason = Some(reason.to_owned());
        self.saga.compensation_due = Some(self.now());
        self.save().await
    }

    /// Everything was taken back.
    pub(crate) async fn cancelled(&mut self) -> Result<(), JobError> {
        self.saga.state = SagaState::Cancelled;
        self.forget_later();
        self.saga.billz_id = None;
        self.saga.compensation_error = None;
        self.saga.compensation_due = None;
        self.save().await
    }

    /// Taking back failed; it is due again later, each time later than before.
    pub(crate) async fn put_off(&mut self, obstacle: &str) -> Result<(), JobError> {
        self.saga.compensation_attempts = self.saga.compensation_attempts.saturating_add(1);
        self.saga.compensation_error = Some(obstacle.to_owned());
        let doubled = 5_i64.saturating_mul(1 << self.saga.compensation_attempts.clamp(0, 9));
        let due = self.context.clock.now() + TimeDelta::seconds(doubled.min(900));
        self.saga.compensation_due = Some(DateTime::from_millis(due.timestamp_millis()));
        self.save().await
    }

    /// The order's own document says where it stands; the journal is only kept for people.
    fn forget_later(&mut self) {
        let at = self.context.clock.now() + TimeDelta::days(90);
        self.saga.expires_at = Some(DateTime::from_millis(at.timestamp_millis()));
    }

    pub(crate) async fn save(&mut self) -> Result<(), JobError> {
        let now = self.context.clock.now();
        if self.context.sagas.save(&mut self.saga, now).await.decide()? {
            Ok(())
        } else {
            Err(JobError::HandBack("the attempt lost its hold on the order".to_owned()))
        }
    }

    fn now(&self) -> DateTime {
        DateTime::from_millis(self.context.clock.now().timestamp_millis())
    }

    fn find(&mut self, step: &str) -> Option<&mut SagaStep> {
        self.saga.steps.iter_mut().find(|known| known.name == step)
    }
}

impl Journal for SagaJournal<'_> {
    fn open(&self, step: &str) -> Option<Document> {
        self.saga
            .step(step)
            .filter(|found| found.done_at.is_none())
            .map(|found| found.before.clone())
    }

    fn outcome(&self, step: &str) -> Option<Document> {
        self.saga.outcome(step).cloned()
    }

    async fn intend(&mut self, step: &str, before: Document) -> Result<(), JobError> {
        let now = self.now();
        match self.find(step) {
            Some(known) => {
                known.before = before;
                known.done_at = None;
            }
            None => self.saga.steps.push(SagaStep {
                name: step.to_owned(),
                intended_at: now,
                done_at: None,
                before,
                outcome: Document::new(),
                others: Document::new(),
            }),
        }
        self.save().await
    }

    async fn settle(&mut self, step: &str, outcome: Document) -> Result<(), JobError> {
        self.note(step, outcome);
        self.save().await
    }

    async fn withdraw(&mut self, step: &str) -> Result<(), JobError> {
        self.saga.steps.retain(|known| known.name != step);
        self.save().await
    }
}

/// The step's name without what it is about, which would make a metric of its own for each product.
fn label(step: &str) -> String {
    step.split(':').next().unwrap_or_default().to_owned()
}
