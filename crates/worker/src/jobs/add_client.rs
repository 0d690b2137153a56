//! `ADD_CLIENT`: attaches a client to a draft. It sets a value, so that a lost answer is resolved by looking whether it is
//! set.

use billwright_connectors::billz::{BillzCalls, BillzError, Cart, look};
use billwright_domain::{BillzClientId, BillzOrderId, Fields, Problems};
use billwright_store::bson::Document;
use serde::Serialize;
use serde_json::Value;

use super::{
    Attempt, Defaults, Done, Operation,
    add_item::{total_of, total_outcome},
    sale_lease,
};
use crate::{
    job_error::JobError,
    write_once::{Looked, Write},
};

/// The payload, which is also the return value.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AddClient {
    order_id: BillzOrderId,
    customer_id: BillzClientId,
}

impl Operation for AddClient {
    const TYPE: &'static str = "ADD_CLIENT";
    const ACTION: &'static str = "update";

    fn from_json(payload: &Value, _defaults: &Defaults) -> Result<Self, Problems> {
        let mut fields = Fields::of(payload)?;
        let customer_id = fields.required("customerId", BillzClientId::from_json);
        let order_id = fields.required("orderId", BillzOrderId::from_json);
        fields.finish()?;
        match (order_id, customer_id) {
            (Some(order_id), Some(customer_id)) => Ok(Self { order_id, customer_id }),
            _ => Err(Problems::unread()),
        }
    }

    fn order_id(&self) -> Option<String> {
        Some(self.order_id.to_string())
    }

    async fn run(&self, attempt: &mut Attempt<'_>) -> Result<Done, JobError> {
        attempt.guard.acquire(&sale_lease(&self.order_id)).await?;
        let write = AttachOnce {
            order: &self.order_id,
            client: &self.customer_id,
        };
        attempt.write(&write).await?;
        attempt.step("client attached to the sale", 90).await;
        Ok(Done::quietly(self))
    }
}

/// Attaches a client to a draft.
pub(crate) struct AttachOnce<'a> {
    pub(crate) order: &'a BillzOrderId,
    pub(crate) client: &'a BillzClientId,
}

impl Write for AttachOnce<'_> {
    type Answer = Cart;

    fn step(&self) -> String {
        "attach_client".to_owned()
    }

    fn outcome(&self, answer: &Cart) -> Document {
        total_outcome(answer.total)
    }

    fn recall(&self, outcome: &Document) -> Option<Cart> {
        Some(Cart {
            total: total_of(outcome),
            ..Cart::default()
        })
    }

    async fn send(&self, calls: &BillzCalls) -> Result<Cart, BillzError> {
        calls.attach_client(self.order, self.client).await
    }

    async fn look(&self, calls: &BillzCalls, _before: &Document) -> Result<Looked<Cart>, BillzError> {
        let sale = calls.order(self.order).await?;
        let looked = look::client(&sale, self.client);
        let cart = Cart {
            total: Some(sale.total),
            ..Cart::default()
        };
        Ok(Looked::of(looked, cart))
    }
}
