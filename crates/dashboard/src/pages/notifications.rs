//! Notifications to the Telegram group: those that wait, those that were sent, and those that were given up.

use std::time::Duration;

use askama::Template;
use axum::extract::{Path, Query, State};
use billwright_store::{
    StoreError,
    billz::notifications::{NewNotification, NotificationRow, NotificationState, Notifications},
    bson::oid::ObjectId,
};
use serde::Deserialize;

use crate::{
    action::{ActionResult, Done},
    dashboard::Dashboard,
    masking::masked,
    page::{Page, PageResult, render},
    pager::Window,
    routes::BASE,
    section::{Dependency, Needs, Trouble, configured, within},
    text::Text,
    visit::Visit,
};

#[derive(Debug, Template)]
#[template(path = "notifications.html")]
struct NotificationsPage {
    page: Page,
    state: NotificationState,
    window: Window,
    /// Whether this process can send.
    sends: bool,
    found: Result<Rows, Trouble>,
}

#[derive(Debug)]
struct Rows {
    messages: Vec<NotificationRow>,
    /// How many there are in the state that is shown.
    total: u64,
    /// How many there are in each, in the order of [`NotificationState::ALL`].
    counts: [u64; 3],
}

/// What is asked for.
#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    state: Option<String>,
    #[serde(flatten)]
    window: Window,
}

fn word(state: NotificationState) -> &'static str {
    match state {
        NotificationState::Waiting => "waiting",
        NotificationState::Sent => "sent",
        NotificationState::Failed => "failed",
    }
}

/// `GET /dashboard/notifications`.
pub(crate) async fn show(visit: Visit, State(dashboard): State<Dashboard>, Query(wanted): Query<Wanted>) -> PageResult {
    let state = NotificationState::ALL
        .into_iter()
        .find(|state| Some(word(*state)) == wanted.state.as_deref())
        .unwrap_or(NotificationState::Sent);
    render(&NotificationsPage {
        page: Page::new(visit, "notifications", Text::of("notifications-title")),
        state,
        window: wanted.window,
        sends: dashboard.sources().telegram.is_some(),
        found: rows(&dashboard, state, wanted.window).await,
    })
}

fn notifications(dashboard: &Dashboard) -> Result<Notifications, Trouble> {
    configured(dashboard.sources().billz_database.as_ref(), Needs::Worker).map(Notifications::new)
}

async fn rows(dashboard: &Dashboard, state: NotificationState, window: Window) -> Result<Rows, Trouble> {
    let notifications = notifications(dashboard)?;
    within(Dependency::MongoDb, async {
        let (messages, waiting, sent, failed) = tokio::try_join!(
            notifications.page(state, window.offset().into(), window.limit()),
            notifications.count(NotificationState::Waiting),
            notifications.count(NotificationState::Sent),
            notifications.count(NotificationState::Failed),
        )?;
        Ok::<_, StoreError>(Rows {
            messages,
            total: match state {
                NotificationState::Waiting => waiting,
                NotificationState::Sent => sent,
                NotificationState::Failed => failed,
            },
            counts: [waiting, sent, failed],
        })
    })
    .await
}

/// `POST /dashboard/notifications/test`: a message that goes the whole way which all others go.
pub(crate) async fn send_test(visit: Visit, State(dashboard): State<Dashboard>) -> ActionResult {
    configured(dashboard.sources().telegram.as_ref(), Needs::Notifications)?;
    let message = NewNotification {
        kind: "test",
        fold: None,
        // Names hold no character that Telegram's HTML would take for its own: see `users`.
        text: format!(
            "\u{1f514} <b>Test message</b>\n\nSent from the dashboard by <code>{}</code>.",
            visit
                .who
                .as_ref()
                .map(|person| person.name.as_str())
                .unwrap_or_default()
        ),
        spacing: Duration::ZERO,
    };
    within(Dependency::MongoDb, notifications(&dashboard)?.add(&message)).await?;
    Ok(Done::then(
        format!("{BASE}/notifications?state=waiting"),
        Text::of("notifications-test-queued"),
    ))
}

/// `POST /dashboard/notifications/{id}/again`.
pub(crate) async fn send_again(State(dashboard): State<Dashboard>, Path(id): Path<String>) -> ActionResult {
    configured(dashboard.sources().telegram.as_ref(), Needs::Notifications)?;
    let unknown = || Trouble::NotFound(Text::of("notifications-unknown"));
    let id = ObjectId::parse_str(&id).map_err(|_| unknown())?;
    let again = notifications(&dashboard)?;
    if !within(Dependency::MongoDb, again.send_again(id)).await? {
        return Err(unknown());
    }
    Ok(Done::then(
        format!("{BASE}/notifications?state=waiting"),
        Text::of("notifications-queued"),
    ))
}

impl NotificationsPage {
    fn tabs(&self) -> Vec<(bool, String, Text, u64)> {
        let counts = self.found.as_ref().map_or([0; 3], |found| found.counts);
        let tab = |(state, count): (NotificationState, u64)| {
            let label = match state {
                NotificationState::Waiting => Text::of("notifications-waiting"),
                NotificationState::Sent => Text::of("notifications-sent"),
                NotificationState::Failed => Text::of("notifications-failed"),
            };
            let href = format!("{BASE}/notifications?state={}", word(state));
            (state == self.state, href, label, count)
        };
        NotificationState::ALL.into_iter().zip(counts).map(tab).collect()
    }

    /// A message's text without its markup, line by line.
    #[expect(clippy::unused_self, reason = "a template calls it")]
    fn lines(&self, row: &NotificationRow) -> Vec<String> {
        let text = masked(&without_markup(&row.text));
        text.lines()
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect()
    }

    #[expect(clippy::unused_self, reason = "a template calls it")]
    fn error(&self, error: &str) -> String {
        masked(error)
    }

    fn may_send_again(&self) -> bool {
        self.sends && self.page.may_act() && self.state != NotificationState::Waiting
    }
}

/// The text in Telegram's HTML as a person reads it: our own messages use few tags, and escape all that is not ours.
fn without_markup(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        text.push_str(&rest[..at]);
        rest = rest[at..].split_once('>').map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_goes_and_what_was_escaped_stays() {
        let html = "<b>Failed</b>\nReason: <code>a &lt; b &amp;amp; &quot;c&quot;</code>";
        assert_eq!(without_markup(html), "Failed\nReason: a < b &amp; \"c\"");
        assert_eq!(without_markup("cut <cod"), "cut ");
    }
}
