//! One sale: its lines, its total, and where in its life it stands.

use chrono::{DateTime, NaiveDateTime, Utc};
use rust_decimal::Decimal;

use crate::{
    clock,
    ledger::{LineRecord, OrderRecord, OrderState, PaymentRecord},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Draft,
    Parked,
    Paid,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CartDiscount {
    /// The new total of the cart.
    Currency(Decimal),
    /// Per cent off.
    Percentage(Decimal),
}

#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) id: String,
    pub(crate) product_id: String,
    pub(crate) product_name: String,
    pub(crate) quantity: Decimal,
    /// Price of a unit before any discount.
    pub(crate) price: Decimal,
    /// Price of a unit that a discount on this product set.
    pub(crate) discounted_price: Option<Decimal>,
    pub(crate) seller_ids: Vec<String>,
    pub(crate) free_price: bool,
    pub(crate) wholesale: bool,
}

impl Line {
    pub(crate) fn unit_price(&self) -> Decimal {
        self.discounted_price.unwrap_or(self.price)
    }

    pub(crate) fn total(&self) -> Decimal {
        self.unit_price() * self.quantity
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) number: String,
    pub(crate) shop_id: String,
    pub(crate) cashbox_id: String,
    pub(crate) lines: Vec<Line>,
    pub(crate) cart_discount: Option<CartDiscount>,
    pub(crate) customer_id: Option<String>,
    pub(crate) comment: String,
    pub(crate) phase: Phase,
    /// End of the hold, in the company's local time.
    pub(crate) park_until: Option<NaiveDateTime>,
    pub(crate) was_parked: bool,
    pub(crate) holds_stock: bool,
    pub(crate) payments: Vec<PaymentRecord>,
    pub(crate) created: DateTime<Utc>,
    pub(crate) updated: DateTime<Utc>,
    pub(crate) paid: Option<DateTime<Utc>>,
    pub(crate) deleted: Option<DateTime<Utc>>,
    pub(crate) version: u32,
    /// Whether the settings put it there.
    pub(crate) is_example: bool,
}

impl Order {
    pub(crate) fn draft(
        id: String,
        number: String,
        shop_id: String,
        cashbox_id: String,
        comment: String,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            number,
            shop_id,
            cashbox_id,
            lines: Vec::new(),
            cart_discount: None,
            customer_id: None,
            comment,
            phase: Phase::Draft,
            park_until: None,
            was_parked: false,
            holds_stock: false,
            payments: Vec::new(),
            created: now,
            updated: now,
            paid: None,
            deleted: None,
            version: 0,
            is_example: false,
        }
    }

    /// Sum of the lines before the discount on the cart.
    pub(crate) fn subtotal(&self) -> Decimal {
        self.lines.iter().map(Line::total).sum()
    }

    /// What has to be paid.
    pub(crate) fn total(&self) -> Decimal {
        let subtotal = self.subtotal();
        match self.cart_discount {
            None => subtotal,
            Some(CartDiscount::Currency(total)) => total,
            Some(CartDiscount::Percentage(percent)) => {
                (subtotal * (Decimal::ONE_HUNDRED - percent) / Decimal::ONE_HUNDRED).round_dp(2)
            }
        }
    }

    /// What each line costs when the discount on the cart is spread over them; the last one takes what rounding left.
    pub(crate) fn line_totals(&self) -> Vec<Decimal> {
        let (subtotal, total) = (self.subtotal(), self.total());
        let mut left = total;
        let last = self.lines.len().saturating_sub(1);
        let spread = |line: &Line| match line.total().checked_mul(total) {
            Some(share) if !subtotal.is_zero() => (share / subtotal).round_dp(2),
            _ => line.total(),
        };
        self.lines
            .iter()
            .enumerate()
            .map(|(place, line)| {
                let share = if place == last { left } else { spread(line) };
                left -= share;
                share
            })
            .collect()
    }

    /// Units of each product in the sale.
    pub(crate) fn quantities(&self) -> Vec<(String, Decimal)> {
        let mut quantities: Vec<(String, Decimal)> = Vec::new();
        for line in &self.lines {
            match quantities
                .iter_mut()
                .find(|(product_id, _)| *product_id == line.product_id)
            {
                Some((_, quantity)) => *quantity += line.quantity,
                None => quantities.push((line.product_id.clone(), line.quantity)),
            }
        }
        quantities
    }

    pub(crate) fn quantity_of(&self, product_id: &str) -> Decimal {
        self.lines
            .iter()
            .filter(|line| line.product_id == product_id)
            .map(|line| line.quantity)
            .sum()
    }

    /// Whether the hold of a parked sale has ended.
    pub(crate) fn is_expired(&self, company_now: NaiveDateTime) -> bool {
        self.phase == Phase::Parked && self.park_until.is_some_and(|until| until < company_now)
    }

    /// Whether nobody has touched the sale since the settings put it there: then nothing happened to speak of.
    pub(crate) fn is_untouched_example(&self) -> bool {
        self.is_example && self.version == 0
    }

    pub(crate) fn touch(&mut self, now: DateTime<Utc>) {
        self.updated = now;
        self.version += 1;
    }

    pub(crate) fn record(&self, company_now: NaiveDateTime) -> OrderRecord {
        let state = match self.phase {
            _ if self.deleted.is_some() => OrderState::Deleted,
            Phase::Draft => OrderState::Draft,
            Phase::Parked if self.is_expired(company_now) => OrderState::Expired,
            Phase::Parked => OrderState::Parked,
            Phase::Paid => OrderState::Paid,
        };
        OrderRecord {
            id: self.id.clone(),
            number: self.number.clone(),
            state,
            shop_id: self.shop_id.clone(),
            cashbox_id: self.cashbox_id.clone(),
            lines: self
                .lines
                .iter()
                .map(|line| LineRecord {
                    product_id: line.product_id.clone(),
                    quantity: line.quantity,
                    unit_price: line.unit_price(),
                    seller_ids: line.seller_ids.clone(),
                })
                .collect(),
            subtotal: self.subtotal(),
            total: self.total(),
            comment: self.comment.clone(),
            customer_id: self.customer_id.clone(),
            park_until: self.park_until.map(clock::stamp),
            payments: self.payments.clone(),
            created_at: self.created,
            paid_at: self.paid,
            deleted: self.deleted.is_some(),
        }
    }
}
