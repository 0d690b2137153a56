//! `PLACE_ORDER`: the whole order, as a saga that survives the worker: see [`crate::saga`].

use billwright_domain::{OrderDraft, Problems};
use serde_json::Value;

use super::{Attempt, Defaults, Done, Operation};
use crate::{job_error::JobError, saga};

/// The payload.
#[derive(Debug)]
pub(crate) struct PlaceOrder {
    draft: OrderDraft,
}

impl Operation for PlaceOrder {
    const TYPE: &'static str = "PLACE_ORDER";
    const ACTION: &'static str = "create";

    fn from_json(payload: &Value, _defaults: &Defaults) -> Result<Self, Problems> {
        OrderDraft::from_json(payload).map(|draft| Self { draft })
    }

    fn order_id(&self) -> Option<String> {
        let reference = &self.draft.reference;
        reference.number.clone().or_else(|| reference.id.as_ref().map(ToString::to_string))
    }

    async fn run(&self, attempt: &mut Attempt<'_>) -> Result<Done, JobError> {
        saga::place(&self.draft, attempt).await
    }
}
