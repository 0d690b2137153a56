//! How many requests a caller may make.

use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    str::FromStr,
    time::Duration,
};

use axum::{
    extract::{ConnectInfo, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use governor::{DefaultKeyedRateLimiter, Quota, clock::Clock as _};

use crate::{access::Caller, error::ApiError, state::AppState};

/// A number of requests in a time. Reads `100/s`, `6000/m`, `50/10s`, `1000/h`, and `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// How many requests.
    pub requests: NonZeroU32,
    /// In which time.
    pub per: Duration,
}

/// Why a rate limit cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a number of requests and a time, such as `100/s`, `6000/m` or `50/10s`")]
pub struct RateLimitProblem;

impl FromStr for RateLimit {
    type Err = RateLimitProblem;

    fn from_str(text: &str) -> Result<Self, RateLimitProblem> {
        let (requests, time) = text.trim().split_once('/').ok_or(RateLimitProblem)?;
        let digits = time.trim_end_matches(|unit: char| unit.is_ascii_alphabetic());
        let seconds: u64 = match &time[digits.len()..] {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return Err(RateLimitProblem),
        };
        let number = if digits.is_empty() {
            1
        } else {
            digits.parse().map_err(|_| RateLimitProblem)?
        };
        let seconds = seconds
            .checked_mul(number)
            .filter(|seconds| (1..=86_400).contains(seconds));
        Ok(Self {
            requests: requests.parse().map_err(|_| RateLimitProblem)?,
            per: Duration::from_secs(seconds.ok_or(RateLimitProblem)?),
        })
    }
}

/// Counts the requests of each caller.
pub(crate) struct RateLimiter {
    limiter: DefaultKeyedRateLimiter<String>,
}

impl RateLimiter {
    pub(crate) fn new(limit: RateLimit) -> Option<Self> {
        let quota = Quota::with_period(limit.per / limit.requests.get())?.allow_burst(limit.requests);
        Some(Self {
            limiter: DefaultKeyedRateLimiter::keyed(quota),
        })
    }

    /// Lets a request through, or says how long to wait.
    fn check(&self, caller: &String) -> Result<(), Duration> {
        self.limiter
            .check_key(caller)
            .map_err(|refused| refused.wait_time_from(self.limiter.clock().now()))
    }

    /// Forgets callers who have made no requests for a while.
    pub(crate) fn tidy(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
    }
}

/// Refuses requests past the limit.
pub(crate) async fn check(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let Some(limiter) = &state.rate_limiter else {
        return next.run(request).await;
    };
    match limiter.check(&name_of_caller(&request, state.trust_proxy)) {
        Ok(()) => next.run(request).await,
        Err(wait) => ApiError::RateLimited(wait).into_response(),
    }
}

/// The name of the key or token, else the address.
fn name_of_caller(request: &Request, trust_proxy: bool) -> String {
    if let Some(caller) = request
        .extensions()
        .get::<Caller>()
        .filter(|caller| !caller.name.is_empty())
    {
        return caller.name.clone();
    }
    let forwarded = || -> Option<IpAddr> {
        let entries = request.headers().get_all("x-forwarded-for").iter().next_back()?;
        entries.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
    };
    let peer = || {
        request
            .extensions()
            .get::<ConnectInfo<SocketAddr>>()
            .map(|info| info.0.ip())
    };
    let address = if trust_proxy { forwarded().or_else(peer) } else { peer() };
    address.map_or_else(
        || "unknown address".to_owned(),
        |address| network_of(address).to_string(),
    )
}

/// The address itself; of an IPv6 address the network of 64 bits, all of which one customer has.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => {
            let [a, b, c, d, ..] = six.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        four @ IpAddr::V4(_) => four,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_forms_that_are_documented() {
        let limit = |text: &str| {
            text.parse::<RateLimit>()
                .map(|limit| (limit.requests.get(), limit.per.as_secs()))
        };
        assert_eq!(limit("100/s"), Ok((100, 1)));
        assert_eq!(limit("6000/m"), Ok((6000, 60)));
        assert_eq!(limit("50/10s"), Ok((50, 10)));
        for bad in [
            "",
            "100",
            "0/s",
            "-1/s",
            "1/0s",
            "1/x",
            "a/s",
            "1/99999999999999999999h",
            "1/é",
        ] {
            assert_eq!(limit(bad), Err(RateLimitProblem), "{bad} was taken");
        }
    }

    #[test]
    fn lets_a_burst_through_and_then_says_when_to_come_back() {
        let limiter = RateLimiter::new("2/10s".parse().unwrap()).unwrap();
        let caller = "a".to_owned();
        assert!(limiter.check(&caller).is_ok() && limiter.check(&caller).is_ok());
        let wait = limiter.check(&caller).unwrap_err();
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(5), "{wait:?}");
        assert!(limiter.check(&"b".to_owned()).is_ok());
    }

    #[test]
    fn takes_an_ipv6_network_for_one_caller() {
        assert_eq!(
            network_of("2001:db8:1:2:3:4:5:6".parse().unwrap()).to_string(),
            "2001:db8:1:2::"
        );
        assert_eq!(network_of("::ffff:10.0.0.1".parse().unwrap()).to_string(), "10.0.0.1");
    }
}
