//! Reads the body of a request: JSON, whole, of bounded size, in bounded time.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::Value;

use crate::error::ApiError;

/// Reads the whole body, of at most `most` bytes.
pub(crate) async fn read(headers: &HeaderMap, body: Body, most: usize, patience: Duration) -> Result<Bytes, ApiError> {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > most as u64) {
        return Err(ApiError::TooLarge { most });
    }
    let collected = tokio::time::timeout(patience, Limited::new(body, most).collect()).await;
    match collected {
        Err(_) => Err(ApiError::BodyTimeout),
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(ApiError::TooLarge { most }),
        // The client broke off; nobody will read the answer.
        Ok(Err(_)) => Err(ApiError::InvalidJson),
    }
}

/// The JSON in a body. A body without content is an empty one, which is no object and is refused as such by whoever reads
/// its fields.
pub(crate) fn json(headers: &HeaderMap, body: &[u8]) -> Result<Value, ApiError> {
    if body.is_empty() {
        return Ok(Value::Null);
    }
    if !is_json(headers) {
        return Err(ApiError::UnsupportedContent {
            expected: "`Content-Type: application/json` in UTF-8",
        });
    }
    if headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err(ApiError::UnsupportedContent {
            expected: "a body without `Content-Encoding`",
        });
    }
    serde_json::from_slice(body).map_err(|_| ApiError::InvalidJson)
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(content_type) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let mut parts = content_type.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
    let is_json = kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"));
    is_json
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, charset)) if name.trim().eq_ignore_ascii_case("charset") => {
                let charset = charset.trim().trim_matches('"');
                ["utf-8", "utf8", "us-ascii"]
                    .iter()
                    .any(|known| charset.eq_ignore_ascii_case(known))
            }
            _ => true,
        })
}

#[cfg(test)]
mod tests {
    use billwright_domain::billing::BillingDraft;
    use billwright_hot_path::counted;
    use http::HeaderValue;

    use super::*;

    #[test]
    #[ignore = "counted by `cargo xtask instructions`"]
    fn hot_path_body_of_a_billing() {
        let body = br#"{"userId":"customer-1","amount":149.99,"dueDate":"2026-12-31","service":"Internet"}"#;
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let draft = counted(|| json(&headers, body).map(|json| BillingDraft::from_json(&json)));
        assert!(matches!(draft, Ok(Ok(_))));
    }

    fn takes(content_type: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        is_json(&headers)
    }

    #[test]
    fn takes_json_in_utf8_only() {
        for good in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/json;charset=\"utf-8\"",
            "application/merge-patch+json",
        ] {
            assert!(takes(good), "{good} was refused");
        }
        for bad in [
            "text/plain",
            "application/json; charset=utf-16",
            "application/x-www-form-urlencoded",
            "",
            "json",
        ] {
            assert!(!takes(bad), "{bad} was taken");
        }
        assert!(!is_json(&HeaderMap::new()));
    }

    #[test]
    fn refuses_json_that_nests_too_deeply() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let deep = "[".repeat(100_000);
        assert!(matches!(json(&headers, deep.as_bytes()), Err(ApiError::InvalidJson)));
        assert!(matches!(json(&headers, b"{\"a\":"), Err(ApiError::InvalidJson)));
        assert_eq!(json(&HeaderMap::new(), b"").unwrap(), Value::Null);
    }
}
