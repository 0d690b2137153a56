//! `CREATE_DISCOUNT`: sets the new total of a draft, `totalPrice − amount`, as a manual discount in currency.

use billwright_connectors::billz::{BillzCalls, BillzError, look};
use billwright_domain::{BillzOrderId, Fields, Money, Problems};
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

/// The payload.
#[derive(Debug)]
pub(crate) struct CreateDiscount {
    order_id: BillzOrderId,
    new_total: Money,
}

/// The return value.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Discounted<'a> {
    order_id: &'a BillzOrderId,
    /// The sale's total after this: what Billz answered, else what it was told.
    total: Money,
}

impl Operation for CreateDiscount {
    const TYPE: &'static str = "CREATE_DISCOUNT";
    const ACTION: &'static str = "create";

    fn from_json(payload: &Value, _defaults: &Defaults) -> Result<Self, Problems> {
        let mut fields = Fields::of(payload)?;
        let order_id = fields.required("orderId", BillzOrderId::from_json);
        let amount = fields.required("amount", Money::from_json);
        let total = fields.required("totalPrice", Money::from_json);
        let new_total = match (total, amount) {
            (Some(total), Some(amount)) => total.checked_sub(amount).filter(|rest| !rest.is_zero()),
            _ => None,
        };
        if let (Some(amount), Some(_), None) = (amount, total, new_total) {
            fields.refuse("totalPrice", format!("an amount greater than `amount`, which is {amount}"));
        }
        fields.finish()?;
        match (order_id, new_total) {
            (Some(order_id), Some(new_total)) => Ok(Self { order_id, new_total }),
            _ => Err(Problems::unread()),
        }
    }

    fn order_id(&self) -> Option<String> {
        Some(self.order_id.to_string())
    }

    async fn run(&self, attempt: &mut Attempt<'_>) -> Result<Done, JobError> {
        attempt.guard.acquire(&sale_lease(&self.order_id)).await?;
        let write = DiscountOnce {
            order: &self.order_id,
            new_total: self.new_total,
        };
        let total = attempt.write(&write).await?.unwrap_or(self.new_total);
        attempt.step(&format!("total set to {total}"), 90).await;
        Ok(Done::quietly(Discounted {
            order_id: &self.order_id,
            total,
        }))
    }
}

/// Sets the new total of a draft.
pub(crate) struct DiscountOnce<'a> {
    pub(crate) order: &'a BillzOrderId,
    pub(crate) new_total: Money,
}

impl Write for DiscountOnce<'_> {
    /// The total that Billz answered, if it did.
    type Answer = Option<Money>;

    fn step(&self) -> String {
        "discount".to_owned()
    }

    fn outcome(&self, answer: &Option<Money>) -> Document {
        total_outcome(*answer)
    }

    fn recall(&self, outcome: &Document) -> Option<Option<Money>> {
        Some(total_of(outcome))
    }

    async fn send(&self, calls: &BillzCalls) -> Result<Option<Money>, BillzError> {
        calls.discount(self.order, self.new_total).await
    }

    async fn look(&self, calls: &BillzCalls, _before: &Document) -> Result<Looked<Option<Money>>, BillzError> {
        let sale = calls.order(self.order).await?;
        Ok(Looked::of(look::total(&sale, self.new_total), Some(sale.total)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::test_defaults, *};

    #[test]
    fn sends_the_new_total() {
        let payload = json!({"orderId": "o", "amount": "0.5", "totalPrice": 100});
        let job = CreateDiscount::from_json(&payload, &test_defaults()).unwrap();
        assert_eq!(job.new_total.to_string(), "99.5");
    }

    #[test]
    fn refuses_a_discount_of_everything_or_more() {
        for amount in [json!(100), json!(101)] {
            let payload = json!({"orderId": "o", "amount": amount, "totalPrice": 100});
            let problems = CreateDiscount::from_json(&payload, &test_defaults()).unwrap_err();
            assert_eq!(problems.listed()[0].field, "totalPrice");
        }
        let problems = CreateDiscount::from_json(&json!({"amount": -1}), &test_defaults()).unwrap_err();
        let named: Vec<_> = problems.listed().iter().map(|problem| &*problem.field).collect();
        assert_eq!(named, ["orderId", "amount", "totalPrice"]);
    }
}
