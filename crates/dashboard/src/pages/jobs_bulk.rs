//! One action on all jobs that a filter takes: first how many they are, then as many of them as can be done in one go.

use std::{fmt, time::Duration};

use askama::Template;
use axum::extract::{Query, State};
use billwright_worker::admin::{
    AdminError, JobState, Matching, QueueAdmin,
    saga::{SagaAdmin, SagaError},
};
use futures_util::{StreamExt as _, stream};
use serde::Deserialize;
use tokio::time::Instant;

use super::jobs::{JobsQuery, state_text};
use crate::{
    action::{ActionResult, Done, Form},
    dashboard::Dashboard,
    page::{Page, PageResult, render},
    section::{Blames as _, Dependency, Needs, Trouble, configured, within},
    text::Text,
    visit::Visit,
};

/// The most jobs of one go; what is left is one more press of the button away.
const MOST: u32 = 2_000;
/// How many jobs the preview reads at most to find those of a type.
const PREVIEWED: u32 = 1_000;
/// How many the action reads at most. Those of a type that lie farther off are reached by a range of time.
const LOOK_AT: u32 = 10_000;
/// How long one go may take.
const LONGEST: Duration = Duration::from_secs(20);
/// How many jobs are acted on at a time.
const AT_A_TIME: usize = 16;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Act {
    Retry,
    Promote,
    Remove,
}

impl Act {
    fn word(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Promote => "promote",
            Self::Remove => "remove",
        }
    }

    /// Whether it can be done to jobs in this state.
    fn fits(self, state: JobState) -> bool {
        match self {
            Self::Retry => state == JobState::Failed,
            Self::Promote => state == JobState::Delayed,
            Self::Remove => state != JobState::Active,
        }
    }
}

/// The action and its filter, as they stand in an address or a form.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct BulkQuery {
    #[serde(rename = "do")]
    act: Act,
    #[serde(default)]
    state: String,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
}

impl BulkQuery {
    /// The filter. One that cannot be read must not become one that takes everything.
    fn jobs(&self) -> Result<JobsQuery, Trouble> {
        let query = JobsQuery {
            state: self.state.clone(),
            kind: self.kind.clone(),
            from: self.from.clone(),
            to: self.to.clone(),
            ..JobsQuery::default()
        };
        let is_known = JobState::parse(&self.state).is_ok() && (self.kind.is_empty() || query.kind().is_some());
        if !is_known || query.is_wrong() || !self.act.fits(query.state()) {
            return Err(Trouble::Refused(Text::of("jobs-bulk-wrong")));
        }
        Ok(query)
    }
}

#[derive(Debug, Template)]
#[template(path = "jobs_bulk.html")]
struct BulkPage {
    page: Page,
    act: Act,
    query: JobsQuery,
    matching: Result<Matching, Trouble>,
}

/// `GET /dashboard/jobs/bulk`: how many jobs it would be.
pub(crate) async fn preview(
    visit: Visit,
    State(dashboard): State<Dashboard>,
    Query(bulk): Query<BulkQuery>,
) -> PageResult {
    let query = bulk.jobs()?;
    render(&BulkPage {
        page: Page::new(visit, "jobs", Text::of("jobs-bulk-title")),
        act: bulk.act,
        matching: matching(&dashboard, &query, PREVIEWED).await,
        query,
    })
}

async fn matching(dashboard: &Dashboard, query: &JobsQuery, look_at: u32) -> Result<Matching, Trouble> {
    let queue = configured(dashboard.sources().queue.as_ref(), Needs::Worker)?
        .admin()
        .await?;
    within(Dependency::Redis, queue.matching(&query.filter(), MOST, look_at)).await
}

impl BulkPage {
    fn action(&self) -> Text {
        match self.act {
            Act::Retry => Text::of("jobs-bulk-retry"),
            Act::Promote => Text::of("jobs-bulk-promote"),
            Act::Remove => Text::of("jobs-bulk-remove"),
        }
    }

    fn state_text(&self) -> Text {
        state_text(self.query.state())
    }

    fn back(&self) -> String {
        format!("/dashboard/jobs?{}", self.query.query(&[]))
    }
}

/// The question for those who come around the preview.
pub(crate) fn question() -> Text {
    Text::of("jobs-bulk-question")
}

/// `POST /dashboard/jobs/bulk`.
pub(crate) async fn act(State(dashboard): State<Dashboard>, Form(bulk): Form<BulkQuery>) -> ActionResult {
    let query = bulk.jobs()?;
    let found = matching(&dashboard, &query, LOOK_AT).await?;
    let queue = configured(dashboard.sources().queue.as_ref(), Needs::Worker)?
        .admin()
        .await?;
    let sagas = dashboard.sources().billz_database.as_ref().map(SagaAdmin::new);
    let (deadline, mut tally) = (Instant::now() + LONGEST, Tally::default());
    let count = found.ids.len();
    let mut goes = stream::iter(found.ids)
        .map(|id| {
            let (dashboard, sagas, state) = (&dashboard, sagas.as_ref(), query.state());
            async move {
                if Instant::now() > deadline {
                    return None;
                }
                let went = act_on(dashboard, queue, sagas, (bulk.act, state), &id).await;
                dashboard.seen_jobs().forget(&id);
                Some(went)
            }
        })
        .buffer_unordered(AT_A_TIME);
    while let Some(went) = goes.next().await {
        match went {
            None => tally.left += 1,
            Some(Ok(())) => tally.done += 1,
            Some(Err(Trouble::Refused(_) | Trouble::NotFound(_))) => tally.skipped += 1,
            Some(Err(_)) => tally.broken += 1,
        }
    }
    let detail = format!(
        "{} of {count} jobs: {tally}; filter: {}",
        bulk.act.word(),
        query.query(&[("do", bulk.act.word())])
    );
    let message = Text::of("jobs-bulk-done")
        .with("done", tally.done)
        .with("skipped", tally.skipped)
        .with("broken", tally.broken)
        .with(
            "left",
            if found.more {
                "+".to_owned()
            } else {
                tally.left.to_string()
            },
        );
    let more = found.more || tally.left > 0;
    let to = if more {
        format!("/dashboard/jobs/bulk?{}", query.query(&[("do", bulk.act.word())]))
    } else {
        format!("/dashboard/jobs?{}", query.query(&[]))
    };
    let done = Done::then(to, message).noting(detail);
    Ok(if tally.skipped + tally.broken + tally.left > 0 {
        done.in_part()
    } else {
        done
    })
}

/// What came of it.
#[derive(Debug, Default)]
struct Tally {
    done: usize,
    skipped: usize,
    broken: usize,
    left: usize,
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            done,
            skipped,
            broken,
            left,
        } = self;
        write!(
            formatter,
            "{done} done, {skipped} skipped, {broken} broken, {left} not reached in time"
        )
    }
}

async fn act_on(
    dashboard: &Dashboard,
    queue: &QueueAdmin,
    sagas: Option<&SagaAdmin>,
    (act, state): (Act, JobState),
    id: &str,
) -> Result<(), Trouble> {
    let went = async {
        match (act, sagas) {
            (Act::Retry, Some(sagas)) => sagas.retry(queue, id, dashboard.clock()).await.map(drop),
            (Act::Retry, None) => Ok(queue.retry(id).await.map(drop)?),
            (Act::Promote, _) => Ok(queue.promote(id).await.map(drop)?),
            (Act::Remove, _) => {
                // What moved on since the filter was asked is not what was meant; the other acts look by themselves.
                let now = queue.show(id).await?.summary.state;
                if now != state {
                    return Err(SagaError::Queue(AdminError::WrongState {
                        id: id.to_owned(),
                        state: now.as_str(),
                        expected: state.as_str(),
                    }));
                }
                Ok(queue.remove(id).await.map(drop)?)
            }
        }
    };
    match tokio::time::timeout(Duration::from_secs(5), went).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(SagaError::Queue(AdminError::Refused(seen)))) => Err(Trouble::Failed(seen)),
        Ok(Err(error)) => Err(error.trouble(Dependency::Redis)),
        Err(_) => Err(Trouble::away(Dependency::Redis, "no answer within 5 s")),
    }
}
