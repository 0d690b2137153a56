//! Reads one document from an address that the operator named, such as the key set that signs tokens.

use std::time::Duration;

use http::{HeaderMap, Method};
use url::Url;

use crate::http::{Http, HttpSetupError, NoReply, Request};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const TIMEOUT: Duration = Duration::from_secs(10);
/// Key sets have a few kilobytes.
const LONGEST: usize = 1024 * 1024;

/// Where a document is read from. Cheap to clone.
#[derive(Debug, Clone)]
pub struct DocumentSource {
    http: Http,
    url: Url,
}

/// The document could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// No answer came.
    #[error("no answer from `{host}`: {reason}")]
    Unavailable {
        /// Whom we asked.
        host: String,
        /// What happened.
        reason: String,
    },
    /// The answer is none that can be used.
    #[error("`{host}` answered {status} instead of a document")]
    Refused {
        /// Whom we asked.
        host: String,
        /// The HTTP status.
        status: u16,
    },
}

impl DocumentSource {
    /// A source at `url`. Opens no connection.
    pub fn new(url: Url) -> Result<Self, HttpSetupError> {
        let http = Http::new(&url, CONNECT_TIMEOUT, LONGEST)?;
        Ok(Self { http, url })
    }

    /// Reads the document as text.
    pub async fn fetch(&self) -> Result<String, DocumentError> {
        let host = self.url.host_str().unwrap_or_default().to_owned();
        let unavailable = |reason| DocumentError::Unavailable {
            host: host.clone(),
            reason,
        };
        let request = Request {
            method: Method::GET,
            url: self.url.clone(),
            headers: HeaderMap::new(),
            body: None,
        };
        let reply = self
            .http
            .send(request, TIMEOUT)
            .await
            .map_err(|no_reply| match no_reply {
                NoReply::NotSent(reason) | NoReply::Lost(reason) => unavailable(reason),
            })?;
        if !reply.status.is_success() {
            return Err(DocumentError::Refused {
                host: host.clone(),
                status: reply.status.as_u16(),
            });
        }
        let body = reply.body.map_err(unavailable)?;
        String::from_utf8(body.to_vec()).map_err(|_| DocumentError::Unavailable {
            host,
            reason: "the answer is no text".to_owned(),
        })
    }
}
