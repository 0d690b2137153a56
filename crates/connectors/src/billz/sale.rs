//! A sale as Billz tells it: draft, parked, or paid; and the cart that the calls on a draft answer with.

use billwright_domain::{BillzClientId, BillzOrderId, BillzProductId, Money, PaymentTypeId, ShopId};
use rust_decimal::Decimal;
use serde_json::Value;

use super::wire;

/// Where a sale stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaleState {
    /// A draft: it holds no stock and can be deleted.
    Draft,
    /// Parked: it holds its stock; it can be paid as it is, and must be returned before it is changed or deleted.
    Parked,
    /// Parked, and the date until which it was has passed. Whether it still holds stock is not documented.
    ParkExpired,
    /// Paid for. It cannot be taken back.
    Paid,
    /// Billz told a `park_status` that is not documented; it stands in [`Sale::raw`]. Nothing should be concluded from it.
    Unrecognised,
}

impl SaleState {
    /// Whether it is parked, in time or not.
    pub fn is_parked(self) -> bool {
        matches!(self, Self::Parked | Self::ParkExpired)
    }
}

/// One sale as `GET /v2/order/{id}` and `create_postpone` answer it. A deleted one is never given out: it is
/// [`super::BillzError::NotFound`].
#[derive(Debug, Clone, PartialEq)]
pub struct Sale {
    /// Its id.
    pub id: BillzOrderId,
    /// The number that people see in Billz.
    pub number: Option<String>,
    /// Where it stands.
    pub state: SaleState,
    /// What has to be paid.
    pub total: Money,
    /// The client that is attached.
    pub customer: Option<BillzClientId>,
    /// What is sold. Billz may hold one product in several lines.
    pub lines: Vec<SaleLine>,
    /// The comment that parking or paying left.
    pub comment: String,
    /// The payments. None proves nothing: some accounts are never shown any.
    pub payments: Vec<SalePayment>,
    /// The answer as Billz gave it.
    pub raw: Value,
}

/// One line of a sale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaleLine {
    /// The product.
    pub product: BillzProductId,
    /// How much of it.
    pub quantity: Decimal,
    /// What the line costs, where Billz says so.
    pub total: Option<Money>,
}

/// One payment of a sale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SalePayment {
    /// How it was paid.
    pub payment_type: Option<PaymentTypeId>,
    /// What was paid.
    pub paid: Money,
}

/// One row of the list of drafts and parked sales; lines and payments are not listed there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaleSummary {
    /// Its id.
    pub id: BillzOrderId,
    /// The number that people see in Billz.
    pub number: Option<String>,
    /// Where it stands.
    pub state: SaleState,
    /// What has to be paid, where Billz says so.
    pub total: Option<Money>,
    /// The comment, our order's number if we made it.
    pub comment: String,
    /// The shop, where Billz says so.
    pub shop: Option<ShopId>,
    /// When it was made, in the company's local time as Billz writes it.
    pub created_at: Option<String>,
    /// How much lies in it altogether; zero marks an empty draft.
    pub quantity: Option<Decimal>,
}

/// What the calls that change a draft answer: the cart after the change. Billz promises none of its parts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Cart {
    /// What is in the cart; absent where the answer does not list it.
    pub lines: Option<Vec<SaleLine>>,
    /// What has to be paid now.
    pub total: Option<Money>,
    /// The client that is attached.
    pub customer: Option<BillzClientId>,
    /// What is left in stock of the product that was just added.
    pub left_in_stock: Option<Decimal>,
}

impl Sale {
    /// Reads the object of `GET /v2/order/{id}`, which one client met inside `data` too. The error is the shape of what
    /// cannot be a sale, with its values masked.
    pub fn from_json(raw: Value) -> Result<Self, String> {
        wire::sale(raw)
    }

    /// Whether it is paid for.
    pub fn is_paid(&self) -> bool {
        self.state == SaleState::Paid
    }

    /// How much of a product is in the sale, over all its lines.
    pub fn quantity_of(&self, product: &BillzProductId) -> Decimal {
        quantity_of(&self.lines, product)
    }

    /// Whether the sale holds exactly this much of the product.
    pub fn shows_line(&self, line: &super::Line) -> bool {
        self.quantity_of(&line.product) == line.quantity.amount()
    }
}

impl Cart {
    /// How much of a product is in the cart, over all its lines; `None` where the answer does not list them.
    pub fn quantity_of(&self, product: &BillzProductId) -> Option<Decimal> {
        self.lines.as_deref().map(|lines| quantity_of(lines, product))
    }
}

fn quantity_of(lines: &[SaleLine], product: &BillzProductId) -> Decimal {
    lines
        .iter()
        .filter(|line| line.product == *product)
        .fold(Decimal::ZERO, |sum, line| sum.saturating_add(line.quantity))
}
