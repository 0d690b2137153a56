//! The dashboard itself: what all requests share.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use axum::Router;
use billwright_domain::Clock;
use billwright_store::{
    Mongo,
    billing::{BillingStore, changes::ChangeLog, outbox::Outbox},
    operations::{audit::Audit, ended_sessions, indexes},
};
use billwright_worker::admin::{JobView, Standing};

use crate::{
    broker::Broker,
    cached::CachedMap,
    guard::login_limit::LoginLimit,
    live::Live,
    pages::overview::Trends,
    router,
    sales::Sales,
    section::{Dependency, Needs, Trouble, configured},
    session::{SessionKeyProblem, Sessions},
    settings::DashboardSettings,
    sources::Sources,
};

/// How often a process learns which sessions others ended.
const ENDED_EVERY: Duration = Duration::from_secs(5);

/// The operations pages. Cheap to clone.
#[derive(Clone)]
pub struct Dashboard(Arc<Inner>);

struct Inner {
    settings: DashboardSettings,
    sources: Sources,
    sessions: Arc<Sessions>,
    login_limit: LoginLimit,
    audit: Option<Audit>,
    billings: Option<BillingStore>,
    broker: Option<Broker>,
    live: Live,
    sales: Sales,
    seen_jobs: CachedMap<(JobView, Standing)>,
    trends: Trends,
}

impl std::fmt::Debug for Dashboard {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Dashboard").finish_non_exhaustive()
    }
}

impl Dashboard {
    /// The pages over these sources. Whatever is away is asked again by each page.
    ///
    /// Must be called within a tokio runtime: the indexes of what the pages keep are made in the background.
    pub fn new(settings: DashboardSettings, sources: Sources) -> Result<Self, SessionKeyProblem> {
        let sessions = Sessions::new(settings.session_key.as_ref(), settings.idle, Arc::clone(&sources.clock))?;
        let sessions = Arc::new(sessions);
        if let Some(mongo) = sources.operations_database().cloned() {
            // With a random key no other process knows our sessions.
            if settings.session_key.is_some() {
                tokio::spawn(learn_ended_sessions(mongo.clone(), Arc::downgrade(&sessions)));
            }
            tokio::spawn(async move {
                while let Err(error) = indexes::ensure(&mongo).await {
                    if !error.is_transient() {
                        tracing::warn!(%error, "the indexes of the operations pages could not be made");
                        return;
                    }
                    tokio::time::sleep(Duration::from_secs(5)).await;
                }
            });
        }
        Ok(Self(Arc::new(Inner {
            sessions,
            login_limit: LoginLimit::default(),
            audit: sources.operations_database().map(Audit::new),
            live: Live::new(sources.clone()),
            sales: Sales::new(sources.billz.clone(), Arc::clone(&sources.clock)),
            seen_jobs: CachedMap::new(Dependency::Redis, Duration::from_secs(1)),
            billings: billings(&sources),
            broker: broker(&sources),
            trends: Trends::default(),
            settings,
            sources,
        })))
    }

    /// Every page and action, under `/dashboard`. Requests must carry `ConnectInfo<SocketAddr>`.
    pub fn router(&self) -> Router {
        router::router(self)
    }

    pub(crate) fn settings(&self) -> &DashboardSettings {
        &self.0.settings
    }

    pub(crate) fn sources(&self) -> &Sources {
        &self.0.sources
    }

    pub(crate) fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    pub(crate) fn login_limit(&self) -> &LoginLimit {
        &self.0.login_limit
    }

    pub(crate) fn audit(&self) -> Option<&Audit> {
        self.0.audit.as_ref()
    }

    /// Users and billings.
    pub(crate) fn billings(&self) -> Result<&BillingStore, Trouble> {
        configured(self.0.billings.as_ref(), Needs::Billing)
    }

    /// What the brokers know, and the dead letters.
    pub(crate) fn broker(&self) -> Result<&Broker, Trouble> {
        configured(self.0.broker.as_ref(), Needs::Events)
    }

    pub(crate) fn live(&self) -> &Live {
        &self.0.live
    }

    /// Sales as Billz shows them.
    pub(crate) fn sales(&self) -> &Sales {
        &self.0.sales
    }

    /// Jobs as they were seen a moment ago.
    pub(crate) fn seen_jobs(&self) -> &CachedMap<(JobView, Standing)> {
        &self.0.seen_jobs
    }

    /// What the overview shows of all processes.
    pub(crate) fn trends(&self) -> &Trends {
        &self.0.trends
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.0.sources.clock
    }
}

/// Learns which sessions other processes ended, as long as the dashboard is there. While the database is away, those that are
/// known already stay ended.
async fn learn_ended_sessions(mongo: Mongo, sessions: Weak<Sessions>) {
    while let Some(sessions) = sessions.upgrade() {
        if let Ok(ended) = ended_sessions::all(&mongo).await {
            sessions.learn_ended(ended);
        }
        drop(sessions);
        tokio::time::sleep(ENDED_EVERY).await;
    }
}

/// The billing database, whose changes are told to the outbox exactly where the API does so.
fn billings(sources: &Sources) -> Option<BillingStore> {
    let mongo = sources.billing_database.clone()?;
    let log = || Arc::new(Outbox::new(mongo.clone(), Arc::clone(&sources.clock))) as Arc<dyn ChangeLog>;
    let log = sources.publishes_changes.then(log);
    Some(BillingStore::new(mongo, log))
}

fn broker(sources: &Sources) -> Option<Broker> {
    Some(Broker::new(sources.events.clone()?, sources.billing_database.clone()?))
}
