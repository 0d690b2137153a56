//! What the Billz client must be told.

use std::time::Duration;

use billwright_domain::{CashboxId, ShopId};
use chrono_tz::Tz;
use http::HeaderMap;
use secrecy::SecretString;
use url::Url;

/// The public host.
pub const BASE_URL: &str = "https://api-admin.billz.ai";

/// What the Billz client must be told. [`BillzSettings::new`] fills in what has a default.
#[derive(Debug, Clone)]
pub struct BillzSettings {
    /// Where Billz is; the sandbox's address in tests.
    pub base_url: Url,
    /// The secret token of the integration key, from which access tokens are made.
    pub secret: SecretString,
    /// The shop that sales belong to unless told otherwise.
    pub shop_id: ShopId,
    /// The cash box of that shop; looked up once where it is not given.
    pub cashbox_id: Option<CashboxId>,
    /// The zone of the shop's local times.
    pub timezone: Tz,
    /// How long opening a connection may take.
    pub connect_timeout: Duration,
    /// How long one HTTP exchange may take, from the first byte sent to the last received.
    pub request_timeout: Duration,
    /// How long all the exchanges of one call may take together (a login, a repeated read). Waiting for the budget does
    /// not count.
    pub operation_timeout: Duration,
    /// The longest answer that is read.
    pub response_limit_bytes: usize,
    /// Puts the headers that continue the current trace on a request.
    pub trace_headers: Option<fn(&mut HeaderMap)>,
}

impl BillzSettings {
    /// Settings with the documented defaults.
    pub fn new(base_url: Url, secret: SecretString, shop_id: ShopId) -> Self {
        Self {
            base_url,
            secret,
            shop_id,
            cashbox_id: None,
            timezone: chrono_tz::Asia::Tashkent,
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(30),
            operation_timeout: Duration::from_mins(1),
            response_limit_bytes: 8 * 1024 * 1024,
            trace_headers: None,
        }
    }

    /// What the budget is kept for: everything that is sent to this host.
    pub fn host(&self) -> String {
        let host = self.base_url.host_str().unwrap_or_default();
        self.base_url
            .port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }
}
