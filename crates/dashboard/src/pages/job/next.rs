//! What will happen next with a job, and what an operator can do about it.

use billwright_connectors::breaker::BreakerState;
use billwright_store::billz::order_sagas::SagaState;
use billwright_worker::admin::{JobState, JobView, Standing};
use chrono::{DateTime, SecondsFormat, Utc};

use super::Past;
use crate::{dashboard::Dashboard, text::Text};

/// What is known of Billz in this process.
#[derive(Debug, Clone, Copy, Default)]
struct BillzNow {
    /// Until when the breaker holds calls back.
    held_until: Option<DateTime<Utc>>,
    /// How many calls wait for the budget.
    waiting_calls: usize,
}

/// Sentences, the most important first.
pub(super) fn what_next(dashboard: &Dashboard, view: Option<&(JobView, Standing)>, past: Option<&Past>) -> Vec<Text> {
    let billz = dashboard
        .sources()
        .billz
        .as_ref()
        .map_or_else(BillzNow::default, |billz| {
            let budget = billz.budget().state();
            BillzNow {
                held_until: match billz.breaker_state() {
                    BreakerState::Open { until } => Some(until),
                    BreakerState::Closed | BreakerState::HalfOpen => None,
                },
                waiting_calls: budget.payments_waiting + budget.ordinary_waiting,
            }
        });
    let saga = past.and_then(|past| past.saga.as_ref()).map(|saga| saga.state);
    match view {
        Some((view, standing)) => in_queue(view, *standing, saga, billz),
        None => gone(past),
    }
}

fn in_queue(view: &JobView, standing: Standing, saga: Option<SagaState>, billz: BillzNow) -> Vec<Text> {
    let mut next = Vec::new();
    match view.summary.state {
        JobState::Waiting | JobState::Prioritized if standing.is_paused => next.push(Text::of("job-next-paused")),
        JobState::Waiting => next.push(Text::of("job-next-waiting")),
        JobState::Prioritized => next.push(Text::of("job-next-prioritized").with("priority", view.summary.priority)),
        JobState::Delayed => {
            let at = standing
                .due_ms
                .and_then(DateTime::from_timestamp_millis)
                .map(shown)
                .unwrap_or_default();
            next.push(if view.summary.attempts_made > 0 {
                Text::of("job-next-retry-at")
                    .with("at", at)
                    .with("attempts", view.summary.attempts_made)
            } else {
                Text::of("job-next-delayed").with("at", at)
            });
        }
        JobState::Active if standing.is_held => next.push(Text::of("job-next-active")),
        JobState::Active => next.push(Text::of("job-next-stalled")),
        JobState::Completed => return vec![Text::of("job-next-completed")],
        JobState::Failed => {
            return vec![match saga {
                Some(SagaState::Compensating) => Text::of("job-next-compensating"),
                Some(SagaState::Cancelled) => Text::of("job-next-failed-cancelled"),
                _ => Text::of("job-next-failed"),
            }];
        }
    }
    if let Some(until) = billz.held_until {
        next.push(Text::of("job-next-breaker").with("at", shown(until)));
    }
    if billz.waiting_calls > 0 {
        next.push(Text::of("job-next-budget").with("count", billz.waiting_calls));
    }
    if standing.workers == 0 && view.summary.state != JobState::Active {
        next.push(Text::of("job-next-no-worker"));
    }
    next
}

fn gone(past: Option<&Past>) -> Vec<Text> {
    let Some(past) = past else { return Vec::new() };
    let state = past.entry.as_ref().map(|entry| entry.state.as_str());
    vec![match (past.saga.as_ref().map(|saga| saga.state), state) {
        (Some(SagaState::Running | SagaState::Compensating), _) => Text::of("job-next-compensating"),
        (_, Some("completed")) => Text::of("job-next-completed"),
        (_, Some("running" | "waiting")) => Text::of("job-next-lost"),
        _ => Text::of("job-next-gone"),
    }]
}

/// Within a sentence a moment is text; everything else on the page is shown in the viewer's zone.
fn shown(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
        .replace('T', " ")
        .replace('Z', " UTC")
}

#[cfg(test)]
mod tests {
    use billwright_worker::admin::JobSummary;
    use serde_json::Value;

    use super::*;

    fn view(state: JobState, attempts_made: u32) -> JobView {
        JobView {
            summary: JobSummary {
                id: "1".to_owned(),
                name: "n".to_owned(),
                r#type: None,
                correlation_id: None,
                state,
                added_at: 0,
                processed_at: None,
                finished_at: None,
                attempts_made,
                delay: 0,
                priority: 3,
                failed_reason: None,
            },
            data: Value::Null,
            options: Value::Null,
            progress: Value::Null,
            return_value: None,
            stacktrace: Vec::new(),
            logs: Vec::new(),
            processed_by: None,
        }
    }

    fn said(state: JobState, attempts: u32, standing: Standing, saga: Option<SagaState>, billz: BillzNow) -> String {
        let texts = in_queue(&view(state, attempts), standing, saga, billz);
        let english = crate::texts::Language::English.texts();
        texts
            .iter()
            .map(|text| text.said(english))
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn says_when_a_job_is_tried_again_and_what_it_waits_for() {
        let standing = Standing {
            due_ms: Some(1_795_910_400_000),
            workers: 1,
            ..Standing::default()
        };
        let again = said(JobState::Delayed, 2, standing, None, BillzNow::default());
        assert!(
            again.contains("2026-11-29 00:00:00 UTC") && again.contains('2'),
            "{again}"
        );
        let held = BillzNow {
            held_until: DateTime::from_timestamp_millis(1_795_910_400_000),
            waiting_calls: 3,
        };
        let waiting = said(JobState::Waiting, 0, standing, None, held);
        assert!(waiting.contains("breaker") && waiting.contains("budget"), "{waiting}");
        let nobody = said(JobState::Waiting, 0, Standing::default(), None, BillzNow::default());
        assert!(nobody.contains("No worker"), "{nobody}");
    }

    #[test]
    fn says_what_to_do_about_a_failure() {
        let of = |saga| said(JobState::Failed, 5, Standing::default(), saga, BillzNow::default());
        assert_ne!(of(None), of(Some(SagaState::Cancelled)));
        assert_ne!(of(Some(SagaState::Compensating)), of(Some(SagaState::Cancelled)));
        let stalled = said(JobState::Active, 0, Standing::default(), None, BillzNow::default());
        assert!(!stalled.contains("No worker"), "{stalled}");
    }
}
