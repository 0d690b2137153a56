//! Applies the messages of one partition, batch by batch: what cannot be applied goes to the dead letters first, then the
//! effects and the position go to MongoDB together.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use billwright_store::billing::{apply::CustomerEvents, positions};
use futures_util::{StreamExt, stream::FuturesUnordered};
use rdkafka::{Message, error::KafkaError, message::BorrowedMessage};
use tokio::{
    sync::{Mutex, Notify},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    assignment::Member,
    bad_share::{BadShare, Verdict},
    batch::{Batches, Next, Obstacle, Received},
    dead_letters::{DeadLetter, DeadLetters},
    fold::Decoded,
    invalid::{Invalid, InvalidCode},
    kafka,
    messages::{PartitionMessages, headers_of, record, time_of},
    position::{self, Start},
    runtime::{Runtime, retries},
    status::Place,
};

/// How often a partition without messages looks whether its position was set by hand.
const LOOK_AT_POSITION: Duration = Duration::from_secs(3);

/// How many dead letters are under way at a time.
const DEAD_LETTERS_AT_A_TIME: usize = 64;

pub(crate) struct Worker {
    runtime: Arc<Runtime>,
    dead_letters: Arc<DeadLetters>,
    member: Arc<Member>,
    place: Place,
    cancel: CancellationToken,
    reposition: Arc<Notify>,
    positioned: Arc<AtomicBool>,
    bad_share: BadShare,
    batches: Batches,
}

impl Worker {
    pub(crate) fn new(
        runtime: Arc<Runtime>,
        dead_letters: Arc<DeadLetters>,
        member: Arc<Member>,
        place: Place,
        cancel: CancellationToken,
        reposition: Arc<Notify>,
        positioned: Arc<AtomicBool>,
    ) -> Self {
        Self {
            bad_share: BadShare::new(runtime.settings.bad_messages),
            batches: Batches {
                runtime: Arc::clone(&runtime),
                place: place.clone(),
                cancel: cancel.clone(),
            },
            runtime,
            dead_letters,
            member,
            place,
            cancel,
            reposition,
            positioned,
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
            self.positioned.store(true, Ordering::Release);
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
                () = tokio::time::sleep(LOOK_AT_POSITION) => {
                    if self.position_was_set(start).await {
                        return Next::Reposition;
                    }
                    continue;
                }
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

    /// Whether somebody set the position by hand while nothing came.
    async fn position_was_set(&self, start: &Start) -> bool {
        let found = positions::find(&self.runtime.mongo, &start.partition);
        match self.cancel.run_until_cancelled(found).await {
            Some(Ok(found)) => {
                self.runtime.mongodb_works();
                found.map(|found| found.next) != start.stored
            }
            Some(Err(error)) => {
                self.runtime.mongodb_failed(&error);
                false
            }
            None => false,
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
        let whole = 0..received.len();
        let mut ranges = vec![whole];
        while let Some(range) = ranges.pop() {
            match self.batches.apply(customers, start, &received[range.clone()]).await {
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
