//! One order: its document, its sale in Billz beside it, what differs, and its jobs.

mod compare;

use askama::Template;
use axum::extract::{Path, Query, State};
use billwright_domain::{BillzClientId, DocumentId};
use billwright_store::billz::{
    clients::Clients,
    ledger::{Ledger, LedgerEntry},
    order_documents::{OrderDocument, OrderDocuments, OrderRow},
    order_sagas::{OrderSagas, Saga},
};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use self::compare::{Known, Row, changes, compare};
use super::{
    job::{pretty, saga_badge},
    jobs::job_href,
    jobs_history::{HistoryRow, ledger_badge},
    orders::order_badge,
};
use crate::{
    action::{ActionResult, Done, Form},
    dashboard::Dashboard,
    masking::masked,
    page::{Badge, Page, PageResult, render},
    sales::Look,
    section::{Dependency, Needs, Trouble, configured, within},
    text::Text,
    visit::Visit,
};

/// The most jobs that are listed.
const JOBS: u32 = 50;

/// Whether Billz is to be asked.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct OrderQuery {
    billz: String,
}

#[derive(Debug, Template)]
#[template(path = "order.html")]
struct OrderPage {
    page: Page,
    order: OrderDocument,
    saga: Option<Saga>,
    history: Vec<HistoryRow>,
    json: String,
    /// `None` until somebody asks.
    beside: Option<Result<Beside, Trouble>>,
}

/// The sale beside the document.
#[derive(Debug)]
struct Beside {
    at: DateTime<Utc>,
    is_there: bool,
    rows: Vec<Row>,
    /// What was seen, so that nothing else is brought in than what the preview showed.
    seen: String,
}

/// An order with what is known about it here.
struct Found {
    order: OrderDocument,
    saga: Option<Saga>,
    entries: Vec<LedgerEntry>,
    known: Known,
}

/// `GET /dashboard/order/{id}`.
pub(crate) async fn show(
    visit: Visit,
    State(dashboard): State<Dashboard>,
    Path(id): Path<String>,
    Query(query): Query<OrderQuery>,
) -> PageResult {
    let found = find(&dashboard, &id).await?;
    let beside = match (&query.billz, &found.order.row.billz_id) {
        (asked, Some(sale)) if !asked.is_empty() => Some(dashboard.sales().look(sale).await),
        _ => None,
    };
    let beside = beside.map(|look| look.map(|look| beside_of(&found, &look)));
    let name = found.order.row.number.clone().unwrap_or_else(|| id.clone());
    let name: String = name.chars().take(100).collect();
    render(&OrderPage {
        page: Page::new(visit, "orders", Text::of("order-title").with("number", name)),
        json: pretty(&found.order.json),
        order: found.order,
        saga: found.saga,
        history: found.entries.into_iter().map(HistoryRow::of).collect(),
        beside,
    })
}

async fn find(dashboard: &Dashboard, id: &str) -> Result<Found, Trouble> {
    let not_found = || Trouble::NotFound(Text::of("order-none").with("id", id.chars().take(100).collect::<String>()));
    let mongo = configured(dashboard.sources().billz_database.as_ref(), Needs::Worker)?;
    let id = DocumentId::parse(id).ok_or_else(not_found)?;
    let found = within(Dependency::MongoDb, async {
        let Some(order) = OrderDocuments::new(mongo).get(&id).await? else {
            return Ok(None);
        };
        let mut names = vec![id.to_string()];
        names.extend(order.row.number.clone());
        names.extend(order.row.billz_id.as_ref().map(ToString::to_string));
        let saga = OrderSagas::new(mongo).find(&id).await?;
        names.extend(saga.as_ref().and_then(|saga| saga.billz_id.clone()));
        let ledger = Ledger::new(mongo);
        let entries = ledger.of_order(&names, JOBS).await?;
        let placing = match &saga {
            Some(saga) => ledger.get(&saga.operation).await?,
            None => None,
        };
        let client = match &order.client {
            Some(client) => Clients::new(mongo)
                .find(client)
                .await?
                .and_then(|client| client.billz_id),
            None => None,
        };
        let known = Known {
            client: client.and_then(|id| BillzClientId::parse(id.trim()).ok()),
            products: placing.map(|entry| billz_products(&entry.payload)).unwrap_or_default(),
        };
        Ok::<_, billwright_store::StoreError>(Some(Found {
            order,
            saga,
            entries,
            known,
        }))
    })
    .await?;
    found.ok_or_else(not_found)
}

/// The document does not keep the Billz id of a product where its `productID` is another; the job's payload does.
fn billz_products(payload: &serde_json::Value) -> std::collections::HashMap<String, String> {
    let products = payload["products"].as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => Some(text.trim().to_owned()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    products
        .iter()
        .filter_map(|product| Some((text(&product["productID"])?, text(&product["ID"])?)))
        .collect()
}

fn beside_of(found: &Found, look: &Look) -> Beside {
    Beside {
        at: look.at,
        is_there: look.sale.is_some(),
        rows: compare(&found.order, look.sale.as_ref(), &found.known),
        seen: seen(&found.order, look),
    }
}

/// Stands for what was compared: the document as it was last changed, and the sale.
fn seen(order: &OrderDocument, look: &Look) -> String {
    let mut hash = Sha256::new();
    hash.update(
        order
            .row
            .updated_at
            .map(|at| at.timestamp_millis())
            .unwrap_or_default()
            .to_le_bytes(),
    );
    hash.update(look.sale.as_ref().map(|sale| sale.raw.to_string()).unwrap_or_default());
    hex::encode(&hash.finalize()[..16])
}

/// The question before it is done.
pub(crate) fn question() -> Text {
    Text::of("order-reconcile-question")
}

/// What is to be brought in.
#[derive(Debug, Deserialize)]
pub(crate) struct Reconcile {
    seen: String,
    #[serde(default)]
    take: Vec<String>,
}

/// `POST /dashboard/order/{id}/reconcile`. It moves neither money nor stock: only the document changes.
pub(crate) async fn reconcile(
    State(dashboard): State<Dashboard>,
    Path(id): Path<String>,
    Form(form): Form<Reconcile>,
) -> ActionResult {
    let found = find(&dashboard, &id).await?;
    let sale = found.order.row.billz_id.as_ref();
    let sale = sale.ok_or_else(|| Trouble::Refused(Text::of("order-no-sale")))?;
    let look = dashboard.sales().look(sale).await?;
    let outdated = || Trouble::Refused(Text::of("order-changed-meanwhile"));
    if seen(&found.order, &look) != form.seen {
        return Err(outdated());
    }
    let changes = changes(&found.order, look.sale.as_ref(), &found.known, &form.take);
    if changes.is_empty() {
        return Err(Trouble::Refused(Text::of("order-nothing-chosen")));
    }
    let mongo = configured(dashboard.sources().billz_database.as_ref(), Needs::Worker)?;
    let (documents, row) = (OrderDocuments::new(mongo), &found.order.row);
    let brought = documents.bring_in(&row.id, row.updated_at, &changes, dashboard.clock().now());
    if !within(Dependency::MongoDb, brought).await? {
        return Err(outdated());
    }
    let taken = form.take.join(", ");
    let to = format!("/dashboard/order/{}?billz=1", row.id);
    Ok(Done::then(to, Text::of("order-reconciled")).noting(format!("from sale {sale}: {taken}")))
}

#[expect(
    clippy::unused_self,
    clippy::trivially_copy_pass_by_ref,
    reason = "templates call methods, with references"
)]
impl OrderPage {
    fn order_badge(&self, order: &OrderRow) -> Badge {
        order_badge(&self.page, order.state())
    }

    fn ledger_badge(&self, state: &str) -> Badge {
        ledger_badge(&self.page, state)
    }

    fn saga_badge(&self, saga: &Saga) -> Badge {
        saga_badge(&self.page, saga)
    }

    fn saga_job(&self, saga: &Saga) -> String {
        job_href(&saga.job_id)
    }

    fn masked(&self, text: &str) -> String {
        masked(text)
    }

    fn takes_any(&self, beside: &Beside) -> bool {
        beside.rows.iter().any(|row| row.differs && row.take.is_some())
    }

    /// Several rows of one product are brought in together; the first of them has the box.
    fn has_box(&self, beside: &Beside, place: &usize) -> bool {
        let row = &beside.rows[*place];
        let is_first = |row: &Row| {
            let same = |other: &&Row| other.differs && other.take == row.take;
            beside
                .rows
                .iter()
                .find(same)
                .is_some_and(|first| first.what == row.what)
        };
        row.differs && row.take.is_some() && is_first(row)
    }
}
