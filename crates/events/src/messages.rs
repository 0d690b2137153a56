//! The messages of one partition, as they come.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use rdkafka::{
    Message,
    consumer::base_consumer::PartitionQueue,
    error::KafkaResult,
    message::{BorrowedMessage, Headers},
};
use tokio::sync::Notify;

use crate::{assignment::Assignment, envelope::Record};

/// The queue of one partition. Its messages are fetched ahead, up to a limit, and wait here: whoever is slow to take them
/// slows down the fetching and nothing else.
pub(crate) struct PartitionMessages {
    queue: PartitionQueue<Assignment>,
    nonempty: Arc<Notify>,
}

impl PartitionMessages {
    pub(crate) fn new(mut queue: PartitionQueue<Assignment>) -> Self {
        let nonempty = Arc::new(Notify::new());
        let waker = Arc::clone(&nonempty);
        queue.set_nonempty_callback(move || waker.notify_one());
        Self { queue, nonempty }
    }

    /// The next message, if it is there already.
    pub(crate) fn try_next(&self) -> Option<KafkaResult<BorrowedMessage<'_>>> {
        self.queue.poll(Duration::ZERO)
    }

    /// The next message.
    pub(crate) async fn next(&self) -> KafkaResult<BorrowedMessage<'_>> {
        loop {
            if let Some(message) = self.try_next() {
                return message;
            }
            // The queue tells when it stops being empty. It may also hold something else than a message, and then nobody
            // would be told of the message behind it; so it is looked into once in a while.
            let _ = tokio::time::timeout(Duration::from_secs(1), self.nonempty.notified()).await;
        }
    }
}

/// What is kept of a message's headers.
pub(crate) fn headers_of(message: &BorrowedMessage<'_>) -> Vec<(String, Option<Vec<u8>>)> {
    let Some(headers) = message.headers() else {
        return Vec::new();
    };
    headers
        .iter()
        .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
        .collect()
}

/// The message's own time.
pub(crate) fn time_of(message: &BorrowedMessage<'_>) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(message.timestamp().to_millis()?)
}

/// The message as an event may be read from it.
pub(crate) fn record<'a>(message: &'a BorrowedMessage<'_>, headers: &'a [(String, Option<Vec<u8>>)]) -> Record<'a> {
    Record {
        value: message.payload(),
        headers,
        time: time_of(message),
    }
}
