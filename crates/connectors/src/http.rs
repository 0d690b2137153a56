//! The one way out over HTTP: a connection pool with time-outs, a limit on what is read, and failures that say whether
//! the request can have arrived.

use std::{error::Error as _, fmt::Write as _, sync::Once, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header::RETRY_AFTER};
use url::Url;

/// How long a connection may lie idle before it is closed. Shorter than what servers usually grant, since a request that
/// meets a connection at the moment of its closing has an unknown outcome.
const IDLE: Duration = Duration::from_secs(20);

/// The pool could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be set up ({0}): are root certificates installed (Debian package `ca-certificates`)?")]
pub struct HttpSetupError(String);

/// A connection pool. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: reqwest::Client,
    response_limit_bytes: usize,
}

/// What is to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Bytes>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The whole body, or why it could not be read to its end.
    pub(crate) body: Result<Bytes, String>,
}

/// No answer came back. The texts hold no address, since Telegram's token is part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoReply {
    /// No connection could be opened: the request cannot have arrived.
    NotSent(String),
    /// A connection was there: the request may have arrived.
    Lost(String),
}

impl Http {
    /// Sets up a pool for requests to `base_url`. Opens no connection.
    pub(crate) fn new(
        base_url: &Url,
        connect_timeout: Duration,
        response_limit_bytes: usize,
    ) -> Result<Self, HttpSetupError> {
        static PROVIDER: Once = Once::new();
        // reqwest takes the process's default provider and panics where there is none. If somebody chose one before us,
        // theirs stays.
        PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("billwright/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(connect_timeout)
            .pool_idle_timeout(IDLE)
            .tcp_keepalive(Duration::from_secs(30))
            .tcp_nodelay(true)
            .redirect(reqwest::redirect::Policy::none());
        if base_url.scheme() == "http" {
            // Spares a process that talks to the sandbox only the reading of every root certificate.
            builder = builder.tls_certs_only([]);
        }
        let client = builder
            .build()
            .map_err(|error| HttpSetupError(chain(&error.without_url())))?;
        Ok(Self {
            client,
            response_limit_bytes,
        })
    }

    /// Sends one request and reads the answer, within `timeout` altogether. Follows no redirects and repeats nothing.
    pub(crate) async fn send(&self, request: Request, timeout: Duration) -> Result<Reply, NoReply> {
        let deadline = tokio::time::Instant::now() + timeout;
        let timed_out = || format!("no answer within {} s", timeout.as_secs_f32());
        let mut outgoing = self
            .client
            .request(request.method, request.url)
            .headers(request.headers);
        if let Some(body) = request.body {
            outgoing = outgoing.body(body);
        }
        let mut response = match tokio::time::timeout_at(deadline, outgoing.send()).await {
            Err(_) => return Err(NoReply::Lost(timed_out())),
            Ok(Err(error)) => {
                let not_sent = error.is_connect() || error.is_builder();
                let reason = chain(&error.without_url());
                return Err(if not_sent {
                    NoReply::NotSent(reason)
                } else {
                    NoReply::Lost(reason)
                });
            }
            Ok(Ok(response)) => response,
        };
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let body = match tokio::time::timeout_at(deadline, self.read(response)).await {
            Ok(body) => body,
            Err(_) => Err(format!("the body did not end within {} s", timeout.as_secs_f32())),
        };
        Ok(Reply { status, headers, body })
    }

    async fn read(&self, mut response: reqwest::Response) -> Result<Bytes, String> {
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| chain(&error.without_url()))? {
            if body.len() + chunk.len() > self.response_limit_bytes {
                return Err(format!("the body is longer than {} bytes", self.response_limit_bytes));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }
}

/// The error and its causes in one line; reqwest's own text alone says no more than "error sending request".
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _infallible = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

/// The longest that `Retry-After` is believed.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// What `Retry-After` asks for, in seconds or as a date, read against `now`.
pub(crate) fn retry_after(headers: &HeaderMap, now: chrono::DateTime<chrono::Utc>) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds).min(LONGEST_WAIT));
    }
    let date = chrono::DateTime::parse_from_rfc2822(value).ok()?;
    Some((date.to_utc() - now).to_std().unwrap_or_default().min(LONGEST_WAIT))
}

/// A header value from free text: what a header cannot carry is percent-encoded.
pub(crate) fn header_value(text: &str) -> HeaderValue {
    // Bytes beyond ASCII would be let through, but proxies on the way make of them what they like.
    if text.is_ascii()
        && let Ok(value) = HeaderValue::from_str(text)
    {
        return value;
    }
    let encoded = percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    HeaderValue::from_str(&encoded).unwrap_or_else(|_| HeaderValue::from_static("-"))
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn reads_both_forms_of_retry_after() {
        let now = chrono::Utc.with_ymd_and_hms(2026, 11, 29, 12, 0, 0).unwrap();
        let read = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(value).unwrap());
            retry_after(&headers, now)
        };
        assert_eq!(read("7"), Some(Duration::from_secs(7)));
        assert_eq!(read("Sun, 29 Nov 2026 12:00:30 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(read("Sun, 29 Nov 2026 11:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("soon"), None);
        for absurd in ["18446744073709551615", "Fri, 29 Nov 2999 12:00:00 GMT"] {
            assert_eq!(read(absurd), Some(LONGEST_WAIT), "{absurd}");
        }
    }

    #[test]
    fn carries_any_correlation_id() {
        assert_eq!(header_value("order-1"), "order-1");
        assert_eq!(header_value("заказ"), "%D0%B7%D0%B0%D0%BA%D0%B0%D0%B7");
    }
}
