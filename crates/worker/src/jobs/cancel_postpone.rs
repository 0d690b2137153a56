//! `CANCEL_POSTPONE`: takes a sale out of the park, which makes it a draft again.

use billwright_connectors::billz::{BillzCalls, BillzError, look};
use billwright_domain::{BillzOrderId, Fields, Problems};
use billwright_store::bson::Document;
use serde::Serialize;
use serde_json::Value;

use super::{Attempt, Defaults, Done, Operation, sale_lease};
use crate::{
    job_error::JobError,
    write_once::{Looked, Write},
};

/// The payload, which is also the return value.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CancelPostpone {
    order_id: BillzOrderId,
}

impl Operation for CancelPostpone {
    const TYPE: &'static str = "CANCEL_POSTPONE";
    const ACTION: &'static str = "update";

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
        attempt.guard.acquire(&sale_lease(&self.order_id)).await?;
        attempt.write(&ReturnOnce { order: &self.order_id }).await?;
        attempt.step("sale taken out of the park", 90).await;
        Ok(Done::quietly(self))
    }
}

/// Takes a sale out of the park.
pub(crate) struct ReturnOnce<'a> {
    pub(crate) order: &'a BillzOrderId,
}

impl Write for ReturnOnce<'_> {
    type Answer = ();

    fn step(&self) -> String {
        "return_from_park".to_owned()
    }

    fn outcome(&self, _answer: &()) -> Document {
        Document::new()
    }

    fn recall(&self, _outcome: &Document) -> Option<()> {
        Some(())
    }

    async fn send(&self, calls: &BillzCalls) -> Result<(), BillzError> {
        calls.return_from_park(self.order).await
    }

    async fn look(&self, calls: &BillzCalls, _before: &Document) -> Result<Looked<()>, BillzError> {
        Ok(Looked::of(look::returned(&calls.order(self.order).await?), ()))
    }
}
