//! What is not all right, in order of urgency.

use billwright_store::operations::processes::ProcessReport;
use chrono::TimeDelta;

use super::Hour;
use crate::{charts::duration, live::Snapshot, page::Tone, samples::series::name, section::Trouble, text::Text};

/// From when on a waiting job is worth a look.
const OLD: TimeDelta = TimeDelta::minutes(5);

/// Something that is not all right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Concern {
    /// How bad.
    pub(crate) tone: Tone,
    /// What.
    pub(crate) text: Text,
}

/// What it is judged by.
pub(super) struct Seen<'a> {
    pub(super) now: &'a Snapshot,
    /// Unknown while MongoDB is away.
    pub(super) hour: Option<&'a Hour>,
    pub(super) processes: &'a [ProcessReport],
    /// Whether the order product runs at all.
    pub(super) orders: bool,
}

/// Everything that is not all right, the worst first.
pub(super) fn of(seen: &Seen<'_>) -> Vec<Concern> {
    let mut concerns = Vec::new();
    let mut add = |tone: Tone, text: Text| concerns.push(Concern { tone, text });
    for process in seen.processes {
        for dependency in process.dependencies.iter().filter(|found| found.condition != "up") {
            let tone = if dependency.condition == "down" {
                Tone::Bad
            } else {
                Tone::Warning
            };
            let text = Text::of("concern-dependency")
                .with("process", &process.name)
                .with("dependency", &dependency.name);
            add(tone, text);
        }
    }
    if seen.processes.is_empty() {
        for (dependency, health) in &seen.now.health {
            if health.condition != billwright_domain::Condition::Up {
                add(
                    Tone::Bad,
                    Text::of("concern-own-dependency").with("dependency", *dependency),
                );
            }
        }
    }
    if let Err(Trouble::Away { dependency, .. }) = &seen.now.jobs {
        add(
            Tone::Bad,
            Text::of("concern-away").with("dependency", dependency.name()),
        );
    }
    let open = |process: &&ProcessReport| process.billz.as_ref().is_some_and(|billz| billz.breaker != "closed");
    if seen.processes.iter().any(|process| open(&process)) {
        add(Tone::Bad, Text::of("concern-breaker"));
    }
    if seen.orders && seen.now.workers == Some(0) {
        add(Tone::Bad, Text::of("concern-no-worker"));
    }
    if let Some(since) = seen.now.oldest_waiting_since
        && seen.now.at - since >= OLD
    {
        let age = duration((seen.now.at - since).as_seconds_f64());
        add(Tone::Bad, Text::of("concern-oldest").with("age", age));
    }
    let Some(hour) = seen.hour else {
        add(Tone::Bad, Text::of("concern-away").with("dependency", "MongoDB"));
        return sorted(concerns);
    };
    let counted = [
        (name::JOBS_FAILED, Text::of("concern-failed")),
        (name::EVENTS_DEAD, Text::of("concern-dead")),
        (name::API_FAILED, Text::of("concern-api")),
        (name::NOTIFICATIONS_FAILED, Text::of("concern-notifications")),
    ];
    for (series, text) in counted {
        let count = hour.count(series);
        if count > 0 {
            add(Tone::Warning, text.with("count", count));
        }
    }
    sorted(concerns)
}

fn sorted(mut concerns: Vec<Concern>) -> Vec<Concern> {
    concerns.sort_by_key(|concern| concern.tone != Tone::Bad);
    concerns
}

#[cfg(test)]
mod tests {
    use billwright_store::operations::{
        processes::{ProcessBillz, ProcessDependency},
        samples::Sample,
    };
    use billwright_worker::admin::JobCounts;
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::section::Dependency;

    fn now() -> DateTime<Utc> {
        "2026-03-01T10:30:00Z".parse().unwrap()
    }

    fn quiet() -> Snapshot {
        Snapshot {
            at: now(),
            jobs: Ok(JobCounts {
                waiting: 0,
                prioritized: 0,
                delayed: 0,
                active: 0,
                completed: 0,
                failed: 0,
            }),
            oldest_waiting_since: None,
            workers: Some(1),
            health: std::collections::BTreeMap::new(),
        }
    }

    fn process(condition: &str, breaker: &str) -> ProcessReport {
        ProcessReport {
            id: "1".to_owned(),
            name: "host#1".to_owned(),
            version: "1".to_owned(),
            roles: vec!["worker".to_owned()],
            since: now(),
            dependencies: vec![ProcessDependency {
                name: "worker.redis".to_owned(),
                condition: condition.to_owned(),
                detail: String::new(),
            }],
            billz: Some(ProcessBillz {
                breaker: breaker.to_owned(),
                open_until: None,
                budget: "shared".to_owned(),
                payments_waiting: 0,
                ordinary_waiting: 0,
            }),
        }
    }

    fn said(now: &Snapshot, counts: &[(&str, u64)], process: ProcessReport) -> Vec<String> {
        let minute = Sample {
            at: now.at,
            counts: counts
                .iter()
                .map(|(series, count)| ((*series).to_owned(), *count))
                .collect(),
            times: std::collections::BTreeMap::new(),
            levels: std::collections::BTreeMap::new(),
        };
        let hour = Hour { minutes: vec![minute] };
        let seen = Seen {
            now,
            hour: Some(&hour),
            processes: &[process],
            orders: true,
        };
        let texts = crate::texts::Language::English.texts();
        of(&seen).iter().map(|concern| concern.text.said(texts)).collect()
    }

    #[test]
    fn nothing_is_said_where_everything_is_all_right() {
        assert_eq!(said(&quiet(), &[], process("up", "closed")), Vec::<String>::new());
    }

    #[test]
    fn what_is_wrong_is_said_the_worst_first() {
        let mut bad = quiet();
        bad.workers = Some(0);
        bad.oldest_waiting_since = Some(now() - TimeDelta::minutes(7));
        let all = said(&bad, &[("jobs_failed", 2), ("events_dead", 1)], process("down", "open"));
        assert_eq!(all.len(), 6, "{all:?}");
        assert!(all[0].contains("worker.redis") && all[0].contains("host#1"), "{all:?}");
        assert!(all[3].contains("7 min"), "{all:?}");
        assert!(all[4].contains('2') && all[5].contains('1'), "{all:?}");
    }

    #[test]
    fn redis_away_is_a_concern_and_no_role_is_not() {
        let mut away = quiet();
        away.jobs = Err(Trouble::away(Dependency::Redis, "connection refused"));
        assert_eq!(said(&away, &[], process("up", "closed")).len(), 1);
        away.jobs = Err(Trouble::NotConfigured(crate::section::Needs::Worker));
        assert!(said(&away, &[], process("up", "closed")).is_empty());
    }
}
