//! One customer: the document, the billings, and what happened in time.

use askama::Template;
use axum::extract::{Query, State};
use billwright_domain::UserId;
use billwright_store::billing::{
    apply, outbox,
    rows::{BillingRow, CustomerRow, Part},
    set_aside::{self, SetAsideEvent},
};
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{
    billings::{self, BillingLine},
    customers, set_aside as set_aside_page,
};
use crate::{
    dashboard::Dashboard,
    page::{Badge, Page, PageResult, Tone, render},
    section::{Dependency, Needs, Trouble, configured, within},
    text::Text,
    visit::Visit,
};

/// How many waiting events the time-line shows.
const WAITING: u32 = 50;

/// Whose page it is.
#[derive(Debug, Deserialize)]
pub(crate) struct Whose {
    id: String,
}

#[derive(Debug, Template)]
#[template(path = "customer.html")]
struct CustomerPage {
    page: Page,
    user_id: String,
    customer: Option<CustomerRow>,
    billings: Result<Part<BillingRow>, Trouble>,
    history: Vec<Moment>,
    now: DateTime<Utc>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
struct Moment {
    at: DateTime<Utc>,
    tone: Tone,
    what: Text,
    link: Option<String>,
}

/// `GET /dashboard/customer?id=…`. There is a page as long as anything is known: billings stay after their customer, and
/// events come before.
pub(crate) async fn show(visit: Visit, State(dashboard): State<Dashboard>, Query(whose): Query<Whose>) -> PageResult {
    let store = dashboard.billings()?;
    let mongo = configured(dashboard.sources().billing_database.as_ref(), Needs::Billing)?;
    let now = dashboard.clock().now();
    let customer = within(Dependency::MongoDb, store.customer(&whose.id)).await?;
    // The page may have been asked for by `_id`.
    let user_id = customer.as_ref().map_or(whose.id, |customer| customer.user_id.clone());
    let user = UserId::parse(&user_id).ok();
    let billings = billings::of_customer(&dashboard, &user_id, now).await;
    let (waiting, last_event) = match &user {
        Some(user) => {
            let known = async {
                tokio::try_join!(
                    set_aside::page(mongo, Some(user), 0, WAITING),
                    apply::last_event_of(mongo, user)
                )
            };
            within(Dependency::MongoDb, known).await?
        }
        None => (Vec::new(), None),
    };
    let unpublished = within(Dependency::MongoDb, outbox::waiting_of(mongo, &user_id)).await?;
    let owned = billings.as_ref().map_or(&[][..], |part| &part.rows);
    if customer.is_none() && owned.is_empty() && waiting.is_empty() && billings.is_ok() {
        return Err(Trouble::NotFound(Text::of("customer-none").with("id", user_id)));
    }
    let mut history = history(customer.as_ref(), owned, &waiting, &unpublished, now);
    history.extend(last_event.map(|at| Moment {
        at,
        tone: Tone::Plain,
        what: Text::of("customer-last-event"),
        link: None,
    }));
    history.sort_by_key(|moment| std::cmp::Reverse(moment.at));
    render(&CustomerPage {
        page: Page::new(visit, "customers", Text::of("customer-title").with("id", &user_id)),
        user_id,
        customer,
        billings,
        history,
        now,
    })
}

/// What happened, in no order.
fn history(
    customer: Option<&CustomerRow>,
    billings: &[BillingRow],
    waiting: &[SetAsideEvent],
    unpublished: &[(String, DateTime<Utc>)],
    now: DateTime<Utc>,
) -> Vec<Moment> {
    let mut moments = Vec::new();
    let mut add = |at: Option<DateTime<Utc>>, tone, what| {
        moments.extend(at.map(|at| Moment {
            at,
            tone,
            what,
            link: None,
        }));
    };
    if let Some(customer) = customer {
        add(customer.created_at, Tone::Good, Text::of("customer-was-made"));
        if customer.updated_at != customer.created_at {
            add(customer.updated_at, Tone::Plain, Text::of("customer-was-changed"));
        }
    }
    for billing in billings {
        let of = |text: Text| text.with("id", &billing.billing_id);
        add(billing.generated_at, Tone::Plain, of(Text::of("customer-billing-made")));
        add(
            billing.paid_at.filter(|_| billing.is_paid),
            Tone::Good,
            of(Text::of("customer-billing-paid")),
        );
        add(
            billing.due_at.filter(|_| billing.is_overdue(now)),
            Tone::Bad,
            of(Text::of("customer-billing-overdue")),
        );
    }
    for (kind, at) in unpublished {
        add(
            Some(*at),
            Tone::Plain,
            Text::of("customer-unpublished").with("kind", kind),
        );
    }
    moments.extend(waiting.iter().map(|event| Moment {
        at: event.set_aside_at,
        tone: Tone::Warning,
        what: Text::of("customer-event-waits").with("kind", &event.kind),
        link: Some(set_aside_page::address(event)),
    }));
    moments
}

#[expect(clippy::unused_self, reason = "templates call these through `self`, with references")]
impl CustomerPage {
    fn state(&self, customer: &CustomerRow) -> Badge {
        customers::state(&self.page, customer)
    }

    fn row<'a>(&'a self, row: &'a BillingRow) -> BillingLine<'a> {
        BillingLine::new(&self.page, row, self.now, "customer")
    }

    fn mark(&self, moment: &Moment) -> &'static str {
        moment.tone.class()
    }

    /// Where all the customer's billings are.
    fn all_billings(&self) -> String {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("user", &self.user_id)
            .finish();
        format!("/dashboard/billings?{query}")
    }
}
