//! The queue in figures, for metrics and alerts: one cheap look at a time.

use redis::Script;

use crate::{
    admin::QueueAddress,
    bullmq_queue::{RedisLink, connection},
};

/// How many jobs at the end that is fetched next are looked at for their age. Jobs that overtake are few.
const LOOKED_AT: isize = 100;

/// Since when the oldest of the jobs has been waiting, in milliseconds since 1970. A job that was put off, or that failed
/// and is tried again, has not been waiting since it was added.
const OLDEST: &str = r#"
local oldest = ""
local function look(ids)
  for _, id in ipairs(ids) do
    local job = redis.call("HMGET", ARGV[1] .. ":" .. id, "timestamp", "opts", "processedOn")
    local since = tonumber(job[1])
    if since then
      local ok, opts = pcall(cjson.decode, job[2] or "{}")
      if ok and type(opts) == "table" and tonumber(opts.delay) then since = since + tonumber(opts.delay) end
      since = math.max(since, tonumber(job[3]) or 0)
      if oldest == "" or since < oldest then oldest = since end
    end
  end
end
look(redis.call("LRANGE", KEYS[1], -tonumber(ARGV[2]), -1))
look(redis.call("LRANGE", KEYS[2], -tonumber(ARGV[2]), -1))
look(redis.call("ZRANGE", KEYS[3], 0, tonumber(ARGV[2]) - 1))
if oldest == "" then return "" end
return string.format("%.0f", oldest)
"#;

/// What the queue looks like at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSight {
    /// How many jobs there are in each state, by the states' names in BullMQ.
    pub counts: Vec<(&'static str, u64)>,
    /// Since when the oldest job that could run has been waiting, in milliseconds since 1970.
    pub oldest_waiting_since_ms: Option<u64>,
    /// How many workers are connected; `None` where Redis does not tell.
    pub workers: Option<u64>,
}

impl QueueSight {
    /// How many jobs could run right now.
    pub fn waiting(&self) -> u64 {
        let could_run = |state: &str| matches!(state, "waiting" | "paused" | "prioritized");
        self.counts
            .iter()
            .filter(|(state, _)| could_run(state))
            .map(|(_, count)| count)
            .sum()
    }
}

/// Looks at a queue. Cheap to clone.
#[derive(Debug, Clone)]
pub struct QueueWatch(RedisLink);

impl QueueWatch {
    /// A watch over the queue at `address`. Opens no connection.
    pub fn new(address: &QueueAddress) -> Result<Self, String> {
        RedisLink::new(&address.redis, &address.queue, &address.prefix)
            .map(Self)
            .map_err(|error| format!("the address of Redis is none: {error}"))
    }

    /// Looks once. The error is for people and holds no address.
    pub async fn look(&self) -> Result<QueueSight, String> {
        let keys = &self.0.keys;
        let mut connection = self.0.connection();
        let explain = |error: redis::RedisError| connection::explain(&error);
        let counts: [u64; 8] = redis::pipe()
            .llen(keys.wait())
            .llen(keys.paused())
            .zcard(keys.prioritized())
            .zcard(keys.delayed())
            .llen(keys.active())
            .zcard(keys.completed())
            .zcard(keys.failed())
            .zcard(keys.waiting_children())
            .query_async(&mut connection)
            .await
            .map_err(explain)?;
        let states = [
            "waiting",
            "paused",
            "prioritized",
            "delayed",
            "active",
            "completed",
            "failed",
            "waiting-children",
        ];
        let script = Script::new(OLDEST);
        let mut call = script.key(keys.wait());
        call.key(keys.paused()).key(keys.prioritized());
        call.arg(keys.base()).arg(LOOKED_AT);
        let oldest: String = call.invoke_async(&mut connection).await.map_err(explain)?;
        // Hosted servers may refuse this one; then nobody knows.
        let clients: Option<String> = redis::cmd("CLIENT").arg("LIST").query_async(&mut connection).await.ok();
        let is_worker = |client: &str| {
            let name = client.split(' ').find_map(|field| field.strip_prefix("name="));
            name.is_some_and(|name| name == keys.client_name("") || name.starts_with(&keys.client_name(":w:")))
        };
        let workers = clients.map(|clients| clients.lines().filter(|client| is_worker(client)).count());
        Ok(QueueSight {
            counts: states.into_iter().zip(counts).collect(),
            oldest_waiting_since_ms: oldest.parse().ok(),
            workers: workers.and_then(|workers| u64::try_from(workers).ok()),
        })
    }
}
