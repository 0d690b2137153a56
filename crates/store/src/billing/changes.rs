//! What was changed in the billing database, as it is told to whoever publishes it.

use billwright_trace_context::TraceContext;
use bson::RawDocument;
use futures_util::future::BoxFuture;
use mongodb::ClientSession;

use crate::StoreError;

/// What happened to a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// A user was made.
    UserCreated,
    /// A user was changed.
    UserUpdated,
    /// A user was deleted; the document is the last one.
    UserDeleted,
    /// A billing was made.
    BillingCreated,
    /// A billing was changed.
    BillingUpdated,
    /// A billing was changed and is paid since.
    BillingPaid,
    /// A billing was deleted; the document is the last one.
    BillingDeleted,
}

/// One change.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// What happened.
    pub kind: ChangeKind,
    /// The document after it, or the last one before it was deleted.
    pub document: &'a RawDocument,
    /// The trace that it happened in, where that is not the current one.
    pub trace: Option<&'a TraceContext>,
}

/// Keeps changes to be published, in the transaction that makes them, so that none is lost and none is told that was
/// rolled back.
pub trait ChangeLog: Send + Sync {
    /// Keeps `changes`. `session` is `None` where the server knows no transactions.
    fn record<'a>(
        &'a self,
        session: Option<&'a mut ClientSession>,
        changes: &'a [Change<'a>],
    ) -> BoxFuture<'a, Result<(), StoreError>>;
}
