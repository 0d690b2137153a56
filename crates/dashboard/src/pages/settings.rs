//! The configuration that is in effect in this process, and what it logs.

use std::{sync::Arc, time::Duration};

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use crate::{
    action::{ActionResult, Done, Form},
    dashboard::Dashboard,
    page::{Page, PageResult, render},
    routes::BASE,
    section::Trouble,
    sources::{EffectiveSetting, LogLevel},
    text::Text,
    visit::Visit,
};

/// The longest filter.
const LONGEST_FILTER: usize = 500;

#[derive(Debug, Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    page: Page,
    process: String,
    version: &'static str,
    sections: Vec<(&'static str, Vec<EffectiveSetting>)>,
    log_level: Option<Arc<dyn LogLevel>>,
}

/// `GET /dashboard/settings`.
pub(crate) async fn show(visit: Visit, State(dashboard): State<Dashboard>) -> PageResult {
    let sources = dashboard.sources();
    let mut sections: Vec<(&'static str, Vec<EffectiveSetting>)> = Vec::new();
    for setting in &sources.settings {
        match sections.last_mut() {
            Some((section, settings)) if *section == setting.section => settings.push(setting.clone()),
            _ => sections.push((setting.section, vec![setting.clone()])),
        }
    }
    render(&SettingsPage {
        page: Page::new(visit, "settings", Text::of("settings-title")),
        process: sources.process.name.clone(),
        version: sources.process.version,
        sections,
        log_level: sources.log_level.clone(),
    })
}

impl SettingsPage {
    #[expect(clippy::unused_self, reason = "a template calls it")]
    fn is_default(&self, setting: &EffectiveSetting) -> bool {
        setting.origin == "default"
    }

    #[expect(clippy::unused_self, reason = "a template calls it")]
    fn lastings(&self) -> [(&'static str, Text); 3] {
        [
            ("10", Text::of("settings-ten-minutes")),
            ("60", Text::of("settings-hour")),
            ("", Text::of("settings-until-restart")),
        ]
    }
}

/// The form's fields.
#[derive(Debug, Deserialize)]
pub(crate) struct Change {
    filter: String,
    /// In minutes; empty for no end.
    #[serde(default)]
    lasting: String,
}

/// `POST /dashboard/settings/log-level`.
pub(crate) async fn change_log_level(State(dashboard): State<Dashboard>, Form(change): Form<Change>) -> ActionResult {
    let level = dashboard.sources().log_level.as_ref();
    let level = level.ok_or_else(|| Trouble::NotFound(Text::of("settings-no-log-level")))?;
    let filter = change.filter.trim();
    let wrong = |expected: String| Trouble::Refused(Text::of("settings-wrong-filter").with("expected", expected));
    if filter.is_empty() || filter.len() > LONGEST_FILTER {
        return Err(wrong(format!("1 to {LONGEST_FILTER} characters")));
    }
    let lasting = match change.lasting.as_str() {
        "" => None,
        minutes => {
            let minutes: Option<u64> = minutes.parse().ok().filter(|minutes| (1..=1440).contains(minutes));
            Some(Duration::from_secs(
                60 * minutes.ok_or_else(|| wrong("1 to 1440 minutes".to_owned()))?,
            ))
        }
    };
    level.change(filter, lasting).map_err(wrong)?;
    let done = Done::then(
        format!("{BASE}/settings"),
        Text::of("settings-log-level-changed").with("filter", filter),
    );
    Ok(done.noting(format!("filter `{filter}`")))
}
