//! The audit: who did what on these pages.

use askama::Template;
use axum::extract::{Query, State};
use billwright_store::operations::audit::{AuditEntry, AuditOutcome};

use crate::{
    dashboard::Dashboard,
    page::{Badge, Page, PageResult, Tone, render},
    pager::Window,
    section::{Dependency, Needs, Trouble, configured, within},
    text::Text,
    visit::Visit,
};

#[derive(Debug, Template)]
#[template(path = "audit.html")]
struct AuditPage {
    page: Page,
    window: Window,
    entries: Result<Entries, Trouble>,
}

#[derive(Debug)]
struct Entries {
    rows: Vec<AuditEntry>,
    total: u64,
}

/// `GET /dashboard/audit`.
pub(crate) async fn show(visit: Visit, State(dashboard): State<Dashboard>, Query(window): Query<Window>) -> PageResult {
    render(&AuditPage {
        page: Page::new(visit, "audit", Text::of("audit-title")),
        window,
        entries: entries(&dashboard, window).await,
    })
}

async fn entries(dashboard: &Dashboard, window: Window) -> Result<Entries, Trouble> {
    let audit = configured(dashboard.audit(), Needs::AnyRole)?;
    within(Dependency::MongoDb, async {
        Ok::<_, billwright_store::StoreError>(Entries {
            rows: audit.list(window.offset().into(), window.limit()).await?,
            total: audit.count().await?,
        })
    })
    .await
}

impl AuditPage {
    fn outcome(&self, entry: &AuditEntry) -> Badge {
        let (tone, text) = match entry.outcome {
            AuditOutcome::Begun => (Tone::Warning, Text::of("audit-begun")),
            AuditOutcome::Done => (Tone::Good, Text::of("audit-done")),
            AuditOutcome::Refused => (Tone::Warning, Text::of("audit-refused")),
            AuditOutcome::Failed => (Tone::Bad, Text::of("audit-failed")),
        };
        self.page.badge(tone, text)
    }
}
