//! Ends transactions that nobody will end.
//!
//! A process that is killed in a transaction leaves it open on the server, which ends it only after a minute
//! (`transactionLifetimeLimitSeconds`). Until then whoever needs a document that it wrote, such as the counter of
//! billings, conflicts with it. A transaction in which nothing happened for seconds is therefore ended by whoever it
//! stands in the way of: its owner is gone, or so slow that it can as well try again.

use std::time::Duration;

use bson::{Bson, doc};
use futures_util::TryStreamExt;

use crate::{Mongo, StoreError};

/// How long nothing must have happened in a transaction before it counts as abandoned.
const IDLE: Duration = Duration::from_secs(3);

/// How long a conflict must last before it is worth looking.
pub(crate) const WORTH_LOOKING: Duration = Duration::from_secs(1);

/// Ends the abandoned transactions of this application. Says how many there were.
pub async fn end_abandoned_transactions(mongo: &Mongo) -> Result<usize, StoreError> {
    let admin = mongo.client().database("admin");
    let idle = i64::try_from(IDLE.as_micros()).unwrap_or(i64::MAX);
    let stages = [
        doc! { "$currentOp": { "allUsers": false, "idleSessions": true } },
        doc! { "$match": {
            "type": "idleSession",
            "appName": mongo.app_name(),
            "transaction.parameters.autocommit": false,
            "transaction.timeInactiveMicros": { "$gte": idle },
        } },
        doc! { "$project": { "lsid.id": 1 } },
    ];
    let mut found = admin.aggregate(stages).await?;
    let mut sessions = Vec::new();
    while let Some(operation) = found.try_next().await? {
        if let Some(id) = operation
            .get_document("lsid")
            .ok()
            .and_then(|session| session.get("id"))
        {
            sessions.push(Bson::from(doc! { "id": id.clone() }));
        }
    }
    let count = sessions.len();
    if count > 0 {
        admin.run_command(doc! { "killSessions": sessions }).await?;
        tracing::warn!(transactions = count, "ended transactions that a process left open");
    }
    Ok(count)
}
