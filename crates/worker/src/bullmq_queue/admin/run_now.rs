//! Letting a job run before all others, and what a job is waiting for.

use redis::Script;

use super::{AdminError, JobState, JobSummary, QueueAdmin, unreachable, wrong_state};

/// Takes a job out of wherever it waits and puts it at the head. The list is looked through from the head, where a job that
/// is to run soon is likely to be. A paused queue stays paused.
const TO_HEAD: &str = r#"
local id, job = ARGV[1], KEYS[6]
if redis.call("EXISTS", job) == 0 then return "" end
local from
if redis.call("ZREM", KEYS[2], id) == 1 then
  from = "delayed"
  redis.call("HSET", job, "delay", 0)
elseif redis.call("ZREM", KEYS[3], id) == 1 then
  from = "prioritized"
  redis.call("HSET", job, "priority", 0)
elseif redis.call("LREM", KEYS[1], -1, id) == 1 then
  from = "wait"
else
  return ""
end
redis.call("RPUSH", KEYS[1], id)
if redis.call("HEXISTS", KEYS[4], "paused") == 0 then redis.call("ZADD", KEYS[5], 0, "0") end
local most = redis.call("HGET", KEYS[4], "opts.maxLenEvents") or 10000
redis.call("XADD", KEYS[7], "MAXLEN", "~", most, "*", "event", "waiting", "jobId", id, "prev", from)
return from
"#;

/// What a job that has not ended is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// When a delayed job is due, in milliseconds since 1970.
    pub due_ms: Option<i64>,
    /// Whether a worker holds the job right now.
    pub is_held: bool,
    /// Whether the queue is paused.
    pub is_paused: bool,
    /// How many workers are connected.
    pub workers: u64,
}

impl QueueAdmin {
    /// Lets a job that waits, with or without a priority or a delay, run before all others.
    pub async fn run_now(&self, id: &str) -> Result<JobSummary, AdminError> {
        const EXPECTED: &str = "waiting, prioritized or delayed";
        let (_, state) = self.find(id).await?;
        if !matches!(state, JobState::Waiting | JobState::Prioritized | JobState::Delayed) {
            return Err(wrong_state(id, state, EXPECTED));
        }
        let keys = &self.link.keys;
        let script = Script::new(TO_HEAD);
        let mut call = script.key(keys.wait());
        call.key(keys.delayed())
            .key(keys.prioritized())
            .key(keys.meta())
            .key(keys.marker())
            .key(keys.job_key(id))
            .key(keys.events())
            .arg(id);
        let mut connection = self.link.connection();
        let from: String = call.invoke_async(&mut connection).await.map_err(unreachable)?;
        if from.is_empty() {
            // A worker took it in between.
            let (_, state) = self.find(id).await?;
            return Err(wrong_state(id, state, EXPECTED));
        }
        self.summary_of(id).await
    }

    /// What a job is waiting for.
    pub async fn standing(&self, id: &str) -> Result<Standing, AdminError> {
        let keys = &self.link.keys;
        let mut connection = self.link.connection();
        let (due, is_held, is_paused): (Option<f64>, bool, bool) = redis::pipe()
            .zscore(keys.delayed(), id)
            .exists(format!("{}:lock", keys.job_key(id)))
            .hexists(keys.meta(), "paused")
            .query_async(&mut connection)
            .await
            .map_err(unreachable)?;
        let workers = self.queue.get_workers_count().await.unwrap_or_default();
        Ok(Standing {
            // BullMQ keeps the moment in the upper bits of the score, and the order of arrival in the lower twelve.
            due_ms: due.and_then(|score| format!("{:.0}", (score / 4096.0).floor()).parse().ok()),
            is_held,
            is_paused,
            workers: u64::try_from(workers).unwrap_or(u64::MAX),
        })
    }
}
