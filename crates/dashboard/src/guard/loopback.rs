//! Where no users are configured the dashboard is for this machine alone.

use std::net::IpAddr;

use http::{HeaderMap, Uri, header, uri::Authority};

/// What a proxy adds. A proxy on this machine would make the whole world a neighbour.
const PROXY_HEADERS: [&str; 5] = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"];

/// Whether a request comes from a person on this machine: from its own address, without a proxy between, and to a name
/// that nobody else can point here (which a web page on any site can do with a name of its own).
pub(super) fn is_this_machine(peer: IpAddr, headers: &HeaderMap, uri: &Uri) -> bool {
    peer.to_canonical().is_loopback()
        && PROXY_HEADERS.iter().all(|name| !headers.contains_key(*name))
        && host(headers, uri).is_some_and(|host| is_local_name(&host))
}

/// The host that a request is for.
pub(super) fn host(headers: &HeaderMap, uri: &Uri) -> Option<Authority> {
    let mut named = headers.get_all(header::HOST).iter();
    match (named.next(), named.next()) {
        (Some(value), None) => value.to_str().ok()?.parse().ok(),
        (None, _) => uri.authority().cloned(),
        // Two hosts: somebody is trying something.
        (Some(_), Some(_)) => None,
    }
}

fn is_local_name(authority: &Authority) -> bool {
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_local(peer: &str, headers: &[(&str, &str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        is_this_machine(peer.parse().unwrap(), &map, &Uri::from_static("/dashboard"))
    }

    #[test]
    fn this_machine_gets_in_by_its_own_names() {
        for host in ["localhost:3000", "127.0.0.1", "[::1]:3000", "LOCALHOST"] {
            assert!(is_local("127.0.0.1", &[("host", host)]), "{host}");
            assert!(is_local("::1", &[("host", host)]), "{host}");
            assert!(is_local("::ffff:127.0.0.1", &[("host", host)]), "{host}");
        }
    }

    #[test]
    fn others_do_not_whatever_they_claim() {
        assert!(!is_local("10.0.0.7", &[("host", "localhost")]));
        assert!(!is_local(
            "10.0.0.7",
            &[("host", "localhost"), ("x-forwarded-for", "127.0.0.1")]
        ));
        assert!(!is_local(
            "127.0.0.1",
            &[("host", "localhost"), ("x-forwarded-for", "127.0.0.1")]
        ));
        assert!(!is_local("127.0.0.1", &[("host", "localhost"), ("via", "1.1 proxy")]));
        assert!(!is_local("127.0.0.1", &[("host", "rebound.example.com")]));
        assert!(!is_local("127.0.0.1", &[("host", "localhost.example.com")]));
        assert!(!is_local(
            "127.0.0.1",
            &[("host", "localhost"), ("host", "evil.example.com")]
        ));
        assert!(!is_local("127.0.0.1", &[]));
    }
}
