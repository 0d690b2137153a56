//! Everything that knows BullMQ, and what `bullmq-official` 1.4.4 gets wrong and how it is covered here:
//!
//! | fault of the library | covered in |
//! | --- | --- |
//! | options that its types refuse drop *all* options of the job | [`job`]: raw options are read, repaired and written back |
//! | data that `serde_json` refuses arrives as `null` | [`job`]: raw data is read, lone surrogates replaced |
//! | a panic in the processor leaves the job active for ever | [`worker`]: the body runs in its own task |
//! | the event channel is unbounded | [`worker`]: a task drains it |
//! | no `stacktrace`, no `failedReason` between attempts | [`job`]: both are written before the attempt ends |
//! | the stalled check runs every second interval, not at start | settings: a third of the lock |
//! | `WorkerEvent::Stalled` is never sent | [`follower`]: stalls are taken from the event stream |
//! | 15 s of pause after a Redis error, 40 s of start without Redis | [`worker`]: 1 s, and PING before the start |
//! | an idle `close` waits for the blocking call, for 5 s where jobs are delayed | [`worker`]: the marker wakes it |
//! | TLS panics without a rustls provider, and trusts built-in authorities alone | `redis_trust`: `ring` is installed, the system's are handed over |
//! | `RateLimited` without a limiter retries at once | [`worker`]: a limiter with a huge maximum |
//! | backoff jitter and `keepLogs` are ignored, exponents overflow | [`job`], `retry_policy`: our own backoff, through delayed |
//! | a lost lock is not reported | `guard`: leases in MongoDB are asked before every effect |
//! | version 4 producers write no wake-up marker | [`follower`]: writes it |
//! | a job without `priority` waits behind all earlier ones | [`follower`]: moves payments to the head |

pub(crate) mod admin;
pub(crate) mod connection;
pub(crate) mod follower;
pub(crate) mod job;
pub(crate) mod options;
pub(crate) mod worker;

pub(crate) use connection::RedisLink;
pub(crate) use job::QueuedJob;
pub(crate) use worker::{Disposition, QueueWorker};
