//! Sets the positions of partitions by hand.

use std::sync::Arc;

use billwright_domain::Clock;
use billwright_store::{
    Mongo,
    billing::positions::{self, PartitionId, Position},
};
use chrono::{DateTime, Utc};
use rdkafka::{Offset, TopicPartitionList, consumer::Consumer};
use serde::Serialize;

use super::{
    AdminError, blocking,
    reader::{Extent, Reader},
};
use crate::{kafka::ANSWER_WITHIN, settings::EventsSettings};

/// Where partitions are to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetTo {
    /// At the first message that the broker still has.
    Beginning,
    /// After the last one: what is there and was not applied is skipped.
    End,
    /// At this offset.
    Offset(i64),
    /// At the first message of this time or later.
    Time(DateTime<Utc>),
}

/// What is to be reset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResetRequest {
    /// Where to go on.
    pub to: ResetTo,
    /// The topic; all of them if none is named.
    pub topic: Option<String>,
    /// The partition; all of them if none is named.
    pub partition: Option<i32>,
    /// Events that were applied before take effect a second time. Otherwise they are read again and change nothing.
    pub reapply: bool,
}

/// What happens to a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResetRow {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Where the position stands, if there is one.
    pub from: Option<i64>,
    /// Where it goes on.
    pub to: i64,
    /// Events below this offset change nothing.
    pub applied_below: i64,
}

/// Sets positions. A running consumer notices within a few seconds.
pub async fn reset(
    settings: &EventsSettings,
    mongo: &Mongo,
    clock: &Arc<dyn Clock>,
    request: &ResetRequest,
    dry_run: bool,
) -> Result<Vec<ResetRow>, AdminError> {
    let (asked, wanted) = (settings.clone(), request.clone());
    let targets = blocking(move || targets(&asked, &wanted)).await?;
    let mut rows = Vec::with_capacity(targets.len());
    for (partition, to) in targets {
        let stored = positions::find(mongo, &partition).await?;
        let applied = match stored {
            Some(stored) if !request.reapply => stored.applied.max(to),
            _ => to,
        };
        if !dry_run {
            let position = Position { next: to, applied };
            positions::reset(mongo, &partition, position, &settings.group_id, clock.now()).await?;
        }
        rows.push(ResetRow {
            topic: partition.topic,
            partition: partition.partition,
            from: stored.map(|stored| stored.next),
            to,
            applied_below: applied,
        });
    }
    Ok(rows)
}

fn targets(settings: &EventsSettings, request: &ResetRequest) -> Result<Vec<(PartitionId, i64)>, AdminError> {
    let reader = Reader::new(settings, &settings.group_id)?;
    let topics: Vec<&String> = match &request.topic {
        Some(topic) => vec![topic],
        None => settings.topics.iter().collect(),
    };
    let mut targets = Vec::new();
    for topic in topics {
        let extents = reader
            .extents(topic)?
            .ok_or_else(|| AdminError::NoTopic(topic.clone()))?;
        let id = billwright_topic_id::topic_id(reader.consumer().client(), topic, ANSWER_WITHIN)?;
        let wanted = |extent: &&Extent| request.partition.is_none_or(|partition| partition == extent.partition);
        for extent in extents.iter().filter(wanted) {
            let partition = PartitionId {
                topic: topic.clone(),
                topic_id: id.clone().unwrap_or_else(|| topic.clone()),
                partition: extent.partition,
            };
            targets.push((partition, target(&reader, topic, *extent, request.to)?));
        }
    }
    Ok(targets)
}

fn target(reader: &Reader, topic: &str, extent: Extent, to: ResetTo) -> Result<i64, AdminError> {
    Ok(match to {
        ResetTo::Beginning => extent.low,
        ResetTo::End => extent.high,
        ResetTo::Offset(offset) => offset.clamp(extent.low, extent.high),
        ResetTo::Time(time) => {
            let mut list = TopicPartitionList::new();
            list.add_partition_offset(topic, extent.partition, Offset::Offset(time.timestamp_millis()))?;
            let found = reader.consumer().offsets_for_times(list, ANSWER_WITHIN)?;
            match found
                .find_partition(topic, extent.partition)
                .map(|found| found.offset())
            {
                Some(Offset::Offset(offset)) => offset,
                _ => extent.high,
            }
        }
    })
}
