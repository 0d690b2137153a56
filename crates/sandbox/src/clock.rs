//! The sandbox's time: the machine's, moved by a setting; and the forms in which Billz writes times.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, SecondsFormat, TimeDelta, Utc};

const COMPANY_OFFSET_SECONDS: i32 = 5 * 3600;

/// The current time, moved by `offset`.
#[expect(
    clippy::disallowed_methods,
    reason = "the sandbox depends on no other crate of ours; this is its one door"
)]
pub(crate) fn now(offset: TimeDelta) -> DateTime<Utc> {
    Utc::now() + offset
}

/// The company's local time (UTC+5), in which Billz keeps most of its times.
pub(crate) fn company_time(at: DateTime<Utc>) -> NaiveDateTime {
    FixedOffset::east_opt(COMPANY_OFFSET_SECONDS).map_or(at.naive_utc(), |zone| at.with_timezone(&zone).naive_local())
}

/// `YYYY-MM-DD HH:MM:SS`.
pub(crate) fn stamp(at: NaiveDateTime) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// RFC 3339 in UTC with `Z`; `None` is the empty text.
pub(crate) fn zulu(at: Option<DateTime<Utc>>, precision: SecondsFormat) -> String {
    at.map(|at| at.to_rfc3339_opts(precision, true)).unwrap_or_default()
}

/// Reads `YYYY-MM-DD HH:MM:SS`, and nothing else.
pub(crate) fn parse_stamp(text: &str) -> Option<NaiveDateTime> {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok()
}

/// Reads `YYYY-MM-DD`, with or without a time behind it.
pub(crate) fn parse_date(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .ok()
        .or_else(|| parse_stamp(text).map(|at| at.date()))
}

/// 23:59:59 of a day.
pub(crate) fn end_of_day(day: NaiveDate) -> NaiveDateTime {
    day.and_hms_opt(23, 59, 59)
        .unwrap_or_else(|| NaiveDateTime::new(day, chrono::NaiveTime::MIN))
}
