//! The client as a whole: what every call of every worker in this process shares.

use std::sync::Arc;

use billwright_domain::{Clock, CorrelationId};
use tokio_util::sync::CancellationToken;

use super::{
    BillzCalls, BillzError, BillzSettings, ReferenceData, TokenStore, Urgency, auth::Auth, reference::Reference,
};
use crate::{
    breaker::{Breaker, BreakerState},
    budget::Budget,
    http::{Http, HttpSetupError},
};

/// The Billz client. Cheap to clone; clones share connections, token, budget, breaker and what was looked up.
#[derive(Debug, Clone)]
pub struct Billz(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: BillzSettings,
    http: Http,
    budget: Budget,
    breaker: Breaker,
    clock: Arc<dyn Clock>,
    auth: Auth,
    token_store: Option<Arc<dyn TokenStore>>,
    reference: Reference,
}

/// On whose behalf a call is made.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// Sent to Billz in `X-Correlation-Id`.
    pub correlation_id: CorrelationId,
    /// Payments take the next free slot of the budget.
    pub urgency: Urgency,
    /// Ends the wait for a slot, and reads. A write that is under way is always finished.
    pub cancel: CancellationToken,
}

impl CallContext {
    /// An ordinary call that nobody will give up.
    pub fn ordinary(correlation_id: CorrelationId) -> Self {
        Self {
            correlation_id,
            urgency: Urgency::Ordinary,
            cancel: CancellationToken::new(),
        }
    }
}

impl Billz {
    /// A client by these settings. Opens no connection and does not log in yet.
    pub fn new(
        settings: BillzSettings,
        budget: Budget,
        breaker: Breaker,
        clock: Arc<dyn Clock>,
        token_store: Option<Arc<dyn TokenStore>>,
    ) -> Result<Self, HttpSetupError> {
        let http = Http::new(
            &settings.base_url,
            settings.connect_timeout,
            settings.response_limit_bytes,
        )?;
        Ok(Self(Arc::new(Inner {
            settings,
            http,
            budget,
            breaker,
            clock,
            auth: Auth::default(),
            token_store,
            reference: Reference::default(),
        })))
    }

    /// The calls, made on behalf of `context`.
    pub fn calls(&self, context: CallContext) -> BillzCalls {
        BillzCalls::new(self.clone(), context)
    }

    /// Where the circuit breaker stands.
    pub fn breaker_state(&self) -> BreakerState {
        self.0.breaker.state()
    }

    /// The circuit breaker, to be followed and waited for.
    pub fn breaker(&self) -> &Breaker {
        &self.0.breaker
    }

    /// The budget of calls.
    pub fn budget(&self) -> &Budget {
        &self.0.budget
    }

    /// What the client was told.
    pub fn settings(&self) -> &BillzSettings {
        &self.0.settings
    }

    /// Looks shops, cash boxes and payment types up anew and keeps them.
    pub async fn refresh_reference_data(&self, context: CallContext) -> Result<ReferenceData, BillzError> {
        self.0.reference.forget().await;
        let calls = self.calls(context);
        Ok(ReferenceData {
            shops: calls.shops().await?,
            cashboxes: calls.cashboxes().await?,
            payment_types: calls.payment_types().await?,
        })
    }

    pub(super) fn http(&self) -> &Http {
        &self.0.http
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.0.clock
    }

    pub(super) fn auth(&self) -> &Auth {
        &self.0.auth
    }

    pub(super) fn token_store(&self) -> Option<&dyn TokenStore> {
        self.0.token_store.as_deref()
    }

    pub(super) fn reference(&self) -> &Reference {
        &self.0.reference
    }
}
