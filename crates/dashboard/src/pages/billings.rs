//! The billings of the billing product: a search, and marking one as paid.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::{Path, Query, State};
use billwright_domain::billing::BillingChange;
use billwright_store::billing::{
    lists::{Condition, ListQuery, Listed, Order, Position, Window as Place},
    rows::{BillingRow, Part},
    version::{Precondition, Version},
    writes::{Terms, Written},
};
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::customers;
use crate::{
    action::{ActionResult, Done, Form},
    dashboard::Dashboard,
    page::{Badge, Page, PageResult, Tone, render},
    pager::{self, MoreLinks},
    section::{Dependency, Trouble, within},
    text::Text,
    visit::Visit,
};

/// The billings of a page.
const ROWS: u32 = 50;

/// What is searched for. What is empty does not count.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Search {
    billing: String,
    user: String,
    state: String,
    /// Where to go on.
    after: String,
}

#[derive(Debug, Template)]
#[template(path = "billings.html")]
struct BillingsPage {
    page: Page,
    search: Search,
    billings: Result<Part<BillingRow>, Trouble>,
    now: DateTime<Utc>,
}

/// `GET /dashboard/billings`.
pub(crate) async fn show(visit: Visit, State(dashboard): State<Dashboard>, Query(search): Query<Search>) -> PageResult {
    let now = dashboard.clock().now();
    let billings = billings(&dashboard, &search, now).await;
    render(&BillingsPage {
        page: Page::new(visit, "billings", Text::of("billings-title")),
        search,
        billings,
        now,
    })
}

async fn billings(dashboard: &Dashboard, search: &Search, now: DateTime<Utc>) -> Result<Part<BillingRow>, Trouble> {
    let store = dashboard.billings()?;
    let billing = search.billing.trim();
    if !billing.is_empty() {
        // The counter's numbers are found without their leading zeros as well.
        let padded = billing.parse::<u32>().map(|number| format!("{number:09}"));
        let ids: BTreeSet<String> = padded.into_iter().chain([billing.to_owned()]).collect();
        let mut rows = Vec::new();
        for id in ids {
            rows.extend(within(Dependency::MongoDb, store.billing_row(&id)).await?);
        }
        return Ok(Part { rows, end: None });
    }
    let query = pager::after(query(search, now), ROWS, &search.after);
    within(Dependency::MongoDb, store.billing_rows(&query, ROWS)).await
}

/// Each search is served by an index: that of the user's billings, or that of the state.
fn query(search: &Search, now: DateTime<Utc>) -> ListQuery {
    let user = search.user.trim();
    let by = |order: &str| Order::parse(Listed::Billings, order);
    let (mut conditions, order) = match search.state.as_str() {
        "paid" => (vec![Condition::IsPaid(true)], by("-dueDate")),
        "unpaid" => (vec![Condition::IsPaid(false)], by("dueDate")),
        "overdue" => (vec![Condition::IsPaid(false), Condition::DueBefore(now)], by("dueDate")),
        _ => (Vec::new(), Some(Order::NEWEST_FIRST)),
    };
    let mut order = order;
    if !user.is_empty() {
        conditions.push(Condition::UserId(user.to_owned()));
        order = Some(Order::NEWEST_FIRST);
    }
    ListQuery {
        listed: Listed::Billings,
        conditions,
        order,
        window: Place::Page { limit: ROWS, skip: 0 },
    }
}

/// The newest billings of a customer, for the customer's page.
pub(crate) async fn of_customer(
    dashboard: &Dashboard,
    user_id: &str,
    now: DateTime<Utc>,
) -> Result<Part<BillingRow>, Trouble> {
    let search = Search {
        user: user_id.to_owned(),
        ..Search::default()
    };
    within(
        Dependency::MongoDb,
        dashboard.billings()?.billing_rows(&query(&search, now), ROWS),
    )
    .await
}

/// What the form says.
#[derive(Debug, Deserialize)]
pub(crate) struct Marking {
    /// The version that the operator saw.
    version: String,
    /// The page to go back to: that of the customer, or else the list.
    user: String,
    from: String,
}

/// `POST /dashboard/billings/{id}/paid`: the same change that `PUT /api/billings/:id` makes of `{"isPaid": true}`.
pub(crate) async fn mark_paid(
    State(dashboard): State<Dashboard>,
    Path(id): Path<String>,
    Form(marking): Form<Marking>,
) -> ActionResult {
    let store = dashboard.billings()?;
    let now = dashboard.clock().now();
    let moved = || Trouble::Refused(Text::of("billing-changed").with("id", &id));
    let gone = || Trouble::NotFound(Text::of("billing-none").with("id", &id));
    let version = Version::parse(&marking.version).ok_or_else(moved)?;
    let found = within(Dependency::MongoDb, store.billing_row(&id)).await?;
    if found.ok_or_else(gone)?.is_paid {
        return Err(Trouble::Refused(Text::of("billing-paid-already").with("id", &id)));
    }
    let body = serde_json::json!({ "isPaid": true });
    let change = BillingChange::from_json(&body, now).map_err(|_| Trouble::Failed("the change is wrong".to_owned()))?;
    let terms = Terms {
        precondition: Some(Precondition::OneOf(vec![version])),
        repeatable: None,
    };
    match within(Dependency::MongoDb, store.update_billing(&id, &change, terms, now)).await? {
        Written::Done(_) => {}
        Written::NotFound => return Err(gone()),
        Written::PreconditionFailed | Written::Taken | Written::ClaimLost => return Err(moved()),
    }
    let to = if marking.from == "customer" {
        customers::address(&marking.user)
    } else {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("billing", &id)
            .finish();
        format!("/dashboard/billings?{query}")
    };
    Ok(Done::then(to, Text::of("billing-marked").with("id", &id)).noting(id))
}

#[expect(clippy::ref_option, reason = "templates call these through `self`, with references")]
impl BillingsPage {
    fn row<'a>(&'a self, row: &'a BillingRow) -> BillingLine<'a> {
        BillingLine::new(&self.page, row, self.now, "list")
    }

    fn more<'a>(&'a self, end: &Option<Position>) -> MoreLinks<'a> {
        self.page.more(&self.search.after, end.as_ref())
    }

    fn chose(&self, state: &str) -> bool {
        self.search.state == state
    }
}

/// A billing as a line of a table: on the page of all, and on that of its customer.
#[derive(Debug, Template)]
#[template(path = "blocks/billing.html")]
pub(crate) struct BillingLine<'a> {
    page: &'a Page,
    row: &'a BillingRow,
    now: DateTime<Utc>,
    from: &'static str,
}

impl askama::filters::HtmlSafe for BillingLine<'_> {}

impl<'a> BillingLine<'a> {
    pub(crate) fn new(page: &'a Page, row: &'a BillingRow, now: DateTime<Utc>, from: &'static str) -> Self {
        Self { page, row, now, from }
    }

    fn shows_user(&self) -> bool {
        self.from == "list"
    }

    fn customer(&self) -> String {
        customers::address(&self.row.user_id)
    }

    fn state(&self) -> Badge {
        let (tone, text) = if self.row.is_paid {
            (Tone::Good, Text::of("billing-paid"))
        } else if self.row.is_overdue(self.now) {
            (Tone::Bad, Text::of("billing-overdue"))
        } else {
            (Tone::Plain, Text::of("billing-unpaid"))
        };
        self.page.badge(tone, text)
    }

    /// Where the button leads; none for what cannot be marked.
    fn action(&self) -> Option<String> {
        if self.row.is_paid || self.row.billing_id.is_empty() || !self.page.may_act() {
            return None;
        }
        let mut url = url::Url::parse("http://localhost/dashboard/billings").ok()?;
        url.path_segments_mut().ok()?.push(&self.row.billing_id).push("paid");
        Some(url.path().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_by_user_is_in_the_order_of_the_users_index() {
        let search = Search {
            user: " u-1 ".to_owned(),
            state: "overdue".to_owned(),
            ..Search::default()
        };
        let query = query(&search, DateTime::UNIX_EPOCH);
        assert_eq!(query.order, Some(Order::NEWEST_FIRST));
        assert!(query.conditions.contains(&Condition::UserId("u-1".to_owned())));
    }
}
