//! One fetched job, with what the library hides of it and what it does not write.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bullmq::Job;
use redis::Script;
use serde_json::Value;

use super::{RedisLink, options, options::ProducerOptions};

/// A job that is ours until its lock runs out.
#[derive(Debug, Clone)]
pub(crate) struct QueuedJob {
    job: Job,
    link: RedisLink,
    /// The job's data; `Err` says why it cannot be read.
    pub(crate) data: Result<Value, String>,
    /// What the producer asked for.
    pub(crate) options: ProducerOptions,
}

/// How a fetched job was taken in.
pub(super) enum TakenIn {
    /// It is ready to run.
    Ready(Box<QueuedJob>),
    /// Its options were repaired in Redis; it must be fetched again for the library to see them.
    Repaired,
}

/// Entries of a stack trace that are kept where the producer does not say.
const STACK_TRACE_LIMIT: usize = 10;

/// Writes what Node would have written after a failed attempt: the reason, the stack trace, and the attempt's count where
/// the library will not count it. `attemptsMade` is what observers of version 4 read.
const RECORD_FAILURE: &str = r#"
if redis.call("EXISTS", KEYS[1]) == 0 then return -1 end
local stack = {}
local stored = redis.call("HGET", KEYS[1], "stacktrace")
if stored then
  local ok, decoded = pcall(cjson.decode, stored)
  if ok and type(decoded) == "table" then stack = decoded end
end
table.insert(stack, ARGV[2])
local limit = tonumber(ARGV[3])
while #stack > limit do table.remove(stack, 1) end
local made
if ARGV[4] == "1" then
  made = redis.call("HINCRBY", KEYS[1], "atm", 1)
else
  made = (tonumber(redis.call("HGET", KEYS[1], "atm")) or 0) + 1
end
redis.call("HSET", KEYS[1], "failedReason", ARGV[1], "stacktrace", #stack > 0 and cjson.encode(stack) or "[]",
  "attemptsMade", made)
return made
"#;

/// Writes progress and one log line in one round trip, with the event that Node's listeners wait for.
const REPORT: &str = r#"
if redis.call("EXISTS", KEYS[1]) == 0 then return -1 end
redis.call("RPUSH", KEYS[2], ARGV[2])
if ARGV[3] ~= "" then redis.call("LTRIM", KEYS[2], -tonumber(ARGV[3]), -1) end
if ARGV[4] ~= "" then
  redis.call("HSET", KEYS[1], "progress", ARGV[4])
  local most = redis.call("HGET", KEYS[4], "opts.maxLenEvents") or 10000
  redis.call("XADD", KEYS[3], "MAXLEN", "~", most, "*", "event", "progress", "jobId", ARGV[1], "data", ARGV[4])
end
if ARGV[5] ~= "" then redis.call("HSET", KEYS[1], "attemptsMade", ARGV[5]) end
return 0
"#;

impl QueuedJob {
    /// Looks at a fetched job's raw fields, and repairs what the library could not read.
    pub(super) async fn take_in(job: Job, link: &RedisLink) -> Result<TakenIn, redis::RedisError> {
        let key = link.keys.job_key(job.id());
        let mut connection = link.connection();
        // Lossy, as the library does: a text in Redis need not be UTF-8.
        let raw: Option<Vec<u8>> = redis::cmd("HGET")
            .arg(&key)
            .arg("opts")
            .query_async(&mut connection)
            .await?;
        let raw = String::from_utf8_lossy(&raw.unwrap_or_default()).into_owned();
        if !raw.is_empty()
            && let Some(repaired) = options::repaired(&raw)
        {
            redis::cmd("HSET")
                .arg(&key)
                .arg("opts")
                .arg(repaired)
                .query_async::<()>(&mut connection)
                .await?;
            return Ok(TakenIn::Repaired);
        }
        let data = match job.data() {
            Value::Null => {
                let raw: Option<Vec<u8>> = redis::cmd("HGET")
                    .arg(&key)
                    .arg("data")
                    .query_async(&mut connection)
                    .await?;
                readable(&String::from_utf8_lossy(&raw.unwrap_or_default()))
            }
            data => Ok(data.clone()),
        };
        Ok(TakenIn::Ready(Box::new(Self {
            options: ProducerOptions::read(&raw),
            job,
            link: link.clone(),
            data,
        })))
    }

    /// The job's id.
    pub(crate) fn id(&self) -> &str {
        self.job.id()
    }

    /// How many attempts failed before this one.
    pub(crate) fn failures(&self) -> u32 {
        self.job.attempts_made()
    }

    /// When the job was added, in milliseconds since 1970.
    pub(crate) fn added_at_ms(&self) -> u64 {
        self.job.timestamp()
    }

    /// The name of the queue with its prefix, as in `bull:billz-operations`.
    pub(crate) fn queue(&self) -> String {
        self.link.keys.base()
    }

    /// Replaces the job's data, for this attempt and for the later ones.
    pub(crate) async fn set_data(&mut self, data: Value) -> Result<(), String> {
        self.job
            .update_data(data.clone())
            .await
            .map_err(|error| error.to_string())?;
        self.data = Ok(data);
        Ok(())
    }

    /// Adds a line to the job's log and, if given, sets its progress in percent. People read it and nothing depends on
    /// it, so that a failure to write it is no failure of the job.
    pub(crate) async fn report(&self, line: &str, progress: Option<u8>) {
        self.write_report(line, progress, String::new()).await;
    }

    /// The last report of an attempt that succeeded.
    pub(crate) async fn report_success(&self, line: &str) {
        self.write_report(line, Some(100), (self.failures() + 1).to_string())
            .await;
    }

    async fn write_report(&self, line: &str, progress: Option<u8>, attempts_made: String) {
        let keys = &self.link.keys;
        let key = keys.job_key(self.id());
        let script = Script::new(REPORT);
        let mut call = script.key(&key);
        call.key(format!("{key}:logs")).key(keys.events()).key(keys.meta());
        call.arg(self.id()).arg(line);
        call.arg(self.options.keep_logs.map(|keep| keep.to_string()).unwrap_or_default());
        call.arg(progress.map(|progress| progress.to_string()).unwrap_or_default());
        call.arg(attempts_made);
        let mut connection = self.link.connection();
        if let Err(error) = call.invoke_async::<i64>(&mut connection).await {
            tracing::debug!(%error, "a job's log line was not written");
        }
    }

    /// Writes down why an attempt failed. `counted`: nobody else will count the attempt.
    pub(crate) async fn record_failure(&self, reason: &str, trace: &str, counted: bool) -> Result<(), String> {
        let key = self.link.keys.job_key(self.id());
        let limit = self.options.stack_trace_limit.unwrap_or(STACK_TRACE_LIMIT);
        let script = Script::new(RECORD_FAILURE);
        let mut call = script.key(&key);
        call.arg(reason)
            .arg(trace)
            .arg(limit)
            .arg(if counted { "1" } else { "0" });
        let mut connection = self.link.connection();
        call.invoke_async::<i64>(&mut connection)
            .await
            .map(drop)
            .map_err(|error| error.to_string())
    }

    /// Moves the job out of the way for `delay`; no attempt is counted by this.
    pub(super) async fn put_off(&self, delay: Duration) -> Result<(), bullmq::Error> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let at = u64::try_from((now + delay).as_millis()).unwrap_or(u64::MAX);
        self.job.move_to_delayed(at).await
    }
}

/// JSON that `serde_json` refuses, as far as JavaScript would take it.
fn readable(raw: &str) -> Result<Value, String> {
    if raw.is_empty() {
        return Ok(Value::Null);
    }
    let mended = replace_lone_surrogates(raw);
    serde_json::from_str(&mended).map_err(|error| {
        if error.to_string().contains("recursion limit") {
            "the job's data is nested too deeply: expected at most 128 levels".to_owned()
        } else {
            format!("the job's data is no JSON: {error}")
        }
    })
}

/// An emoji that was cut in half is a lone surrogate, which JavaScript writes as `\ud83d` and Rust's text cannot hold.
fn replace_lone_surrogates(raw: &str) -> String {
    let bytes = raw.as_bytes();
    let unit = |at: usize| -> Option<u16> {
        let escape = bytes.get(at..at + 6)?.strip_prefix(br"\u")?;
        u16::from_str_radix(std::str::from_utf8(escape).ok()?, 16).ok()
    };
    let mut out = String::with_capacity(raw.len());
    let (mut at, mut copied) = (0, 0);
    while at < bytes.len() {
        if bytes[at] != b'\\' {
            at += 1;
            continue;
        }
        match unit(at) {
            Some(0xD800..=0xDBFF) if matches!(unit(at + 6), Some(0xDC00..=0xDFFF)) => at += 12,
            Some(0xD800..=0xDFFF) => {
                out.push_str(&raw[copied..at]);
                out.push_str(r"\ufffd");
                at += 6;
                copied = at;
            }
            // Any other escape; `\\` must not be taken for the beginning of the next one.
            _ => at += 2,
        }
    }
    out.push_str(&raw[copied..]);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cut_emoji_becomes_a_replacement_character() {
        let mended = readable(r#"{"a":"x\ud83d","b":"\ud83d\ude00","c":"\\ud83d","d":"\ude00\ud83d"}"#).unwrap();
        assert_eq!(
            mended,
            json!({"a": "x\u{fffd}", "b": "😀", "c": "\\ud83d", "d": "\u{fffd}\u{fffd}"})
        );
    }

    #[test]
    fn what_cannot_be_mended_says_why() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        assert!(readable(&deep).unwrap_err().contains("nested too deeply"));
        assert!(readable("{").unwrap_err().contains("no JSON"));
    }

    proptest! {
        #[test]
        fn mending_never_panics(raw in r#"([a-z\\"{}:]|\\u[0-9a-fA-F]{0,4}|\\ud83d|é){0,40}"#) {
            let _ = readable(&raw);
        }
    }
}
