//! One job: what was asked for, what was done, what will happen next, and what an operator can do.

mod next;

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use billwright_store::billz::{
    job_attempts::{JobAttempt, JobAttempts},
    ledger::{Ledger, LedgerEntry},
    operation_log::redacted,
    order_documents::OrderDocuments,
    order_sagas::{OrderSagas, Saga, SagaState, SagaStep},
};
use billwright_worker::admin::{
    AdminError, JobState, JobView, Standing, operation_of,
    saga::{SagaAdmin, SagaError, WhyNot, may_reopen},
};
use chrono::{DateTime, Utc};
use serde::Deserialize;

use self::next::what_next;
use super::{
    jobs::{JobRow, job_href, state_text, state_tone},
    jobs_history::ledger_badge,
};
use crate::{
    action::{ActionResult, Done, Form},
    dashboard::Dashboard,
    masking::masked,
    page::{Badge, Page, PageResult, Tone, render},
    section::{Blames, Dependency, Needs, Trouble, configured, within},
    text::Text,
    visit::Visit,
};

/// The most log lines that are shown; the newest are.
const LOG_LINES: usize = 500;
/// The most attempts that are shown.
const ATTEMPTS: u32 = 30;
/// The longest payload, result or trace that is shown.
const LONGEST: usize = 20_000;

#[derive(Debug, Template)]
#[template(path = "job.html")]
struct JobPage {
    page: Page,
    href: String,
    job: Result<Job, Trouble>,
    past: Result<Past, Trouble>,
    next: Vec<Text>,
}

/// The job as the queue keeps it.
#[derive(Debug)]
struct Job {
    row: JobRow,
    name: String,
    priority: u32,
    processed: Option<DateTime<Utc>>,
    worker: Option<String>,
    progress: String,
    payload: String,
    options: String,
    result: Option<String>,
    stacktrace: Vec<String>,
    logs: Vec<String>,
    hidden_logs: usize,
}

/// What the database remembers of it.
#[derive(Debug, Default)]
struct Past {
    entry: Option<LedgerEntry>,
    saga: Option<Saga>,
    attempts: Vec<JobAttempt>,
    order: Option<String>,
}

/// `GET /dashboard/job/{id}`.
pub(crate) async fn show(visit: Visit, State(dashboard): State<Dashboard>, Path(id): Path<String>) -> PageResult {
    let view = view(&dashboard, &id).await;
    let data = view.as_ref().ok().map(|seen| seen.0.data.clone());
    let past = past(&dashboard, &id, data.as_ref()).await;
    let knows_nothing = past
        .as_ref()
        .is_ok_and(|past| past.entry.is_none() && past.attempts.is_empty());
    if let Err(trouble @ Trouble::NotFound(_)) = &view
        && knows_nothing
    {
        return Err(trouble.clone());
    }
    let next = what_next(&dashboard, view.as_deref().ok(), past.as_ref().ok());
    render(&JobPage {
        page: Page::new(
            visit,
            "jobs",
            Text::of("job-title").with("id", id.chars().take(100).collect::<String>()),
        ),
        href: job_href(&id),
        job: view.map(|seen| Job::of(seen.0.clone())),
        past,
        next,
    })
}

/// The job and what it waits for; one look serves all who watch it.
async fn view(dashboard: &Dashboard, id: &str) -> Result<Arc<(JobView, Standing)>, Trouble> {
    let source = configured(dashboard.sources().queue.as_ref(), Needs::Worker)?.clone();
    let wanted = id.to_owned();
    let look = || async move {
        let queue = source.admin().await?;
        within(Dependency::Redis, async {
            Ok::<_, AdminError>((queue.show(&wanted).await?, queue.standing(&wanted).await?))
        })
        .await
    };
    dashboard.seen_jobs().get(id, look).await
}

async fn past(dashboard: &Dashboard, id: &str, data: Option<&serde_json::Value>) -> Result<Past, Trouble> {
    let mongo = configured(dashboard.sources().billz_database.as_ref(), Needs::Worker)?;
    let operation = data.and_then(operation_of);
    within(Dependency::MongoDb, async {
        let ledger = Ledger::new(mongo);
        let entry = match &operation {
            Some(key) => ledger.get(key).await?,
            // Job ids begin anew with the queue: of a job that is gone the newest is meant.
            None if data.is_none() => ledger.of_job(id, 1).await?.pop(),
            None => None,
        };
        let operation = operation.or_else(|| entry.as_ref().map(|entry| entry.key.clone()));
        let saga = OrderSagas::new(mongo).of_job(id).await?;
        let saga = saga.filter(|saga| operation.as_ref() == Some(&saga.operation));
        let mut attempts = JobAttempts::new(mongo).of_job(id, ATTEMPTS).await?;
        if let Some(operation) = &operation {
            attempts.retain(|attempt| attempt.operation == *operation);
        }
        let order = match (&saga, entry.as_ref().and_then(|entry| entry.order_id.as_ref())) {
            (Some(saga), _) => Some(saga.order.to_hex()),
            (None, Some(name)) => OrderDocuments::new(mongo).id_of(name).await?.map(|id| id.to_string()),
            (None, None) => match data.and_then(|data| data["payload"]["orderId"].as_str()) {
                Some(name) => OrderDocuments::new(mongo).id_of(name).await?.map(|id| id.to_string()),
                None => None,
            },
        };
        Ok::<_, billwright_store::StoreError>(Past {
            entry,
            saga,
            attempts,
            order,
        })
    })
    .await
}

impl Job {
    fn of(view: JobView) -> Self {
        let processed = view
            .summary
            .processed_at
            .and_then(|at| DateTime::from_timestamp_millis(i64::try_from(at).ok()?));
        let view = view.redacted();
        let hidden_logs = view.logs.len().saturating_sub(LOG_LINES);
        Self {
            name: view.summary.name.chars().take(100).collect(),
            priority: view.summary.priority,
            processed,
            worker: view.processed_by,
            progress: pretty(&redacted(&view.progress)),
            payload: pretty(&view.data),
            options: pretty(&redacted(&view.options)),
            result: view.return_value.as_ref().map(pretty),
            stacktrace: view.stacktrace.iter().map(|trace| masked(&cut(trace))).collect(),
            logs: view
                .logs
                .iter()
                .skip(hidden_logs)
                .map(|line| masked(&cut(line)))
                .collect(),
            hidden_logs,
            row: JobRow::of(view.summary),
        }
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// JSON for people.
pub(crate) fn pretty(value: &serde_json::Value) -> String {
    masked(&cut(&serde_json::to_string_pretty(value).unwrap_or_default()))
}

#[expect(
    clippy::unused_self,
    clippy::trivially_copy_pass_by_ref,
    reason = "templates call methods, with references"
)]
impl JobPage {
    fn badge(&self, state: &JobState) -> Badge {
        self.page.badge(state_tone(*state), state_text(*state))
    }

    fn ledger_badge(&self, state: &str) -> Badge {
        ledger_badge(&self.page, state)
    }

    /// Whether something may still happen to the job by itself.
    fn changes(&self) -> bool {
        let has_ended = |job: &Job| matches!(job.row.state, JobState::Completed | JobState::Failed);
        self.job.as_ref().is_ok_and(|job| !has_ended(job))
    }

    fn is_failed(&self, job: &Job) -> bool {
        job.row.state == JobState::Failed
    }

    fn is_delayed(&self, job: &Job) -> bool {
        job.row.state == JobState::Delayed
    }

    fn can_run_now(&self, job: &Job) -> bool {
        matches!(
            job.row.state,
            JobState::Waiting | JobState::Prioritized | JobState::Delayed
        )
    }

    fn can_be_removed(&self, job: &Job) -> bool {
        job.row.state != JobState::Active
    }

    fn saga_badge(&self, saga: &Saga) -> Badge {
        saga_badge(&self.page, saga)
    }

    fn outcome_badge(&self, outcome: &str) -> Badge {
        let (tone, text) = match outcome {
            "completed" => (Tone::Good, Text::of("state-completed")),
            "failed" => (Tone::Bad, Text::of("state-failed")),
            "retried" => (Tone::Warning, Text::of("job-outcome-retried")),
            "handed_back" => (Tone::Plain, Text::of("job-outcome-handed-back")),
            _ => (Tone::Plain, Text::of("job-outcome-put-off")),
        };
        self.page.badge(tone, text)
    }

    fn call_tone(&self, outcome: &str) -> &'static str {
        if outcome == "ok" {
            Tone::Good.class()
        } else {
            Tone::Bad.class()
        }
    }

    /// What a step does.
    fn step(&self, step: &SagaStep) -> Text {
        match step.name.as_str() {
            "create_draft" => Text::of("job-step-create-draft"),
            "create_client" => Text::of("job-step-create-client"),
            "client" => Text::of("job-step-client"),
            "attach_client" => Text::of("job-step-attach-client"),
            "discount" => Text::of("job-step-discount"),
            "park" => Text::of("job-step-park"),
            "pay" => Text::of("job-step-pay"),
            "delete_strays" => Text::of("job-step-strays"),
            other => match other.strip_prefix("add_item:") {
                Some(product) => Text::of("job-step-add-item").with("product", product),
                None => Text::of("job-step-other").with("name", other),
            },
        }
    }

    fn at(&self, at: &billwright_store::bson::DateTime) -> DateTime<Utc> {
        billwright_store::values::moment(*at)
    }

    /// Why a step is not re-opened; `None` where it may be.
    fn why_not(&self, saga: &Saga, step: &SagaStep) -> Option<Text> {
        may_reopen(saga, &step.name).err().map(why_not_text)
    }

    fn masked(&self, text: &str) -> String {
        masked(text)
    }

    fn json(&self, value: &serde_json::Value) -> String {
        pretty(value)
    }
}

/// How far an order's way into Billz is, in its colour.
pub(crate) fn saga_badge(page: &Page, saga: &Saga) -> Badge {
    let (tone, text) = match saga.state {
        SagaState::Running => (Tone::Plain, Text::of("job-saga-running")),
        SagaState::Placed => (Tone::Good, Text::of("job-saga-placed")),
        SagaState::Compensating => (Tone::Warning, Text::of("job-saga-compensating")),
        SagaState::Cancelled => (Tone::Bad, Text::of("job-saga-cancelled")),
    };
    page.badge(tone, text)
}

/// Why something is not done with an order's journal.
pub(crate) fn why_not_text(why: WhyNot) -> Text {
    match why {
        WhyNot::Placed => Text::of("job-why-placed"),
        WhyNot::BeingTakenBack => Text::of("job-why-being-taken-back"),
        WhyNot::TakenBack => Text::of("job-why-taken-back"),
        WhyNot::UnderWay => Text::of("job-why-under-way"),
        WhyNot::PaymentBegun => Text::of("job-why-payment"),
        WhyNot::Parked => Text::of("job-why-parked"),
        WhyNot::MakesAnother => Text::of("job-why-another"),
        WhyNot::OpenAnyway => Text::of("job-why-open"),
        WhyNot::NoSuchStep => Text::of("job-why-no-step"),
    }
}

impl Blames for SagaError {
    fn trouble(self, dependency: Dependency) -> Trouble {
        match self {
            Self::Store(error) => error.trouble(Dependency::MongoDb),
            Self::Queue(error) => error.trouble(dependency),
            Self::Busy => Trouble::Refused(Text::of("job-busy")),
            Self::Refused(why) => Trouble::Refused(why_not_text(why)),
        }
    }
}

/// The questions before the actions.
pub(crate) mod question {
    use crate::text::Text;

    pub(crate) fn retry() -> Text {
        Text::of("job-retry-question")
    }

    pub(crate) fn run_now() -> Text {
        Text::of("job-run-now-question")
    }

    pub(crate) fn promote() -> Text {
        Text::of("job-promote-question")
    }

    pub(crate) fn remove() -> Text {
        Text::of("job-remove-question")
    }

    pub(crate) fn reopen() -> Text {
        Text::of("job-reopen-question")
    }
}

/// `POST /dashboard/job/{id}/retry`.
pub(crate) async fn retry(State(dashboard): State<Dashboard>, Path(id): Path<String>) -> ActionResult {
    let queue = configured(dashboard.sources().queue.as_ref(), Needs::Worker)?
        .admin()
        .await?;
    let mongo = configured(dashboard.sources().billz_database.as_ref(), Needs::Worker)?;
    within(
        Dependency::Redis,
        SagaAdmin::new(mongo).retry(queue, &id, dashboard.clock()),
    )
    .await?;
    dashboard.seen_jobs().forget(&id);
    Ok(Done::then(job_href(&id), Text::of("job-retried")))
}

/// `POST /dashboard/job/{id}/run-now`.
pub(crate) async fn run_now(State(dashboard): State<Dashboard>, Path(id): Path<String>) -> ActionResult {
    let queue = configured(dashboard.sources().queue.as_ref(), Needs::Worker)?
        .admin()
        .await?;
    within(Dependency::Redis, queue.run_now(&id)).await?;
    dashboard.seen_jobs().forget(&id);
    Ok(Done::then(job_href(&id), Text::of("job-runs-now")))
}

/// `POST /dashboard/job/{id}/promote`.
pub(crate) async fn promote(State(dashboard): State<Dashboard>, Path(id): Path<String>) -> ActionResult {
    let queue = configured(dashboard.sources().queue.as_ref(), Needs::Worker)?
        .admin()
        .await?;
    within(Dependency::Redis, queue.promote(&id)).await?;
    dashboard.seen_jobs().forget(&id);
    Ok(Done::then(job_href(&id), Text::of("job-promoted")))
}

/// `POST /dashboard/job/{id}/remove`.
pub(crate) async fn remove(State(dashboard): State<Dashboard>, Path(id): Path<String>) -> ActionResult {
    let queue = configured(dashboard.sources().queue.as_ref(), Needs::Worker)?
        .admin()
        .await?;
    let removed = within(Dependency::Redis, queue.remove(&id)).await?;
    dashboard.seen_jobs().forget(&id);
    let detail = format!(
        "{} in state {}",
        removed.r#type.unwrap_or(removed.name),
        removed.state.as_str()
    );
    Ok(Done::then("/dashboard/jobs", Text::of("job-removed").with("id", id)).noting(detail))
}

/// The step to begin at.
#[derive(Debug, Deserialize)]
pub(crate) struct Reopen {
    step: String,
}

/// `POST /dashboard/job/{id}/reopen`: the next attempt looks the step and those after it up in Billz again, and comes at
/// once.
pub(crate) async fn reopen(
    State(dashboard): State<Dashboard>,
    Path(id): Path<String>,
    Form(Reopen { step }): Form<Reopen>,
) -> ActionResult {
    let queue = configured(dashboard.sources().queue.as_ref(), Needs::Worker)?
        .admin()
        .await?;
    let mongo = configured(dashboard.sources().billz_database.as_ref(), Needs::Worker)?;
    let sagas = SagaAdmin::new(mongo);
    let count = within(Dependency::Redis, async {
        let job = queue.show(&id).await?;
        let saga = sagas.of_job(&id, &job.data).await?;
        let saga = saga.ok_or(SagaError::Refused(WhyNot::NoSuchStep))?;
        let count = sagas.reopen(&saga, &step, dashboard.clock()).await?;
        match job.summary.state {
            JobState::Delayed => drop(queue.promote(&id).await?),
            JobState::Failed => drop(queue.retry(&id).await?),
            _ => {}
        }
        Ok::<_, SagaError>(count)
    })
    .await?;
    dashboard.seen_jobs().forget(&id);
    let message = Text::of("job-reopened").with("count", count);
    Ok(Done::then(job_href(&id), message).noting(format!("from step {step}: {count} steps")))
}
