//! Jobs in the queue, by state, type and time.

use askama::Template;
use axum::extract::{Query, State};
use billwright_worker::{
    admin::{Browsed, JobCounts, JobFilter, JobState, JobSummary},
    jobs::TYPES,
};
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use form_urlencoded::Serializer;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::{
    dashboard::Dashboard,
    masking::masked,
    page::{Badge, Page, PageResult, Tone, render},
    section::{Dependency, Needs, Trouble, configured, within},
    text::Text,
    visit::Visit,
};

/// The rows of a page.
const ROWS: u32 = 50;
/// How many jobs one page reads at most to find those of a type.
const LOOK_AT: u32 = 1_000;

/// The filter as it stands in an address. Anything that is none counts as not said.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct JobsQuery {
    pub(crate) state: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) at: String,
}

impl JobsQuery {
    pub(crate) fn state(&self) -> JobState {
        JobState::parse(&self.state).unwrap_or(JobState::Failed)
    }

    /// The type, if it is one that we know.
    pub(crate) fn kind(&self) -> Option<&'static str> {
        TYPES.iter().find(|known| **known == self.kind).copied()
    }

    pub(crate) fn from(&self) -> Option<DateTime<Utc>> {
        moment(&self.from)
    }

    pub(crate) fn to(&self) -> Option<DateTime<Utc>> {
        moment(&self.to)
    }

    /// Whether a time was given that is none.
    pub(crate) fn is_wrong(&self) -> bool {
        is_no_moment(&self.from) || is_no_moment(&self.to)
    }

    pub(crate) fn filter(&self) -> JobFilter {
        JobFilter {
            state: self.state(),
            kind: self.kind().map(str::to_owned),
            from_ms: self.from().map(|from| from.timestamp_millis()),
            to_ms: self.to().map(|to| to.timestamp_millis()),
        }
    }

    /// The filter as a query, with more values.
    pub(crate) fn query(&self, more: &[(&str, &str)]) -> String {
        let mut query = Serializer::new(String::new());
        query.append_pair("state", self.state().as_str());
        for (name, value) in [("type", &self.kind), ("from", &self.from), ("to", &self.to)] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        for (name, value) in more {
            query.append_pair(name, value);
        }
        query.finish()
    }
}

/// A moment as a form's field or a person writes it, in UTC unless it says otherwise.
pub(crate) fn moment(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Some(moment.to_utc());
    }
    let local = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    local
        .or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0))
        .map(|local| local.and_utc())
}

/// Whether somebody wrote something that is no moment.
pub(crate) fn is_no_moment(text: &str) -> bool {
    !text.trim().is_empty() && moment(text).is_none()
}

/// The address of a job's page.
pub(crate) fn job_href(id: &str) -> String {
    format!("/dashboard/job/{}", utf8_percent_encode(id, NON_ALPHANUMERIC))
}

/// A word for a state.
pub(crate) fn state_text(state: JobState) -> Text {
    match state {
        JobState::Waiting => Text::of("state-waiting"),
        JobState::Prioritized => Text::of("state-prioritized"),
        JobState::Delayed => Text::of("state-delayed"),
        JobState::Active => Text::of("state-active"),
        JobState::Completed => Text::of("state-completed"),
        JobState::Failed => Text::of("state-failed"),
    }
}

/// How good a state is.
pub(crate) fn state_tone(state: JobState) -> Tone {
    match state {
        JobState::Completed => Tone::Good,
        JobState::Failed => Tone::Bad,
        JobState::Delayed => Tone::Warning,
        JobState::Waiting | JobState::Prioritized | JobState::Active => Tone::Plain,
    }
}

/// A row of a list of jobs.
#[derive(Debug)]
pub(crate) struct JobRow {
    pub(crate) id: String,
    pub(crate) href: String,
    pub(crate) kind: String,
    pub(crate) correlation: String,
    pub(crate) state: JobState,
    pub(crate) added: DateTime<Utc>,
    pub(crate) ended: Option<DateTime<Utc>>,
    pub(crate) attempts: u32,
    pub(crate) reason: String,
}

impl JobRow {
    pub(crate) fn of(job: JobSummary) -> Self {
        let at = |millis: u64| {
            DateTime::from_timestamp_millis(i64::try_from(millis).unwrap_or(i64::MAX)).unwrap_or_default()
        };
        let cut = |text: &str, length: usize| text.chars().take(length).collect::<String>();
        Self {
            href: job_href(&job.id),
            id: cut(&job.id, 100),
            kind: cut(job.r#type.as_deref().unwrap_or(&job.name), 60),
            correlation: cut(&job.correlation_id.unwrap_or_default(), 100),
            state: job.state,
            added: at(job.added_at),
            ended: job.finished_at.map(at),
            attempts: job.attempts_made,
            reason: masked(&cut(&job.failed_reason.unwrap_or_default(), 200)),
        }
    }
}

#[derive(Debug, Template)]
#[template(path = "jobs.html")]
struct JobsPage {
    page: Page,
    query: JobsQuery,
    start: u32,
    counts: Result<JobCounts, Trouble>,
    list: Result<List, Trouble>,
}

#[derive(Debug)]
struct List {
    rows: Vec<JobRow>,
    total: u64,
    next: Option<u32>,
}

/// `GET /dashboard/jobs`.
pub(crate) async fn show(
    visit: Visit,
    State(dashboard): State<Dashboard>,
    Query(query): Query<JobsQuery>,
) -> PageResult {
    let start = query.at.parse().unwrap_or_default();
    let list = list(&dashboard, &query.filter(), start).await;
    render(&JobsPage {
        page: Page::new(visit, "jobs", Text::of("jobs-title")),
        counts: dashboard.live().snapshot().await.jobs.clone(),
        query,
        start,
        list,
    })
}

async fn list(dashboard: &Dashboard, filter: &JobFilter, start: u32) -> Result<List, Trouble> {
    let queue = configured(dashboard.sources().queue.as_ref(), Needs::Worker)?
        .admin()
        .await?;
    let Browsed { jobs, total, next } = within(Dependency::Redis, queue.browse(filter, start, ROWS, LOOK_AT)).await?;
    Ok(List {
        rows: jobs.into_iter().map(JobRow::of).collect(),
        total,
        next,
    })
}

#[expect(
    clippy::unused_self,
    clippy::trivially_copy_pass_by_ref,
    reason = "templates call methods, with references"
)]
impl JobsPage {
    /// The tabs: state, how many, address, whether it is the current one.
    fn tabs(&self) -> Vec<(JobState, Option<u64>, String, bool)> {
        JobState::ALL
            .into_iter()
            .map(|state| {
                let count = self.counts.as_ref().ok().map(|counts| count(counts, state));
                let href = format!("/dashboard/jobs?state={}", state.as_str());
                (state, count, href, state == self.query.state())
            })
            .collect()
    }

    fn state_text(&self, state: &JobState) -> Text {
        state_text(*state)
    }

    fn types(&self) -> Vec<(&'static str, bool)> {
        TYPES
            .iter()
            .map(|kind| (*kind, self.query.kind() == Some(*kind)))
            .collect()
    }

    fn next_href(&self, next: &u32) -> String {
        format!("/dashboard/jobs?{}", self.query.query(&[("at", &next.to_string())]))
    }

    fn first_href(&self) -> String {
        format!("/dashboard/jobs?{}", self.query.query(&[]))
    }

    /// What can be done to all jobs of the filter.
    fn bulk(&self) -> Vec<(Text, String)> {
        let href = |act: &str| format!("/dashboard/jobs/bulk?{}", self.query.query(&[("do", act)]));
        let mut bulk = Vec::new();
        match self.query.state() {
            JobState::Failed => bulk.push((Text::of("jobs-bulk-retry"), href("retry"))),
            JobState::Delayed => bulk.push((Text::of("jobs-bulk-promote"), href("promote"))),
            _ => {}
        }
        if self.query.state() != JobState::Active {
            bulk.push((Text::of("jobs-bulk-remove"), href("remove")));
        }
        bulk
    }

    fn badge(&self, state: &JobState) -> Badge {
        self.page.badge(state_tone(*state), state_text(*state))
    }
}

fn count(counts: &JobCounts, state: JobState) -> u64 {
    match state {
        JobState::Waiting => counts.waiting,
        JobState::Prioritized => counts.prioritized,
        JobState::Delayed => counts.delayed,
        JobState::Active => counts.active,
        JobState::Completed => counts.completed,
        JobState::Failed => counts.failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_forms_and_people_write_them() {
        let expected = "2026-11-29T17:45:00Z".parse::<DateTime<Utc>>().unwrap();
        for text in ["2026-11-29T17:45", " 2026-11-29 17:45 ", "2026-11-29T22:45:00+05:00"] {
            assert_eq!(moment(text), Some(expected), "{text}");
        }
        assert_eq!(moment("2026-11-29").unwrap().timestamp(), 1_795_910_400);
        assert!(moment("yesterday").is_none() && moment("").is_none());
    }

    #[test]
    fn an_id_is_one_part_of_an_address() {
        assert_eq!(job_href("a/b c?"), "/dashboard/job/a%2Fb%20c%3F");
    }
}
