//! What changes by the second: one cached look for all viewers, and the stream that tells it to their scripts.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use billwright_domain::{Condition, DependencyHealth};
use billwright_worker::admin::JobCounts;
use chrono::{DateTime, Utc};
use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use tokio::{sync::Mutex, time::Instant};

use crate::{
    dashboard::Dashboard,
    section::{Dependency, Needs, Trouble, configured, within},
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
    Snapshot {
        jobs: counts(sources).await,
        at: sources.clock.now(),
        health: sources.health.all(),
    }
}

async fn counts(sources: &Sources) -> Result<JobCounts, Trouble> {
    let queue = configured(sources.queue.as_ref(), Needs::Worker)?.admin().await?;
    within(Dependency::Redis, queue.counts()).await
}

/// What the stream tells: the new text of every element with `data-live`, by its name. Numbers only, which are the same
/// in every language; `live.js` puts them into the page.
#[derive(Debug, Serialize)]
struct Told {
    at: DateTime<Utc>,
    values: BTreeMap<String, String>,
    /// The class of every element with `data-live-tone`, by its name.
    tones: BTreeMap<String, &'static str>,
}

impl Snapshot {
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
        }
        let tones = self
            .health
            .iter()
            .map(|(name, health)| (format!("health.{name}"), tone(health.condition)))
            .collect();
        Told {
            at: self.at,
            values,
            tones,
        }
    }
}

fn tone(condition: Condition) -> &'static str {
    match condition {
        Condition::Up => "good",
        Condition::Degraded => "warning",
        Condition::Down => "bad",
    }
}

/// `GET /dashboard/live`: a server-sent event a second, until the session ends.
pub(crate) async fn stream(visit: Visit, State(dashboard): State<Dashboard>) -> Response {
    let ends = dashboard.sessions().end_of(&visit.session);
    let has_users = visit.has_users;
    let events = stream::unfold(true, move |first| {
        let dashboard = dashboard.clone();
        async move {
            if !first {
                tokio::time::sleep(FRESH).await;
            }
            // A stream keeps no session alive, and none outlives its session.
            if has_users && dashboard.clock().now() >= ends {
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
