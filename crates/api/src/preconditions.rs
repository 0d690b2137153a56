//! `ETag`, `If-Match` and `If-None-Match`: which version of a document a client has.

use billwright_store::billing::version::{Precondition, Version};
use http::{HeaderMap, HeaderName, header};

/// The `ETag` of a version.
pub(crate) fn etag(version: Version) -> String {
    format!("\"{version}\"")
}

/// What `If-Match` asks of the stored document. What is none of our tags, or a weak one, matches nothing.
pub(crate) fn if_match(headers: &HeaderMap) -> Option<Precondition> {
    headers.contains_key(header::IF_MATCH).then(|| {
        let mut versions = Vec::new();
        for tag in tags(headers, &header::IF_MATCH) {
            if tag == "*" {
                return Precondition::Exists;
            }
            versions.extend(version_of(tag));
        }
        Precondition::OneOf(versions)
    })
}

/// Whether the client has this version already, by `If-None-Match`.
pub(crate) fn client_has(headers: &HeaderMap, version: Version) -> bool {
    tags(headers, &header::IF_NONE_MATCH)
        .any(|tag| tag == "*" || version_of(tag.strip_prefix("W/").unwrap_or(tag)) == Some(version))
}

fn tags<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    // Our tags hold no commas, so that splitting at them finds each of ours whole.
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

fn version_of(tag: &str) -> Option<Version> {
    Version::parse(tag.strip_prefix('"')?.strip_suffix('"')?)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const TAG: &str = "\"000102030405060708090a0b0c0d0e0f\"";

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn reads_one_tag_many_and_any() {
        let version = Version::parse("000102030405060708090a0b0c0d0e0f").unwrap();
        assert_eq!(etag(version), TAG);
        let given = |text: &str| if_match(&headers(header::IF_MATCH, text));
        assert_eq!(given(TAG), Some(Precondition::OneOf(vec![version])));
        assert_eq!(
            given(&format!("\"other\", {TAG}")),
            Some(Precondition::OneOf(vec![version]))
        );
        assert_eq!(given("*"), Some(Precondition::Exists));
        assert_eq!(given(&format!("W/{TAG}")), Some(Precondition::OneOf(Vec::new())));
        for unknown in ["", "abc", "\"abc"] {
            assert_eq!(given(unknown), Some(Precondition::OneOf(Vec::new())), "{unknown}");
        }
        assert_eq!(if_match(&HeaderMap::new()), None);
    }

    #[test]
    fn compares_weakly_when_asked_whether_it_changed() {
        let version = Version::parse("000102030405060708090a0b0c0d0e0f").unwrap();
        assert!(client_has(
            &headers(header::IF_NONE_MATCH, &format!("W/{TAG}")),
            version
        ));
        assert!(client_has(&headers(header::IF_NONE_MATCH, "*"), version));
        assert!(!client_has(&headers(header::IF_NONE_MATCH, "\"x\""), version));
    }
}
