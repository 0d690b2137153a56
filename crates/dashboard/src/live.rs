//! What changes by the second: one cached look for all viewers, and the stream that tells it to their scripts.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use billwright_domain::DependencyHealth;
use billwright_worker::{QueueSight, admin::JobCounts};
use chrono::{DateTime, Utc};
use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use tokio::{sync::Mutex, time::Instant};

use crate::{
    charts::duration,
    dashboard::Dashboard,
    section::{Needs, Trouble, configured},
    sources::Sources,
    visit::Visit,
};

/// How long one look serves everybody. Redis sees one look in this time at most, however many watch.
const FRESH: Duration = Duration::from_secs(1);

/// How things stand at a moment.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    /// When this was looked at.
    pub(crate) at: DateTime<Utc>,
    /// How many jobs there are in each state.
    pub(crate) jobs: Result<JobCounts, Trouble>,
    /// Since when the oldest job has been waiting that could run; none where none waits, or where nobody knows.
    pub(crate) oldest_waiting_since: Option<DateTime<Utc>>,
    /// How many workers are connected to the queue, if Redis tells.
    pub(crate) workers: Option<u64>,
    /// The condition of this process's dependencies.
    pub(crate) health: BTreeMap<&'static str, DependencyHealth>,
}

/// The one look for all viewers.
pub(crate) struct Live {
    sources: Sources,
    last: Mutex<Option<(Instant, Arc<Snapshot>)>>,
}

impl Live {
    pub(crate) fn new(sources: Sources) -> Self {
        Self {
            sources,
            last: Mutex::default(),
        }
    }

    /// How things stand: at most a second ago. Whoever comes first looks; the others wait for the same answer.
    pub(crate) async fn snapshot(&self) -> Arc<Snapshot> {
        let mut last = self.last.lock().await;
        if let Some((looked, snapshot)) = &*last
            && looked.elapsed() < FRESH
        {
            return Arc::clone(snapshot);
        }
        let snapshot = Arc::new(look(&self.sources).await);
        *last = Some((Instant::now(), Arc::clone(&snapshot)));
        snapshot
    }
}

async fn look(sources: &Sources) -> Snapshot {
    let sight = match configured(sources.queue.as_ref(), Needs::Worker) {
        Ok(queue) => queue.look().await,
        Err(trouble) => Err(trouble),
    };
    let oldest = sight.as_ref().ok().and_then(|sight| sight.oldest_waiting_since_ms);
    Snapshot {
        at: sources.clock.now(),
        oldest_waiting_since: oldest.and_then(|since| DateTime::from_timestamp_millis(i64::try_from(since).ok()?)),
        workers: sight.as_ref().ok().and_then(|sight| sight.workers),
        jobs: sight.map(|sight| counts(&sight)),
        health: sources.health.all(),
    }
}

fn counts(sight: &QueueSight) -> JobCounts {
    let of = |states: &[&str]| {
        let counts = sight.counts.iter().filter(|(state, _)| states.contains(state));
        counts.map(|(_, count)| count).sum()
    };
    JobCounts {
        waiting: of(&["waiting", "paused"]),
        prioritized: of(&["prioritized"]),
        delayed: of(&["delayed"]),
        active: of(&["active"]),
        completed: of(&["completed"]),
        failed: of(&["failed"]),
    }
}

/// What the stream tells: the new text of every element with `data-live`, by its name. Numbers only, which are the same
/// in every language; `live.js` puts them into the page.
#[derive(Debug, Serialize)]
struct Told {
    at: DateTime<Utc>,
    values: BTreeMap<String, String>,
}

impl Snapshot {
    /// For how long the oldest job has been waiting.
    pub(crate) fn oldest_waiting(&self) -> String {
        self.oldest_waiting_since.map_or_else(
            || "–".to_owned(),
            |since| duration((self.at - since).as_seconds_f64().max(0.0)),
        )
    }

    fn told(&self) -> Told {
        let mut values = BTreeMap::new();
        if let Ok(jobs) = &self.jobs {
            for (name, count) in [
                ("jobs.waiting", jobs.waiting),
                ("jobs.prioritized", jobs.prioritized),
                ("jobs.delayed", jobs.delayed),
                ("jobs.active", jobs.active),
                ("jobs.completed", jobs.completed),
                ("jobs.failed", jobs.failed),
            ] {
                values.insert(name.to_owned(), count.to_string());
            }
            values.insert("queue.oldest".to_owned(), self.oldest_waiting());
        }
        Told { at: self.at, values }
    }
}

/// `GET /dashboard/live`: a server-sent event a second, until the session or the process ends.
pub(crate) async fn stream(visit: Visit, State(dashboard): State<Dashboard>) -> Response {
    let ends = dashboard.sessions().end_of(&visit.session);
    let (has_users, session) = (visit.has_users, visit.session);
    let events = stream::unfold(true, move |first| {
        let (dashboard, session) = (dashboard.clone(), session.clone());
        async move {
            if !first {
                // A process that stops waits for its requests, and a stream never ends by itself.
                let stop = &dashboard.sources().stop;
                stop.run_until_cancelled(tokio::time::sleep(FRESH)).await?;
            }
            // A stream keeps no session alive, and none outlives its session.
            if has_users && (dashboard.clock().now() >= ends || dashboard.sessions().was_ended(&session)) {
                return None;
            }
            let told = dashboard.live().snapshot().await.told();
            let event = Event::default().event("live").json_data(&told).unwrap_or_default();
            Some((Ok::<_, Infallible>(event), false))
        }
    });
    Sse::new(events.boxed())
        .keep_alive(KeepAlive::default())
        .into_response()
}
