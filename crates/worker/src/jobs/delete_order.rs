//! `DELETE_ORDER`: deletes a draft or a parked sale. One that is gone already is a success; one that is paid is refused.

use billwright_domain::{BillzOrderId, Fields, Problems};
use billwright_store::bson::Document;
use serde::Serialize;
use serde_json::Value;

use super::{Attempt, Defaults, Done, Operation, sale_lease};
use crate::{
    job_error::{Decide, JobError},
    notify::Notice,
    saga::removal::{FirstCall, Removed, remove_sale},
};

/// The payload, which is also the return value.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeleteOrder {
    order_id: BillzOrderId,
}

impl Operation for DeleteOrder {
    const TYPE: &'static str = "DELETE_ORDER";
    const ACTION: &'static str = "delete";

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
        let lease = sale_lease(&self.order_id);
        attempt.guard.acquire(&lease).await?;
        // Most are drafts, which one call deletes; what is not a draft is refused, and only then looked at.
        let Some(journal) = &mut attempt.journal else {
            return Err(JobError::reject("internal error: a sale is deleted without a journal"));
        };
        let removed =
            remove_sale(&self.order_id, FirstCall::Delete, &attempt.calls, journal, attempt.guard, attempt.context);
        match removed.await? {
            Removed::Gone => {}
            Removed::Paid => {
                return Err(JobError::reject("the sale is paid and cannot be deleted; a return must be made in Billz"));
            }
        }
        attempt.guard.remember(&lease, Document::new()).await;
        attempt.step("sale deleted", 90).await;
        let context = attempt.context;
        context.orders.mark_sale_deleted(&self.order_id, context.clock.now()).await.decide()?;
        Ok(Done::with_notice(self, Notice::order_deleted(&self.order_id)))
    }
}
