//! `CREATE_ORDER`: makes a draft sale. The correlation id is its comment, by which a draft whose answer was lost is found.

use billwright_connectors::billz::{BillzCalls, BillzError, OrderQuery, look};
use billwright_domain::{BillzOrderId, Fields, Problems, ShopId};
use billwright_store::bson::{Bson, Document, doc};
use chrono::{NaiveDate, TimeDelta};
use serde::Serialize;
use serde_json::Value;

use super::{Attempt, Defaults, Done, Operation, sale_lease};
use crate::{
    job_error::JobError,
    write_once::{Looked, Write},
};

/// The payload.
#[derive(Debug)]
pub(crate) struct CreateOrder {
    shop: ShopId,
}

/// The return value.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    order_id: BillzOrderId,
}

impl Operation for CreateOrder {
    const TYPE: &'static str = "CREATE_ORDER";
    const ACTION: &'static str = "create";

    fn from_json(payload: &Value, defaults: &Defaults) -> Result<Self, Problems> {
        let mut fields = Fields::of(payload)?;
        let shop = fields.optional("shopId", shop_id);
        fields.finish()?;
        Ok(Self {
            shop: shop.unwrap_or_else(|| defaults.shop_id.clone()),
        })
    }

    fn order_id(&self) -> Option<String> {
        None
    }

    async fn run(&self, attempt: &mut Attempt<'_>) -> Result<Done, JobError> {
        let comment = attempt.correlation_id.to_string();
        let draft = DraftOnce {
            shop: &self.shop,
            comment: &comment,
            today: attempt.context.local_now().date(),
        };
        let order_id = attempt.write(&draft).await?;
        attempt.step(&format!("draft {order_id} created in Billz"), 90).await;
        note_empty(attempt, &order_id).await;
        Ok(Done::quietly(Created { order_id }))
    }
}

fn shop_id(value: &Value) -> Result<Option<ShopId>, billwright_domain::input::Mismatch> {
    if value.as_str().is_some_and(|text| text.trim().is_empty()) {
        return Ok(None);
    }
    ShopId::from_json(value)
}

/// Notes that the draft is empty, which saves the first `ADD_ITEM` a read. Only a courtesy: the draft is made.
async fn note_empty(attempt: &Attempt<'_>, order: &BillzOrderId) {
    let lease = sale_lease(order);
    if attempt.guard.acquire(&lease).await.is_ok() {
        attempt.guard.remember(&lease, doc! { "lines": Bson::Array(Vec::new()) }).await;
    }
}

/// Makes a draft, or finds the one that was made when the answer was lost.
pub(crate) struct DraftOnce<'a> {
    pub(crate) shop: &'a ShopId,
    /// Unique to the operation, so that the draft can be found by it.
    pub(crate) comment: &'a str,
    /// Today, by the shop's local time.
    pub(crate) today: NaiveDate,
}

impl Write for DraftOnce<'_> {
    type Answer = BillzOrderId;

    fn step(&self) -> String {
        "create_draft".to_owned()
    }

    fn before(&self) -> Document {
        doc! { "day": self.today.to_string() }
    }

    fn outcome(&self, answer: &BillzOrderId) -> Document {
        doc! { "sale": answer.as_str() }
    }

    fn recall(&self, outcome: &Document) -> Option<BillzOrderId> {
        outcome.get_str("sale").ok().and_then(|id| BillzOrderId::parse(id).ok())
    }

    async fn send(&self, calls: &BillzCalls) -> Result<BillzOrderId, BillzError> {
        Ok(calls.create_order(self.shop, self.comment).await?.id)
    }

    async fn look(&self, calls: &BillzCalls, before: &Document) -> Result<Looked<BillzOrderId>, BillzError> {
        let day = before.get_str("day").ok().and_then(|day| day.parse().ok()).unwrap_or(self.today);
        let query = OrderQuery {
            shop: self.shop.clone(),
            // A day on either side, for whatever zone Billz counts days in.
            from: day - TimeDelta::days(1),
            to: self.today + TimeDelta::days(1),
            comment: Some(self.comment.to_owned()),
        };
        let found = calls.find_orders(&query).await?;
        Ok(look::draft(&found, self.comment).map_or(Looked::NotDone, |row| Looked::Done(row.id.clone())))
    }
}
