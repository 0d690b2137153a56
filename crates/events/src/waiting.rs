//! Looks after events that wait for their customers: applies them when the customer appeared otherwise than by an event,
//! and sends them to the dead letters when their time is over.

use std::{sync::Arc, time::Duration};

use billwright_domain::UserId;
use billwright_store::billing::{
    apply::{ApplyError, CustomerEvents},
    lease,
    set_aside::{self, SetAsideEvent},
};
use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use crate::{
    dead_letters::{DeadLetter, DeadLetters},
    fold::fold,
    invalid::{Invalid, InvalidCode},
    kafka,
    runtime::Runtime,
    settings::EventsSettings,
};

/// The right that one process has at a time, so that an event does not go to the dead letters twice.
const RIGHT: &str = "set_aside";

/// How long the right is taken for.
const TERM: Duration = Duration::from_secs(30);

/// How many customers or events are looked after at once.
const AT_ONCE: u32 = 500;

/// Looks after them until `cancel`.
pub(crate) async fn look_after(runtime: Arc<Runtime>, dead_letters: DeadLetters, cancel: CancellationToken) {
    let holder = uuid::Uuid::new_v4().to_string();
    let Some(customers) = runtime.customers(&cancel).await else {
        return;
    };
    loop {
        match cancel
            .run_until_cancelled(sweep(&runtime, customers, &dead_letters, &holder))
            .await
        {
            None => break,
            Some(Ok(())) => {}
            // It is tried again with the next sweep.
            Some(Err(ApplyError::Moved)) => tracing::debug!("a customer changed while waiting events were applied"),
            Some(Err(ApplyError::TooLarge)) => tracing::error!("more events wait than one transaction takes"),
            Some(Err(ApplyError::Store(error))) => tracing::debug!("waiting events are looked after later: {error}"),
        }
        let sweep = tokio::time::sleep(runtime.settings.set_aside_sweep);
        if cancel.run_until_cancelled(sweep).await.is_none() {
            break;
        }
    }
    lease::give_back(&runtime.mongo, RIGHT, &holder).await;
}

async fn sweep(
    runtime: &Runtime,
    customers: &CustomerEvents,
    dead_letters: &DeadLetters,
    holder: &str,
) -> Result<(), ApplyError> {
    let waiting = set_aside::count(&runtime.mongo).await?;
    runtime.status.set_aside(waiting);
    #[expect(clippy::cast_precision_loss, reason = "more than 2^52 events never wait")]
    metrics::gauge!("billwright_events_set_aside").set(waiting as f64);
    if waiting == 0 || !lease::take(&runtime.mongo, RIGHT, holder, TERM).await? {
        return Ok(());
    }
    apply_to_those_that_appeared(runtime, customers).await?;
    for event in set_aside::expired(&runtime.mongo, runtime.clock.now(), AT_ONCE).await? {
        if !expire(runtime, dead_letters, &event).await {
            break;
        }
        set_aside::forget(&runtime.mongo, &event).await?;
    }
    Ok(())
}

async fn apply_to_those_that_appeared(runtime: &Runtime, customers: &CustomerEvents) -> Result<(), ApplyError> {
    let appeared = set_aside::customers_that_appeared(&runtime.mongo, AT_ONCE).await?;
    if appeared.is_empty() {
        return Ok(());
    }
    let users: Vec<&UserId> = appeared.iter().collect();
    let Some(released) = apply(customers, &users, &runtime.settings, runtime.clock.now()).await? else {
        return Ok(());
    };
    tracing::info!(
        events = released,
        customers = users.len(),
        "events were applied to customers who appeared"
    );
    Ok(())
}

/// Applies what waits for `users` in the order in which it came, and says how much that was; `None` where none of them is
/// known.
pub(crate) async fn apply(
    customers: &CustomerEvents,
    users: &[&UserId],
    settings: &EventsSettings,
    now: DateTime<Utc>,
) -> Result<Option<usize>, ApplyError> {
    let snapshots = customers.load(users, &[]).await?;
    if snapshots.values().all(|snapshot| snapshot.user.is_none()) {
        return Ok(None);
    }
    let folded = fold(&[], snapshots, 0, &settings.first_billing, now, |_| None);
    customers.apply(&folded.unit, now).await?;
    let released = u64::try_from(folded.released).unwrap_or_default();
    metrics::counter!("billwright_events_set_aside_applied_total").increment(released);
    Ok(Some(folded.released))
}

/// Sends an event to the dead letters. Says whether it is there.
async fn expire(runtime: &Runtime, dead_letters: &DeadLetters, event: &SetAsideEvent) -> bool {
    let waited = event.expires_at - event.set_aside_at;
    let reason = Invalid::new(
        InvalidCode::Expired,
        format!(
            "the customer of this `{}` did not appear within {} s",
            event.kind,
            waited.num_seconds()
        ),
    );
    let letter = DeadLetter {
        topic: &event.partition.topic,
        partition: event.partition.partition,
        offset: event.offset,
        time: event.record_time,
        key: event.key.as_deref(),
        value: Some(&event.value),
        headers: &event.headers,
        reason: &reason,
    };
    match dead_letters.write(letter).await {
        Ok(()) => {
            runtime.status.dead_letter();
            true
        }
        Err(error) => {
            tracing::warn!(
                "an event that expired cannot go to the dead letters yet: {}",
                kafka::explain(&error)
            );
            false
        }
    }
}
