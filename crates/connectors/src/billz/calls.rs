//! The calls that the operations need, in the documented v2 form: one method per call.

use billwright_domain::{
    BillzClientId, BillzOrderId, BillzProductId, BillzSellerId, Money, PaymentTypeId, Phone, Quantity, ShopId,
};
use chrono::{NaiveDate, NaiveDateTime};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    Billz, BillzError, CallContext, CallLog, CallRecord, Cart, Sale, SaleState, SaleSummary,
    answer::{Effect, unreadable},
    request::Call,
    wire,
};
use crate::redact;

/// The Billz calls on behalf of one job.
#[derive(Debug, Clone)]
pub struct BillzCalls {
    billz: Billz,
    context: CallContext,
    log: Option<CallLog>,
}

/// A client to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewClient {
    /// The first name.
    pub first_name: String,
    /// The last name.
    pub last_name: Option<String>,
    /// The phone number.
    pub phone: Phone,
}

/// A draft that was just made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Its id.
    pub id: BillzOrderId,
    /// The number that people see in Billz.
    pub number: Option<String>,
}

/// A line to be added to a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What is sold.
    pub product: BillzProductId,
    /// How much of it.
    pub quantity: Quantity,
    /// Who sells it.
    pub seller: Option<BillzSellerId>,
}

/// Which drafts and parked sales to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderQuery {
    /// Of this shop.
    pub shop: ShopId,
    /// Made on this day or later, by the company's local time.
    pub from: NaiveDate,
    /// Made on this day or earlier.
    pub to: NaiveDate,
    /// With exactly this comment.
    pub comment: Option<String>,
}

const PAGE: usize = 100;
/// A search is followed no farther than this: each page costs a call of the budget.
const MOST_PAGES: usize = 10;

impl BillzCalls {
    pub(super) fn new(billz: Billz, context: CallContext) -> Self {
        Self {
            billz,
            context,
            log: None,
        }
    }

    /// The same, and every call is written down in `log`.
    #[must_use]
    pub fn recorded_in(mut self, log: &CallLog) -> Self {
        self.log = Some(log.clone());
        self
    }

    pub(super) fn billz(&self) -> &Billz {
        &self.billz
    }

    pub(super) async fn send<T>(
        &self,
        call: Call,
        read: impl Fn(Value) -> Result<T, BillzError>,
    ) -> Result<T, BillzError> {
        let (name, at, began) = (call.name, self.billz.clock().now(), Instant::now());
        let outcome = self.billz.call(&self.context, call, read).await;
        if let Some(log) = &self.log {
            log.note(CallRecord {
                call: name,
                outcome: outcome.as_ref().map_or_else(BillzError::outcome, |_| "ok"),
                at,
                took: began.elapsed(),
            });
        }
        outcome
    }

    /// The client with this phone number (`GET /v1/client`). Whether Billz's filter is exact is not documented, so that
    /// the digits are compared here. Of several the one that was made first is taken, or the lowest id, so that everybody
    /// takes the same.
    pub async fn find_client(&self, phone: &Phone) -> Result<Option<BillzClientId>, BillzError> {
        let call = Call::get("find_client", &["v1", "client"])
            .with("phone_number", phone.international())
            .with("limit", PAGE.to_string());
        let read = |row: &Value| {
            let phones = row["phone_numbers"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str);
            let is_it = phones
                .chain(wire::text(row, "phone_number"))
                .any(|other| phone.is_same_as(other));
            let id = BillzClientId::parse(wire::text(row, "id")?).ok()?;
            // Without a date it sorts behind those that have one.
            let made = wire::text(row, "created_at").unwrap_or("~").to_owned();
            is_it.then_some((made, id))
        };
        let found = self.list(call, PAGE, MOST_PAGES, &["clients"], read).await?;
        match found.rows.into_iter().min() {
            Some((_, id)) => Ok(Some(id)),
            None if found.is_whole => Ok(None),
            // To say "none" would make a second client of everybody who lies beyond.
            None => Err(BillzError::BadReply {
                call: "find_client",
                excerpt: format!("more than {} clients for one phone number", PAGE * MOST_PAGES),
            }),
        }
    }

    /// Creates a client (`POST /v1/client`). What Billz does when the phone number is there already is not documented:
    /// look first, and have one job at a time do it for one number.
    pub async fn create_client(&self, client: &NewClient) -> Result<BillzClientId, BillzError> {
        let mut body = json!({"first_name": client.first_name, "phone_number": client.phone.international()});
        if let Some(last_name) = client.last_name.as_deref().filter(|name| !name.is_empty()) {
            body["last_name"] = last_name.into();
        }
        let call = Call::post("create_client", &["v1", "client"], body);
        self.send(call, |answer| {
            wire::made_id(&answer)
                .and_then(|id| BillzClientId::parse(id).ok())
                .ok_or_else(|| unreadable("create_client", Effect::Write, redact::shape(&answer)))
        })
        .await
    }

    /// Creates a draft (`POST /v2/order`). The cash box is the configured one, else the shop's first, which is looked up
    /// once. Whether Billz keeps the `comment` of a draft is not documented; parking and paying say it again.
    pub async fn create_order(&self, shop: &ShopId, comment: &str) -> Result<Draft, BillzError> {
        let cashbox = self.cashbox_of(shop).await?;
        let mut body = json!({"shop_id": shop, "cashbox_id": cashbox});
        if !comment.is_empty() {
            body["comment"] = comment.into();
        }
        let call = Call::post("create_order", &["v2", "order"], body);
        self.send(call, |answer| {
            let answer = changed("create_order", answer)?;
            let id = wire::made_id(&answer)
                .or_else(|| wire::text(&answer, "result"))
                .and_then(|id| BillzOrderId::parse(id).ok())
                .ok_or_else(|| unreadable("create_order", Effect::Write, redact::shape(&answer)))?;
            let number = wire::text(&answer["data"], "order_number").or_else(|| wire::text(&answer, "order_number"));
            Ok(Draft {
                id,
                number: number.map(str::to_owned),
            })
        })
        .await
    }

    /// Adds a line to a draft (`POST /v2/order-product/{id}`). Never to be repeated without a look: it may add up.
    pub async fn add_item(&self, order: &BillzOrderId, line: &Line) -> Result<Cart, BillzError> {
        let mut body = json!({
            "product_id": line.product,
            "sold_measurement_value": line.quantity,
            "used_wholesale_price": false,
            "is_manual": false,
            "response_type": "HTTP",
        });
        if let Some(seller) = &line.seller {
            body["seller_ids"] = json!([seller]);
        }
        let call = Call::post("add_item", &["v2", "order-product", order.as_str()], body);
        self.send(call, |answer| {
            changed("add_item", answer).map(|answer| wire::cart(&answer))
        })
        .await
    }

    /// Attaches a client to a draft (`PUT /v2/order-customer-new/{id}`). Sets a value, so that repeating it is harmless.
    /// The lines in its answer are not to be relied on: the documented example lists none.
    pub async fn attach_client(&self, order: &BillzOrderId, client: &BillzClientId) -> Result<Cart, BillzError> {
        let body = json!({"customer_id": client, "check_auth_code": false});
        let call = Call::put("attach_client", &["v2", "order-customer-new", order.as_str()], body);
        self.send(call, |answer| {
            changed("attach_client", answer).map(|answer| wire::cart(&answer))
        })
        .await
    }

    /// Sets the *new total* of a draft (`POST /v2/order-manual-discount/{id}`, unit `CURRENCY`). Gives the total that the
    /// answer holds, if any. Sets a value, so that repeating it is harmless.
    pub async fn discount(&self, order: &BillzOrderId, new_total: Money) -> Result<Option<Money>, BillzError> {
        let body = json!({"discount_unit": "CURRENCY", "discount_value": new_total});
        let call = Call::post("discount", &["v2", "order-manual-discount", order.as_str()], body);
        self.send(call, |answer| Ok(wire::total(&answer))).await
    }

    /// Parks a draft (`POST /v2/order/create_postpone`), which locks its stock `until` then, by the shop's local time; of
    /// it only the date seems to count.
    pub async fn park(&self, order: &BillzOrderId, comment: &str, until: NaiveDateTime) -> Result<Sale, BillzError> {
        let time = until.format("%Y-%m-%d %H:%M:%S").to_string();
        let body = json!({"order_id": order, "comment": comment, "time": time});
        let call = Call::post("park", &["v2", "order", "create_postpone"], body);
        self.send(call, |answer| {
            let sale = Sale::from_json(answer).map_err(|shape| unreadable("park", Effect::Write, shape))?;
            match sale.state {
                SaleState::Parked => Ok(sale),
                // An answer that shows another state was given before the change happened.
                _ => Err(unreadable("park", Effect::Write, redact::shape(&sale.raw))),
            }
        })
        .await
    }

    /// Makes a parked sale a draft again (`POST /v2/order/return-postpone`), which frees its stock.
    pub async fn return_from_park(&self, order: &BillzOrderId) -> Result<(), BillzError> {
        let body = json!({"order_id": order});
        let call = Call::post("return_from_park", &["v2", "order", "return-postpone"], body);
        self.send(call, |_| Ok(())).await
    }

    /// Pays a draft or a parked sale (`POST /v2/order-payment/{id}`), for good. Never to be repeated without a look.
    pub async fn pay(
        &self,
        order: &BillzOrderId,
        payment_type: &PaymentTypeId,
        amount: Money,
        comment: &str,
    ) -> Result<(), BillzError> {
        let body = json!({
            "payments": [{"company_payment_type_id": payment_type, "paid_amount": amount, "returned_amount": 0}],
            "comment": comment,
            "with_cashback": 0,
            "without_cashback": false,
            "skip_ofd": false,
        });
        let call = Call::post("pay", &["v2", "order-payment", order.as_str()], body);
        self.send(call, |answer| changed("pay", answer).map(drop)).await
    }

    /// Deletes a draft (`DELETE /v2/order/{id}`). A parked sale is refused until it is returned.
    pub async fn delete_order(&self, order: &BillzOrderId) -> Result<(), BillzError> {
        let call = Call::delete("delete_order", &["v2", "order", order.as_str()]);
        self.send(call, |_| Ok(())).await
    }

    /// Reads a sale (`GET /v2/order/{id}`). A deleted one is [`BillzError::NotFound`].
    pub async fn order(&self, order: &BillzOrderId) -> Result<Sale, BillzError> {
        let call = Call::get("order", &["v2", "order", order.as_str()]);
        let sale = |raw| Sale::from_json(raw).map_err(|shape| unreadable("order", Effect::Repeatable, shape));
        self.send(call, |answer| still_there(answer).and_then(sale)).await
    }

    /// The same, as Billz tells it and without reading anything into it.
    pub async fn order_as_it_is(&self, order: &BillzOrderId) -> Result<Value, BillzError> {
        self.send(Call::get("order", &["v2", "order", order.as_str()]), still_there)
            .await
    }

    /// Drafts and parked sales (`GET /v2/order-notes`), to find one whose id was lost. The comment is compared here, since
    /// Billz's search does not look at it.
    pub async fn find_orders(&self, query: &OrderQuery) -> Result<Vec<SaleSummary>, BillzError> {
        let call = Call::get("find_orders", &["v2", "order-notes"])
            .with("shop_id", query.shop.as_str())
            .with("start_date", query.from.to_string())
            .with("end_date", query.to.to_string())
            .with("limit", PAGE.to_string());
        let wanted = |row: &SaleSummary| query.comment.as_ref().is_none_or(|comment| row.comment == *comment);
        let read = |row: &Value| wire::summary(row).filter(wanted).filter(|_| !wire::is_deleted(row));
        Ok(self.list(call, PAGE, MOST_PAGES, &["orders"], read).await?.rows)
    }
}

/// The answer to a write whose documented answer tells what changed. One that tells nothing may have been given before the
/// change, if that comes at all.
fn changed(call: &'static str, answer: Value) -> Result<Value, BillzError> {
    if wire::is_acknowledgement(&answer) {
        return Err(BillzError::OutcomeUnknown {
            call,
            reason: "Billz took note of it and did not say what came of it".to_owned(),
        });
    }
    Ok(answer)
}

/// The sale's own object, unless it was deleted.
fn still_there(answer: Value) -> Result<Value, BillzError> {
    let raw = wire::sale_object(answer);
    if wire::is_deleted(&raw) {
        return Err(BillzError::NotFound { call: "order" });
    }
    Ok(raw)
}
