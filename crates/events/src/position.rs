//! Where a partition goes on: at the position that is stored with the data, whatever the broker says.

use std::sync::Arc;

use billwright_store::{
    StoreError,
    billing::positions::{self, PartitionId, Position},
};
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::Consumer,
    error::{KafkaError, RDKafkaErrorCode},
};

use crate::{
    assignment::Member,
    kafka::{self, ANSWER_WITHIN},
    runtime::Runtime,
    status::Place,
};

/// Where a partition goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) partition: PartitionId,
    /// The stored position that the next batch moves; `None` where there is none yet.
    pub(crate) stored: Option<i64>,
    /// The offset of the next message.
    pub(crate) next: i64,
    /// Messages below this offset took effect before.
    pub(crate) applied: i64,
}

/// Why the position cannot be found right now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unknown {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Kafka(#[from] KafkaError),
}

/// What the broker says about a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
struct BrokerView {
    topic_id: Option<String>,
    /// The first offset that it has.
    low: i64,
    /// The offset after the last one.
    high: i64,
    /// What the consumer group committed there.
    committed: Option<i64>,
}

/// What to do, and what a person should know about it.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    GoOn {
        next: i64,
        applied: i64,
    },
    /// The log ends before the stored position: what is stored is put right.
    CutBack {
        next: i64,
        applied: i64,
    },
    /// The group's committed offset, or the beginning.
    Begin {
        next: i64,
    },
}

/// Finds out where the partition goes on, and makes the member fetch from there.
pub(crate) async fn take(runtime: &Runtime, member: &Arc<Member>, place: &Place) -> Result<Start, Unknown> {
    let view = blocking(member, place, look).await?;
    let partition = PartitionId {
        topic: place.0.clone(),
        topic_id: view.topic_id.clone().unwrap_or_else(|| place.0.clone()),
        partition: place.1,
    };
    let stored = positions::find(&runtime.mongo, &partition).await?;
    let others = if stored.is_none() {
        positions::of_topic(&runtime.mongo, &place.0).await?
    } else {
        Vec::new()
    };
    let recreated = others
        .iter()
        .any(|other| other.partition.topic_id != partition.topic_id);
    let (stored, next, applied) = match decide(stored, recreated, &view) {
        Decision::GoOn { next, applied } => {
            if let Some(lost) = stored.map(|stored| next - stored.next).filter(|lost| *lost > 0) {
                tracing::error!(
                    kafka.topic = place.0,
                    kafka.partition = place.1,
                    lost,
                    "the broker removed messages before they were read; lengthen the topic's retention"
                );
            }
            (stored.map(|stored| stored.next), next, applied)
        }
        Decision::CutBack { next, applied } => {
            tracing::error!(
                kafka.topic = place.0,
                kafka.partition = place.1,
                stored = stored.map(|stored| stored.next),
                end = view.high,
                "the broker lost messages that were applied; going on at its end"
            );
            let position = Position { next, applied };
            let now = runtime.clock.now();
            positions::reset(&runtime.mongo, &partition, position, &runtime.settings.group_id, now).await?;
            (Some(next), next, applied)
        }
        Decision::Begin { next } => {
            if recreated {
                tracing::warn!(
                    kafka.topic = place.0,
                    kafka.partition = place.1,
                    topic_id = partition.topic_id,
                    "the topic was deleted and created again; it is read from its beginning"
                );
            }
            (None, next, next)
        }
    };
    blocking(member, place, move |member, place| seek(member, place, next)).await?;
    Ok(Start {
        partition,
        stored,
        next,
        applied,
    })
}

fn decide(stored: Option<Position>, recreated: bool, view: &BrokerView) -> Decision {
    match stored {
        Some(stored) if stored.next > view.high || stored.applied > view.high => Decision::CutBack {
            next: stored.next.min(view.high),
            applied: stored.applied.min(view.high),
        },
        Some(stored) => Decision::GoOn {
            next: stored.next.max(view.low),
            applied: stored.applied,
        },
        None => {
            let committed = view
                .committed
                .filter(|committed| !recreated && (view.low..=view.high).contains(committed));
            Decision::Begin {
                next: committed.unwrap_or(view.low),
            }
        }
    }
}

/// The id of a topic, from the broker.
pub(crate) async fn topic_id(member: &Arc<Member>, topic: &str) -> Result<Option<String>, KafkaError> {
    let place = (topic.to_owned(), 0);
    blocking(member, &place, |member, place| {
        billwright_topic_id::topic_id(member.client(), &place.0, ANSWER_WITHIN)
    })
    .await
}

fn look(member: &Member, (topic, partition): &Place) -> Result<BrokerView, KafkaError> {
    let topic_id = billwright_topic_id::topic_id(member.client(), topic, ANSWER_WITHIN)?;
    let (low, high) = member.fetch_watermarks(topic, *partition, ANSWER_WITHIN)?;
    let committed = kafka::committed(member, topic, *partition)?;
    Ok(BrokerView {
        topic_id,
        low,
        high,
        committed,
    })
}

fn seek(member: &Member, (topic, partition): &Place, next: i64) -> Result<(), KafkaError> {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, *partition, Offset::Offset(next))?;
    let answer = member.seek_partitions(list, ANSWER_WITHIN)?;
    match answer.find_partition(topic, *partition) {
        Some(found) => found.error(),
        None => Err(KafkaError::Seek(RDKafkaErrorCode::UnknownPartition.to_string())),
    }
}

/// Runs a call of librdkafka that blocks where that holds up nobody.
async fn blocking<T: Send + 'static>(
    member: &Arc<Member>,
    place: &Place,
    call: impl FnOnce(&Member, &Place) -> Result<T, KafkaError> + Send + 'static,
) -> Result<T, KafkaError> {
    let (member, place) = (Arc::clone(member), place.clone());
    tokio::task::spawn_blocking(move || call(&member, &place))
        .await
        .map_err(|_| KafkaError::Canceled)?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(low: i64, high: i64, committed: Option<i64>) -> BrokerView {
        BrokerView {
            topic_id: None,
            low,
            high,
            committed,
        }
    }

    #[test]
    fn the_stored_position_wins_over_the_committed_one() {
        let stored = Some(Position { next: 7, applied: 9 });
        assert_eq!(
            decide(stored, false, &view(0, 20, Some(15))),
            Decision::GoOn { next: 7, applied: 9 }
        );
        assert_eq!(
            decide(stored, false, &view(8, 20, None)),
            Decision::GoOn { next: 8, applied: 9 }
        );
    }

    #[test]
    fn a_log_that_ends_before_the_position_cuts_it_back() {
        let stored = Some(Position { next: 7, applied: 9 });
        assert_eq!(
            decide(stored, false, &view(0, 5, None)),
            Decision::CutBack { next: 5, applied: 5 }
        );
        assert_eq!(
            decide(stored, false, &view(0, 8, None)),
            Decision::CutBack { next: 7, applied: 8 }
        );
    }

    #[test]
    fn a_first_start_takes_over_from_the_group_or_begins_at_the_beginning() {
        assert_eq!(
            decide(None, false, &view(2, 20, Some(15))),
            Decision::Begin { next: 15 }
        );
        assert_eq!(decide(None, false, &view(2, 20, None)), Decision::Begin { next: 2 });
        assert_eq!(decide(None, false, &view(2, 20, Some(25))), Decision::Begin { next: 2 });
        assert_eq!(decide(None, true, &view(0, 20, Some(15))), Decision::Begin { next: 0 });
    }
}
