//! The customers of the billing product: a search.

use askama::Template;
use axum::{
    extract::{Query, State},
    response::{IntoResponse as _, Redirect},
};
use billwright_store::billing::{
    lists::{Condition, ListQuery, Listed, Position, Window as Place},
    rows::{CustomerRow, Part},
};
use serde::Deserialize;

use crate::{
    dashboard::Dashboard,
    page::{Badge, Page, PageResult, Tone, render},
    pager::{self, MoreLinks},
    section::{Dependency, Trouble, within},
    text::Text,
    visit::Visit,
};

/// The customers of a page.
const ROWS: u32 = 50;

/// What is searched for. What is empty does not count.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Search {
    /// How the `userId` begins.
    user: String,
    /// A billing of the customer.
    billing: String,
    city: String,
    state: String,
    /// Where to go on.
    after: String,
}

#[derive(Debug, Template)]
#[template(path = "customers.html")]
struct CustomersPage {
    page: Page,
    search: Search,
    customers: Result<Part<CustomerRow>, Trouble>,
}

/// `GET /dashboard/customers`.
pub(crate) async fn show(visit: Visit, State(dashboard): State<Dashboard>, Query(search): Query<Search>) -> PageResult {
    let billing = search.billing.trim();
    if !billing.is_empty()
        && let Some(found) = within(Dependency::MongoDb, dashboard.billings()?.billing_row(billing)).await?
    {
        return Ok(Redirect::to(&address(&found.user_id)).into_response());
    }
    let customers = customers(&dashboard, &search).await;
    render(&CustomersPage {
        page: Page::new(visit, "customers", Text::of("customers-title")),
        search,
        customers,
    })
}

/// The address of a customer's page.
pub(crate) fn address(user_id: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("id", user_id)
        .finish();
    format!("/dashboard/customer?{query}")
}

async fn customers(dashboard: &Dashboard, search: &Search) -> Result<Part<CustomerRow>, Trouble> {
    let store = dashboard.billings()?;
    // A billing that is known led to its customer's page before.
    if !search.billing.trim().is_empty() {
        return Ok(Part {
            rows: Vec::new(),
            end: None,
        });
    }
    let mut conditions = Vec::new();
    let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    conditions.extend(given(&search.user).map(Condition::Prefix));
    conditions.extend(given(&search.city).map(Condition::City));
    match search.state.as_str() {
        "active" => conditions.push(Condition::IsActive(true)),
        "suspended" => conditions.push(Condition::IsActive(false)),
        _ => {}
    }
    let query = pager::after(
        ListQuery {
            listed: Listed::Users,
            conditions,
            order: None,
            window: Place::Page { limit: ROWS, skip: 0 },
        },
        ROWS,
        &search.after,
    );
    within(Dependency::MongoDb, store.customers(&query, ROWS)).await
}

#[expect(
    clippy::ref_option,
    clippy::unused_self,
    reason = "templates call these through `self`, with references"
)]
impl CustomersPage {
    fn state(&self, customer: &CustomerRow) -> Badge {
        state(&self.page, customer)
    }

    fn address(&self, customer: &CustomerRow) -> String {
        address(&customer.user_id)
    }

    fn more<'a>(&'a self, end: &Option<Position>) -> MoreLinks<'a> {
        self.page.more(&self.search.after, end.as_ref())
    }

    fn chose(&self, state: &str) -> bool {
        self.search.state == state
    }
}

/// Whether a customer is active.
pub(crate) fn state(page: &Page, customer: &CustomerRow) -> Badge {
    if customer.is_active {
        page.badge(Tone::Good, Text::of("customer-active"))
    } else {
        page.badge(Tone::Warning, Text::of("customer-suspended"))
    }
}
