//! What can go wrong between Billwright and MongoDB, sorted by what the caller must do about it.

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
    #[error("the document `{id}` in `{collection}` cannot be read: {problem}; correct it by hand")]
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
}

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
    // "E11000 duplicate key error collection: db.users index: userId_1 dup key: { … }"; the key itself is not repeated,
    // since it may be personal data.
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
