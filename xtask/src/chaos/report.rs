//! What a run comes to, for people and for programs.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use super::{
    faults::Injected,
    invariants::{self, Violation},
    observed::Observed,
    queue::Standing,
};

/// How many findings of one invariant are shown.
const SHOWN: usize = 12;

/// One run.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    pub(super) seed: u64,
    pub(super) command: String,
    pub(super) lasted: Duration,
    /// From the last fault until nothing was left to do.
    pub(super) quiet_after: Option<Duration>,
    pub(super) injected: Injected,
    pub(super) survived: Survived,
    pub(super) not_covered: Vec<&'static str>,
    pub(super) violations: Vec<Violation>,
}

/// What the run put in and came through.
#[derive(Debug, Clone, Default)]
pub(super) struct Survived {
    pub(super) jobs: usize,
    pub(super) completed: usize,
    pub(super) failed: usize,
    pub(super) forgotten: usize,
    pub(super) sales: usize,
    pub(super) payments: usize,
    pub(super) writes: u64,
    pub(super) repeated: u64,
    pub(super) events: u64,
    pub(super) dead_letters: usize,
    pub(super) billings: i64,
    /// Empty drafts without a comment that belong to nobody; where clocks jumped they may be left.
    pub(super) nameless_drafts: usize,
    pub(super) most_memory_mib: u64,
    pub(super) most_handles: usize,
}

impl Survived {
    pub(super) fn of(observed: &Observed) -> Self {
        let count =
            |wanted: fn(&Standing) -> bool| observed.jobs.iter().filter(|(_, standing)| wanted(standing)).count();
        Self {
            jobs: observed.jobs.iter().filter(|(job, _)| job.accepted).count(),
            completed: count(|standing| matches!(standing, Standing::Completed(_))),
            failed: count(|standing| matches!(standing, Standing::Failed(_))),
            forgotten: count(|standing| matches!(standing, Standing::Missing)),
            sales: observed.ledger.orders.len(),
            payments: observed.ledger.payments.len(),
            writes: observed.api.answered,
            repeated: observed.api.repeated,
            events: observed.events.produced,
            dead_letters: observed.events.poison.len(),
            billings: observed.last_number,
            nameless_drafts: invariants::nameless_drafts(observed),
            most_memory_mib: observed.most.values().map(|most| most.resident_kib).max().unwrap_or(0) / 1024,
            most_handles: observed.most.values().map(|most| most.handles).max().unwrap_or(0),
        }
    }
}

impl Outcome {
    /// The run as a table, and everything that did not hold.
    pub(super) fn shown(&self) -> String {
        let mut lines = vec![format!("seed {}: {} s of faults", self.seed, self.lasted.as_secs())];
        lines.push(format!(
            "  {:<42}{:>7}  {}",
            "injected", "times", "ready again after (median, worst)"
        ));
        for (kind, count) in &self.injected.counts {
            let recovery = self
                .injected
                .recoveries
                .get(kind)
                .map(|times| spread(times))
                .unwrap_or_default();
            lines.push(format!("  {kind:<42}{count:>7}  {recovery}"));
        }
        let total: u64 = self.injected.counts.values().sum();
        lines.push(format!("  {:<42}{total:>7}", "together"));
        let survived = &self.survived;
        lines.push(format!(
            "  jobs {} ({} done, {} failed with a reason, {} forgotten by Redis), sales {}, payments {}",
            survived.jobs, survived.completed, survived.failed, survived.forgotten, survived.sales, survived.payments
        ));
        lines.push(format!(
            "  writes {} (requests repeated {} times), events {} (of them dead letters {}), billings {}",
            survived.writes, survived.repeated, survived.events, survived.dead_letters, survived.billings
        ));
        if survived.nameless_drafts > 0 {
            lines.push(format!(
                "  empty drafts without a comment that were left in Billz: {}",
                survived.nameless_drafts
            ));
        }
        lines.push(format!(
            "  a process took at most {} MiB and {} handles",
            survived.most_memory_mib, survived.most_handles
        ));
        if let Some(quiet_after) = self.quiet_after {
            lines.push(format!(
                "  nothing left to do {:.1} s after the last fault",
                quiet_after.as_secs_f64()
            ));
        }
        for missing in &self.not_covered {
            lines.push(format!("  not covered here: {missing}"));
        }
        if self.violations.is_empty() {
            lines.push(format!("  all {} invariants hold", invariants::names().len()));
        }
        for violation in &self.violations {
            lines.push(format!(
                "  BROKEN: {} ({} times)",
                violation.invariant,
                violation.found.len()
            ));
            lines.extend(violation.found.iter().take(SHOWN).map(|found| format!("    {found}")));
            if violation.found.len() > SHOWN {
                lines.push(format!("    and {} more", violation.found.len() - SHOWN));
            }
        }
        if !self.violations.is_empty() {
            lines.push(format!("  to repeat: {}", self.command));
        }
        lines.join("\n")
    }

    /// The run for programs. Times are in milliseconds.
    pub(super) fn json(&self) -> Value {
        let recoveries: BTreeMap<&String, Vec<u64>> = self
            .injected
            .recoveries
            .iter()
            .map(|(kind, times)| (kind, times.iter().copied().map(millis).collect()))
            .collect();
        let violations: BTreeMap<&String, &Vec<String>> = self
            .violations
            .iter()
            .map(|violation| (&violation.invariant, &violation.found))
            .collect();
        let survived = &self.survived;
        json!({
            "seed": self.seed,
            "lastedMs": millis(self.lasted),
            "quietAfterMs": self.quiet_after.map(millis),
            "faults": self.injected.counts,
            "recoveriesMs": recoveries,
            "jobs": {"accepted": survived.jobs, "completed": survived.completed, "failed": survived.failed, "forgotten": survived.forgotten},
            "billz": {"sales": survived.sales, "payments": survived.payments, "namelessDrafts": survived.nameless_drafts},
            "writes": {"answered": survived.writes, "repeatedRequests": survived.repeated},
            "events": {"produced": survived.events, "deadLetters": survived.dead_letters},
            "billings": survived.billings,
            "mostMemoryMib": survived.most_memory_mib,
            "mostHandles": survived.most_handles,
            "notCovered": self.not_covered,
            "invariants": invariants::names(),
            "violations": violations,
        })
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn spread(times: &[Duration]) -> String {
    let mut times = times.to_vec();
    times.sort_unstable();
    let (Some(median), Some(worst)) = (times.get(times.len() / 2), times.last()) else {
        return String::new();
    };
    format!("{:.1} s, {:.1} s", median.as_secs_f64(), worst.as_secs_f64())
}
