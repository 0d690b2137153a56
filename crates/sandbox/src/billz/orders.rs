//! The life of a sale: draft, parked, paid, deleted; and what each step refuses.

use chrono::NaiveDateTime;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{Refusal, text, views};
use crate::{
    clock,
    ledger::PaymentRecord,
    number::decimal,
    order::{CartDiscount, Line, Phase},
    variants::{
        DeletedOrder, DraftComment, ExpiredPark, OrderShape, SameProduct, SecondDelete, SecondPayment, SecondPercentage,
    },
    world::World,
};

/// Stock not sufficient.
const STOCK_SHORT: u32 = 20016;
/// The payment differs from the total.
const WRONG_AMOUNT: u32 = 20020;

const NO_ORDER: Refusal = Refusal::Missing("order not found");

impl World {
    /// Frees the units of parked sales whose time has passed, where Billz is taken to do so.
    pub(crate) fn free_expired_holds(&mut self) {
        if self.settings.variants.expired_park == ExpiredPark::Frees {
            let now = clock::company_time(self.now());
            while let Some((until, place)) = self.holds.first().copied().filter(|(until, _)| *until < now) {
                self.holds.remove(&(until, place));
                self.release(place);
            }
        }
    }

    fn live(&self, id: &str) -> Result<usize, Refusal> {
        self.order_place(id)
            .filter(|place| self.orders[*place].deleted.is_none())
            .ok_or(NO_ORDER)
    }

    /// A sale whose cart may still change.
    fn draft(&self, id: &str) -> Result<usize, Refusal> {
        let place = self.live(id)?;
        match self.orders[place].phase {
            Phase::Draft => Ok(place),
            Phase::Parked => Err(Refusal::sale("order is postponed")),
            Phase::Paid => Err(Refusal::sale("order is already paid")),
        }
    }

    fn changed(&mut self, place: usize) {
        let now = self.now();
        self.orders[place].touch(now);
    }

    pub(crate) fn create_order(&mut self, body: &Value) -> Result<Value, Refusal> {
        let shop_id = text(body, "shop_id")?.to_owned();
        let cashbox_id = text(body, "cashbox_id")?.to_owned();
        let Some(shop) = self.settings.shops.iter().find(|shop| shop.id == shop_id) else {
            return Err(Refusal::bad("shop not found"));
        };
        if !shop.cash_boxes.iter().any(|(id, _)| *id == cashbox_id) {
            return Err(Refusal::bad("cashbox not found in this shop"));
        }
        let comment = match self.settings.variants.draft_comment {
            DraftComment::Stored => body
                .get("comment")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
            DraftComment::Dropped => String::new(),
        };
        let id = self.next_id("order");
        let place = self.open_order(id.clone(), shop_id, cashbox_id, comment);
        let data = json!({"id": id, "order_number": self.orders[place].number, "order_type": "SALE"});
        Ok(self.envelope(&id, &data, "v2.order_service.order.created"))
    }

    pub(crate) fn add_product(&mut self, id: &str, body: &Value) -> Result<Value, Refusal> {
        let place = self.draft(id)?;
        let product_id = text(body, "product_id")?;
        let quantity = body
            .get("sold_measurement_value")
            .and_then(decimal)
            .filter(|quantity| *quantity > Decimal::ZERO)
            .ok_or_else(|| Refusal::bad("sold_measurement_value must be more than 0"))?;
        let product = self
            .product(product_id)
            .ok_or_else(|| Refusal::bad("product not found"))?;
        let seller_ids = self.sellers(body.get("seller_ids"))?;
        let flag = |name: &str| body.get(name).and_then(Value::as_bool).unwrap_or(false);
        if self.available(product_id) < self.orders[place].quantity_of(product_id) + quantity {
            return Err(stock_short(&product.name));
        }
        let wholesale = flag("used_wholesale_price");
        let own_price = (flag("use_free_price") && flag("is_manual") && product.free_pricing)
            .then(|| {
                body.get("free_price")
                    .and_then(decimal)
                    .filter(|price| *price >= Decimal::ZERO)
            })
            .flatten();
        let listed = if wholesale {
            product.wholesale_price.unwrap_or(product.price)
        } else {
            product.price
        };
        let line = Line {
            id: self.next_id("line"),
            product_id: product_id.to_owned(),
            product_name: product.name,
            quantity,
            price: own_price.unwrap_or(listed),
            discounted_price: None,
            seller_ids,
            free_price: own_price.is_some(),
            wholesale,
        };
        let sums = self.settings.variants.same_product == SameProduct::Sums;
        let order = &mut self.orders[place];
        match order
            .lines
            .iter_mut()
            .find(|known| sums && known.product_id == line.product_id)
        {
            Some(known) => known.quantity += quantity,
            None => order.lines.push(line),
        }
        order.cart_discount = None;
        self.changed(place);
        Ok(views::cart(self, &self.orders[place], Some(product_id)))
    }

    fn sellers(&self, ids: Option<&Value>) -> Result<Vec<String>, Refusal> {
        let ids = match ids {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Array(ids)) => ids,
            Some(_) => return Err(Refusal::bad("seller_ids must be a list")),
        };
        ids.iter()
            .map(|id| match id.as_str() {
                Some(id) if self.settings.sellers.iter().any(|seller| seller.id == id) => Ok(id.to_owned()),
                _ => Err(Refusal::bad("seller not found")),
            })
            .collect()
    }

    pub(crate) fn set_quantity(&mut self, id: &str, body: &Value) -> Result<Value, Refusal> {
        let place = self.draft(id)?;
        let product_id = text(body, "product_id")?;
        let quantity = body
            .get("measurement_value")
            .and_then(decimal)
            .filter(|quantity| *quantity >= Decimal::new(1, 2))
            .ok_or_else(|| Refusal::bad("measurement_value must be 0.01 or more"))?;
        let known = self.orders[place].quantity_of(product_id);
        if known.is_zero() {
            return Err(Refusal::bad("product is not in the order"));
        }
        if self.available(product_id) < quantity {
            return Err(stock_short(product_id));
        }
        let seller_ids = match body.get("sellers") {
            None | Some(Value::Null) => None,
            Some(Value::Array(rows)) => {
                let ids = rows
                    .iter()
                    .map(|row| row.get("seller_id").cloned().unwrap_or(Value::Null))
                    .collect();
                Some(self.sellers(Some(&Value::Array(ids)))?)
            }
            Some(_) => return Err(Refusal::bad("sellers must be a list")),
        };
        let order = &mut self.orders[place];
        let mut first = true;
        order.lines.retain_mut(|line| {
            if line.product_id != product_id {
                return true;
            }
            line.quantity = quantity;
            if let Some(seller_ids) = &seller_ids {
                line.seller_ids.clone_from(seller_ids);
            }
            std::mem::take(&mut first)
        });
        order.cart_discount = None;
        self.changed(place);
        Ok(views::cart(self, &self.orders[place], Some(product_id)))
    }

    pub(crate) fn attach_customer(&mut self, id: &str, body: &Value) -> Result<Value, Refusal> {
        let place = self.draft(id)?;
        let customer_id = text(body, "customer_id")?;
        if self.client(customer_id).is_none() {
            return Err(Refusal::bad("customer not found"));
        }
        self.orders[place].customer_id = Some(customer_id.to_owned());
        self.changed(place);
        Ok(views::cart(self, &self.orders[place], None))
    }

    pub(crate) fn discount(&mut self, id: &str, body: &Value) -> Result<Value, Refusal> {
        let place = self.draft(id)?;
        let value = body
            .get("discount_value")
            .and_then(decimal)
            .filter(|value| *value >= Decimal::ZERO)
            .ok_or_else(|| Refusal::bad("discount_value must be 0 or more"))?;
        let percentage = match body.get("discount_unit").and_then(Value::as_str) {
            Some("CURRENCY") => false,
            Some("PERCENTAGE") if value <= Decimal::ONE_HUNDRED => true,
            Some("PERCENTAGE") => return Err(Refusal::bad("discount_value must be 100 or less")),
            _ => return Err(Refusal::bad("discount_unit must be PERCENTAGE or CURRENCY")),
        };
        let compounds = self.settings.variants.second_percentage == SecondPercentage::Compounds;
        let left = |percent: Decimal| (Decimal::ONE_HUNDRED - percent) / Decimal::ONE_HUNDRED;
        let order = &mut self.orders[place];
        if let Some(product_id) = body
            .get("product_id")
            .and_then(Value::as_str)
            .filter(|id| !id.is_empty())
        {
            if order.quantity_of(product_id).is_zero() {
                return Err(Refusal::bad("product is not in the order"));
            }
            for line in order.lines.iter_mut().filter(|line| line.product_id == product_id) {
                let from = if compounds { line.unit_price() } else { line.price };
                line.discounted_price = Some(if percentage {
                    (from * left(value)).round_dp(2)
                } else {
                    value
                });
            }
            order.cart_discount = None;
        } else if order.lines.is_empty() {
            return Err(Refusal::sale("order is empty"));
        } else {
            order.cart_discount = Some(match order.cart_discount {
                _ if !percentage => CartDiscount::Currency(value),
                Some(CartDiscount::Percentage(known)) if compounds => {
                    CartDiscount::Percentage((Decimal::ONE - left(known) * left(value)) * Decimal::ONE_HUNDRED)
                }
                _ => CartDiscount::Percentage(value),
            });
        }
        self.changed(place);
        Ok(self.envelope(id, &Value::Null, "v2.order_service.order.manual_discount"))
    }

    pub(crate) fn recalculate(&mut self, id: &str) -> Result<Value, Refusal> {
        self.live(id)?;
        Ok(self.envelope(id, &Value::Null, "v1.order_service.order.recalculated"))
    }

    pub(crate) fn park(&mut self, body: &Value) -> Result<Value, Refusal> {
        let id = text(body, "order_id")?;
        let time = text(body, "time")?;
        let until: NaiveDateTime = clock::parse_stamp(time)
            .map(|time| clock::end_of_day(time.date()))
            .ok_or_else(|| Refusal::bad("time must be YYYY-MM-DD HH:MM:SS"))?;
        let place = self.draft(id)?;
        if until < clock::company_time(self.now()) {
            return Err(Refusal::bad("time must not have passed"));
        }
        if self.orders[place].lines.is_empty() {
            return Err(Refusal::sale("order is empty"));
        }
        self.check_stock(place)?;
        self.hold(place, until);
        let order = &mut self.orders[place];
        order.phase = Phase::Parked;
        order.was_parked = true;
        order.park_until = Some(until);
        body.get("comment")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .clone_into(&mut order.comment);
        self.changed(place);
        Ok(views::full(self, &self.orders[place]))
    }

    fn check_stock(&self, place: usize) -> Result<(), Refusal> {
        match self.orders[place]
            .quantities()
            .iter()
            .find(|(id, quantity)| self.available(id) < *quantity)
        {
            Some((product_id, _)) => Err(stock_short(product_id)),
            None => Ok(()),
        }
    }

    pub(crate) fn unpark(&mut self, body: &Value) -> Result<Value, Refusal> {
        let place = self.live(text(body, "order_id")?)?;
        match self.orders[place].phase {
            Phase::Parked => {}
            Phase::Draft => return Err(Refusal::sale("order is not postponed")),
            Phase::Paid => return Err(Refusal::sale("order is already paid")),
        }
        self.release(place);
        let order = &mut self.orders[place];
        order.phase = Phase::Draft;
        order.park_until = None;
        self.changed(place);
        Ok(json!({"id": self.next_id("message")}))
    }

    pub(crate) fn pay(&mut self, id: &str, body: &Value) -> Result<Value, Refusal> {
        let place = self.live(id)?;
        let again = self.orders[place].phase == Phase::Paid;
        if again && self.settings.variants.second_payment == SecondPayment::Refused {
            return Err(Refusal::sale("order is already paid"));
        }
        if self.orders[place].lines.is_empty() {
            return Err(Refusal::sale("order is empty"));
        }
        let rows = self.payment_rows(body)?;
        let paid: Decimal = rows.iter().map(|(_, amount)| *amount).sum();
        let total = self.orders[place].total();
        if paid != total {
            return Err(Refusal::Sale {
                error_code: Some(WRONG_AMOUNT),
                message: format!(
                    "wrong payment amount: paid {}, total {}",
                    paid.normalize(),
                    total.normalize()
                ),
            });
        }
        if !again {
            if !self.orders[place].holds_stock {
                self.check_stock(place)?;
            }
            self.write_off(place);
        }
        let now = self.now();
        let round = self.orders[place]
            .payments
            .iter()
            .map(|payment| payment.round)
            .max()
            .unwrap_or(0)
            + 1;
        for (payment_type_id, amount) in rows {
            let payment_id = self.next_id("payment");
            self.orders[place].payments.push(PaymentRecord {
                id: payment_id,
                order_id: id.to_owned(),
                payment_type_id,
                amount,
                round,
                at: now,
            });
        }
        let order = &mut self.orders[place];
        order.phase = Phase::Paid;
        order.paid = order.paid.or(Some(now));
        if let Some(comment) = body
            .get("comment")
            .and_then(Value::as_str)
            .filter(|comment| !comment.is_empty())
        {
            comment.clone_into(&mut order.comment);
        }
        self.changed(place);
        Ok(json!({"order_type": "SALE", "should_print_cheque": true}))
    }

    fn payment_rows(&self, body: &Value) -> Result<Vec<(String, Decimal)>, Refusal> {
        let payments = body
            .get("payments")
            .and_then(Value::as_array)
            .filter(|payments| !payments.is_empty())
            .ok_or_else(|| Refusal::bad("payments is required"))?;
        payments
            .iter()
            .map(|payment| {
                let payment_type_id = text(payment, "company_payment_type_id")?;
                if !self
                    .settings
                    .payment_types
                    .iter()
                    .any(|kind| kind.id == payment_type_id)
                {
                    return Err(Refusal::bad("company payment type not found"));
                }
                let amount = payment
                    .get("paid_amount")
                    .and_then(decimal)
                    .filter(|amount| *amount >= Decimal::ZERO)
                    .ok_or_else(|| Refusal::bad("paid_amount must be 0 or more"))?;
                Ok((payment_type_id.to_owned(), amount))
            })
            .collect()
    }

    pub(crate) fn get_order(&self, id: &str) -> Result<Value, Refusal> {
        let order = &self.orders[self.order_place(id).ok_or(NO_ORDER)?];
        if order.deleted.is_some() && self.settings.variants.deleted_order == DeletedOrder::NotFound {
            return Err(NO_ORDER);
        }
        let view = views::full(self, order);
        Ok(match self.settings.variants.order_shape {
            OrderShape::Plain => view,
            OrderShape::InData => json!({"data": view}),
        })
    }

    pub(crate) fn delete_order(&mut self, id: &str) -> Result<Value, Refusal> {
        let place = self.order_place(id).ok_or(NO_ORDER)?;
        if self.orders[place].deleted.is_some() {
            return match self.settings.variants.second_delete {
                SecondDelete::Accepted => Ok(json!({"id": self.next_id("message")})),
                SecondDelete::NotFound => Err(NO_ORDER),
            };
        }
        if self.orders[place].phase != Phase::Draft {
            return Err(Refusal::sale("failed to validate delete order"));
        }
        let now = self.now();
        self.orders[place].deleted = Some(now);
        self.changed(place);
        Ok(json!({"id": self.next_id("message")}))
    }
}

fn stock_short(product: &str) -> Refusal {
    Refusal::Sale {
        error_code: Some(STOCK_SHORT),
        message: format!("stock not sufficient: {product}"),
    }
}
