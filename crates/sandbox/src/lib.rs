//! Billz and Telegram as stateful HTTP servers that are as hard to please as the real ones, with faults by script.
//!
//! A test starts a [`Sandbox`], points the clients at [`Sandbox::billz_url`] and [`Sandbox::telegram_url`], sets
//! [`Faults`], and in the end asks the [`Ledger`] what really happened. Everything derives from a seed; where nobody
//! outside knows how Billz behaves, [`Variants`] has each plausible answer. The same server can be steered over HTTP
//! under `/__sandbox/`, and shows its books to a person at `/`.
//!
//! ```no_run
//! # async fn example() -> Result<(), billwright_sandbox::SandboxError> {
//! use billwright_sandbox::{Fault, Sandbox, SandboxSettings};
//!
//! let sandbox = Sandbox::start(SandboxSettings::default()).await?;
//! sandbox.faults().next("pay", Fault::CutAfter);
//! // … let the client pay the sale `id` …
//! assert_eq!(sandbox.ledger().times_paid("id"), 1);
//! # Ok(())
//! # }
//! ```

mod admin;
mod billz;
mod clock;
mod faults;
mod ledger;
mod message;
mod number;
mod order;
mod page;
mod rate_limit;
mod sandbox;
mod server;
mod settings;
mod telegram;
mod variants;
mod world;

pub use faults::{Delay, Fault, FaultRule, Faults};
pub use ledger::{
    CallRecord, ClientRecord, Ledger, LineRecord, MessageRecord, OrderRecord, OrderState, PaymentRecord, StockRecord,
};
pub use rust_decimal::Decimal;
pub use sandbox::{Sandbox, SandboxError};
pub use settings::{
    BOT_TOKEN, BurstBlock, CASH_PAYMENT_TYPE_ID, CASHBOX_ID, GROUP_ID, GroupLimit, ORDER_ID, OTHER_CASHBOX_ID,
    OTHER_PRODUCT_ID, OTHER_SHOP_ID, PAYMENT_TYPE_ID, PRODUCT_ID, PaymentType, Product, RateLimit, SCARCE_PRODUCT_ID,
    SECRET_TOKEN, SELLER_ID, SHOP_ID, SandboxSettings, Seller, Shop, TelegramSettings, WEIGHED_PRODUCT_ID,
};
pub use variants::{
    AccessToken, CashBoxKey, DeletedOrder, DraftComment, DuplicatePhone, EmptyList, ExpiredPark, ForbiddenList,
    LegacyCalls, ListCount, LoginRefusal, OrderPayments, OrderShape, PaidParkStatus, PhoneFilter, RetryAfter,
    SaleError, SameProduct, SecondDelete, SecondPayment, SecondPercentage, ShopCashBoxes, Variants,
};
pub use world::Endpoint;
