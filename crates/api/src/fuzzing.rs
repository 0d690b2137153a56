//! What must hold for any body and any query string.

#![expect(clippy::missing_panics_doc, reason = "panicking is what they are for")]

use billwright_bad_input::{LONGEST_ERROR, LONGEST_SENTENCE, assert_can_be_told, first_line};
use billwright_domain::{
    billing::{BillingChange, BillingDraft},
    input::{MOST_PROBLEMS, Problems},
    user::{NewUser, UserChange},
};
use billwright_store::billing::lists::{Listed, Window};
use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderValue, header};
use serde_json::Value;

use crate::{
    body,
    error::{ApiError, sentence},
    list_params::{ListParams, Place},
    preconditions,
};

/// A body: its `Content-Type` on the first line, if that is not JSON, and the body.
pub fn request_body(input: &[u8]) {
    let (content_type, content) = first_line(input);
    let content_type = if content_type.is_empty() {
        "application/json"
    } else {
        content_type
    };
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(content_type) {
        headers.insert(header::CONTENT_TYPE, value);
    }
    let Ok(sent) = body::json(&headers, content) else {
        return;
    };
    let again: Value = serde_json::from_str(&sent.to_string()).unwrap_or_default();
    assert_eq!(again, sent, "printed and read again it is another body");
    check(NewUser::from_json, &sent);
    check(UserChange::from_json, &sent);
    check(BillingDraft::from_json, &sent);
    check(
        |body| BillingChange::from_json(body, DateTime::<Utc>::UNIX_EPOCH),
        &sent,
    );
}

fn check<T: std::fmt::Debug + PartialEq>(read: impl Fn(&Value) -> Result<T, Problems>, body: &Value) {
    let outcome = read(body);
    assert_eq!(outcome, read(body), "one body is read in two ways");
    if let Err(problems) = outcome {
        check_problems(problems);
    }
}

fn check_problems(problems: Problems) {
    assert!((1..=MOST_PROBLEMS).contains(&problems.listed().len()), "{problems}");
    assert_can_be_told(&problems.to_string(), LONGEST_ERROR);
    assert_can_be_told(&sentence(&problems), LONGEST_SENTENCE);
    assert!(
        ApiError::from(problems).is_without_effect(),
        "a wrong request changes nothing"
    );
}

/// A query string: `If-Match` on the first line, and the query.
pub fn query(input: &[u8]) {
    let (tags, query) = first_line(input);
    if let Ok(value) = HeaderValue::from_bytes(tags.as_bytes()) {
        let _ = preconditions::if_match(&HeaderMap::from_iter([(header::IF_MATCH, value)]));
    }
    let Ok(query) = std::str::from_utf8(query) else { return };
    for listed in [Listed::Users, Listed::Billings] {
        match ListParams::read(listed, Some(query)) {
            Ok(params) => check_params(listed, &params),
            Err(problems) => check_problems(problems),
        }
    }
}

/// What links are made of leads back to the same list.
fn check_params(listed: Listed, params: &ListParams) {
    let asked = &params.query;
    let next = params.elsewhere(&Place::Page(2));
    match ListParams::read(listed, Some(&next)) {
        Ok(found) => {
            assert_eq!(
                (&found.query.conditions, found.query.order),
                (&asked.conditions, asked.order),
                "{next}"
            );
            assert_eq!((found.page, found.count), (Some(2), params.count), "{next}");
        }
        Err(problems) => panic!("a link that is refused: {next}: {problems}"),
    }
    if let Window::After { position, .. } = &asked.window {
        let next = params.elsewhere(&Place::After(position.clone()));
        let found = ListParams::read(listed, Some(&next)).map(|found| found.query);
        assert_eq!(found.as_ref(), Ok(asked), "{next}");
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn any_body_is_read_or_refused() {
        billwright_bad_input::try_mutations("request_body", 4_000, super::request_body);
    }

    #[test]
    fn any_query_is_read_or_refused() {
        billwright_bad_input::try_mutations("query", 8_000, super::query);
    }
}
