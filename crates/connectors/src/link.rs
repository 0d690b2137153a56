//! How this crate talks to Redis: lazily connected, and never waited for long, since nothing here is worth stopping for.

use std::{future::Future, time::Duration};

use redis::{
    RedisError, RedisResult,
    aio::{ConnectionManager, ConnectionManagerConfig},
};

/// What takes longer counts as away.
const PATIENCE: Duration = Duration::from_millis(500);

/// A connection that is opened at the first command and again after it broke.
pub(crate) fn lazy(client: redis::Client) -> Result<ConnectionManager, RedisError> {
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE))
        .set_number_of_retries(1)
        .set_min_delay(Duration::from_millis(50));
    ConnectionManager::new_lazy_with_config(client, config)
}

/// The outcome of a command, or why there is none in time.
pub(crate) async fn in_time<T>(command: impl Future<Output = RedisResult<T>>) -> Result<T, String> {
    match tokio::time::timeout(PATIENCE, command).await {
        Ok(outcome) => outcome.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} ms", PATIENCE.as_millis())),
    }
}
