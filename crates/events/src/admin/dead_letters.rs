//! Lists dead letters, shows them, and puts them back into the topics where they came from.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{CommitMode, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, Headers, OwnedHeaders, OwnedMessage},
    producer::{BaseRecord, Producer, ThreadedProducer},
};
use serde::Serialize;

use super::{AdminError, Place, blocking, reader::Reader};
use crate::{dead_letters::headers, kafka, settings::EventsSettings};

/// How many dead letters of a partition are held, put back and noted as put back at a time.
const AT_A_TIME: i64 = 1000;
/// How long the brokers may take to confirm what was put back.
const DELIVERED_WITHIN: Duration = Duration::from_secs(15);

/// A dead letter without the personal data in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterRow {
    /// Where it lies.
    #[serde(flatten)]
    pub place: Place,
    /// Where it came from, if its headers say so.
    pub source: Option<Place>,
    /// Why it could not be applied.
    pub reason: String,
    /// The kind of reason.
    pub code: String,
    /// The message's own time, in ISO 8601 form.
    pub time: Option<String>,
    /// When it went to the dead letters.
    pub buried_at: Option<DateTime<Utc>>,
    /// The size of its value in bytes.
    pub bytes: usize,
    /// Whether it was put back already.
    pub replayed: bool,
}

/// A dead letter as it lies there. It may hold personal data: show it to those only who may see that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterContent {
    /// What is said about it.
    #[serde(flatten)]
    pub row: DeadLetterRow,
    /// Its key, as far as it is text.
    pub key: Option<String>,
    /// Its value, as far as it is text.
    pub value: Option<String>,
    /// Its headers, as far as they are text.
    pub headers: Vec<(String, Option<String>)>,
}

/// A dead letter byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawDeadLetter {
    /// What is said about it.
    pub row: DeadLetterRow,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// Its headers, in order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// Which dead letters are put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replay {
    /// All that were not put back before.
    New,
    /// This one, whether or not it was put back before.
    One(Place),
    /// These, whether or not they were put back before. What no longer lies there is left out.
    These(Vec<Place>),
}

/// A dead letter that is put back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplayRow {
    /// Where it lies.
    #[serde(flatten)]
    pub place: Place,
    /// The topic that it is put back into.
    pub into: String,
    /// Why it stays where it is, if it does.
    pub skipped: Option<String>,
}

/// The newest dead letters of all topics, the newest first, at most `limit`.
pub async fn list(settings: &EventsSettings, limit: u32) -> Result<Vec<DeadLetterRow>, AdminError> {
    let settings = settings.clone();
    blocking(move || {
        let reader = reader(&settings)?;
        let mut rows = Vec::new();
        for topic in dead_letter_topics(&settings) {
            let Some(extents) = reader.extents(&topic)? else {
                continue;
            };
            let ranges: Vec<_> = extents
                .iter()
                .map(|extent| {
                    (
                        extent.partition,
                        extent.low.max(extent.high - i64::from(limit)),
                        extent.high,
                    )
                })
                .collect();
            let replayed = replayed_below(&reader, &topic, &ranges)?;
            // One by one, since a single value may have many megabytes.
            reader.read_each(&topic, &ranges, |message| rows.push(row(&message, &replayed)))?;
        }
        rows.sort_by_key(|row| std::cmp::Reverse(row.buried_at));
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(rows)
    })
    .await
}

/// The dead letter at `place`, as text.
pub async fn show(settings: &EventsSettings, place: &Place) -> Result<DeadLetterContent, AdminError> {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let raw = raw(settings, place).await?;
    Ok(DeadLetterContent {
        row: raw.row,
        key: raw.key.map(text),
        value: raw.value.map(text),
        headers: raw
            .headers
            .into_iter()
            .map(|(name, value)| (name, value.map(text)))
            .collect(),
    })
}

/// The dead letter at `place`, byte for byte.
pub async fn raw(settings: &EventsSettings, place: &Place) -> Result<RawDeadLetter, AdminError> {
    let (settings, place) = (settings.clone(), place.clone());
    blocking(move || {
        let reader = reader(&settings)?;
        let message = at(&reader, &place)?;
        let ranges = [(place.partition, place.offset, place.offset + 1)];
        Ok(RawDeadLetter {
            row: row(&message, &replayed_below(&reader, &place.topic, &ranges)?),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers_of(&message)
                .map(|(name, value)| (name.to_owned(), value.map(<[u8]>::to_vec)))
                .collect(),
        })
    })
    .await
}

/// Puts dead letters back, with their original key, headers and value.
pub async fn replay(settings: &EventsSettings, which: &Replay, dry_run: bool) -> Result<Vec<ReplayRow>, AdminError> {
    let (settings, which) = (settings.clone(), which.clone());
    blocking(move || {
        let reader = reader(&settings)?;
        match which {
            Replay::One(place) => {
                let message = at(&reader, &place)?;
                put_back(&settings, &[message], dry_run)
            }
            Replay::These(places) => {
                let messages = at_each(&reader, &places)?;
                put_back(&settings, &messages, dry_run)
            }
            Replay::New => {
                let mut rows = Vec::new();
                for topic in dead_letter_topics(&settings) {
                    rows.extend(replay_new(&settings, &reader, &topic, dry_run)?);
                }
                Ok(rows)
            }
        }
    })
    .await
}

fn replay_new(
    settings: &EventsSettings,
    reader: &Reader,
    topic: &str,
    dry_run: bool,
) -> Result<Vec<ReplayRow>, AdminError> {
    let Some(extents) = reader.extents(topic)? else {
        return Ok(Vec::new());
    };
    let mut left = Vec::with_capacity(extents.len());
    for extent in &extents {
        let from = reader
            .committed(topic, extent.partition)?
            .unwrap_or_default()
            .max(extent.low);
        left.push((extent.partition, from, extent.high));
    }
    let mut rows = Vec::new();
    loop {
        let ranges: Vec<_> = left
            .iter()
            .filter(|(_, from, to)| from < to)
            .map(|&(partition, from, to)| (partition, from, to.min(from + AT_A_TIME)))
            .collect();
        if ranges.is_empty() {
            return Ok(rows);
        }
        rows.extend(put_back(settings, &reader.read(topic, &ranges)?, dry_run)?);
        if !dry_run {
            let mut list = TopicPartitionList::new();
            for (partition, _, to) in &ranges {
                list.add_partition_offset(topic, *partition, Offset::Offset(*to))?;
            }
            reader.consumer().commit(&list, CommitMode::Sync)?;
        }
        for (_, from, _) in &mut left {
            *from += AT_A_TIME;
        }
    }
}

fn put_back(settings: &EventsSettings, messages: &[OwnedMessage], dry_run: bool) -> Result<Vec<ReplayRow>, AdminError> {
    let producer: ThreadedProducer<Deliveries> = kafka::producer(settings).create_with_context(Deliveries::default())?;
    let mut rows = Vec::with_capacity(messages.len());
    for message in messages {
        let source = header(message, headers::TOPIC);
        let skipped = match (&source, header(message, headers::VALUE_OMITTED)) {
            (None, _) => Some("its headers do not say where it came from"),
            (Some(source), _) if !settings.topics.contains(source) => Some("it came from a topic that is not consumed"),
            (Some(_), Some(_)) => Some("its value was too large to be kept; it still lies where it came from"),
            (Some(_), None) => None,
        };
        let into = source.unwrap_or_default();
        if skipped.is_none() && !dry_run {
            send(&producer, message, &into)?;
        }
        rows.push(ReplayRow {
            place: place(message),
            into,
            skipped: skipped.map(str::to_owned),
        });
    }
    producer.flush(DELIVERED_WITHIN)?;
    match producer.context().first_failure() {
        Some(error) => Err(error.into()),
        None => Ok(rows),
    }
}

fn send(producer: &ThreadedProducer<Deliveries>, message: &OwnedMessage, into: &str) -> Result<(), AdminError> {
    let mut kept = OwnedHeaders::new();
    for (key, value) in headers_of(message).filter(|(name, _)| !name.starts_with(headers::PREFIX)) {
        kept = kept.insert(Header { key, value });
    }
    let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(into).headers(kept);
    record.key = message.key();
    record.payload = message.payload();
    let began = Instant::now();
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            // What waits in the queue is on its way to the brokers.
            Err((error, back))
                if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull)
                    && began.elapsed() < DELIVERED_WITHIN =>
            {
                record = back;
                std::thread::sleep(Duration::from_millis(10));
            }
            Err((error, _)) => return Err(error.into()),
        }
    }
}

/// Remembers the first message that did not arrive.
#[derive(Default)]
struct Deliveries(std::sync::Mutex<Option<KafkaError>>);

impl Deliveries {
    fn first_failure(&self) -> Option<KafkaError> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

impl rdkafka::ClientContext for Deliveries {}

impl rdkafka::producer::ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &rdkafka::producer::DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            let mut failure = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            failure.get_or_insert_with(|| error.clone());
        }
    }
}

fn reader(settings: &EventsSettings) -> Result<Reader, AdminError> {
    // What was put back is remembered as the offsets of a group of its own.
    Reader::new(settings, &format!("{}-replay", settings.group_id))
}

fn dead_letter_topics(settings: &EventsSettings) -> Vec<String> {
    settings
        .topics
        .iter()
        .map(|topic| settings.dead_letter_topic(topic))
        .collect()
}

fn at(reader: &Reader, place: &Place) -> Result<OwnedMessage, AdminError> {
    let extents = reader
        .extents(&place.topic)?
        .ok_or_else(|| AdminError::NoTopic(place.topic.clone()))?;
    let there = extents
        .iter()
        .any(|extent| extent.partition == place.partition && (extent.low..extent.high).contains(&place.offset));
    let read = if there {
        reader.read(&place.topic, &[(place.partition, place.offset, place.offset + 1)])?
    } else {
        Vec::new()
    };
    read.into_iter()
        .next()
        .ok_or_else(|| AdminError::NoMessage(place.clone()))
}

/// The messages at `places`, as far as they lie there. Places that are close together are read in one go.
fn at_each(reader: &Reader, places: &[Place]) -> Result<Vec<OwnedMessage>, AdminError> {
    let mut of_topic: BTreeMap<&str, BTreeMap<i32, BTreeSet<i64>>> = BTreeMap::new();
    for place in places {
        let partitions = of_topic.entry(&place.topic).or_default();
        partitions.entry(place.partition).or_default().insert(place.offset);
    }
    let mut messages = Vec::new();
    for (topic, partitions) in of_topic {
        let extents = reader.extents(topic)?.unwrap_or_default();
        let mut runs: Vec<(i32, VecDeque<(i64, i64)>)> = Vec::new();
        for extent in &extents {
            let wanted = partitions.get(&extent.partition).into_iter().flatten();
            let there = wanted.filter(|offset| (extent.low..extent.high).contains(*offset));
            runs.push((extent.partition, runs_of(there.copied())));
        }
        loop {
            let next = |(partition, runs): &mut (i32, VecDeque<(i64, i64)>)| {
                runs.pop_front().map(|(from, to)| (*partition, from, to))
            };
            let ranges: Vec<_> = runs.iter_mut().filter_map(next).collect();
            if ranges.is_empty() {
                break;
            }
            reader.read_each(topic, &ranges, |message| {
                let wanted = partitions.get(&message.partition());
                if wanted.is_some_and(|offsets| offsets.contains(&message.offset())) {
                    messages.push(message);
                }
            })?;
        }
    }
    Ok(messages)
}

/// Ordered offsets as ranges (first, after the last), each of which is worth reading as a whole.
fn runs_of(offsets: impl Iterator<Item = i64>) -> VecDeque<(i64, i64)> {
    /// So many messages in between cost less than another look.
    const GAP: i64 = 100;
    let mut runs: VecDeque<(i64, i64)> = VecDeque::new();
    for offset in offsets {
        match runs.back_mut() {
            Some((_, to)) if offset - *to <= GAP => *to = offset + 1,
            _ => runs.push_back((offset, offset + 1)),
        }
    }
    runs
}

/// The offset below which each partition was put back.
fn replayed_below(reader: &Reader, topic: &str, ranges: &[(i32, i64, i64)]) -> Result<Vec<(i32, i64)>, AdminError> {
    let mut below = Vec::with_capacity(ranges.len());
    for (partition, _, _) in ranges {
        below.push((*partition, reader.committed(topic, *partition)?.unwrap_or_default()));
    }
    Ok(below)
}

fn row(message: &OwnedMessage, replayed: &[(i32, i64)]) -> DeadLetterRow {
    let source = || {
        Some(Place {
            topic: header(message, headers::TOPIC)?,
            partition: header(message, headers::PARTITION)?.parse().ok()?,
            offset: header(message, headers::OFFSET)?.parse().ok()?,
        })
    };
    DeadLetterRow {
        source: source(),
        reason: header(message, headers::REASON).unwrap_or_default(),
        code: header(message, headers::CODE).unwrap_or_default(),
        time: header(message, headers::TIME),
        buried_at: message
            .timestamp()
            .to_millis()
            .and_then(DateTime::from_timestamp_millis),
        bytes: message.payload().map_or(0, <[u8]>::len),
        replayed: replayed
            .iter()
            .any(|(partition, below)| *partition == message.partition() && message.offset() < *below),
        place: place(message),
    }
}

fn place(message: &OwnedMessage) -> Place {
    Place {
        topic: message.topic().to_owned(),
        partition: message.partition(),
        offset: message.offset(),
    }
}

fn headers_of(message: &OwnedMessage) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
    let headers = message.headers().into_iter().flat_map(Headers::iter);
    headers.map(|header| (header.key, header.value))
}

fn header(message: &OwnedMessage, name: &str) -> Option<String> {
    // Ours are the last ones: a replayed message may carry older ones of the same name.
    let value = headers_of(message).filter(|(found, _)| *found == name).last()?.1?;
    Some(String::from_utf8_lossy(value).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_close_together_are_read_in_one_go() {
        assert_eq!(runs_of([3, 4, 50, 500].into_iter()), [(3, 51), (500, 501)]);
        assert!(runs_of([].into_iter()).is_empty());
    }
}
