//! Orders by their own documents: by state, and by any name or phone number that a person has at hand.

use askama::Template;
use axum::{
    extract::{Query, State},
    response::{IntoResponse, Redirect},
};
use billwright_store::billz::order_documents::{OrderDocuments, OrderRow, OrderState};
use serde::Deserialize;

use super::jobs_search::{SearchQuery, phone_address, phone_of};
use crate::{
    dashboard::Dashboard,
    page::{Badge, Page, PageResult, Tone, render},
    pager::Window,
    section::{Dependency, Needs, Trouble, configured, within},
    text::Text,
    visit::Visit,
};

/// The state as it stands in an address.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct OrdersQuery {
    state: String,
}

#[derive(Debug, Template)]
#[template(path = "orders.html")]
struct OrdersPage {
    page: Page,
    search: SearchQuery,
    state: Option<OrderState>,
    window: Window,
    orders: Result<Vec<OrderRow>, Trouble>,
}

/// `GET /dashboard/orders`.
pub(crate) async fn show(
    visit: Visit,
    State(dashboard): State<Dashboard>,
    Query(query): Query<OrdersQuery>,
    Query(search): Query<SearchQuery>,
    Query(window): Query<Window>,
) -> PageResult {
    let state = OrderState::ALL.into_iter().find(|state| state.as_str() == query.state);
    let orders = orders(&dashboard, &search, state, window).await;
    if let Some(phone) = phone_of(search.wanted())
        && (search.wanted().starts_with('+') || orders.as_ref().is_ok_and(Vec::is_empty))
    {
        let address = phone_address(&dashboard, "/dashboard/orders", &phone).await?;
        return Ok(Redirect::to(&address).into_response());
    }
    render(&OrdersPage {
        page: Page::new(visit, "orders", Text::of("orders-title")),
        search,
        state,
        window,
        orders,
    })
}

async fn orders(
    dashboard: &Dashboard,
    search: &SearchQuery,
    state: Option<OrderState>,
    window: Window,
) -> Result<Vec<OrderRow>, Trouble> {
    let mongo = configured(dashboard.sources().billz_database.as_ref(), Needs::Worker)?;
    let orders = OrderDocuments::new(mongo);
    within(Dependency::MongoDb, async {
        if !search.wanted().is_empty() {
            orders.named(search.wanted(), window.limit()).await
        } else if !search.phone.is_empty() {
            orders.of_clients(&search.client_ids(), window.limit()).await
        } else {
            orders.list(state, window.offset(), window.limit()).await
        }
    })
    .await
}

/// A word for a state.
pub(crate) fn order_state_text(state: OrderState) -> Text {
    match state {
        OrderState::Paid => Text::of("orders-paid"),
        OrderState::Parked => Text::of("orders-parked"),
        OrderState::Refused => Text::of("orders-refused"),
        OrderState::Unplaced => Text::of("orders-unplaced"),
    }
}

/// A state in its colour.
pub(crate) fn order_badge(page: &Page, state: OrderState) -> Badge {
    let tone = match state {
        OrderState::Paid => Tone::Good,
        OrderState::Parked => Tone::Plain,
        OrderState::Refused => Tone::Bad,
        OrderState::Unplaced => Tone::Warning,
    };
    page.badge(tone, order_state_text(state))
}

impl OrdersPage {
    /// The tabs: text, address, whether it is the current one.
    fn tabs(&self) -> Vec<(Text, String, bool)> {
        let is_list = self.search.wanted().is_empty() && self.search.phone.is_empty();
        let all = (
            Text::of("orders-all"),
            "/dashboard/orders".to_owned(),
            is_list && self.state.is_none(),
        );
        let each = OrderState::ALL.into_iter().map(|state| {
            let href = format!("/dashboard/orders?state={}", state.as_str());
            (order_state_text(state), href, is_list && self.state == Some(state))
        });
        std::iter::once(all).chain(each).collect()
    }

    fn is_search(&self) -> bool {
        !(self.search.wanted().is_empty() && self.search.phone.is_empty())
    }

    fn order_badge(&self, order: &OrderRow) -> Badge {
        order_badge(&self.page, order.state())
    }
}
