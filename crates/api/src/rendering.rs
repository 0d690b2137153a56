//! Turns stored documents into answers: single ones with their version, lists as JSON or CSV, whole or as a stream.

mod csv;
mod list;
mod single;

pub(crate) use list::list_response;
pub(crate) use single::{created, deleted, document_response, response_of, updated};

use billwright_store::{
    StoreError,
    billing::{billings, users},
    bson::{RawDocument, oid::ObjectId},
};

/// The type of every JSON answer.
const JSON: &str = "application/json; charset=utf-8";

/// A document whose bytes are damaged.
fn unreadable(document: &RawDocument, problem: &dyn std::error::Error) -> StoreError {
    let is_billing = matches!(document.get("billingId"), Ok(Some(_)));
    StoreError::Corrupt {
        collection: if is_billing {
            billings::COLLECTION
        } else {
            users::COLLECTION
        },
        id: document
            .get_object_id("_id")
            .map_or_else(|_| "unknown".to_owned(), ObjectId::to_hex),
        problem: problem.to_string(),
    }
}
