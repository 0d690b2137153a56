//! What goes on beside the requests: prepares the database once it is there, and watches it from then on.

use std::time::Duration;

use billwright_domain::{Condition, HealthBoard};
use billwright_store::{
    StoreError, Topology,
    billing::{
        counters::{self, CounterState},
        indexes,
    },
};
use tokio::time::Instant;

use crate::state::AppState;

/// The name on the health board.
const DEPENDENCY: &str = "billing.mongodb";

/// How often MongoDB is asked whether it is there: while it is, and while it is not.
const WHILE_UP: Duration = Duration::from_secs(2);
const WHILE_DOWN: Duration = Duration::from_millis(250);

/// How long it may take to answer before it is taken to be away.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// How often callers who are gone are forgotten.
const TIDY_EVERY: Duration = Duration::from_mins(1);

/// Runs for as long as the API does.
pub(crate) async fn run(state: AppState, health: HealthBoard) {
    health.post(DEPENDENCY, Condition::Down, "not reached yet");
    let mut prepared: Option<(Condition, String)> = None;
    let mut tidied = Instant::now();
    loop {
        let up = match tokio::time::timeout(ANSWERS_WITHIN, state.store.mongo().ping()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer within {} s", ANSWERS_WITHIN.as_secs())),
        };
        state.availability.set(up.is_ok());
        match up {
            Ok(()) => {
                if prepared.is_none() {
                    post(&health, Condition::Up, "indexes are being made");
                    match prepare(&state).await {
                        Ok(report) => prepared = Some(report),
                        Err(error) => {
                            let error: &dyn std::error::Error = &error;
                            tracing::error!(error, "the billing database could not be prepared; trying again");
                        }
                    }
                }
                match &prepared {
                    Some((condition, detail)) => post(&health, *condition, detail),
                    None => post(&health, Condition::Degraded, "not prepared yet; see the log"),
                }
            }
            Err(reason) => post(&health, Condition::Down, &reason),
        }
        if let Some(limiter) = state.rate_limiter.as_ref().filter(|_| tidied.elapsed() > TIDY_EVERY) {
            limiter.tidy();
            tidied = Instant::now();
        }
        let is_up = health
            .all()
            .get(DEPENDENCY)
            .is_some_and(|now| now.condition == Condition::Up);
        tokio::time::sleep(if is_up { WHILE_UP } else { WHILE_DOWN }).await;
    }
}

fn post(health: &HealthBoard, condition: Condition, detail: &str) {
    if health.post(DEPENDENCY, condition, detail) {
        match condition {
            Condition::Up => tracing::info!(detail, "the billing database is there"),
            Condition::Degraded => tracing::warn!(detail, "the billing database works in part"),
            Condition::Down => tracing::warn!(detail, "the billing database is away; requests are answered with 503"),
        }
    }
}

/// Looks at what the server is, makes the indexes, and puts the counter right.
async fn prepare(state: &AppState) -> Result<(Condition, String), StoreError> {
    let store = &state.store;
    let mut detail = match store.topology().await? {
        Topology::Transactional => "transactions work".to_owned(),
        Topology::Standalone => {
            tracing::warn!(
                "MongoDB is no replica set, so that there are no transactions: billing numbers stay unique, but a crash \
                 can leave a gap, and an `Idempotency-Key` does not outlive a crash between a write and its answer. \
                 Make it a replica set of one to have both"
            );
            "no replica set: numbers are unique but may have gaps".to_owned()
        }
    };
    let complaints = indexes::ensure(store).await?;
    for complaint in &complaints {
        tracing::warn!("{complaint}");
        detail.push_str("; ");
        detail.push_str(complaint);
    }
    if let CounterState::Repaired { from, to } = counters::repair(store.mongo(), false).await? {
        tracing::warn!(from, to, "the counter of billings was behind the data and was moved");
    }
    let condition = if store.has_unique_indexes() {
        Condition::Up
    } else {
        Condition::Degraded
    };
    Ok((condition, detail))
}
