//! Applies a batch of one partition: reads the customers, works out what the events do, and writes that together with the
//! position, again and again until it is known to be written.

use std::{collections::HashMap, sync::Arc, time::Duration};

use billwright_domain::UserId;
use billwright_store::{
    StoreError,
    billing::{
        apply::{ApplyError, CustomerEvents},
        counters, positions,
        positions::PositionMove,
        set_aside::SetAsideEvent,
    },
    end_abandoned_transactions,
};
use rdkafka::{Message, message::BorrowedMessage};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    backoff::Backoff,
    event_spans::EventSpans,
    fold::{Decoded, Incoming, Outcome, fold},
    invalid::Invalid,
    messages::time_of,
    position::Start,
    runtime::{Runtime, retries},
    status::Place,
};

/// How long MongoDB may take for one batch before it counts as away.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// How long a conflict may last before it is looked whether it is with a transaction that nobody will end.
const CONFLICT_PATIENCE: Duration = Duration::from_secs(1);

/// How often a batch that meets a taken key is tried again before the key's document is looked for.
const KEY_PATIENCE: u32 = 4;

/// What happens after the current messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// The worker ends.
    Stop,
    /// The position must be found anew.
    Reposition,
}

/// Why a batch is not applied as a whole.
#[derive(Debug)]
pub(crate) enum Obstacle {
    Next(Next),
    /// A document in it cannot be written.
    Document(String),
    /// It is more than one transaction takes.
    TooLarge,
}

impl From<Next> for Obstacle {
    fn from(next: Next) -> Self {
        Self::Next(next)
    }
}

/// A message with what was read from it.
pub(crate) struct Received<'a> {
    pub(crate) message: BorrowedMessage<'a>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
    pub(crate) decoded: Result<Decoded, Invalid>,
}

/// Applies the batches of one partition.
pub(crate) struct Batches {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) place: Place,
    pub(crate) cancel: CancellationToken,
}

impl Batches {
    /// Applies `received` and moves the position behind it, however often that must be tried.
    #[tracing::instrument(name = "events.batch", skip_all, fields(
        otel.kind = "consumer", kafka.topic = self.place.0, kafka.partition = self.place.1, events = received.len()
    ))]
    pub(crate) async fn apply(
        &self,
        customers: &CustomerEvents,
        start: &mut Start,
        received: &[Received<'_>],
    ) -> Result<(), Obstacle> {
        let Some(last) = received.last() else {
            return Ok(());
        };
        let to = last.message.offset() + 1;
        let spans = EventSpans::begin(&self.place, received);
        let mut backoff = retries();
        let mut conflicts = Backoff::new(Duration::from_millis(4), Duration::from_millis(200));
        let mut taken_keys = 0;
        let mut looked = Instant::now();
        loop {
            let attempt = timeout(ANSWER_WITHIN, self.attempt(customers, start, received, &spans, to)).await;
            let error = match attempt {
                Ok(Ok((outcomes, released))) => {
                    self.runtime.mongodb_works();
                    spans.end(&outcomes);
                    self.count(received, &outcomes, released);
                    self.arrive(start, to, received.len());
                    return Ok(());
                }
                Ok(Err(error)) => Some(error),
                Err(_) => None,
            };
            let go_on = match error {
                Some(ApplyError::TooLarge) => return Err(Obstacle::TooLarge),
                Some(ApplyError::Moved) => conflicts.wait(&self.cancel).await,
                Some(ApplyError::Store(error)) if error.is_write_conflict() => {
                    if looked.elapsed() > CONFLICT_PATIENCE {
                        looked = Instant::now();
                        // If this fails, the conflict ends when the server ends the transaction that it is with.
                        let _ = end_abandoned_transactions(customers.mongo()).await;
                    }
                    conflicts.wait(&self.cancel).await
                }
                Some(ApplyError::Store(error)) if error.is_about_a_document() => {
                    taken_keys += 1;
                    let taken = matches!(error, StoreError::Duplicate { .. });
                    if !taken || taken_keys > KEY_PATIENCE {
                        return Err(Obstacle::Document(error.to_string()));
                    }
                    // The counter may be behind its data, as after an import.
                    if let Err(error) = counters::repair(customers.mongo(), false).await {
                        self.runtime.mongodb_failed(&error);
                    }
                    conflicts.wait(&self.cancel).await
                }
                Some(ApplyError::Store(error)) => {
                    self.runtime.mongodb_failed(&error);
                    backoff.wait(&self.cancel).await
                }
                None => {
                    self.runtime.mongodb_silent();
                    backoff.wait(&self.cancel).await
                }
            };
            if !go_on {
                return Err(Next::Stop.into());
            }
            // The answer may have been lost after the effect, and others may have taken over.
            match timeout(ANSWER_WITHIN, positions::find(&self.runtime.mongo, &start.partition)).await {
                Ok(Ok(found)) if found.map(|found| found.next) == start.stored => {}
                Ok(Ok(Some(found))) if found.next == to => {
                    self.runtime.mongodb_works();
                    self.arrive(start, to, received.len());
                    return Ok(());
                }
                Ok(Ok(_)) => return Err(Next::Reposition.into()),
                Ok(Err(error)) => self.runtime.mongodb_failed(&error),
                Err(_) => self.runtime.mongodb_silent(),
            }
        }
    }

    async fn attempt(
        &self,
        customers: &CustomerEvents,
        start: &Start,
        received: &[Received<'_>],
        spans: &EventSpans,
        to: i64,
    ) -> Result<(Vec<Outcome>, usize), ApplyError> {
        let now = self.runtime.clock.now();
        let mut incoming = Vec::with_capacity(received.len());
        let mut places = Vec::with_capacity(received.len());
        for (place, message) in received.iter().enumerate() {
            if let Ok(decoded) = &message.decoded {
                let offset = message.message.offset();
                incoming.push(Incoming { offset, decoded });
                places.push(place);
            }
        }
        let news = || incoming.iter().filter(|event| event.offset >= start.applied);
        let mut users: Vec<&UserId> = news().map(|event| event.decoded.event.user_id()).collect();
        users.sort_unstable();
        users.dedup();
        let creating: Vec<&UserId> = news()
            .filter(|event| event.decoded.event.creates())
            .map(|event| event.decoded.event.user_id())
            .collect();
        let snapshots = customers.load(&users, &creating).await?;
        let expires_at = now + self.runtime.settings.set_aside_expiry;
        let folded = fold(
            &incoming,
            snapshots,
            start.applied,
            &self.runtime.settings.first_billing,
            now,
            |event| {
                let (message, decoded) = (&received[places[event]], incoming[event].decoded);
                Some(SetAsideEvent {
                    partition: start.partition.clone(),
                    offset: message.message.offset(),
                    user_id: decoded.event.user_id().clone(),
                    kind: decoded.event.kind().to_owned(),
                    key: message.message.key().map(<[u8]>::to_vec),
                    value: message.message.payload().unwrap_or_default().to_vec(),
                    headers: message.headers.clone(),
                    record_time: time_of(&message.message),
                    set_aside_at: now,
                    expires_at,
                })
            },
        );
        let mut unit = folded.unit;
        spans.hand_on(&mut unit.customers, |event| {
            (folded.outcomes[event] == Outcome::Applied).then(|| incoming[event].decoded.event.user_id())
        });
        unit.position = Some(PositionMove {
            partition: &start.partition,
            from: start.stored,
            to,
            group: &self.runtime.settings.group_id,
        });
        customers.apply(&unit, now).await?;
        Ok((folded.outcomes, folded.released))
    }

    fn arrive(&self, start: &mut Start, to: i64, count: usize) {
        start.stored = Some(to);
        start.next = to;
        self.runtime
            .status
            .moved(&self.place, to, count, self.runtime.clock.now());
    }

    fn count(&self, received: &[Received<'_>], outcomes: &[Outcome], released: usize) {
        let now = self.runtime.clock.now();
        let mut counts: HashMap<(&'static str, Outcome), u64> = HashMap::new();
        let valid = received
            .iter()
            .filter_map(|received| Some((received, received.decoded.as_ref().ok()?)));
        for ((received, decoded), outcome) in valid.zip(outcomes) {
            *counts.entry((decoded.event.kind(), *outcome)).or_default() += 1;
            if let Some(time) = time_of(&received.message).filter(|_| *outcome == Outcome::Applied) {
                let delay = (now - time).to_std().unwrap_or_default();
                metrics::histogram!("billwright_events_delay_seconds").record(delay.as_secs_f64());
            }
        }
        for ((kind, outcome), count) in counts {
            metrics::counter!("billwright_events_total", "type" => kind, "outcome" => outcome.as_str())
                .increment(count);
        }
        if released > 0 {
            let released = u64::try_from(released).unwrap_or_default();
            metrics::counter!("billwright_events_set_aside_applied_total").increment(released);
        }
    }
}
