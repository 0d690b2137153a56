//! The Billz client: one method per call, in the documented v2 form, over one connection pool, one budget of calls and
//! one circuit breaker.
//!
//! The vendor's shapes stay in [`sale`] and in `wire`; how an answer is judged stands in `answer`, what a failure means to
//! a caller in [`BillzError`], and what to conclude from a read after a lost answer in [`look`].

mod answer;
mod auth;
mod call_log;
mod calls;
mod client;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
pub mod look;
mod reference;
mod request;
pub mod sale;
mod settings;
mod token_store;
mod wire;

pub use call_log::{CallLog, CallRecord};
pub use calls::{BillzCalls, Draft, Line, NewClient, OrderQuery};
pub use client::{Billz, CallContext};
pub use error::{BillzError, ErrorClass, RefusalCode};
pub use reference::{Cashbox, PaymentType, ReferenceData, Seller, Shop};
pub use sale::{Cart, Sale, SaleLine, SalePayment, SaleState, SaleSummary};
pub use settings::{BASE_URL, BillzSettings};
pub use token_store::{RedisTokenStore, StoredToken, TokenStore, TokenStoreError};

pub use crate::budget::Urgency;
