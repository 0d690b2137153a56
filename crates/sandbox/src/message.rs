//! A request as it was read whole, and an answer before it goes out.

use std::net::IpAddr;

use bytes::Bytes;
use hyper::{HeaderMap, Method};
use serde_json::{Value, json};

/// A request, read to its end.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) peer: IpAddr,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Everything but the body and the headers.
    pub(crate) fn clone_head(&self) -> Self {
        Self {
            method: self.method.clone(),
            path: self.path.clone(),
            query: self.query.clone(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            peer: self.peer,
        }
    }

    /// The body as JSON; nothing at all counts as `null`.
    pub(crate) fn json(&self) -> Result<Value, serde_json::Error> {
        if self.body.is_empty() {
            Ok(Value::Null)
        } else {
            serde_json::from_slice(&self.body)
        }
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) retry_after: Option<u64>,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            content_type: "application/json".to_owned(),
            retry_after: None,
            body: Bytes::from(body.to_string()),
        }
    }

    pub(crate) fn html(status: u16, body: String) -> Self {
        Self {
            status,
            content_type: "text/html; charset=utf-8".to_owned(),
            retry_after: None,
            body: Bytes::from(body),
        }
    }

    /// What Billz says about tokens that it does not take.
    pub(crate) fn token_error() -> Self {
        Self::json(
            401,
            &json!({"code": 401, "message": "token error", "error": "Token is expired", "data": null}),
        )
    }

    /// What Billz says about a path that nobody serves.
    pub(crate) fn unknown_route() -> Self {
        Self::json(404, &json!({"error": {"code": "NOT_FOUND", "message": "not found"}}))
    }
}
