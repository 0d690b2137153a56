//! The overview: is everything all right.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use billwright_domain::{Condition, DependencyHealth};

use crate::{
    dashboard::Dashboard,
    live::Snapshot,
    page::{Badge, Page, PageResult, Tone, render},
    text::Text,
    visit::Visit,
};

#[derive(Debug, Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    page: Page,
    now: Arc<Snapshot>,
}

/// `GET /dashboard`.
pub(crate) async fn show(visit: Visit, State(dashboard): State<Dashboard>) -> PageResult {
    render(&OverviewPage {
        page: Page::new(visit, "overview", Text::of("overview-title")),
        now: dashboard.live().snapshot().await,
    })
}

impl OverviewPage {
    fn condition(&self, health: &DependencyHealth) -> Badge {
        let (tone, text) = match health.condition {
            Condition::Up => (Tone::Good, Text::of("condition-up")),
            Condition::Degraded => (Tone::Warning, Text::of("condition-degraded")),
            Condition::Down => (Tone::Bad, Text::of("condition-down")),
        };
        self.page.badge(tone, text)
    }
}
