//! Shows the last events of a topic, and the next ones as they come.

use std::{ops::ControlFlow, time::Duration};

use billwright_domain::{Clock, SystemClock};
use chrono::{DateTime, Utc};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::Consumer,
    message::{Headers, OwnedHeaders},
};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{AdminError, Place, blocking, reader::Reader};
use crate::{
    envelope::{Envelope, Record},
    fold::Decoded,
    settings::EventsSettings,
};

/// What is to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TailRequest {
    /// The topic; the first one of the settings if none is named.
    pub topic: Option<String>,
    /// How many of the last messages of each partition.
    pub last: u32,
    /// Whether to go on with what comes.
    pub follow: bool,
}

/// A message without the personal data in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TailRow {
    /// Where it lies.
    #[serde(flatten)]
    pub place: Place,
    /// Its own time.
    pub time: Option<DateTime<Utc>>,
    /// Its type, if it is an event.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The customer whom it is about, if it can be applied.
    pub user_id: Option<String>,
    /// Why it cannot be applied, if it cannot.
    pub problem: Option<String>,
    /// The size of its value in bytes.
    pub bytes: usize,
}

/// Gives the rows to `show` until there is nothing more, `show` breaks, or `cancel`.
pub async fn tail(
    settings: &EventsSettings,
    request: &TailRequest,
    cancel: &CancellationToken,
    mut show: impl FnMut(TailRow) -> ControlFlow<()>,
) -> Result<(), AdminError> {
    let (asked, request) = (settings.clone(), request.clone());
    let (rows, mut shown) = mpsc::channel(256);
    let stop = cancel.child_token();
    let reading = {
        let stop = stop.clone();
        blocking(move || read(&asked, &request, &stop, &rows))
    };
    // Whatever ends first, the reading ends with it.
    let _guard = stop.drop_guard();
    let showing = async {
        while let Some(row) = shown.recv().await {
            if show(row).is_break() {
                return;
            }
        }
    };
    tokio::pin!(reading, showing);
    tokio::select! {
        () = &mut showing => Ok(()),
        read = &mut reading => {
            read?;
            showing.await;
            Ok(())
        }
    }
}

fn read(
    settings: &EventsSettings,
    request: &TailRequest,
    stop: &CancellationToken,
    rows: &mpsc::Sender<TailRow>,
) -> Result<(), AdminError> {
    let topic = request
        .topic
        .as_ref()
        .or(settings.topics.first())
        .cloned()
        .unwrap_or_default();
    let reader = Reader::new(settings, &format!("{}-tail", settings.group_id))?;
    let extents = reader
        .extents(&topic)?
        .ok_or_else(|| AdminError::NoTopic(topic.clone()))?;
    let ranges: Vec<_> = extents
        .iter()
        .map(|extent| {
            (
                extent.partition,
                extent.low.max(extent.high - i64::from(request.last)),
                extent.high,
            )
        })
        .collect();
    let mut messages = reader.read(&topic, &ranges)?;
    messages.sort_by_key(|message| message.timestamp().to_millis());
    for message in &messages {
        if rows.blocking_send(row(settings, message, message.headers())).is_err() {
            return Ok(());
        }
    }
    if !request.follow {
        return Ok(());
    }
    let mut list = TopicPartitionList::new();
    for (partition, _, high) in ranges {
        list.add_partition_offset(&topic, partition, Offset::Offset(high))?;
    }
    reader.consumer().assign(&list)?;
    while !stop.is_cancelled() {
        match reader.consumer().poll(Duration::from_millis(100)) {
            None => {}
            Some(Err(error)) => tracing::debug!("reading goes on after: {error}"),
            Some(Ok(message)) => {
                let message = message.detach();
                if rows.blocking_send(row(settings, &message, message.headers())).is_err() {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

fn row(settings: &EventsSettings, message: &impl Message, headers: Option<&OwnedHeaders>) -> TailRow {
    let headers: Vec<_> = headers
        .map(|headers| {
            let kept = headers
                .iter()
                .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)));
            kept.collect()
        })
        .unwrap_or_default();
    let record = Record {
        value: message.payload(),
        headers: &headers,
        time: message
            .timestamp()
            .to_millis()
            .and_then(DateTime::from_timestamp_millis),
    };
    let decoded = Decoded::of(record, &settings.first_billing, SystemClock.now());
    TailRow {
        place: Place {
            topic: message.topic().to_owned(),
            partition: message.partition(),
            offset: message.offset(),
        },
        time: record.time,
        kind: Envelope::open(record)
            .ok()
            .map(|envelope| envelope.kind.chars().take(60).collect()),
        user_id: decoded.as_ref().ok().map(|decoded| decoded.event.user_id().to_string()),
        problem: decoded.err().map(|invalid| invalid.reason),
        bytes: message.payload().map_or(0, <[u8]>::len),
    }
}
