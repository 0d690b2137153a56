//! Everything that really happened in the sandbox, so that a test can assert "paid exactly once".

use std::time::Duration;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::Value;

use crate::number::as_number;

/// A snapshot of the sandbox's books.
#[derive(Debug, Clone, Serialize)]
pub struct Ledger {
    /// Calls in the order in which they arrived; also those that got no answer.
    pub calls: Vec<CallRecord>,
    /// Older calls that were dropped because [`crate::SandboxSettings::calls_kept`] was reached.
    pub calls_dropped: u64,
    /// Sales in the order in which they were opened, deleted ones included; those that the settings put there are left
    /// out until somebody touches them.
    pub orders: Vec<OrderRecord>,
    /// Clients in the order in which they were created; duplicates are all here.
    pub clients: Vec<ClientRecord>,
    /// Payments that took effect.
    pub payments: Vec<PaymentRecord>,
    /// Telegram messages that were delivered.
    pub messages: Vec<MessageRecord>,
    /// Goods.
    pub stock: Vec<StockRecord>,
}

/// One call to the sandbox.
#[derive(Debug, Clone, Serialize)]
pub struct CallRecord {
    /// Number of the call, from 1.
    pub sequence: u64,
    /// When it arrived.
    pub at: DateTime<Utc>,
    /// When it arrived, in microseconds since the sandbox started (never jumps).
    pub at_us: u64,
    /// Name of the call, as [`crate::Endpoint::name`] gives it.
    pub name: &'static str,
    /// HTTP method.
    pub method: String,
    /// Path; a Telegram token in it is masked.
    pub path: String,
    /// Query parameters, in order.
    pub query: Vec<(String, String)>,
    /// The sale that the path or the body names.
    pub order_id: Option<String>,
    /// Address of the caller.
    pub peer: String,
    /// `x-correlation-id`, `correlation-id` or `x-request-id`, whichever came.
    pub correlation_id: Option<String>,
    /// Whether the answer was asked for over HTTP (query or header `Billz-Response-Channel`, or `response_type`).
    pub answer_over_http: bool,
    /// The body, if it was JSON; secrets in it are masked.
    pub body: Option<Value>,
    /// Status of the answer; `None` while under way, or when the connection was cut or kept silent.
    pub status: Option<u16>,
    /// The fault that was played, by its name.
    pub fault: Option<String>,
    /// Whether the call did what it asked for (a read that was answered counts). A write that was only acknowledged
    /// gets it once Billz's queue has come to it.
    pub effect: bool,
}

/// Where in its life a sale stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// Open; holds no stock.
    Draft,
    /// Parked; holds its stock.
    Parked,
    /// Parked, and the time of the hold has passed.
    Expired,
    /// Paid.
    Paid,
    /// Deleted.
    Deleted,
}

/// One sale.
#[derive(Debug, Clone, Serialize)]
pub struct OrderRecord {
    /// Id.
    pub id: String,
    /// Number that people see.
    pub number: String,
    /// Where in its life it stands.
    pub state: OrderState,
    /// Shop.
    pub shop_id: String,
    /// Cash box.
    pub cashbox_id: String,
    /// Lines.
    pub lines: Vec<LineRecord>,
    /// Sum of the lines.
    #[serde(serialize_with = "as_number")]
    pub subtotal: Decimal,
    /// What has to be paid.
    #[serde(serialize_with = "as_number")]
    pub total: Decimal,
    /// Comment.
    pub comment: String,
    /// Attached client.
    pub customer_id: Option<String>,
    /// End of the hold, `YYYY-MM-DD HH:MM:SS` in the company's local time.
    pub park_until: Option<String>,
    /// Payments that took effect.
    pub payments: Vec<PaymentRecord>,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
    /// When it was paid first.
    pub paid_at: Option<DateTime<Utc>>,
    /// Whether it was deleted.
    pub deleted: bool,
}

/// One line of a sale.
#[derive(Debug, Clone, Serialize)]
pub struct LineRecord {
    /// Product.
    pub product_id: String,
    /// Units.
    #[serde(serialize_with = "as_number")]
    pub quantity: Decimal,
    /// Price of a unit, after a discount on this product.
    #[serde(serialize_with = "as_number")]
    pub unit_price: Decimal,
    /// Sellers.
    pub seller_ids: Vec<String>,
}

/// One payment row of a sale.
#[derive(Debug, Clone, Serialize)]
pub struct PaymentRecord {
    /// Id.
    pub id: String,
    /// Sale.
    pub order_id: String,
    /// Company payment type.
    pub payment_type_id: String,
    /// Amount.
    #[serde(serialize_with = "as_number")]
    pub amount: Decimal,
    /// Which payment call of the sale it came with, from 1: rows of one call share it.
    pub round: u32,
    /// When.
    pub at: DateTime<Utc>,
}

/// One client.
#[derive(Debug, Clone, Serialize)]
pub struct ClientRecord {
    /// Id.
    pub id: String,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Phone number, as it was sent.
    pub phone_number: String,
    /// Date of birth, as it was sent.
    pub birth_date: String,
    /// Telegram chat id, as it was sent.
    pub chat_id: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

/// One delivered Telegram message.
#[derive(Debug, Clone, Serialize)]
pub struct MessageRecord {
    /// Number of the message in its chat.
    pub message_id: u64,
    /// Chat.
    pub chat_id: i64,
    /// Text as it was sent.
    pub text: String,
    /// Text as people see it, without mark-up.
    pub plain_text: String,
    /// `parse_mode` as it was sent.
    pub parse_mode: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
}

/// Stock of one product.
#[derive(Debug, Clone, Serialize)]
pub struct StockRecord {
    /// Product.
    pub product_id: String,
    /// Retail price of a unit.
    #[serde(serialize_with = "as_number")]
    pub price: Decimal,
    /// Units in the shop.
    #[serde(serialize_with = "as_number")]
    pub stock: Decimal,
    /// Units that no parked sale holds.
    #[serde(serialize_with = "as_number")]
    pub available: Decimal,
}

impl Ledger {
    /// The sale of an id.
    pub fn order(&self, id: &str) -> Option<&OrderRecord> {
        self.orders.iter().find(|order| order.id == id)
    }

    /// Payments of a sale, one entry per payment row.
    pub fn payments_of(&self, order_id: &str) -> Vec<&PaymentRecord> {
        self.payments
            .iter()
            .filter(|payment| payment.order_id == order_id)
            .collect()
    }

    /// How often a sale was paid: 1 is once, however many rows the payment had.
    pub fn times_paid(&self, order_id: &str) -> u32 {
        self.payments_of(order_id)
            .iter()
            .map(|payment| payment.round)
            .max()
            .unwrap_or(0)
    }

    /// Sales, not deleted, whose comment contains a text.
    pub fn orders_with_comment(&self, text: &str) -> Vec<&OrderRecord> {
        self.live_orders()
            .into_iter()
            .filter(|order| order.comment.contains(text))
            .collect()
    }

    /// Sales that were not deleted.
    pub fn live_orders(&self) -> Vec<&OrderRecord> {
        self.orders.iter().filter(|order| !order.deleted).collect()
    }

    /// Draft sales that were not deleted.
    pub fn drafts(&self) -> Vec<&OrderRecord> {
        self.orders
            .iter()
            .filter(|order| order.state == OrderState::Draft)
            .collect()
    }

    /// Parked sales, expired ones included.
    pub fn parked_orders(&self) -> Vec<&OrderRecord> {
        self.orders
            .iter()
            .filter(|order| matches!(order.state, OrderState::Parked | OrderState::Expired))
            .collect()
    }

    /// How many clients have the digits of a phone number.
    pub fn client_count(&self, phone: &str) -> usize {
        let wanted = crate::world::digits(phone);
        self.clients
            .iter()
            .filter(|client| crate::world::digits(&client.phone_number) == wanted)
            .count()
    }

    /// Calls of a name.
    pub fn calls_named(&self, name: &str) -> Vec<&CallRecord> {
        self.calls.iter().filter(|call| call.name == name).collect()
    }

    /// Calls that name a sale in their path or body.
    pub fn calls_for(&self, order_id: &str) -> Vec<&CallRecord> {
        self.calls
            .iter()
            .filter(|call| call.order_id.as_deref() == Some(order_id))
            .collect()
    }

    /// The most Billz calls that arrived within any window of the given length, refused ones included.
    pub fn peak_billz_calls(&self, window: Duration) -> usize {
        let window = u64::try_from(window.as_micros()).unwrap_or(u64::MAX);
        let billz: Vec<u64> = self
            .calls
            .iter()
            .filter(|call| !call.path.starts_with("/bot"))
            .map(|call| call.at_us)
            .collect();
        let mut first = 0;
        let mut peak = 0;
        for (last, at) in billz.iter().enumerate() {
            while at - billz[first] >= window {
                first += 1;
            }
            peak = peak.max(last + 1 - first);
        }
        peak
    }
}
