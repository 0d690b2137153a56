//! Runs work in a MongoDB transaction and repeats it while MongoDB says that repeating helps.

use std::time::Duration;

use mongodb::{
    ClientSession,
    error::{Error, ErrorKind, TRANSIENT_TRANSACTION_ERROR, UNKNOWN_TRANSACTION_COMMIT_RESULT},
};
use rand::Rng;
use tokio::time::Instant;

use crate::{Mongo, StoreError, abandoned::WORTH_LOOKING, end_abandoned_transactions};

/// Work that is done as a whole or not at all. It may run several times, each time from the beginning.
pub trait Work: Send {
    /// What the work results in.
    type Output: Send;

    /// Does the work; every operation must use `session`.
    fn run(&mut self, session: &mut ClientSession) -> impl Future<Output = Result<Self::Output, StoreError>> + Send;
}

/// How long conflicts with others' transactions are worked around.
const CONFLICT_PATIENCE: Duration = Duration::from_secs(5);

/// How long a server that cannot be reached is waited for, beside the driver's own wait.
const AWAY_PATIENCE: Duration = Duration::from_millis(500);

/// How long the outcome of a commit is asked for.
const COMMIT_PATIENCE: Duration = Duration::from_secs(10);

/// Runs `work` in a transaction. Where the answer of the commit was lost, the commit is repeated until its outcome is known.
pub async fn in_transaction<W: Work>(mongo: &Mongo, work: &mut W) -> Result<W::Output, StoreError> {
    let started = Instant::now();
    let mut looked = None;
    let mut session = mongo.client().start_session().await?;
    let mut attempt = 0;
    loop {
        let failed = match once(&mut session, work).await {
            Ok(output) => return Ok(output),
            Err(failed) => failed,
        };
        let patience = match &failed {
            StoreError::Unavailable(error) if error.contains_label(TRANSIENT_TRANSACTION_ERROR) => {
                if is_away(error) {
                    AWAY_PATIENCE
                } else {
                    CONFLICT_PATIENCE
                }
            }
            _ => return Err(failed),
        };
        if looked.is_none_or(|looked: Instant| looked.elapsed() > WORTH_LOOKING) && started.elapsed() > WORTH_LOOKING {
            looked = Some(Instant::now());
            // If it cannot be done, the conflict ends when the server ends the transaction that it is with.
            let _ = end_abandoned_transactions(mongo).await;
        }
        let pause = pause(attempt);
        if started.elapsed() + pause > patience {
            return Err(failed);
        }
        tokio::time::sleep(pause).await;
        attempt += 1;
    }
}

async fn once<W: Work>(session: &mut ClientSession, work: &mut W) -> Result<W::Output, StoreError> {
    session.start_transaction().await?;
    match work.run(session).await {
        Ok(output) => {
            commit(session).await?;
            Ok(output)
        }
        Err(failed) => {
            // The server forgets an unfinished transaction by itself; saying so frees what it holds at once.
            let _ = session.abort_transaction().await;
            Err(failed)
        }
    }
}

async fn commit(session: &mut ClientSession) -> Result<(), StoreError> {
    let started = Instant::now();
    let mut attempt = 0;
    loop {
        match session.commit_transaction().await {
            Ok(()) => return Ok(()),
            Err(error)
                if error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT) && started.elapsed() < COMMIT_PATIENCE =>
            {
                tokio::time::sleep(pause(attempt)).await;
                attempt += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// A pause that grows from about 2 ms to about 200 ms, never the same for two processes that met.
fn pause(attempt: u32) -> Duration {
    let longest = 4_u64 << attempt.min(6);
    Duration::from_millis(rand::rng().random_range(longest / 2..=longest))
}

fn is_away(error: &Error) -> bool {
    matches!(
        &*error.kind,
        ErrorKind::Io(_)
            | ErrorKind::ServerSelection { .. }
            | ErrorKind::ConnectionPoolCleared { .. }
            | ErrorKind::DnsResolve { .. }
    )
}
