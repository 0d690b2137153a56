//! `MAKE_PAYMENT`: pays one sale, at most once. The sale is read first, and after a lost answer only a read decides.

use billwright_connectors::billz::{BillzCalls, BillzError, SaleState, Urgency, look};
use billwright_domain::{BillzOrderId, CardId, Fields, Money, PaymentTypeId, Problems};
use billwright_store::bson::Document;
use serde::Serialize;
use serde_json::Value;

use super::{Attempt, Defaults, Done, Operation, sale_lease};
use crate::{
    job_error::{Decide, JobError},
    notify::Notice,
    write_once::{Journal, Looked, Write},
};

/// The payload.
#[derive(Debug)]
pub(crate) struct MakePayment {
    order_id: BillzOrderId,
    card_id: CardId,
    total_price: Money,
}

/// The return value.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Payment<'a> {
    order_id: &'a BillzOrderId,
    paid: bool,
    already_paid: bool,
}

impl Operation for MakePayment {
    const TYPE: &'static str = "MAKE_PAYMENT";
    const ACTION: &'static str = "create";
    const URGENCY: Urgency = Urgency::Payment;

    fn from_json(payload: &Value, _defaults: &Defaults) -> Result<Self, Problems> {
        let mut fields = Fields::of(payload)?;
        let order_id = fields.required("orderId", BillzOrderId::from_json);
        let card_id = fields.required("cardId", CardId::from_json);
        let total_price = fields.required("totalPrice", Money::from_json);
        if total_price.is_some_and(Money::is_zero) {
            fields.refuse("totalPrice", "an amount greater than zero");
        }
        fields.finish()?;
        match (order_id, card_id, total_price) {
            (Some(order_id), Some(card_id), Some(total_price)) => Ok(Self {
                order_id,
                card_id,
                total_price,
            }),
            _ => Err(Problems::unread()),
        }
    }

    fn order_id(&self) -> Option<String> {
        Some(self.order_id.to_string())
    }

    async fn run(&self, attempt: &mut Attempt<'_>) -> Result<Done, JobError> {
        attempt.guard.acquire(&sale_lease(&self.order_id)).await?;
        let step = PayOnce::STEP;
        let (began_earlier, paid_earlier) = attempt.journal.as_ref().map_or((false, false), |journal| {
            (journal.open(step).is_some(), journal.outcome(step).is_some())
        });
        let mut comment = String::new();
        // After a lost answer `write` looks by itself, and an outcome that is written down needs no look.
        if !began_earlier && !paid_earlier {
            let sale = attempt.calls.order(&self.order_id).await.decide()?;
            match sale.state {
                SaleState::Paid => {
                    attempt.step("the sale was paid already", 90).await;
                    return self.paid(attempt, sale.total, true).await;
                }
                SaleState::Unrecognised => {
                    return Err(JobError::reject("the sale is in a state that is not documented, so it was not paid"));
                }
                SaleState::Draft | SaleState::Parked | SaleState::ParkExpired => {}
            }
            self.check_amount(sale.total)?;
            comment = sale.comment;
        }
        let payment_type = attempt.payment_type(&self.card_id).await?;
        let write = PayOnce {
            order: &self.order_id,
            payment_type: &payment_type,
            amount: self.total_price,
            comment: &comment,
        };
        attempt.step(&format!("paying {}", self.total_price), 50).await;
        attempt.write(&write).await?;
        attempt.step("sale paid", 90).await;
        self.paid(attempt, self.total_price, false).await
    }
}

impl MakePayment {
    /// A payment of another amount would be refused by Billz, or worse, taken.
    fn check_amount(&self, total: Money) -> Result<(), JobError> {
        if total == self.total_price {
            return Ok(());
        }
        Err(JobError::reject(format!(
            "field `totalPrice`: found {}, expected {total}, which is the sale's total in Billz; nothing was paid",
            self.total_price
        )))
    }

    /// `amount` is what was paid: of a sale that was paid before, not what a job that came too late asks for.
    async fn paid(&self, attempt: &Attempt<'_>, amount: Money, already: bool) -> Result<Done, JobError> {
        let context = attempt.context;
        context.orders.mark_sale_paid(&self.order_id, amount, context.clock.now()).await.decide()?;
        context.reached("order:marked").await;
        let value = Payment {
            order_id: &self.order_id,
            paid: true,
            already_paid: already,
        };
        Ok(if already {
            Done::quietly(value)
        } else {
            Done::with_notice(value, Notice::payment_made(&self.order_id, amount))
        })
    }
}

/// Pays a sale.
pub(crate) struct PayOnce<'a> {
    pub(crate) order: &'a BillzOrderId,
    pub(crate) payment_type: &'a PaymentTypeId,
    pub(crate) amount: Money,
    pub(crate) comment: &'a str,
}

impl PayOnce<'_> {
    /// Its name in the journal.
    pub(crate) const STEP: &'static str = "pay";
}

impl Write for PayOnce<'_> {
    type Answer = ();

    fn step(&self) -> String {
        Self::STEP.to_owned()
    }

    fn outcome(&self, _answer: &()) -> Document {
        Document::new()
    }

    fn recall(&self, _outcome: &Document) -> Option<()> {
        Some(())
    }

    async fn send(&self, calls: &BillzCalls) -> Result<(), BillzError> {
        calls.pay(self.order, self.payment_type, self.amount, self.comment).await
    }

    async fn look(&self, calls: &BillzCalls, _before: &Document) -> Result<Looked<()>, BillzError> {
        Ok(Looked::of(look::payment(&calls.order(self.order).await?, self.amount), ()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::test_defaults, *};

    #[test]
    fn reads_the_documented_example() {
        let payload = json!({"orderId": "order123", "cardId": "card123", "totalPrice": 150});
        let job = MakePayment::from_json(&payload, &test_defaults()).unwrap();
        assert_eq!(job.total_price, Money::whole(150));
    }

    #[test]
    fn names_every_wrong_field() {
        let payload = json!({"orderId": null, "totalPrice": 0});
        let problems = MakePayment::from_json(&payload, &test_defaults()).unwrap_err();
        let named: Vec<_> = problems.listed().iter().map(|problem| &*problem.field).collect();
        assert_eq!(named, ["orderId", "cardId", "totalPrice"]);
    }

    #[test]
    fn another_amount_is_refused_and_never_retried() {
        let payload = json!({"orderId": "o", "cardId": "c", "totalPrice": 150});
        let job = MakePayment::from_json(&payload, &test_defaults()).unwrap();
        assert!(matches!(job.check_amount(Money::whole(149)), Err(JobError::Reject(_))));
        assert!(job.check_amount(Money::whole(150)).is_ok());
    }
}
