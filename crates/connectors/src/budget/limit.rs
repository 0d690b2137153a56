//! A limit of calls: so many within so much time.

use std::{fmt, str::FromStr, time::Duration};

use billwright_domain::input::Mismatch;

use super::MARGIN_PERCENT;

/// So many calls within any window of so much time, written `2/s`, `120/m` or `10/5s`; `off` or `0` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    calls: u32,
    window: Duration,
}

impl RateLimit {
    /// No limit.
    pub const OFF: Self = Self {
        calls: 0,
        window: Duration::ZERO,
    };

    /// So many calls (0: no limit) within any `window`.
    pub fn new(calls: u32, window: Duration) -> Self {
        if calls == 0 || window.is_zero() {
            Self::OFF
        } else {
            Self { calls, window }
        }
    }

    /// Whether there is no limit.
    pub fn is_off(self) -> bool {
        self.calls == 0
    }

    /// How many calls a window may hold; 0 where there is no limit.
    pub fn calls(self) -> u32 {
        self.calls
    }

    /// The window.
    pub fn window(self) -> Duration {
        self.window
    }

    /// How far apart the slots lie.
    pub(crate) fn spacing(self) -> Duration {
        self.window / self.calls.max(1) * (100 + MARGIN_PERCENT) / 100
    }

    /// How late a call may start and still leave the next slot where it was: half of what the margin gives away over a
    /// window, so that the other half is left for the way to Billz.
    pub(crate) fn tolerance(self) -> Duration {
        (self.window * MARGIN_PERCENT / 200).min(self.spacing())
    }
}

/// What Billz allows: two calls a second.
impl Default for RateLimit {
    fn default() -> Self {
        Self::new(2, Duration::from_secs(1))
    }
}

impl FromStr for RateLimit {
    type Err = Mismatch;

    fn from_str(text: &str) -> Result<Self, Mismatch> {
        let text = text.trim().to_ascii_lowercase();
        if matches!(text.as_str(), "off" | "0" | "none") {
            return Ok(Self::OFF);
        }
        read(&text).ok_or_else(|| {
            Mismatch::expected(
                "calls per time as in `2/s`, `120/m` or `10/5s` (at most 100000 calls, at most 24 hours), or `off`",
            )
        })
    }
}

fn read(text: &str) -> Option<RateLimit> {
    let (calls, window) = text.split_once('/')?;
    let calls: u32 = calls.trim().parse().ok()?;
    let window = window.trim();
    let unit_at = window.find(|found: char| !found.is_ascii_digit())?;
    let (count, unit) = window.split_at(unit_at);
    let count: u32 = if count.is_empty() { 1 } else { count.parse().ok()? };
    let unit = match unit.trim() {
        "ms" => Duration::from_millis(1),
        "s" | "sec" | "second" => Duration::from_secs(1),
        "m" | "min" | "minute" => Duration::from_mins(1),
        "h" | "hour" => Duration::from_hours(1),
        _ => return None,
    };
    let window = unit.checked_mul(count)?;
    let fits = (1..=100_000).contains(&calls) && !window.is_zero() && window <= Duration::from_hours(24);
    fits.then(|| RateLimit::new(calls, window))
}

impl fmt::Display for RateLimit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.window.as_millis();
        match millis {
            _ if self.is_off() => formatter.write_str("off"),
            1000 => write!(formatter, "{}/s", self.calls),
            60_000 => write!(formatter, "{}/m", self.calls),
            _ if millis.is_multiple_of(1000) => write!(formatter, "{}/{}s", self.calls, millis / 1000),
            _ => write!(formatter, "{}/{millis}ms", self.calls),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, calls, window_ms, shown) in [
            ("2/s", 2, 1000, "2/s"),
            (" 120 / m ", 120, 60_000, "120/m"),
            ("10/5s", 10, 5000, "10/5s"),
            ("3/250ms", 3, 250, "3/250ms"),
            ("1/h", 1, 3_600_000, "1/3600s"),
        ] {
            let limit: RateLimit = text.parse().unwrap();
            assert_eq!(
                (limit.calls(), limit.window()),
                (calls, Duration::from_millis(window_ms))
            );
            assert_eq!(limit.to_string(), shown);
            assert_eq!(shown.parse::<RateLimit>().unwrap(), limit);
        }
        assert!("off".parse::<RateLimit>().unwrap().is_off());
        assert!("0".parse::<RateLimit>().unwrap().is_off());
    }

    #[test]
    fn refuses_what_is_no_limit() {
        for bad in [
            "", "2", "2/", "/s", "2/x", "-1/s", "0/s", "2/0s", "2.5/s", "2/s/s", "999999/s", "1/25h",
        ] {
            assert!(bad.parse::<RateLimit>().is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn slots_and_lateness_together_never_fill_a_window_twice() {
        for text in ["2/s", "1/s", "50/s", "120/m", "10/5s", "100000/s"] {
            let limit: RateLimit = text.parse().unwrap();
            // The first of `calls + 1` neighbours as late as is tolerated, the last on time.
            let span = limit.spacing() * limit.calls();
            assert!(span >= limit.window() + limit.tolerance(), "{text}: {span:?}");
        }
    }
}
