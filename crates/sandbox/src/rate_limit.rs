//! Billz's limit of calls per address, and the filter that blocks an address which does not stop.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{message::Reply, settings::RateLimit, variants::RetryAfter};

const SECOND: Duration = Duration::from_secs(1);

/// The calls of the last second, per address.
#[derive(Debug, Default)]
pub(crate) struct RateLimiter(HashMap<IpAddr, Caller>);

#[derive(Debug, Default)]
struct Caller {
    served: VecDeque<Instant>,
    refused: VecDeque<Instant>,
    blocked_until: Option<Instant>,
}

impl RateLimiter {
    /// Lets a call pass, or answers it.
    pub(crate) fn admit(
        &mut self,
        limit: RateLimit,
        retry_after: RetryAfter,
        peer: IpAddr,
        now: Instant,
    ) -> Result<(), Reply> {
        let caller = self.0.entry(peer).or_default();
        if caller.blocked_until.is_some_and(|until| now < until) {
            return Err(Reply::html(
                403,
                "<html><body><h1>403 Forbidden</h1></body></html>".to_owned(),
            ));
        }
        for moments in [&mut caller.served, &mut caller.refused] {
            while moments.front().is_some_and(|at| now.duration_since(*at) >= SECOND) {
                moments.pop_front();
            }
        }
        if caller.served.len() < usize::try_from(limit.per_second).unwrap_or(usize::MAX) {
            caller.served.push_back(now);
            return Ok(());
        }
        caller.refused.push_back(now);
        if let Some(block) = limit.block
            && caller.refused.len() >= usize::try_from(block.refused_per_second).unwrap_or(usize::MAX)
        {
            caller.blocked_until = Some(now + block.lasts);
        }
        let mut reply = Reply::json(
            429,
            &json!({"code": 429, "message": "too many requests", "error": "too many requests", "data": null}),
        );
        reply.retry_after = (retry_after == RetryAfter::Sent).then_some(1);
        Err(reply)
    }
}
