//! `GET_ORDER`: reads one sale and returns it as Billz told it.

use billwright_domain::{BillzOrderId, Fields, Problems};
use serde_json::Value;

use super::{Attempt, Defaults, Done, Operation};
use crate::job_error::{Decide, JobError};

/// The payload.
#[derive(Debug)]
pub(crate) struct GetOrder {
    order_id: BillzOrderId,
}

impl Operation for GetOrder {
    const TYPE: &'static str = "GET_ORDER";
    const ACTION: &'static str = "get";
    const READS_ONLY: bool = true;

    fn from_json(payload: &Value, _defaults: &Defaults) -> Result<Self, Problems> {
        let mut fields = Fields::of(payload)?;
        let order_id = fields.required("orderId", BillzOrderId::from_json);
        fields.finish()?;
        order_id.map(|order_id| Self { order_id }).ok_or_else(Problems::unread)
    }

    fn order_id(&self) -> Option<String> {
        Some(self.order_id.to_string())
    }

    async fn run(&self, attempt: &mut Attempt<'_>) -> Result<Done, JobError> {
        let sale = attempt.calls.order_as_it_is(&self.order_id).await.decide()?;
        Ok(Done::quietly(sale))
    }
}
