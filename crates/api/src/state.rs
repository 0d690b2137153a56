//! What every handler can reach.

use std::{ops::Deref, sync::Arc, time::Duration};

use billwright_domain::Clock;
use billwright_store::billing::{BillingStore, creation::BillingCreator};

use crate::{api_keys::ApiKeys, availability::Availability, jwt::Tokens, places::Places, rate_limit::RateLimiter};

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct AppState(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) store: BillingStore,
    pub(crate) creator: BillingCreator,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) availability: Availability,
    pub(crate) api_keys: ApiKeys,
    pub(crate) tokens: Option<Tokens>,
    pub(crate) rate_limiter: Option<RateLimiter>,
    pub(crate) trust_proxy: bool,
    pub(crate) largest_body: usize,
    pub(crate) body_timeout: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) places: Places,
}

impl AppState {
    pub(crate) fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }
}

impl Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
