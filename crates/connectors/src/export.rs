//! Hands finished telemetry to a collector that the operator named.

use std::time::Duration;

use bytes::Bytes;
use url::Url;

use crate::http::{Http, HttpSetupError, NoReply, Request};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Collectors answer with a few bytes.
const LONGEST: usize = 64 * 1024;

/// Where telemetry goes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ExportTarget {
    http: Http,
    timeout: Duration,
}

/// The collector did not take it. The text holds no address, since its query may hold a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ExportError(String);

impl ExportTarget {
    /// A target at `url`, that is given `timeout` for each request. Opens no connection.
    pub fn new(url: &Url, timeout: Duration) -> Result<Self, HttpSetupError> {
        let http = Http::new(url, CONNECT_TIMEOUT, LONGEST)?;
        Ok(Self { http, timeout })
    }

    /// Sends one request. An answer is an answer, whatever its status.
    pub async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, ExportError> {
        let (head, body) = request.into_parts();
        let request = Request {
            method: head.method,
            url: Url::parse(&head.uri.to_string()).map_err(|_| ExportError("the address is none".to_owned()))?,
            headers: head.headers,
            body: Some(body),
        };
        let reply = self.http.send(request, self.timeout).await.map_err(|none| match none {
            NoReply::NotSent(reason) | NoReply::Lost(reason) => ExportError(reason),
        })?;
        let mut response = http::Response::new(reply.body.map_err(ExportError)?);
        *response.status_mut() = reply.status;
        *response.headers_mut() = reply.headers;
        Ok(response)
    }
}
