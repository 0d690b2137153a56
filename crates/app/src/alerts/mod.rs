//! Looks at the process and its dependencies again and again: sets the gauges, and tells the team when something is wrong
//! and when it is over.
//!
//! What is wrong is decided by [`rules`] without any I/O. What was told is kept in MongoDB, so that every alert is told
//! once, whichever process saw it first and whatever is restarted.

mod observe;
mod rules;
mod tell;

use std::{sync::Arc, time::Duration};

use billwright_connectors::{breaker::Breaker, telegram::Telegram};
use billwright_domain::{Clock, HealthBoard};
use billwright_events::EventsControl;
use billwright_store::{Mongo, alerts::Alerts, billz::notifications::Notifications};
use billwright_worker::QueueWatch;
use tokio_util::sync::CancellationToken;

pub(crate) use self::rules::Alert;
use self::{observe::Observer, rules::Persistence, tell::Teller};
use crate::config::AlertsConfig;

/// How long telling people may take at one look. A database that answers nothing must not end the watch.
const TELLING: Duration = Duration::from_mins(1);

/// What a process that runs can be watched by.
pub(crate) struct Watched {
    /// The condition of the dependencies.
    pub(crate) health: HealthBoard,
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
    /// The queue, where the worker runs or Redis is named.
    pub(crate) queue: Option<QueueWatch>,
    /// The worker's database, where the worker runs.
    pub(crate) billz: Option<Mongo>,
    /// The billing database, where it is used.
    pub(crate) billing: Option<Mongo>,
    /// The breaker before Billz, where the worker runs.
    pub(crate) breaker: Option<Breaker>,
    /// The consumer, where it runs.
    pub(crate) events: Option<EventsControl>,
    /// Telegram, where it is configured.
    pub(crate) telegram: Option<Telegram>,
}

/// Looks until `stop`.
pub(crate) async fn watch(config: AlertsConfig, watched: Watched, stop: CancellationToken) {
    let alerts = watched.billz.as_ref().or(watched.billing.as_ref()).map(Alerts::new);
    // The worker's queue of notifications is durable and keeps to Telegram's pace; without a worker the message goes out
    // directly, and is tried again at the next look.
    let teller = match (&watched.billz, &watched.telegram) {
        (_, None) => Teller::Nobody,
        (Some(billz), Some(_)) => Teller::Queue(Notifications::new(billz)),
        (None, Some(telegram)) => Teller::Direct(telegram.clone()),
    };
    let clock = Arc::clone(&watched.clock);
    let mut observer = Observer::new(watched);
    let mut persistence = Persistence::default();
    loop {
        let round = async {
            let observation = observer.look().await;
            let firing = tell::firing(alerts.as_ref()).await;
            let wrong = rules::judge(&observation, &config, &firing);
            let wrong = persistence.lasting(wrong, &config, &firing, clock.now());
            let settled = tokio::time::timeout(TELLING, tell::settle(&wrong, &config, alerts.as_ref(), &teller));
            if settled.await.is_err() {
                tracing::warn!("alerts could not be kept and told within a minute; the next look tries again");
            }
        };
        if stop.run_until_cancelled(round).await.is_none() {
            return;
        }
        let pause = tokio::time::sleep(config.interval);
        if stop.run_until_cancelled(pause).await.is_none() {
            return;
        }
    }
}
