//! What can go wrong between Billwright and MongoDB, sorted by what the caller must do about it.

use bson::Document;
use mongodb::error::{
    Error, ErrorKind, RETRYABLE_WRITE_ERROR, TRANSIENT_TRANSACTION_ERROR, UNKNOWN_TRANSACTION_COMMIT_RESULT,
    WriteFailure,
};

/// A failed operation on MongoDB.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// MongoDB cannot be reached, has no primary, or asked to try again. The same operation may work later.
    #[error("MongoDB is not available right now; the operation can be repeated once it is back")]
    Unavailable(#[source] Error),
    /// A unique index refused the document.
    #[error("a document with the same key exists already in `{index}`")]
    Duplicate {
        /// The name of the index that refused it.
        index: String,
        /// The driver's error.
        #[source]
        source: Error,
    },
    /// A stored document does not have the shape that it must have.
    #[error(
        "the document `{id}` in `{collection}` cannot be read: {problem}; correct it by hand, unless a newer version wrote it, which can go on with it"
    )]
    Corrupt {
        /// The collection.
        collection: &'static str,
        /// The document's `_id`.
        id: String,
        /// What is wrong with it, without its content.
        problem: String,
    },
    /// Anything else: wrong settings, missing rights, a fault of ours. Repeating does not help.
    #[error("MongoDB refused the operation: {}", reason(.0))]
    Refused(#[source] Error),
}

impl StoreError {
    /// Whether the same operation may work later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// Whether another transaction was quicker: the operation works when it is repeated at once.
    pub fn is_write_conflict(&self) -> bool {
        let Self::Unavailable(error) = self else {
            return false;
        };
        match &*error.kind {
            ErrorKind::Command(command) => CONFLICT_CODES.contains(&command.code),
            ErrorKind::Write(WriteFailure::WriteError(write)) => CONFLICT_CODES.contains(&write.code),
            ErrorKind::Custom(_) => error
                .get_custom::<RefusedWrite>()
                .is_some_and(|write| CONFLICT_CODES.contains(&write.code)),
            _ => false,
        }
    }

    /// Whether the fault lies in one of the documents that were to be written, so that the others can be written without
    /// it.
    pub fn is_about_a_document(&self) -> bool {
        match self {
            Self::Duplicate { .. } => true,
            Self::Refused(error) => match &*error.kind {
                ErrorKind::Command(command) => DOCUMENT_CODES.contains(&command.code),
                ErrorKind::Write(WriteFailure::WriteError(write)) => DOCUMENT_CODES.contains(&write.code),
                ErrorKind::Custom(_) => error.get_custom::<RefusedWrite>().is_some(),
                _ => false,
            },
            Self::Unavailable(_) | Self::Corrupt { .. } => false,
        }
    }

    /// The first failure that the reply to an `insert`, `update` or `delete` command reports, which the driver's generic
    /// `run_command` takes for success.
    pub(crate) fn of_reply(reply: &Document) -> Option<Self> {
        let first = reply.get_array("writeErrors").ok()?.first()?.as_document()?;
        let code = first.get_i32("code").unwrap_or_default();
        let message = first.get_str("errmsg").unwrap_or_default();
        let source = Error::custom(RefusedWrite { code });
        Some(if code == DUPLICATE_KEY {
            Self::Duplicate {
                index: index_named_in(message).unwrap_or_default(),
                source,
            }
        } else if TRANSIENT_CODES.contains(&code) {
            Self::Unavailable(source)
        } else {
            Self::Refused(source)
        })
    }
}

/// A write that a reply reports as refused. The server's message is left out, since it quotes values.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the server refused a write (code {code})")]
pub(crate) struct RefusedWrite {
    code: i32,
}

/// Codes that mean that another transaction was quicker: lock time-out, write conflict, a view that is gone already.
const CONFLICT_CODES: [i32; 3] = [24, 112, 246];

/// Codes that mean that a document cannot be stored as it is: too large, against the collection's validator.
const DOCUMENT_CODES: [i32; 4] = [121, 10334, 17419, 17420];

/// The server's code for a violated unique index.
const DUPLICATE_KEY: i32 = 11_000;

/// Codes that mean "not now": stepping down, shutting down, interrupted, network, write conflict, lock time-out.
const TRANSIENT_CODES: [i32; 20] = [
    6, 7, 24, 89, 91, 112, 133, 134, 189, 225, 237, 246, 251, 262, 9001, 10107, 11600, 11602, 13435, 13436,
];

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        if let Some(index) = duplicate_index(&error) {
            return Self::Duplicate { index, source: error };
        }
        let labelled = [
            RETRYABLE_WRITE_ERROR,
            TRANSIENT_TRANSACTION_ERROR,
            UNKNOWN_TRANSACTION_COMMIT_RESULT,
        ]
        .iter()
        .any(|label| error.contains_label(label));
        let transient = match &*error.kind {
            ErrorKind::Io(_)
            | ErrorKind::ServerSelection { .. }
            | ErrorKind::ConnectionPoolCleared { .. }
            | ErrorKind::DnsResolve { .. }
            | ErrorKind::Transaction { .. }
            | ErrorKind::Write(WriteFailure::WriteConcernError(_)) => true,
            ErrorKind::Command(command) => TRANSIENT_CODES.contains(&command.code),
            ErrorKind::Write(WriteFailure::WriteError(write)) => TRANSIENT_CODES.contains(&write.code),
            _ => false,
        };
        if labelled || transient {
            Self::Unavailable(error)
        } else {
            Self::Refused(error)
        }
    }
}

/// The index that refused a document, if that is what `error` is about.
fn duplicate_index(error: &Error) -> Option<String> {
    let message = match &*error.kind {
        ErrorKind::Write(WriteFailure::WriteError(write)) if write.code == DUPLICATE_KEY => &write.message,
        ErrorKind::Command(command) if command.code == DUPLICATE_KEY => &command.message,
        ErrorKind::InsertMany(failure) => {
            let writes = failure.write_errors.as_deref().unwrap_or_default();
            &writes.iter().find(|write| write.code == DUPLICATE_KEY)?.message
        }
        ErrorKind::BulkWrite(failure) => {
            &failure
                .write_errors
                .values()
                .find(|write| write.code == DUPLICATE_KEY)?
                .message
        }
        _ => return None,
    };
    index_named_in(message)
}

/// "E11000 duplicate key error collection: db.users index: `userId_1` dup key: { … }"; the key itself is not repeated, since
/// it may be personal data.
fn index_named_in(message: &str) -> Option<String> {
    let after = message.split("index: ").nth(1)?;
    Some(after.split_whitespace().next().unwrap_or_default().to_owned())
}

/// The server's reason without the values that it quotes.
fn reason(error: &Error) -> String {
    match &*error.kind {
        ErrorKind::Command(command) => format!("{} (code {})", command.code_name, command.code),
        ErrorKind::Write(WriteFailure::WriteError(write)) => format!("write error {}", write.code),
        ErrorKind::Authentication { .. } => "the user name or password is wrong".to_owned(),
        ErrorKind::InvalidArgument { message, .. } => message.clone(),
        _ => "see the log for the driver's own error".to_owned(),
    }
}
