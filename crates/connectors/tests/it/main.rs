//! The connectors against the sandbox over real HTTP, against a server that says what a test wants, and against real
//! Redis.

#![expect(
    clippy::unwrap_used,
    reason = "the functions that several tests share may panic as tests do"
)]

mod breaker;
mod budget;
mod bytes;
mod every_call;
mod faults;
mod login;
mod reads;
mod requests;
mod statuses;
mod stub;
mod telegram;
mod variants;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use billwright_connectors::{
    billz::{Billz, BillzCalls, BillzSettings, CallContext, StoredToken, TokenStore, TokenStoreError, Urgency},
    breaker::{Breaker, BreakerSettings},
    budget::Budget,
};
use billwright_domain::{Clock, CorrelationId, SystemClock};
use chrono::TimeDelta;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

/// Settings for a Billz at `url`. The time-outs are long, since the machine may be busy; who tests one sets it.
fn settings(url: &str) -> BillzSettings {
    let mut settings = BillzSettings::new(
        url.parse().unwrap(),
        billwright_sandbox::SECRET_TOKEN.to_owned().into(),
        id(billwright_sandbox::SHOP_ID),
    );
    settings.request_timeout = Duration::from_secs(20);
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

/// A store as the worker has one for the `integrations` document.
#[derive(Debug, Default)]
struct Shelf(Mutex<Option<StoredToken>>);

impl Shelf {
    /// One that spares the client its login.
    fn logged_in() -> Arc<Self> {
        let token = StoredToken {
            access_token: "stored".to_owned().into(),
            expires_at: SystemClock.now() + TimeDelta::days(10),
        };
        Arc::new(Self(Mutex::new(Some(token))))
    }
}

impl TokenStore for Shelf {
    fn load(&self) -> BoxFuture<'_, Result<Option<StoredToken>, TokenStoreError>> {
        Box::pin(async { Ok(self.0.lock().unwrap().clone()) })
    }

    fn save<'a>(&'a self, token: &'a StoredToken) -> BoxFuture<'a, Result<(), TokenStoreError>> {
        Box::pin(async {
            *self.0.lock().unwrap() = Some(token.clone());
            Ok(())
        })
    }
}
