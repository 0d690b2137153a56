//! Turns stored documents into answers: single ones with their version, lists as JSON or CSV, whole or as a stream.

mod csv;
mod list;
mod single;

pub(crate) use list::list_response;
pub(crate) use single::{created, deleted, document_response, response_of, updated};

use billwright_store::StoreError;

/// The type of every JSON answer.
const JSON: &str = "application/json; charset=utf-8";

/// A document that cannot be read.
fn unreadable(collection: &'static str, problem: impl ToString) -> StoreError {
    StoreError::Corrupt {
        collection,
        id: "unknown".to_owned(),
        problem: problem.to_string(),
    }
}
