//! Applies the messages of one partition, batch by batch: what cannot be applied goes to the dead letters first, then the
//! effects and the position go to MongoDB together.

use std::{sync::Arc, time::Duration};

use billwright_domain::UserId;
use billwright_store::{
    StoreError,
    billing::{
        apply::{ApplyError, CustomerEvents},
        counters, positions,
        positions::PositionMove,
        set_aside::SetAsideEvent,
    },
};
use futures_util::{StreamExt, stream::FuturesUnordered};
use rdkafka::{Message, error::KafkaError, message::BorrowedMessage};
use tokio::{
    sync::{Mutex, Notify},
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    assignment::Member,
    backoff::Backoff,
    bad_share::{BadShare, Verdict},
    dead_letters::{DeadLetter, DeadLetters},
    fold::{Decoded, Folded, Incoming, Outcome, fold},
    invalid::{Invalid, InvalidCode},
    kafka,
    messages::{PartitionMessages, headers_of, record, time_of},
    position::{self, Start},
    runtime::{Runtime, retries},
    status::Place,
};

/// How long MongoDB may take for one batch before it counts as away.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// How often a batch that meets a taken key is tried again before the key's document is looked for.
const KEY_PATIENCE: u32 = 4;

/// How many dead letters are under way at a time.
const DEAD_LETTERS_AT_A_TIME: usize = 64;

/// What happens after the current messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// The worker ends.
    Stop,
    /// The position must be found anew.
    Reposition,
}

/// Why a range of a batch is not applied as a whole.
enum Obstacle {
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
struct Received<'a> {
    message: BorrowedMessage<'a>,
    headers: Vec<(String, Option<Vec<u8>>)>,
    decoded: Result<Decoded, Invalid>,
}

pub(crate) struct Worker {
    runtime: Arc<Runtime>,
    dead_letters: Arc<DeadLetters>,
    member: Arc<Member>,
    place: Place,
    cancel: CancellationToken,
    reposition: Arc<Notify>,
    bad_share: BadShare,
}

impl Worker {
    pub(crate) fn new(
        runtime: Arc<Runtime>,
        dead_letters: Arc<DeadLetters>,
        member: Arc<Member>,
        place: Place,
        cancel: CancellationToken,
        reposition: Arc<Notify>,
    ) -> Self {
        Self {
            bad_share: BadShare::new(runtime.settings.bad_messages),
            runtime,
            dead_letters,
            member,
            place,
            cancel,
            reposition,
        }
    }

    /// Works until the partition is revoked.
    pub(crate) async fn run(mut self, messages: Arc<Mutex<PartitionMessages>>) {
        let cancel = self.cancel.clone();
        // A predecessor on the same partition may still finish its batch.
        let Some(messages) = cancel.run_until_cancelled(messages.lock()).await else {
            return;
        };
        let runtime = Arc::clone(&self.runtime);
        let Some(customers) = runtime.customers(&cancel).await else {
            return;
        };
        while let Some(mut start) = self.take_position().await {
            self.runtime
                .status
                .moved(&self.place, start.next, 0, self.runtime.clock.now());
            match self.consume(customers, &messages, &mut start).await {
                Next::Stop => return,
                Next::Reposition => {}
            }
        }
    }

    async fn take_position(&self) -> Option<Start> {
        let mut backoff = retries();
        loop {
            let taken = position::take(&self.runtime, &self.member, &self.place);
            match self.cancel.run_until_cancelled(taken).await? {
                Ok(start) => {
                    self.runtime.mongodb_works();
                    return Some(start);
                }
                Err(position::Unknown::Store(error)) => self.runtime.mongodb_failed(&error),
                // A partition that was assigned just now cannot be positioned for a moment.
                Err(position::Unknown::Kafka(error)) => {
                    tracing::debug!(
                        kafka.topic = self.place.0,
                        kafka.partition = self.place.1,
                        "no position yet: {error}"
                    );
                }
            }
            if !backoff.wait(&self.cancel).await {
                return None;
            }
        }
    }

    async fn consume(&mut self, customers: &CustomerEvents, messages: &PartitionMessages, start: &mut Start) -> Next {
        loop {
            let first = tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Next::Stop,
                () = self.reposition.notified() => return Next::Reposition,
                first = messages.next() => first,
            };
            let batch = match self.gather(messages, first) {
                Ok(batch) => batch,
                Err(error) => {
                    tracing::warn!(
                        kafka.topic = self.place.0,
                        kafka.partition = self.place.1,
                        "reading failed and goes on: {}",
                        kafka::explain(&error)
                    );
                    continue;
                }
            };
            // Offsets that go back mean that the log was cut or is another one.
            if batch.iter().any(|message| message.offset() < start.next) {
                return Next::Reposition;
            }
            if let Err(next) = self.process(customers, start, batch).await {
                return next;
            }
        }
    }

    /// The batch that begins with `first`: what is there already, up to the limits.
    fn gather<'a>(
        &self,
        messages: &'a PartitionMessages,
        first: Result<BorrowedMessage<'a>, KafkaError>,
    ) -> Result<Vec<BorrowedMessage<'a>>, KafkaError> {
        let limits = self.runtime.settings.batch;
        let mut batch = vec![first?];
        let mut bytes = batch[0].payload_len();
        while batch.len() < limits.events && bytes < limits.bytes {
            match messages.try_next() {
                Some(Ok(message)) => {
                    bytes += message.payload_len();
                    batch.push(message);
                }
                // The failure comes after what was read; it is met again if it lasts.
                Some(Err(error)) => {
                    tracing::debug!("reading failed: {error}");
                    break;
                }
                None => break,
            }
        }
        Ok(batch)
    }

    async fn process(
        &mut self,
        customers: &CustomerEvents,
        start: &mut Start,
        batch: Vec<BorrowedMessage<'_>>,
    ) -> Result<(), Next> {
        let began = Instant::now();
        let (mut received, rest, verdict) = self.read(batch);
        metrics::histogram!("billwright_events_batch_size").record(count_as_f64(received.len()));
        self.write_dead_letters(&received).await?;
        // Ranges of the batch that are still to be applied, the next one last.
        let mut ranges = vec![0..received.len()];
        while let Some(range) = ranges.pop() {
            match self.apply(customers, start, &received[range.clone()]).await {
                Ok(()) => {}
                Err(Obstacle::Next(next)) => return Err(next),
                Err(Obstacle::TooLarge | Obstacle::Document(_)) if range.len() > 1 => {
                    let middle = range.start + range.len() / 2;
                    ranges.push(middle..range.end);
                    ranges.push(range.start..middle);
                }
                Err(Obstacle::TooLarge) => return Err(Next::Reposition),
                Err(Obstacle::Document(reason)) => {
                    received[range.start].decoded = Err(Invalid::new(InvalidCode::Refused, reason));
                    self.write_dead_letters(&received[range.clone()]).await?;
                    ranges.push(range);
                }
            }
        }
        metrics::histogram!("billwright_events_batch_duration_seconds").record(began.elapsed().as_secs_f64());
        drop(received);
        self.judge(verdict).await?;
        if rest.is_empty() {
            Ok(())
        } else {
            // What came after the pause was read already; it is fetched again.
            drop(rest);
            Err(Next::Reposition)
        }
    }

    /// Reads the events of a batch, up to the message at which there are too many bad ones. The messages after it are
    /// given back unread.
    fn read<'a>(&mut self, batch: Vec<BorrowedMessage<'a>>) -> (Vec<Received<'a>>, Vec<BorrowedMessage<'a>>, Verdict) {
        let now = self.runtime.clock.now();
        let mut received = Vec::with_capacity(batch.len());
        let mut verdict = Verdict::Fine;
        let mut batch = batch.into_iter();
        for message in batch.by_ref() {
            let headers = headers_of(&message);
            let decoded = Decoded::of(record(&message, &headers), &self.runtime.settings.first_billing, now);
            verdict = self.bad_share.note(decoded.is_err());
            received.push(Received {
                message,
                headers,
                decoded,
            });
            if verdict == Verdict::Pause {
                break;
            }
        }
        (received, batch.collect(), verdict)
    }

    /// Writes the bad ones of `received` to the dead letters, however long that takes.
    async fn write_dead_letters(&self, received: &[Received<'_>]) -> Result<(), Next> {
        let mut under_way = FuturesUnordered::new();
        for bad in received {
            if bad.decoded.is_ok() {
                continue;
            }
            if under_way.len() == DEAD_LETTERS_AT_A_TIME {
                under_way.next().await.unwrap_or(Ok(()))?;
            }
            under_way.push(self.write_dead_letter(bad));
        }
        while let Some(written) = under_way.next().await {
            written?;
        }
        Ok(())
    }

    async fn write_dead_letter(&self, received: &Received<'_>) -> Result<(), Next> {
        let Err(reason) = &received.decoded else {
            return Ok(());
        };
        let letter = DeadLetter {
            topic: &self.place.0,
            partition: self.place.1,
            offset: received.message.offset(),
            time: time_of(&received.message),
            key: received.message.key(),
            value: received.message.payload(),
            headers: &received.headers,
            reason,
        };
        let mut backoff = retries();
        let mut waited = false;
        loop {
            let written = self.cancel.run_until_cancelled(self.dead_letters.write(letter)).await;
            let Err(error) = written.ok_or(Next::Stop)? else {
                break;
            };
            let explained = kafka::explain(&error);
            if !waited {
                tracing::warn!(
                    kafka.topic = self.place.0,
                    kafka.partition = self.place.1,
                    "the partition waits, since its dead letters cannot be written: {explained}"
                );
            }
            waited = true;
            let paused = format!("dead letters cannot be written: {explained}");
            self.runtime.status.pause(&self.place, Some(paused));
            if !backoff.wait(&self.cancel).await {
                return Err(Next::Stop);
            }
        }
        if waited {
            self.runtime.status.pause(&self.place, None);
        }
        self.runtime.status.dead_letter();
        metrics::counter!("billwright_events_total", "type" => "none", "outcome" => "dead_letter").increment(1);
        Ok(())
    }

    /// Applies `received` and moves the position behind it, however often that must be tried.
    async fn apply(
        &self,
        customers: &CustomerEvents,
        start: &mut Start,
        received: &[Received<'_>],
    ) -> Result<(), Obstacle> {
        let Some(last) = received.last() else {
            return Ok(());
        };
        let to = last.message.offset() + 1;
        let mut backoff = retries();
        let mut conflicts = Backoff::new(Duration::from_millis(4), Duration::from_millis(200));
        let mut taken_keys = 0;
        loop {
            let attempt = timeout(ANSWER_WITHIN, self.attempt(customers, start, received, to)).await;
            let error = match attempt {
                Ok(Ok(folded)) => {
                    self.runtime.mongodb_works();
                    self.count(received, &folded);
                    self.arrive(start, to, received.len());
                    return Ok(());
                }
                Ok(Err(error)) => Some(error),
                Err(_) => None,
            };
            let go_on = match error {
                Some(ApplyError::TooLarge) => return Err(Obstacle::TooLarge),
                Some(ApplyError::Moved) => conflicts.wait(&self.cancel).await,
                Some(ApplyError::Store(error)) if error.is_write_conflict() => conflicts.wait(&self.cancel).await,
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
        to: i64,
    ) -> Result<Folded<'_>, ApplyError> {
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
        let mut folded = fold(
            &incoming,
            snapshots,
            start.applied,
            &self.runtime.settings.first_billing,
            now,
            |event| {
                let (message, decoded) = (&received[places[event]], incoming[event].decoded);
                SetAsideEvent {
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
                }
            },
        );
        let outcomes = std::mem::take(&mut folded.outcomes);
        let mut unit = folded.unit;
        unit.position = Some(PositionMove {
            partition: &start.partition,
            from: start.stored,
            to,
            group: &self.runtime.settings.group_id,
        });
        customers.apply(&unit, now).await?;
        Ok(Folded {
            unit: billwright_store::billing::apply::Unit::default(),
            outcomes,
            released: folded.released,
        })
    }

    fn arrive(&self, start: &mut Start, to: i64, count: usize) {
        start.stored = Some(to);
        start.next = to;
        self.runtime
            .status
            .moved(&self.place, to, count, self.runtime.clock.now());
    }

    fn count(&self, received: &[Received<'_>], folded: &Folded<'_>) {
        let now = self.runtime.clock.now();
        let mut counts: std::collections::HashMap<(&'static str, Outcome), u64> = std::collections::HashMap::new();
        let valid = received
            .iter()
            .filter_map(|received| Some((received, received.decoded.as_ref().ok()?)));
        for ((received, decoded), outcome) in valid.zip(&folded.outcomes) {
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
        if folded.released > 0 {
            let released = u64::try_from(folded.released).unwrap_or_default();
            metrics::counter!("billwright_events_set_aside_applied_total").increment(released);
        }
    }

    /// Raises or ends the alarm over bad messages, and pauses if there are too many.
    async fn judge(&mut self, verdict: Verdict) -> Result<(), Next> {
        let (topic, partition) = &self.place;
        if self.runtime.status.alarm(&self.place, verdict != Verdict::Fine) {
            if verdict == Verdict::Fine {
                tracing::info!(
                    kafka.topic = topic,
                    kafka.partition = partition,
                    "most messages are good again"
                );
            } else {
                tracing::error!(
                    kafka.topic = topic,
                    kafka.partition = partition,
                    "many messages are bad; look at the dead letters"
                );
            }
        }
        if verdict != Verdict::Pause {
            return Ok(());
        }
        let pause = self.runtime.settings.bad_messages.pause;
        tracing::error!(
            kafka.topic = topic,
            kafka.partition = partition,
            "too many messages are bad: the partition is paused for {pause:?} or until it is resumed by hand"
        );
        let reason = "too many messages are bad; look at the dead letters, then resume".to_owned();
        self.runtime.status.pause(&self.place, Some(reason));
        tokio::select! {
            () = self.cancel.cancelled() => return Err(Next::Stop),
            () = self.runtime.resumed.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
        self.bad_share.start_over();
        self.runtime.status.pause(&self.place, None);
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "a batch of more than 2^52 messages is none")]
fn count_as_f64(count: usize) -> f64 {
    count as f64
}
