//! The rules of both products, without input or output: no database, no network, no clock calls.
//!
//! Everything that comes from outside (an HTTP body, a job's payload, an event) is read by [`input`] into the types of
//! this crate, and past that edge no value can be wrong.

#![deny(clippy::float_arithmetic)]

pub mod billing;
pub mod billing_id;
pub mod clock;
pub mod health;
pub mod identifiers;
pub mod input;
pub mod money;
pub mod order;
pub mod phone;
pub mod quantity;
pub mod user;

pub use billing_id::BillingId;
pub use clock::{Clock, MockClock, SystemClock};
pub use health::{Condition, DependencyHealth, HealthBoard};
pub use identifiers::{
    BillzClientId, BillzOrderId, BillzProductId, BillzSellerId, CardId, CashboxId, CorrelationId, PaymentTypeId,
    ShopId, UserId,
};
pub use input::{FieldProblem, Fields, Given, Problems};
pub use money::{Money, StoredNumber};
pub use order::{DocumentId, OrderDraft, OrderReference};
pub use phone::Phone;
pub use quantity::Quantity;
