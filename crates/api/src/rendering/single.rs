//! Answers that hold one document, and those to deletions.

use std::sync::Arc;

use axum::{body::Body, response::Response};
use billwright_store::{
    StoreError,
    billing::{
        idempotency::StoredAnswer,
        version::Version,
        writes::{Answering, Effect},
    },
    bson::RawDocument,
    json,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::{JSON, unreadable};
use crate::{error::ApiError, preconditions};

/// The answer that holds `document`; only its version where the client has it already.
pub(crate) fn document_response(headers: &HeaderMap, document: &RawDocument) -> Result<Response, ApiError> {
    let version = Version::of(document);
    let mut response = Response::new(Body::empty());
    if preconditions::client_has(headers, version) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        *response.body_mut() = Body::from(text_of(document)?);
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
    }
    if let Ok(etag) = HeaderValue::try_from(preconditions::etag(version)) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    Ok(response)
}

/// Answers to a creation: 201 with the document and where it is from now on.
pub(crate) fn created(path: &'static str) -> Answering {
    Arc::new(move |effect| {
        let mut answer = holding(201, &effect.document)?;
        if let Ok(id) = effect.document.get_object_id("_id") {
            let location = format!("{path}/{}", id.to_hex());
            answer.headers.push((header::LOCATION.as_str().to_owned(), location));
        }
        Ok(answer)
    })
}

/// Answers to a change: 200 with the document as it is now.
pub(crate) fn updated() -> Answering {
    Arc::new(|effect| holding(200, &effect.document))
}

/// Answers to a deletion: a word, and of a user how many billings are left.
pub(crate) fn deleted() -> Answering {
    Arc::new(|effect: &Effect| {
        let remaining = effect.remaining_billings.map(|count| count.to_string());
        Ok(StoredAnswer {
            status: 200,
            headers: remaining
                .map(|count| ("x-remaining-billings".to_owned(), count))
                .into_iter()
                .collect(),
            body: r#"{"message":"Deleted"}"#.to_owned(),
        })
    })
}

fn holding(status: u16, document: &RawDocument) -> Result<StoredAnswer, StoreError> {
    let etag = preconditions::etag(Version::of(document));
    Ok(StoredAnswer {
        status,
        headers: vec![(header::ETAG.as_str().to_owned(), etag)],
        body: text_of(document)?,
    })
}

fn text_of(document: &RawDocument) -> Result<String, StoreError> {
    let mut text = Vec::with_capacity(document.as_bytes().len() * 2);
    json::write_document(document, &mut text).map_err(|error| unreadable(document, &error))?;
    String::from_utf8(text).map_err(|error| unreadable(document, &error))
}

/// The response that an answer stands for.
pub(crate) fn response_of(answer: StoredAnswer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use billwright_hot_path::counted;
    use billwright_store::bson::{DateTime, oid::ObjectId, rawdoc};

    use super::*;

    #[test]
    #[ignore = "counted by `cargo xtask instructions`"]
    fn hot_path_one_billing() {
        let date = DateTime::from_millis(1_764_000_000_000);
        let document = rawdoc! {
            "_id": ObjectId::from_bytes([7; 12]), "userId": "customer-1", "billingId": 1, "amount": 149.99,
            "billDate": date, "dueDate": date, "isPaid": false, "createdAt": date, "updatedAt": date, "__v": 0,
        };
        let response = counted(|| document_response(&HeaderMap::new(), &document)).unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }
}
