//! The consumer of customer events.

use std::sync::Arc;

use billwright_domain::{Clock, Condition, HealthBoard};
use billwright_events::EventsControl;
use billwright_store::Mongo;
use tokio_util::sync::CancellationToken;

use super::Running;
use crate::config::EventsConfig;

/// Starts the consumer. Kafka and MongoDB may be away.
pub(crate) async fn start(
    config: EventsConfig,
    clock: Arc<dyn Clock>,
    health: HealthBoard,
    stop: CancellationToken,
) -> anyhow::Result<(Running, EventsControl)> {
    // Until the first attempt has succeeded nothing is known, and readiness must not be green for that.
    health.post("events.kafka", Condition::Down, "not reached since the start");
    health.post("events.mongodb", Condition::Down, "not asked yet: Kafka comes first");
    let mongo = Mongo::open(&config.mongo).await?;
    let handle = billwright_events::start(config.settings, mongo, clock, health, stop);
    let control = handle.control();
    Ok((Box::pin(handle.finished()), control))
}
