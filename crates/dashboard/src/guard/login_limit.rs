//! How often somebody may try to sign in: per address, and per name.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    time::Duration,
};

use governor::{DefaultKeyedRateLimiter, Quota, clock::Clock as _};
use tokio::sync::Semaphore;

/// Attempts in a row.
const ATTEMPTS: NonZeroU32 = NonZeroU32::new(8).unwrap();
/// After how long one more attempt is free.
const ONE_MORE: Duration = Duration::from_secs(15);
/// How many passwords are checked at a time: each takes a core and 19 MiB for a moment.
const AT_A_TIME: usize = 2;
/// From how many remembered callers on those who have not tried for a while are forgotten.
const REMEMBERED: usize = 10_000;

/// Counts attempts.
pub(crate) struct LoginLimit {
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    names: DefaultKeyedRateLimiter<String>,
    /// A place for each password that is being checked.
    pub(crate) places: Semaphore,
}

impl Default for LoginLimit {
    fn default() -> Self {
        // The period is not zero.
        let quota = Quota::with_period(ONE_MORE)
            .unwrap_or(Quota::per_minute(ATTEMPTS))
            .allow_burst(ATTEMPTS);
        Self {
            addresses: DefaultKeyedRateLimiter::keyed(quota),
            names: DefaultKeyedRateLimiter::keyed(quota),
            places: Semaphore::new(AT_A_TIME),
        }
    }
}

impl LoginLimit {
    /// Counts an attempt; the error says how long to wait.
    pub(crate) fn attempt(&self, address: IpAddr, name: &str) -> Result<(), Duration> {
        if self.addresses.len() > REMEMBERED {
            self.addresses.retain_recent();
        }
        if self.names.len() > REMEMBERED {
            self.names.retain_recent();
        }
        let name: String = name.chars().take(64).collect();
        self.addresses
            .check_key(&network(address))
            .map_err(|refused| refused.wait_time_from(self.addresses.clock().now()))?;
        self.names
            .check_key(&name)
            .map_err(|refused| refused.wait_time_from(self.names.clock().now()))
    }
}

/// One household or server has a whole /64 of IPv6 addresses.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_attempts_from_one_address_or_for_one_name_must_wait() {
        let limit = LoginLimit::default();
        let address = |last: u8| IpAddr::from([10, 0, 0, last]);
        for attempt in 0..8 {
            assert!(limit.attempt(address(1), &format!("name{attempt}")).is_ok());
        }
        assert!(limit.attempt(address(1), "another").is_err());
        assert!(limit.attempt(address(2), "another").is_ok());
        for last in 10..18 {
            assert!(limit.attempt(address(last), "anna").is_ok());
        }
        assert!(limit.attempt(address(99), "anna").is_err());
    }

    #[test]
    fn addresses_of_one_network_count_as_one() {
        let one: IpAddr = "2001:db8:1:2::1".parse().unwrap();
        let other: IpAddr = "2001:db8:1:2:ffff::9".parse().unwrap();
        assert_eq!(network(one), network(other));
    }
}
