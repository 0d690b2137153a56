//! Which other origins' scripts may use the API.

use std::str::FromStr;

use http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// The origins whose scripts may use the API: none by default. Reads `https://a.example,https://b.example`, or `*` for all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum CorsOrigins {
    /// None.
    #[default]
    None,
    /// These.
    Only(Vec<HeaderValue>),
    /// All.
    All,
}

/// Why a list of origins cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("found `{found}`, expected an origin such as `https://shop.example` (scheme and host, no path), or `*`")]
pub struct CorsOriginsProblem {
    found: String,
}

impl FromStr for CorsOrigins {
    type Err = CorsOriginsProblem;

    fn from_str(text: &str) -> Result<Self, CorsOriginsProblem> {
        let mut origins = Vec::new();
        for origin in text.split(',').map(str::trim).filter(|origin| !origin.is_empty()) {
            if origin == "*" {
                return Ok(Self::All);
            }
            let problem = || CorsOriginsProblem {
                found: origin.to_owned(),
            };
            let host = origin
                .strip_prefix("https://")
                .or_else(|| origin.strip_prefix("http://"))
                .ok_or_else(problem)?;
            if host.is_empty() || host.contains(['/', '?', '#', '@', '*']) {
                return Err(problem());
            }
            origins.push(HeaderValue::from_str(origin).map_err(|_| problem())?);
        }
        Ok(if origins.is_empty() {
            Self::None
        } else {
            Self::Only(origins)
        })
    }
}

impl CorsOrigins {
    /// The layer that answers browsers, if there is anything to allow.
    pub(crate) fn layer(&self) -> Option<CorsLayer> {
        let origins = match self {
            Self::None => return None,
            Self::Only(origins) => AllowOrigin::list(origins.clone()),
            Self::All => AllowOrigin::any(),
        };
        let name = HeaderName::from_static;
        Some(
            CorsLayer::new()
                .allow_origin(origins)
                .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE])
                .allow_headers([
                    header::ACCEPT,
                    header::AUTHORIZATION,
                    header::CONTENT_TYPE,
                    header::IF_MATCH,
                    header::IF_NONE_MATCH,
                    name("idempotency-key"),
                    name("x-api-key"),
                    name("x-correlation-id"),
                ])
                .expose_headers([
                    header::ETAG,
                    header::LINK,
                    header::LOCATION,
                    header::RETRY_AFTER,
                    name("idempotent-replayed"),
                    name("x-correlation-id"),
                    name("x-remaining-billings"),
                    name("x-total-count"),
                ])
                .max_age(std::time::Duration::from_mins(10)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_origins_and_refuses_what_is_none() {
        let two: CorsOrigins = "https://a.example, http://localhost:5173".parse().unwrap();
        assert!(matches!(two, CorsOrigins::Only(origins) if origins.len() == 2));
        assert_eq!("*".parse(), Ok(CorsOrigins::All));
        assert_eq!("".parse(), Ok(CorsOrigins::None));
        for bad in ["a.example", "https://", "https://a.example/", "https://*.example"] {
            assert!(bad.parse::<CorsOrigins>().is_err(), "{bad} was taken");
        }
    }
}
