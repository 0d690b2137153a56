//! Finding jobs by what a person has at hand: a job's id, a correlation id, any name of an order, a phone number.

use askama::Template;
use axum::{
    extract::{Query, State},
    response::{IntoResponse, Redirect},
};
use billwright_domain::{DocumentId, Phone};
use billwright_store::billz::{
    job_attempts::JobAttempts,
    ledger::Ledger,
    order_documents::{OrderDocuments, OrderRow},
};
use billwright_worker::admin::{AdminError, JobState, JobSummary, Wanted, phone_hash};
use form_urlencoded::Serializer;
use serde::Deserialize;

use super::{
    jobs::{JobRow, state_text, state_tone},
    jobs_history::{HistoryRow, ledger_badge},
};
use crate::{
    dashboard::Dashboard,
    page::{Badge, Page, PageResult, render},
    section::{Dependency, Needs, Trouble, configured, within},
    text::Text,
    visit::Visit,
};

/// The most rows of each list; whoever gets as many searches for something narrower.
const ROWS: u32 = 50;
/// How many jobs of each state are looked into.
const LOOK_AT: u32 = 300;

/// What is searched for. A phone number never stands here: the search for one leads on to an address that holds its hash, the
/// clients that have it, and its masked form.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SearchQuery {
    pub(crate) q: String,
    pub(crate) phone: String,
    pub(crate) clients: String,
    pub(crate) shown: String,
}

impl SearchQuery {
    /// What stands in the address, without blanks around it and bounded.
    pub(crate) fn wanted(&self) -> &str {
        let text = self.q.trim();
        let end = text.char_indices().nth(200).map_or(text.len(), |(end, _)| end);
        &text[..end]
    }

    /// The clients, of whom there are few.
    pub(crate) fn client_ids(&self) -> Vec<DocumentId> {
        self.clients.split(',').filter_map(DocumentId::parse).take(20).collect()
    }

    /// The masked number; what is none says nothing.
    pub(crate) fn shown_phone(&self) -> &str {
        let is_masked = self.shown.len() <= 20 && self.shown.chars().all(|letter| "+*0123456789".contains(letter));
        if is_masked && self.shown.contains('*') {
            &self.shown
        } else {
            ""
        }
    }
}

/// The phone number that somebody searches for, if it is one: with a `+`, or nine digits and more.
pub(crate) fn phone_of(wanted: &str) -> Option<Phone> {
    let phone = Phone::parse(wanted).ok()?;
    (wanted.starts_with('+') || phone.digits().len() >= 9).then_some(phone)
}

/// Where the search for a phone number leads on to.
pub(crate) async fn phone_address(dashboard: &Dashboard, page: &str, phone: &Phone) -> Result<String, Trouble> {
    let mongo = configured(dashboard.sources().billz_database.as_ref(), Needs::Worker)?;
    let orders = OrderDocuments::new(mongo);
    let clients = within(Dependency::MongoDb, orders.clients_of_phone(phone)).await?;
    let clients: Vec<_> = clients.iter().map(DocumentId::as_str).collect();
    let query = Serializer::new(String::new())
        .append_pair("phone", &phone_hash(phone))
        .append_pair("clients", &clients.join(","))
        .append_pair("shown", &phone.to_string())
        .finish();
    Ok(format!("{page}?{query}"))
}

#[derive(Debug, Template)]
#[template(path = "jobs_search.html")]
struct SearchPage {
    page: Page,
    query: SearchQuery,
    in_queue: Result<InQueue, Trouble>,
    history: Result<Vec<HistoryRow>, Trouble>,
    orders: Result<Vec<OrderRow>, Trouble>,
}

#[derive(Debug)]
struct InQueue {
    rows: Vec<JobRow>,
    /// Whether every job was looked into.
    is_whole: bool,
}

/// `GET /dashboard/jobs/search`.
pub(crate) async fn show(
    visit: Visit,
    State(dashboard): State<Dashboard>,
    Query(query): Query<SearchQuery>,
) -> PageResult {
    let wanted = query.wanted();
    if wanted.is_empty() && query.phone.is_empty() {
        return Ok(Redirect::to("/dashboard/jobs").into_response());
    }
    let orders = orders(&dashboard, &query).await;
    if let Some(phone) = phone_of(wanted) {
        let is_order = orders.as_ref().is_ok_and(|orders| !orders.is_empty());
        if wanted.starts_with('+') || !(is_order || is_job(&dashboard, wanted).await) {
            let address = phone_address(&dashboard, "/dashboard/jobs/search", &phone).await?;
            return Ok(Redirect::to(&address).into_response());
        }
    }
    let mut names = vec![wanted.to_owned()];
    for order in orders.iter().flatten().take(5) {
        names.push(order.id.to_string());
        names.extend(order.number.clone());
        names.extend(order.billz_id.as_ref().map(ToString::to_string));
    }
    names.sort_unstable();
    names.dedup();
    let (in_queue, history) = tokio::join!(in_queue(&dashboard, &query), history(&dashboard, &query, &names));
    render(&SearchPage {
        page: Page::new(visit, "jobs", Text::of("jobs-search-title")),
        query,
        in_queue,
        history,
        orders,
    })
}

async fn is_job(dashboard: &Dashboard, id: &str) -> bool {
    matches!(by_id(dashboard, id).await, Ok(Some(_)))
}

async fn by_id(dashboard: &Dashboard, id: &str) -> Result<Option<JobSummary>, Trouble> {
    let queue = configured(dashboard.sources().queue.as_ref(), Needs::Worker)?
        .admin()
        .await?;
    within(Dependency::Redis, async {
        match queue.show(id).await {
            Ok(job) => Ok(Some(job.summary)),
            Err(AdminError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    })
    .await
}

async fn orders(dashboard: &Dashboard, query: &SearchQuery) -> Result<Vec<OrderRow>, Trouble> {
    let mongo = configured(dashboard.sources().billz_database.as_ref(), Needs::Worker)?;
    let orders = OrderDocuments::new(mongo);
    within(Dependency::MongoDb, async {
        if query.wanted().is_empty() {
            orders.of_clients(&query.client_ids(), ROWS).await
        } else {
            orders.named(query.wanted(), ROWS).await
        }
    })
    .await
}

async fn in_queue(dashboard: &Dashboard, query: &SearchQuery) -> Result<InQueue, Trouble> {
    let queue = configured(dashboard.sources().queue.as_ref(), Needs::Worker)?
        .admin()
        .await?;
    let mut jobs = Vec::new();
    let mut searches = vec![Wanted::PhoneHash(&query.phone)];
    if !query.wanted().is_empty() {
        jobs.extend(by_id(dashboard, query.wanted()).await?);
        searches = vec![Wanted::Correlation(query.wanted()), Wanted::Order(query.wanted())];
    }
    let found = within(Dependency::Redis, queue.search(&searches, ROWS as usize, LOOK_AT)).await?;
    for job in found.0 {
        if jobs.iter().all(|known: &JobSummary| known.id != job.id) {
            jobs.push(job);
        }
    }
    Ok(InQueue {
        rows: jobs.into_iter().map(JobRow::of).collect(),
        is_whole: found.1,
    })
}

async fn history(dashboard: &Dashboard, query: &SearchQuery, names: &[String]) -> Result<Vec<HistoryRow>, Trouble> {
    let mongo = configured(dashboard.sources().billz_database.as_ref(), Needs::Worker)?;
    let (ledger, attempts) = (Ledger::new(mongo), JobAttempts::new(mongo));
    let wanted = query.wanted();
    let entries = within(Dependency::MongoDb, async {
        if !wanted.is_empty() {
            let (by_job, by_correlation, by_order) = tokio::try_join!(
                ledger.of_job(wanted, ROWS),
                ledger.of_correlation(wanted, ROWS),
                ledger.of_order(names, ROWS)
            )?;
            return Ok([by_job, by_correlation, by_order].concat());
        }
        let mut found = Vec::new();
        let mut keys: Vec<_> = attempts
            .of_phone(&query.phone, ROWS)
            .await?
            .into_iter()
            .map(|it| it.operation)
            .collect();
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            found.extend(ledger.get(&key).await?);
        }
        let orders = OrderDocuments::new(mongo).of_clients(&query.client_ids(), 20).await?;
        let mut names: Vec<String> = Vec::new();
        for order in orders {
            names.push(order.id.to_string());
            names.extend(order.number);
            names.extend(order.billz_id.map(|id| id.to_string()));
        }
        if !names.is_empty() {
            found.extend(ledger.of_order(&names, ROWS).await?);
        }
        Ok::<_, billwright_store::StoreError>(found)
    })
    .await?;
    let mut entries = entries;
    entries.sort_by(|one, other| {
        other
            .updated_at
            .cmp(&one.updated_at)
            .then_with(|| one.key.cmp(&other.key))
    });
    entries.dedup_by(|one, other| one.key == other.key);
    entries.truncate(ROWS as usize);
    Ok(entries.into_iter().map(HistoryRow::of).collect())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
impl SearchPage {
    fn badge(&self, state: &JobState) -> Badge {
        self.page.badge(state_tone(*state), state_text(*state))
    }

    fn ledger_badge(&self, state: &str) -> Badge {
        ledger_badge(&self.page, state)
    }

    fn order_badge(&self, order: &OrderRow) -> Badge {
        super::orders::order_badge(&self.page, order.state())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_number_is_told_from_an_order_number() {
        assert!(phone_of("+998 90 111 22 33").is_some() && phone_of("998901112233").is_some());
        assert!(phone_of("12345").is_none() && phone_of("A-123456789").is_none());
    }

    #[test]
    fn an_address_shows_a_masked_number_and_no_other_text() {
        let query = |shown: &str| SearchQuery {
            shown: shown.to_owned(),
            ..SearchQuery::default()
        };
        assert_eq!(query("+********2233").shown_phone(), "+********2233");
        for other in ["+998901112233", "<b>", "call us at *"] {
            assert_eq!(query(other).shown_phone(), "");
        }
    }
}
