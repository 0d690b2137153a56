//! Follows the queue's event stream for three things that the library does not do.
//!
//! - **Payments overtake.** BullMQ's waiting list is first in, first out. A `MAKE_PAYMENT` that was just added is moved to
//!   the end of the list from which jobs are taken, behind the payments that wait there already. A job was just pushed on
//!   the other end, where `LREM` finds it at once; the cost is one `HGET` of each added job's data and, for a payment,
//!   two list commands, in one script per batch of events. Jobs with a `priority` are left where the producer put them.
//! - **Producers on version 4** write no wake-up marker, and an idle worker would see their jobs only at its next poll. The
//!   marker is set here when something waits.
//! - **Stalls** are counted: the library never reports them.
//!
//! Every worker process follows. What two of them do twice does no harm: an event that was acted on is remembered with the
//! payment, and a marker that is there stays there.

use std::time::Duration;

use redis::{
    Script,
    aio::MultiplexedConnection,
    streams::{StreamReadOptions, StreamReadReply},
};
use tokio_util::sync::CancellationToken;

use super::RedisLink;

const BATCH: usize = 500;

/// KEYS: wait, marker, meta, promoted (a hash: job id to event id). ARGV: key prefix, event id of a scan or "", then pairs of
/// job id and event id. Returns how many payments were moved.
const PROMOTE: &str = r#"
local wait, marker, meta, promoted = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local moved, marks = {}, {}
for i = 2, #ARGV, 2 do
  local id, event = ARGV[i], ARGV[i + 1]
  local data = redis.call("HGET", ARGV[1] .. id, "data")
  if data and string.find(data, '"MAKE_PAYMENT"', 1, true) then
    local ok, decoded = pcall(cjson.decode, data)
    if ok and type(decoded) == "table" and decoded["type"] == "MAKE_PAYMENT"
        and redis.call("HGET", promoted, id) ~= event
        and redis.call("LREM", wait, 1, id) > 0 then
      table.insert(moved, id)
      table.insert(marks, id)
      table.insert(marks, event)
    end
  end
end
if #moved > 0 then
  -- The payments that are next already, at the end from which jobs are taken.
  local next = 0
  while true do
    local tail = redis.call("LRANGE", wait, -(next + 64), -(next + 1))
    local whole = #tail == 64
    for i = #tail, 1, -1 do
      local known = redis.call("HEXISTS", promoted, tail[i]) == 1
      if not known then whole = false break end
      next = next + 1
    end
    if not whole then break end
  end
  if next == 0 then
    -- None of those that were moved earlier waits there any more, so that they can be forgotten.
    redis.call("DEL", promoted)
    for i = #moved, 1, -1 do redis.call("RPUSH", wait, moved[i]) end
  elseif next <= 256 then
    local tail = redis.call("LRANGE", wait, -next, -1)
    redis.call("LTRIM", wait, 0, -(next + 1))
    for i = #moved, 1, -1 do redis.call("RPUSH", wait, moved[i]) end
    redis.call("RPUSH", wait, unpack(tail))
  else
    local first = redis.call("LINDEX", wait, -next)
    for i = #moved, 1, -1 do redis.call("LINSERT", wait, "BEFORE", first, moved[i]) end
  end
  for i = 1, #marks, 2 do redis.call("HSET", promoted, marks[i], marks[i + 1]) end
  redis.call("EXPIRE", promoted, 3600)
end
if redis.call("LLEN", wait) > 0 and redis.call("HEXISTS", meta, "paused") == 0 then
  redis.call("ZADD", marker, 0, "0")
end
return #moved
"#;

/// Follows the stream until `stop`.
pub(crate) async fn follow(link: RedisLink, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Some(Err(error)) = stop.run_until_cancelled(follow_once(&link)).await {
            tracing::debug!(%error, "the queue's event stream cannot be followed right now");
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
        }
    }
}

async fn follow_once(link: &RedisLink) -> Result<(), redis::RedisError> {
    let mut blocking = link.blocking().await?;
    let events = link.keys.events();
    // From the newest event on: what waited before is found by the scan.
    let newest: Vec<(String, Vec<String>)> = redis::cmd("XREVRANGE")
        .arg(&events)
        .arg("+")
        .arg("-")
        .arg("COUNT")
        .arg(1)
        .query_async(&mut blocking)
        .await?;
    let mut last = newest.into_iter().next().map_or_else(|| "0-0".to_owned(), |(id, _)| id);
    scan(link).await?;
    loop {
        let (read, rescan) = read_batch(&mut blocking, &events, &mut last).await?;
        if !read.is_empty() {
            promote(link, &read).await?;
        }
        if rescan {
            scan(link).await?;
        }
    }
}

/// The jobs that began to wait, and whether events may have been missed.
async fn read_batch(
    blocking: &mut MultiplexedConnection,
    events: &str,
    last: &mut String,
) -> Result<(Vec<(String, String)>, bool), redis::RedisError> {
    let options = StreamReadOptions::default().block(1_000).count(BATCH);
    let reply: Option<StreamReadReply> = redis::cmd("XREAD")
        .arg(&options)
        .arg("STREAMS")
        .arg(events)
        .arg(&*last)
        .query_async(blocking)
        .await?;
    let (mut waiting, mut rescan) = (Vec::new(), false);
    let entries: Vec<_> = reply
        .into_iter()
        .flat_map(|reply| reply.keys)
        .flat_map(|key| key.ids)
        .collect();
    // A full batch means that the stream runs ahead of us, and it keeps only so many events.
    rescan |= entries.len() == BATCH;
    for entry in entries {
        last.clone_from(&entry.id);
        let event: String = entry.get("event").unwrap_or_default();
        let id: String = entry.get("jobId").unwrap_or_default();
        match event.as_str() {
            "waiting" => {
                // A job that was handed back is at the right end already.
                let from: Option<String> = entry.get("prev");
                if from.as_deref() != Some("active") {
                    waiting.push((id, entry.id));
                }
            }
            "stalled" => {
                metrics::counter!("billwright_jobs_stalled_total").increment(1);
                tracing::warn!(job.id = %id, "a job lost its worker and goes back to the queue");
            }
            "resumed" => rescan = true,
            _ => {}
        }
    }
    Ok((waiting, rescan))
}

/// Looks through everything that waits. The list is read from the end at which jobs are added.
async fn scan(link: &RedisLink) -> Result<(), redis::RedisError> {
    let mut connection = link.connection();
    let wait = link.keys.wait();
    let length: usize = redis::cmd("LLEN").arg(&wait).query_async(&mut connection).await?;
    // From the oldest to the newest, in chunks; what was moved in between makes a chunk overlap at most.
    let mut from_end = 0;
    while from_end < length {
        let (stop, start) = (from_end + 1, from_end + BATCH);
        let ids: Vec<String> = redis::cmd("LRANGE")
            .arg(&wait)
            .arg(format!("-{start}"))
            .arg(format!("-{stop}"))
            .query_async(&mut connection)
            .await?;
        if ids.is_empty() {
            return Ok(());
        }
        from_end += ids.len();
        // Each job has one place among the payments however often it is found by a scan.
        let pairs: Vec<_> = ids.into_iter().rev().map(|id| (id, "scan".to_owned())).collect();
        promote(link, &pairs).await?;
    }
    Ok(())
}

async fn promote(link: &RedisLink, waiting: &[(String, String)]) -> Result<(), redis::RedisError> {
    let keys = &link.keys;
    let script = Script::new(PROMOTE);
    let mut call = script.key(keys.wait());
    call.key(keys.marker())
        .key(keys.meta())
        .key(keys.get("billwright:promoted"));
    call.arg(keys.key_prefix());
    for (id, event) in waiting {
        call.arg(id).arg(event);
    }
    let mut connection = link.connection();
    let moved: u64 = call.invoke_async(&mut connection).await?;
    if moved > 0 {
        metrics::counter!("billwright_payments_promoted_total").increment(moved);
    }
    Ok(())
}
