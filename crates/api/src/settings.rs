//! What can be set about the API.

use std::{sync::Arc, time::Duration};

use billwright_store::billing::changes::ChangeLog;

use crate::{api_keys::ApiKeys, cors::CorsOrigins, jwt::JwtSettings, rate_limit::RateLimit};

/// Settings of the API. The defaults are those of the service that it replaces: open to everybody, without a rate limit,
/// closed to scripts of other origins.
#[derive(Clone)]
pub struct ApiSettings {
    /// The keys that give access.
    pub api_keys: ApiKeys,
    /// How tokens give access, if they do.
    pub jwt: Option<JwtSettings>,
    /// The origins whose scripts may use the API.
    pub cors_origins: CorsOrigins,
    /// How many requests a key, or an address without one, may make.
    pub rate_limit: Option<RateLimit>,
    /// Whether the last entry of `X-Forwarded-For` is the client's address, as behind a proxy that sets it.
    pub trust_proxy: bool,
    /// The largest body that is read, in bytes.
    pub largest_body: usize,
    /// How long a client may take to send its body.
    pub body_timeout: Duration,
    /// How long a request may take until its answer begins.
    pub request_timeout: Duration,
    /// How many requests there are at a time whose answers have not been sent; further ones are refused with 503.
    pub most_at_a_time: usize,
    /// How many of them are in hand at a time. More would only wait for MongoDB instead, and each for the others.
    pub most_in_hand: usize,
    /// How long a request waits until it is taken in hand, before it is refused with 503.
    pub longest_wait: Duration,
    /// How many of them may have a body that is large, or of unknown length, at a time.
    pub most_large_bodies: usize,
    /// How long a client may take to read a list that is sent as it is read.
    pub longest_answer: Duration,
    /// Where changes are noted for publication, if they are.
    pub change_log: Option<Arc<dyn ChangeLog>>,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            api_keys: ApiKeys::default(),
            jwt: None,
            cors_origins: CorsOrigins::default(),
            rate_limit: None,
            trust_proxy: false,
            largest_body: 1024 * 1024,
            body_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            most_at_a_time: 1024,
            most_in_hand: 256,
            longest_wait: Duration::from_secs(1),
            most_large_bodies: 64,
            longest_answer: Duration::from_mins(10),
            change_log: None,
        }
    }
}

impl ApiSettings {
    /// Whether anybody may read and write without proof of who they are.
    pub fn is_open(&self) -> bool {
        self.api_keys.is_empty() && self.jwt.is_none()
    }
}
