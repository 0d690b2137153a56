//! The connectors against the sandbox over real HTTP, against a server that says what a test wants, and against real
//! Redis.

#![expect(
    clippy::unwrap_used,
    reason = "the functions that several tests share may panic as tests do"
)]

mod breaker;
mod budget;
mod bytes;
mod faults;
mod login;
mod requests;
mod statuses;
mod stub;
mod telegram;
mod variants;

use std::{sync::Arc, time::Duration};

use billwright_connectors::{
    billz::{Billz, BillzCalls, BillzSettings, CallContext, TokenStore, Urgency},
    breaker::{Breaker, BreakerSettings},
    budget::Budget,
};
use billwright_domain::{Clock, CorrelationId, SystemClock};
use tokio_util::sync::CancellationToken;

/// Settings for a Billz at `url`, with time-outs that suit a test.
fn settings(url: &str) -> BillzSettings {
    let mut settings = BillzSettings::new(
        url.parse().unwrap(),
        billwright_sandbox::SECRET_TOKEN.to_owned().into(),
        id(billwright_sandbox::SHOP_ID),
    );
    settings.connect_timeout = Duration::from_secs(2);
    settings.request_timeout = Duration::from_millis(400);
    settings.operation_timeout = Duration::from_secs(3);
    settings
}

fn client(settings: BillzSettings) -> Billz {
    client_with(settings, Budget::unlimited(), SystemClock::shared(), None)
}

fn client_with(
    settings: BillzSettings,
    budget: Budget,
    clock: Arc<dyn Clock>,
    tokens: Option<Arc<dyn TokenStore>>,
) -> Billz {
    // The faults of a test shall not open the breaker of the test.
    let breaker = BreakerSettings {
        failures: 1000,
        ..BreakerSettings::default()
    };
    Billz::new(
        settings,
        budget,
        Breaker::new(breaker, Arc::clone(&clock)),
        clock,
        tokens,
    )
    .unwrap()
}

fn context() -> CallContext {
    CallContext {
        correlation_id: CorrelationId::parse("correlation-1").unwrap(),
        urgency: Urgency::Ordinary,
        cancel: CancellationToken::new(),
    }
}

fn calls(billz: &Billz) -> BillzCalls {
    billz.calls(context())
}

/// Reads an identifier of whatever kind the caller needs.
fn id<T: Identifier>(text: &str) -> T {
    T::read(text)
}

trait Identifier {
    fn read(text: &str) -> Self;
}

macro_rules! identifiers {
    ($($name:ident),+) => {
        $(impl Identifier for billwright_domain::$name {
            fn read(text: &str) -> Self {
                Self::parse(text).unwrap()
            }
        })+
    };
}

identifiers!(
    BillzClientId,
    BillzOrderId,
    BillzProductId,
    BillzSellerId,
    CashboxId,
    PaymentTypeId,
    Phone,
    ShopId
);
