//! What was done, from the ledger: it remembers operations long after the queue has forgotten their jobs.

use askama::Template;
use axum::extract::{Query, State};
use billwright_store::billz::ledger::{Ledger, LedgerEntry, LedgerFilter, STATES};
use billwright_worker::jobs::TYPES;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::jobs::{is_no_moment, job_href, moment};
use crate::{
    dashboard::Dashboard,
    masking::masked,
    page::{Badge, Page, PageResult, Tone, render},
    pager::Window,
    section::{Dependency, Needs, Trouble, configured, within},
    text::Text,
    visit::Visit,
};

/// The filter as it stands in an address.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct HistoryQuery {
    state: String,
    #[serde(rename = "type")]
    kind: String,
    from: String,
    to: String,
}

impl HistoryQuery {
    fn filter(&self) -> LedgerFilter {
        let known = |list: &[&str], word: &str| {
            list.iter()
                .find(|known| **known == word)
                .map(|known| (*known).to_owned())
        };
        LedgerFilter {
            kind: known(TYPES, &self.kind),
            state: known(&STATES, &self.state),
            from: moment(&self.from),
            to: moment(&self.to),
        }
    }

    fn is_wrong(&self) -> bool {
        is_no_moment(&self.from) || is_no_moment(&self.to)
    }
}

/// A row of the ledger.
#[derive(Debug)]
pub(crate) struct HistoryRow {
    pub(crate) state: String,
    pub(crate) kind: String,
    pub(crate) job: String,
    pub(crate) href: String,
    pub(crate) order: Option<String>,
    pub(crate) correlation: String,
    pub(crate) updated: DateTime<Utc>,
    pub(crate) attempts: i64,
    pub(crate) error: String,
}

impl HistoryRow {
    pub(crate) fn of(entry: LedgerEntry) -> Self {
        Self {
            href: job_href(&entry.job_id),
            state: entry.state,
            kind: entry.kind,
            job: entry.job_id,
            order: entry.order_id,
            correlation: entry.correlation_id,
            updated: entry.updated_at,
            attempts: entry.attempts,
            error: masked(&entry.error.unwrap_or_default().chars().take(200).collect::<String>()),
        }
    }
}

/// A ledger state in its colour.
pub(crate) fn ledger_badge(page: &Page, state: &str) -> Badge {
    let (tone, text) = ledger_state(state);
    page.badge(tone, text)
}

fn ledger_state(state: &str) -> (Tone, Text) {
    match state {
        "completed" => (Tone::Good, Text::of("state-completed")),
        "failed" => (Tone::Bad, Text::of("state-failed")),
        "running" => (Tone::Plain, Text::of("jobs-ledger-running")),
        _ => (Tone::Warning, Text::of("jobs-ledger-waiting")),
    }
}

#[derive(Debug, Template)]
#[template(path = "jobs_history.html")]
struct HistoryPage {
    page: Page,
    query: HistoryQuery,
    window: Window,
    rows: Result<Vec<HistoryRow>, Trouble>,
}

/// `GET /dashboard/jobs/history`.
pub(crate) async fn show(
    visit: Visit,
    State(dashboard): State<Dashboard>,
    Query(query): Query<HistoryQuery>,
    Query(window): Query<Window>,
) -> PageResult {
    render(&HistoryPage {
        page: Page::new(visit, "jobs", Text::of("jobs-history-title")),
        rows: rows(&dashboard, &query.filter(), window).await,
        query,
        window,
    })
}

async fn rows(dashboard: &Dashboard, filter: &LedgerFilter, window: Window) -> Result<Vec<HistoryRow>, Trouble> {
    let mongo = configured(dashboard.sources().billz_database.as_ref(), Needs::Worker)?;
    let ledger = Ledger::new(mongo);
    let entries = within(
        Dependency::MongoDb,
        ledger.list(filter, window.offset(), window.limit()),
    )
    .await?;
    Ok(entries.into_iter().map(HistoryRow::of).collect())
}

impl HistoryPage {
    fn types(&self) -> Vec<(&'static str, bool)> {
        TYPES.iter().map(|kind| (*kind, self.query.kind == *kind)).collect()
    }

    fn states(&self) -> Vec<(&'static str, Text, bool)> {
        STATES
            .into_iter()
            .map(|state| (state, ledger_state(state).1, self.query.state == state))
            .collect()
    }

    fn ledger_badge(&self, state: &str) -> Badge {
        ledger_badge(&self.page, state)
    }
}
