//! `ADD_ITEM`: adds a product to a draft. Adding twice may add up, so that a lost answer is resolved by comparing with what
//! the sale held before.

use std::time::Duration;

use billwright_connectors::billz::{BillzCalls, BillzError, Cart, Line, SaleLine, look};
use billwright_domain::{
    BillzOrderId, BillzProductId, BillzSellerId, Fields, Money, Problems, Quantity,
};
use billwright_store::bson::{Bson, Document, doc};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::Value;

use super::{Attempt, Defaults, Done, Operation, sale_lease};
use crate::{
    job_error::{Decide, JobError},
    write_once::{Journal, Looked, Write},
};

/// The payload.
#[derive(Debug)]
pub(crate) struct AddItem {
    order_id: BillzOrderId,
    line: Line,
}

/// The return value.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Added<'a> {
    order_id: &'a BillzOrderId,
    product_id: &'a BillzProductId,
    qty: Quantity,
    /// The sale's total after this, where Billz told it.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<Money>,
}

impl Operation for AddItem {
    const TYPE: &'static str = "ADD_ITEM";
    const ACTION: &'static str = "create";

    fn from_json(payload: &Value, _defaults: &Defaults) -> Result<Self, Problems> {
        let mut fields = Fields::of(payload)?;
        let product = fields.required("productId", BillzProductId::from_json);
        let quantity = fields.required("qty", Quantity::from_json);
        let order_id = fields.required("orderId", BillzOrderId::from_json);
        let seller = fields.optional("employeeID", seller);
        fields.finish()?;
        let (Some(product), Some(quantity), Some(order_id)) = (product, quantity, order_id) else {
            return Err(Problems::unread());
        };
        Ok(Self {
            order_id,
            line: Line {
                product,
                quantity,
                seller,
            },
        })
    }

    fn order_id(&self) -> Option<String> {
        Some(self.order_id.to_string())
    }

    async fn run(&self, attempt: &mut Attempt<'_>) -> Result<Done, JobError> {
        let lease_key = sale_lease(&self.order_id);
        let lease = attempt.guard.acquire_with_memory(&lease_key).await?;
        let mut write = AddOnce {
            order: &self.order_id,
            line: &self.line,
            before: Decimal::ZERO,
        };
        let step = write.step();
        let began_earlier =
            attempt.journal.as_ref().is_some_and(|journal| journal.open(&step).is_some() || journal.outcome(&step).is_some());
        let mut known = known_lines(&lease.memory, lease.memory_age_ms);
        if !began_earlier {
            self.wait_for_others(&step, attempt).await?;
            let lines = match known.take() {
                Some(lines) => lines,
                None => attempt.calls.order(&self.order_id).await.decide()?.lines,
            };
            write.before = quantity_of(&lines, &self.line.product);
            known = Some(lines);
        }
        // Where it fails it is not known what the sale holds, and nothing is noted.
        let added = attempt.write(&write).await?;
        // After an earlier attempt it is not known whether what others noted holds this line already.
        let known = known.filter(|_| !began_earlier);
        let lines = added.lines.or_else(|| known.map(|lines| with_line(lines, &self.line)));
        let line = format!("{} of product {} added", self.line.quantity, self.line.product);
        tokio::join!(attempt.step(&line, 90), async {
            if let Some(lines) = lines {
                attempt.guard.remember(&lease_key, doc! { "lines": stored(&lines) }).await;
            }
        });
        Ok(Done::quietly(Added {
            order_id: &self.order_id,
            product_id: &self.line.product,
            qty: self.line.quantity,
            total: added.total,
        }))
    }
}

impl AddItem {
    /// Two lines of one product that are not known to be in the sale could not be told apart: what one of them added
    /// would be taken for the other.
    async fn wait_for_others(&self, step: &str, attempt: &Attempt<'_>) -> Result<(), JobError> {
        let operations = &attempt.context.operations;
        let sale = self.order_id.as_str();
        if operations.has_open_step(Self::TYPE, sale, step, attempt.operation, UNTOLD_AT_MOST).await.decide()? {
            return Err(JobError::Later {
                after: Duration::from_secs(1),
                reason: "it is not known yet whether another job's line of this product is in the sale".to_owned(),
            });
        }
        Ok(())
    }
}

/// How long another job's line is waited for. A job that Redis lost never finds out.
const UNTOLD_AT_MOST: Duration = Duration::from_mins(10);

fn seller(value: &Value) -> Result<Option<BillzSellerId>, billwright_domain::input::Mismatch> {
    if value.as_str().is_some_and(|text| text.trim().is_empty()) {
        return Ok(None);
    }
    BillzSellerId::from_json(value)
}

/// For how long the lines that another job saw are believed, in milliseconds. Somebody may change the draft in Billz
/// itself; the worst that comes of it is that a lost answer cannot be explained and the job fails saying so.
const REMEMBERED_MS: i64 = 300_000;

fn known_lines(memory: &Document, age_ms: i64) -> Option<Vec<SaleLine>> {
    if age_ms >= REMEMBERED_MS {
        return None;
    }
    memory.get_array("lines").ok()?.iter().map(|line| read(line.as_document()?)).collect()
}

fn read(line: &Document) -> Option<SaleLine> {
    Some(SaleLine {
        product: BillzProductId::parse(line.get_str("product").ok()?).ok()?,
        quantity: line.get_str("quantity").ok()?.parse().ok()?,
        total: None,
    })
}

fn stored(lines: &[SaleLine]) -> Vec<Bson> {
    let line = |line: &SaleLine| doc! { "product": line.product.as_str(), "quantity": line.quantity.to_string() };
    lines.iter().map(|found| Bson::Document(line(found))).collect()
}

fn quantity_of(lines: &[SaleLine], product: &BillzProductId) -> Decimal {
    // Billz may tell any quantity, and a plain sum panics where it grows too large.
    let quantities = lines.iter().filter(|line| line.product == *product).map(|line| line.quantity);
    quantities.fold(Decimal::ZERO, Decimal::saturating_add)
}

fn with_line(mut lines: Vec<SaleLine>, line: &Line) -> Vec<SaleLine> {
    lines.push(SaleLine {
        product: line.product.clone(),
        quantity: line.quantity.amount(),
        total: None,
    });
    lines
}

/// Adds a line to a sale that held `before` of its product.
pub(crate) struct AddOnce<'a> {
    pub(crate) order: &'a BillzOrderId,
    pub(crate) line: &'a Line,
    pub(crate) before: Decimal,
}

impl Write for AddOnce<'_> {
    type Answer = Cart;

    fn step(&self) -> String {
        format!("add_item:{}", self.line.product)
    }

    fn before(&self) -> Document {
        doc! { "quantity": self.before.to_string() }
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
        calls.add_item(self.order, self.line).await
    }

    async fn look(&self, calls: &BillzCalls, before: &Document) -> Result<Looked<Cart>, BillzError> {
        let before = before.get_str("quantity").ok().and_then(|text| text.parse().ok()).unwrap_or(self.before);
        let sale = calls.order(self.order).await?;
        let looked = look::line(&sale, self.line, before);
        Ok(Looked::of(
            looked,
            Cart {
                lines: Some(sale.lines),
                total: Some(sale.total),
                customer: sale.customer,
                left_in_stock: None,
            },
        ))
    }
}

/// A total as the journal keeps it.
pub(crate) fn total_outcome(total: Option<Money>) -> Document {
    total.map_or_else(Document::new, |total| doc! { "total": total.to_string() })
}

/// A total as the journal kept it.
pub(crate) fn total_of(outcome: &Document) -> Option<Money> {
    Money::new(outcome.get_str("total").ok()?.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::test_defaults, *};

    #[test]
    fn reads_the_documented_example() {
        let payload = json!({"productId": "product123", "qty": 2, "orderId": "order123", "employeeID": "emp123"});
        let job = AddItem::from_json(&payload, &test_defaults()).unwrap();
        assert_eq!((job.order_id.as_str(), job.line.product.as_str()), ("order123", "product123"));
        assert_eq!(job.line.seller.unwrap().as_str(), "emp123");
    }

    #[test]
    fn names_every_wrong_field() {
        let payload = json!({"productId": "", "qty": 0, "employeeID": {"$gt": ""}});
        let problems = AddItem::from_json(&payload, &test_defaults()).unwrap_err().to_string();
        for field in ["productId", "qty", "orderId", "employeeID"] {
            assert!(problems.contains(&format!("`{field}`")), "{field} is not in: {problems}");
        }
    }

    #[test]
    fn absurd_quantities_add_up_to_the_largest() {
        let product = BillzProductId::parse("p").unwrap();
        let line = SaleLine { product: product.clone(), quantity: Decimal::MAX, total: None };
        assert_eq!(quantity_of(&[line.clone(), line], &product), Decimal::MAX);
    }

    #[test]
    fn remembers_what_a_sale_holds() {
        let product = BillzProductId::parse("p").unwrap();
        let lines = vec![SaleLine { product: product.clone(), quantity: Decimal::new(25, 1), total: None }];
        let memory = doc! { "lines": stored(&lines) };
        assert_eq!(known_lines(&memory, 0).unwrap(), lines);
        assert_eq!(known_lines(&memory, REMEMBERED_MS), None);
        assert_eq!(known_lines(&doc! {}, 0), None);
        assert_eq!(quantity_of(&lines, &product), Decimal::new(25, 1));
    }
}
