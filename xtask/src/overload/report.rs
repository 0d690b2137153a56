//! What came of it, for people and for programs, and what must hold.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    CALLERS, CUSTOMERS, EVENTS, FEW_CALLERS, JOBS, RECOVERS_WITHIN, STORM_CALLERS, TIMES, WORKS_OFF_WITHIN, a_second,
    probe::{ANSWERS_WITHIN, Probed},
    traffic::{Tally, percentile},
};
use crate::process::Usage;

/// The most memory that the process may take.
const MOST_MEMORY_KIB: u64 = 200 * 1024;
/// How long 99 of 100 requests that are carried out may take at most.
const ACCEPTED_WITHIN: Duration = Duration::from_secs(5);
/// Of how many requests one may break off without an answer: a connection beyond the most gives way to newer ones.
const BROKEN_OFF_ONE_OF: u64 = 100;
/// As quick as before is what takes at most so many times as long ...
const AS_QUICK: f64 = 1.5;
/// ... or no longer than this, since what is faster cannot be told from chance.
const QUICK_ENOUGH: Duration = Duration::from_millis(3);
/// How often the log may tell of refusals.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// The storm itself.
#[derive(Debug)]
pub(super) struct Storm {
    /// For how long requests were offered.
    pub(super) length: Duration,
    /// Until the last of them had its answer.
    pub(super) lasted: Duration,
    /// Requests a second.
    pub(super) offered: f64,
    pub(super) tally: Tally,
    pub(super) probed: Probed,
}

/// How quick the service is again.
#[derive(Debug)]
pub(super) struct Recovery {
    pub(super) at_ease: Duration,
    pub(super) after: Duration,
    pub(super) took: Duration,
}

impl Recovery {
    pub(super) fn is_full(&self) -> bool {
        self.after <= self.at_ease.mul_f64(AS_QUICK).max(QUICK_ENOUGH)
    }
}

/// What is stored of what the service said it had stored.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) users: usize,
    pub(super) billings: usize,
    /// Ids and numbers that are missing.
    pub(super) lost: Vec<String>,
    /// Customers that the events have made.
    pub(super) customers: usize,
    /// Billings that are there, and the last number that was given.
    pub(super) there: usize,
    pub(super) last_number: i64,
}

/// The whole run.
#[derive(Debug)]
pub(super) struct Report {
    /// Requests a second that can be served.
    pub(super) capacity: f64,
    pub(super) storm: Storm,
    pub(super) before: Usage,
    pub(super) most: Usage,
    pub(super) after: Usage,
    pub(super) recovery: Recovery,
    /// How long the jobs and events took after that, or `None` where they were not done in time.
    pub(super) worked_off: Option<Duration>,
    pub(super) kept: Kept,
    pub(super) told_of_refusals: usize,
    pub(super) log_lines: usize,
}

impl Report {
    /// What did not hold.
    pub(super) fn broken(&self) -> Vec<String> {
        let (tally, kept) = (&self.storm.tally, &self.kept);
        let mut broken = Vec::new();
        let mut must = |holds: bool, otherwise: String| {
            if !holds {
                broken.push(otherwise);
            }
        };
        must(
            self.most.resident_kib <= MOST_MEMORY_KIB,
            format!("it took {} MiB of memory", self.most.resident_kib / 1024),
        );
        must(
            tally.silent_refusals == 0,
            format!("{} refusals without `Retry-After`", tally.silent_refusals),
        );
        must(
            tally.wrong.is_empty(),
            format!("answers that nobody should have had: {:?}", tally.wrong),
        );
        must(
            broken_off(tally) * BROKEN_OFF_ONE_OF <= tally.sent,
            format!("{} requests broke off without an answer", broken_off(tally)),
        );
        must(
            percentile(&tally.accepted, 99) <= ACCEPTED_WITHIN,
            format!(
                "one of 100 accepted requests took {}",
                ms(percentile(&tally.accepted, 99))
            ),
        );
        must(!tally.accepted.is_empty(), "nothing was carried out".to_owned());
        must(
            !tally.refused.is_empty() || tally.not_sent > 0,
            "it was no overload: everything that was offered was carried out".to_owned(),
        );
        let probed = &self.storm.probed;
        must(
            probed.failed.is_empty() && !probed.answered.is_empty(),
            format!("it did not say in time that it lives: {:?}", probed.failed),
        );
        must(
            self.recovery.is_full(),
            format!(
                "half of the requests take up to {} after the storm, {} before",
                ms(self.recovery.after),
                ms(self.recovery.at_ease)
            ),
        );
        must(
            self.worked_off.is_some(),
            format!(
                "jobs or events are left {} s after the storm",
                WORKS_OFF_WITHIN.as_secs()
            ),
        );
        let shown: Vec<_> = kept.lost.iter().take(12).collect();
        must(
            kept.lost.is_empty(),
            format!("{} things that were stored are not there: {shown:?}", kept.lost.len()),
        );
        must(
            u64::try_from(kept.customers) == Ok(CUSTOMERS),
            format!("the events made {} customers instead of {CUSTOMERS}", kept.customers),
        );
        must(
            i64::try_from(kept.there) == Ok(kept.last_number),
            format!("{} billings have numbers up to {}", kept.there, kept.last_number),
        );
        let most_told = self.storm.lasted.as_secs() / TOLD_EVERY.as_secs() + 2;
        must(
            self.told_of_refusals as u64 <= most_told,
            format!("the log tells of refusals {} times", self.told_of_refusals),
        );
        broken
    }

    /// The run for people.
    pub(super) fn shown(&self) -> String {
        let (storm, kept) = (&self.storm, &self.kept);
        let tally = &storm.tally;
        let rate = |count: u64| a_second(usize::try_from(count).unwrap_or(usize::MAX), storm.lasted);
        let mut lines = vec![
            format!(
                "can serve {:.0} requests a second ({CALLERS} callers, each as soon as it has its answer)",
                self.capacity
            ),
            format!(
                "was offered {:.0} a second ({TIMES:.0} times as many) for {} s by {STORM_CALLERS} callers, beside {JOBS} jobs \
                 and {EVENTS} events",
                storm.offered,
                storm.length.as_secs()
            ),
            format!(
                "  sent {} ({:.0} a second); {} more were due while their callers still waited for an answer",
                tally.sent,
                rate(tally.sent),
                tally.not_sent
            ),
            format!(
                "  carried out {} ({:.0} a second): {}",
                tally.accepted.len(),
                rate(tally.accepted.len() as u64),
                spread(&tally.accepted)
            ),
            format!(
                "  refused {}, {} of them without `Retry-After`: {}",
                tally.refused.len(),
                tally.silent_refusals,
                spread(&tally.refused)
            ),
            format!("  by status: {:?}", tally.statuses),
            format!("  broke off without an answer: {}", broken_off(tally)),
        ];
        lines.extend(
            tally
                .broken
                .iter()
                .map(|(why, count)| format!("    {count} times: {why}")),
        );
        lines.push(format!(
            "  asked {} times whether it lives: {}; in vain {} times",
            storm.probed.answered.len() + storm.probed.failed.len(),
            spread(&storm.probed.answered),
            storm.probed.failed.len()
        ));
        let usage = |usage: &Usage| {
            format!(
                "{} MiB, {} handles, {} threads",
                usage.resident_kib / 1024,
                usage.handles,
                usage.threads
            )
        };
        lines.push(format!(
            "took {} before; {} at most in the storm; {} after it",
            usage(&self.before),
            usage(&self.most),
            usage(&self.after)
        ));
        lines.push(format!(
            "half of the requests take up to {} ({FEW_CALLERS} callers), {} before the storm; known {:.1} s after it",
            ms(self.recovery.after),
            ms(self.recovery.at_ease),
            self.recovery.took.as_secs_f64()
        ));
        lines.push(match self.worked_off {
            Some(time) => format!("jobs and events done {:.1} s after that", time.as_secs_f64()),
            None => "jobs or events not done in time".to_owned(),
        });
        lines.push(format!(
            "said that {} users and {} billings are stored, of which {} are missing; {} billings in all, numbers up to {}",
            kept.users,
            kept.billings,
            kept.lost.len(),
            kept.there,
            kept.last_number
        ));
        lines.push(format!(
            "the log has {} lines, {} of them about refusals",
            self.log_lines, self.told_of_refusals
        ));
        lines.push(format!(
            "limits: {} MiB; p99 of what is carried out {} s; lives within {} s; one of {BROKEN_OFF_ONE_OF} without an answer; \
             p50 {AS_QUICK} times as before within {} s",
            MOST_MEMORY_KIB / 1024,
            ACCEPTED_WITHIN.as_secs(),
            ANSWERS_WITHIN.as_secs(),
            RECOVERS_WITHIN.as_secs()
        ));
        lines.extend(self.broken().iter().map(|broken| format!("BROKEN: {broken}")));
        lines.join("\n")
    }

    /// The run for programs. Times are in milliseconds.
    pub(super) fn json(&self) -> Value {
        let (storm, kept) = (&self.storm, &self.kept);
        let tally = &storm.tally;
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let times = |times: &[Duration]| {
            json!({
                "count": times.len(), "p50Ms": millis(percentile(times, 50)), "p99Ms": millis(percentile(times, 99)),
                "mostMs": millis(percentile(times, 100)),
            })
        };
        let usage = |usage: &Usage| json!({"residentKib": usage.resident_kib, "handles": usage.handles, "threads": usage.threads});
        json!({
            "canServeASecond": self.capacity,
            "offeredASecond": storm.offered,
            "offeredForMs": millis(storm.length),
            "callers": STORM_CALLERS,
            "sent": tally.sent,
            "dueButNotSent": tally.not_sent,
            "statuses": tally.statuses,
            "accepted": times(&tally.accepted),
            "refused": times(&tally.refused),
            "refusedWithoutRetryAfter": tally.silent_refusals,
            "brokenOff": tally.broken,
            "live": times(&storm.probed.answered),
            "liveFailed": storm.probed.failed,
            "before": usage(&self.before),
            "most": usage(&self.most),
            "after": usage(&self.after),
            "p50BeforeUs": u64::try_from(self.recovery.at_ease.as_micros()).unwrap_or(u64::MAX),
            "p50AfterUs": u64::try_from(self.recovery.after.as_micros()).unwrap_or(u64::MAX),
            "recoveredAfterMs": millis(self.recovery.took),
            "workedOffAfterMs": self.worked_off.map(millis),
            "stored": {"users": kept.users, "billings": kept.billings, "lost": kept.lost},
            "broken": self.broken(),
        })
    }
}

fn broken_off(tally: &Tally) -> u64 {
    tally.broken.values().sum()
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1_000.0)
}

fn spread(times: &[Duration]) -> String {
    let [half, most, all] = [50, 99, 100].map(|part| ms(percentile(times, part)));
    format!("p50 {half}, p99 {most}, longest {all}")
}
