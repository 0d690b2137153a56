//! Whether a form was sent from one of our own pages.

use http::{HeaderMap, Uri, header, uri::Authority};

use super::loopback::host;

/// Whether the browser says that the request comes from the host that it is for. Programs that are no browser say
/// nothing of the kind; the token of the form still holds them.
pub(super) fn is_ours(headers: &HeaderMap, uri: &Uri, trust_proxy: bool) -> bool {
    if let Some(origin) = headers.get(header::ORIGIN) {
        let origin = origin.to_str().ok().and_then(|text| text.parse::<Uri>().ok());
        let Some(origin) = origin.as_ref().and_then(Uri::authority) else {
            return false;
        };
        let forwarded = headers
            .get("x-forwarded-host")
            .filter(|_| trust_proxy)
            .and_then(|value| {
                value
                    .to_str()
                    .ok()?
                    .rsplit(',')
                    .next()?
                    .trim()
                    .parse::<Authority>()
                    .ok()
            });
        return forwarded
            .or_else(|| host(headers, uri))
            .is_some_and(|host| host == *origin);
    }
    headers
        .get("sec-fetch-site")
        .is_none_or(|site| site == "same-origin" || site == "none")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(headers: &[(&'static str, &str)], trust_proxy: bool) -> bool {
        let headers = headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        is_ours(&headers, &Uri::from_static("/dashboard"), trust_proxy)
    }

    #[test]
    fn a_form_of_another_site_is_told_apart() {
        let host = ("host", "ops.example.com:8443");
        assert!(ours(&[host, ("origin", "https://ops.example.com:8443")], false));
        assert!(!ours(&[host, ("origin", "https://evil.example.com")], false));
        assert!(!ours(&[host, ("origin", "https://ops.example.com")], false));
        assert!(!ours(&[host, ("origin", "null")], false));
        assert!(ours(&[host], false));
        assert!(!ours(&[host, ("sec-fetch-site", "cross-site")], false));
        assert!(!ours(&[host, ("sec-fetch-site", "same-site")], false));
    }

    #[test]
    fn a_trusted_proxy_may_name_the_host() {
        let headers = [
            ("host", "10.0.0.5:3000"),
            ("x-forwarded-host", "ops.example.com"),
            ("origin", "https://ops.example.com"),
        ];
        assert!(ours(&headers, true));
        assert!(!ours(&headers, false));
    }
}
