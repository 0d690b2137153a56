//! How far each partition is behind.

use std::collections::HashMap;

use billwright_store::{Mongo, billing::positions};
use chrono::{DateTime, Utc};
use rdkafka::consumer::Consumer;
use serde::Serialize;

use super::{AdminError, blocking, reader::Reader};
use crate::{kafka::ANSWER_WITHIN, settings::EventsSettings};

/// How far a partition is behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PartitionLag {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset of the next message to apply, as stored with the data; none before the first one is applied.
    pub position: Option<i64>,
    /// What the consumer group committed to the broker, which follows the position within a second or so.
    pub committed: Option<i64>,
    /// The first offset that the broker still has.
    pub begin: i64,
    /// The offset after the last one.
    pub end: i64,
    /// How many messages are still to be applied.
    pub lag: i64,
    /// When the position was moved last.
    pub moved_at: Option<DateTime<Utc>>,
}

/// How far each partition of the topics is behind.
pub async fn lag(settings: &EventsSettings, mongo: &Mongo) -> Result<Vec<PartitionLag>, AdminError> {
    let asked = settings.clone();
    let on_broker = blocking(move || {
        let reader = Reader::new(&asked, &asked.group_id)?;
        let mut found = Vec::new();
        for topic in &asked.topics {
            let extents = reader
                .extents(topic)?
                .ok_or_else(|| AdminError::NoTopic(topic.clone()))?;
            let id = billwright_topic_id::topic_id(reader.consumer().client(), topic, ANSWER_WITHIN)?;
            for extent in extents {
                let committed = reader.committed(topic, extent.partition)?;
                found.push((topic.clone(), id.clone(), extent, committed));
            }
        }
        Ok(found)
    })
    .await?;
    let mut stored = HashMap::new();
    for topic in &settings.topics {
        for found in positions::of_topic(mongo, topic).await? {
            stored.insert((found.partition.topic_id.clone(), found.partition.partition), found);
        }
    }
    Ok(on_broker
        .into_iter()
        .map(|(topic, id, extent, committed)| {
            let key = (id.unwrap_or_else(|| topic.clone()), extent.partition);
            let position = stored.get(&key).map(|stored| stored.position.next);
            let from = position.or(committed).unwrap_or(extent.low).max(extent.low);
            PartitionLag {
                position,
                committed,
                begin: extent.low,
                end: extent.high,
                lag: (extent.high - from).max(0),
                moved_at: stored.get(&key).map(|stored| stored.moved_at),
                partition: extent.partition,
                topic,
            }
        })
        .collect())
}
