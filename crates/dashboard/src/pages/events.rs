//! The customer events: how far each partition is behind and why, and what waits or was given up.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use billwright_events::{EventsState, PartitionState, Phase};
use billwright_store::{
    StoreError,
    billing::{outbox, set_aside},
};

use crate::{
    action::{ActionResult, Done},
    broker::PartitionLook,
    dashboard::Dashboard,
    page::{Badge, Page, PageResult, Tone, render},
    section::{Dependency, Needs, Trouble, configured, within},
    text::Text,
    visit::Visit,
};

#[derive(Debug, Template)]
#[template(path = "events.html")]
struct EventsPage {
    page: Page,
    partitions: Result<Arc<Vec<PartitionLook>>, Trouble>,
    /// The consumer of this process, if it runs one.
    consumer: Option<EventsState>,
    counts: Result<Counts, Trouble>,
}

#[derive(Debug)]
struct Counts {
    set_aside: u64,
    unpublished: u64,
}

/// `GET /dashboard/events`.
pub(crate) async fn show(visit: Visit, State(dashboard): State<Dashboard>) -> PageResult {
    let broker = dashboard.broker()?;
    let (partitions, counts) = tokio::join!(broker.partitions(), counts(&dashboard));
    render(&EventsPage {
        page: Page::new(visit, "events", Text::of("events-title")),
        partitions,
        consumer: dashboard
            .sources()
            .consumer
            .get()
            .map(billwright_events::EventsControl::state),
        counts,
    })
}

async fn counts(dashboard: &Dashboard) -> Result<Counts, Trouble> {
    let mongo = configured(dashboard.sources().billing_database.as_ref(), Needs::Billing)?;
    within(Dependency::MongoDb, async {
        let (set_aside, unpublished) = tokio::try_join!(set_aside::count(mongo), outbox::count(mongo))?;
        Ok::<_, StoreError>(Counts { set_aside, unpublished })
    })
    .await
}

/// `POST /dashboard/events/resume`: paused partitions of this process go on at once.
pub(crate) async fn resume(State(dashboard): State<Dashboard>) -> ActionResult {
    let consumer = configured(dashboard.sources().consumer.get(), Needs::Events)?;
    consumer.resume();
    Ok(Done::then("/dashboard/events", Text::of("events-resumed")))
}

#[expect(
    clippy::ref_option,
    clippy::unused_self,
    reason = "templates call these through `self`, with references"
)]
impl EventsPage {
    /// The consumer's view of a partition, where this process has it.
    fn here(&self, look: &PartitionLook) -> Option<&PartitionState> {
        let partitions = &self.consumer.as_ref()?.partitions;
        partitions
            .iter()
            .find(|found| found.topic == look.lag.topic && found.partition == look.lag.partition)
    }

    /// What is known of how a partition is doing: only its own process knows why it stands still.
    fn state(&self, look: &PartitionLook) -> Badge {
        let (tone, text) = match (self.here(look), &look.owner) {
            (Some(here), _) if here.paused.is_some() => (Tone::Bad, Text::of("events-paused")),
            (Some(here), _) if here.alarmed => (Tone::Warning, Text::of("events-alarmed")),
            (None, None) => (Tone::Bad, Text::of("events-nobody")),
            _ if look.lag.lag == 0 => (Tone::Good, Text::of("events-caught-up")),
            _ if look.rate == Some(0.0) => (Tone::Warning, Text::of("events-stands")),
            _ => (Tone::Good, Text::of("events-reading")),
        };
        self.page.badge(tone, text)
    }

    fn reason(&self, look: &PartitionLook) -> &str {
        let paused = self.here(look).and_then(|here| here.paused.as_deref());
        paused.unwrap_or_default()
    }

    fn is_paused(&self) -> bool {
        let partitions = self.consumer.iter().flat_map(|consumer| &consumer.partitions);
        partitions.into_iter().any(|partition| partition.paused.is_some())
    }

    fn rate(&self, look: &PartitionLook) -> String {
        look.rate.map_or_else(|| "–".to_owned(), |rate| format!("{rate:.1}"))
    }

    fn whole(&self, number: &Option<i64>) -> String {
        number.map_or_else(|| "–".to_owned(), |number| number.to_string())
    }

    fn behind(&self, partitions: &[PartitionLook]) -> i64 {
        partitions.iter().map(|look| look.lag.lag).sum()
    }

    fn phase(&self, consumer: &EventsState) -> Badge {
        let (tone, text) = match consumer.phase {
            Phase::Connecting => (Tone::Warning, Text::of("events-connecting")),
            Phase::Consuming if !consumer.broker_connected => (Tone::Bad, Text::of("events-disconnected")),
            Phase::Consuming => (Tone::Good, Text::of("events-consuming")),
            Phase::GaveUp => (Tone::Bad, Text::of("events-gave-up")),
            Phase::Stopped => (Tone::Bad, Text::of("events-stopped")),
        };
        self.page.badge(tone, text)
    }
}
