//! Events that wait for customers who are not known yet: the list, one of them raw, applying and discarding.

use askama::Template;
use axum::extract::{Path, Query, State};
use billwright_domain::UserId;
use billwright_events::admin::set_aside::{AppliedNow, apply_now};
use billwright_store::{
    Mongo, StoreError,
    billing::set_aside::{self, SetAsideEvent},
};
use serde::Deserialize;

use super::customers;
use crate::{
    action::{ActionResult, Done},
    dashboard::Dashboard,
    page::{Page, PageResult, render},
    pager::Window,
    section::{Dependency, Needs, Trouble, configured, within},
    sent::Sent,
    text::Text,
    visit::Visit,
};

/// Whose events are wanted; everybody's where nobody is named.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Search {
    user: String,
}

#[derive(Debug, Template)]
#[template(path = "set_aside.html")]
struct SetAsidePage {
    page: Page,
    search: Search,
    window: Window,
    events: Result<Events, Trouble>,
}

#[derive(Debug)]
struct Events {
    rows: Vec<SetAsideEvent>,
    total: u64,
}

/// `GET /dashboard/set-aside`.
pub(crate) async fn show(
    visit: Visit,
    State(dashboard): State<Dashboard>,
    Query(search): Query<Search>,
    Query(window): Query<Window>,
) -> PageResult {
    let events = events(&dashboard, &search, window).await;
    render(&SetAsidePage {
        page: Page::new(visit, "events", Text::of("set-aside-title")),
        search,
        window,
        events,
    })
}

async fn events(dashboard: &Dashboard, search: &Search, window: Window) -> Result<Events, Trouble> {
    let mongo = database(dashboard)?;
    let user = search.user.trim();
    let user = match UserId::parse(user) {
        Ok(user) => Some(user),
        Err(_) if user.is_empty() => None,
        // No event can be of such a user.
        Err(_) => {
            return Ok(Events {
                rows: Vec::new(),
                total: 0,
            });
        }
    };
    within(Dependency::MongoDb, async {
        Ok::<_, StoreError>(Events {
            rows: set_aside::page(mongo, user.as_ref(), window.offset(), window.limit()).await?,
            total: match &user {
                Some(user) => set_aside::count_of(mongo, user).await?,
                None => set_aside::count(mongo).await?,
            },
        })
    })
    .await
}

fn database(dashboard: &Dashboard) -> Result<&Mongo, Trouble> {
    configured(dashboard.sources().billing_database.as_ref(), Needs::Billing)
}

/// The address of an event's page.
pub(crate) fn address(event: &SetAsideEvent) -> String {
    format!(
        "/dashboard/set-aside/{}/{}/{}",
        event.partition.topic_id, event.partition.partition, event.offset
    )
}

/// Where an event came from.
type Place = (String, i32, i64);

async fn event(dashboard: &Dashboard, (topic_id, partition, offset): &Place) -> Result<SetAsideEvent, Trouble> {
    let found = set_aside::find(database(dashboard)?, topic_id, *partition, *offset);
    let found = within(Dependency::MongoDb, found).await?;
    found.ok_or_else(|| Trouble::NotFound(Text::of("set-aside-gone")))
}

#[derive(Debug, Template)]
#[template(path = "set_aside_event.html")]
struct SetAsideEventPage {
    page: Page,
    event: SetAsideEvent,
    customer_is_there: bool,
    sent: Sent,
}

/// `GET /dashboard/set-aside/{topic}/{partition}/{offset}`.
pub(crate) async fn show_event(
    visit: Visit,
    State(dashboard): State<Dashboard>,
    Path(place): Path<Place>,
) -> PageResult {
    let event = event(&dashboard, &place).await?;
    let customer = dashboard.billings()?.customer(event.user_id.as_str());
    let customer_is_there = within(Dependency::MongoDb, customer).await?.is_some();
    render(&SetAsideEventPage {
        page: Page::new(
            visit,
            "events",
            Text::of("set-aside-event-title").with("kind", &event.kind),
        ),
        sent: Sent::of(event.key.as_deref(), &event.value, &event.headers),
        event,
        customer_is_there,
    })
}

/// `POST …/apply`: applies all that waits for the event's customer, who must be there by now.
pub(crate) async fn apply(State(dashboard): State<Dashboard>, Path(place): Path<Place>) -> ActionResult {
    let broker = dashboard.broker()?;
    let event = event(&dashboard, &place).await?;
    let applied = apply_now(
        broker.settings(),
        broker.mongo(),
        &dashboard.sources().clock,
        &event.user_id,
    );
    match within(Dependency::MongoDb, applied).await? {
        AppliedNow::Events(count) => {
            let said = Text::of("set-aside-applied").with("count", count);
            Ok(Done::then(customers::address(event.user_id.as_str()), said).noting(count.to_string()))
        }
        AppliedNow::CustomerUnknown => Err(Trouble::Refused(
            Text::of("set-aside-no-customer").with("id", event.user_id.to_string()),
        )),
    }
}

/// `POST …/discard`: forgets the event for good.
pub(crate) async fn discard(State(dashboard): State<Dashboard>, Path(place): Path<Place>) -> ActionResult {
    let event = event(&dashboard, &place).await?;
    let forgotten = within(Dependency::MongoDb, set_aside::forget(database(&dashboard)?, &event)).await?;
    if !forgotten {
        return Err(Trouble::NotFound(Text::of("set-aside-gone")));
    }
    let said = Text::of("set-aside-discarded").with("kind", &event.kind);
    Ok(Done::then("/dashboard/set-aside", said).noting(event.kind))
}

#[expect(clippy::unused_self, reason = "templates call these through `self`, with references")]
impl SetAsidePage {
    fn address(&self, event: &SetAsideEvent) -> String {
        address(event)
    }

    fn customer(&self, event: &SetAsideEvent) -> String {
        customers::address(event.user_id.as_str())
    }
}

impl SetAsideEventPage {
    fn address(&self) -> String {
        address(&self.event)
    }

    fn customer(&self) -> String {
        customers::address(self.event.user_id.as_str())
    }
}
