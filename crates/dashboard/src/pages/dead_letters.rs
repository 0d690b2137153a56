//! Messages that could never be applied: the list, one of them raw, and putting them back into their topics.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use askama::Template;
use axum::extract::{Path, Query, State};
use billwright_events::admin::{
    Place,
    dead_letters::{self, DeadLetterRow, Replay, ReplayRow},
};
use billwright_store::operations::replays;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use crate::{
    action::{ActionResult, Done, Form},
    broker::NEWEST_LETTERS,
    dashboard::Dashboard,
    page::{Badge, Page, PageResult, Tone, render},
    pager::Window,
    section::{Blames as _, Dependency, Needs, Trouble, configured, within},
    sent::Sent,
    text::Text,
    visit::Visit,
};

/// How many dead letters are put back at once; what a form of the largest size holds.
const MOST_REPLAYED: usize = 500;
/// How far the brokers' clock may be ahead of ours.
const CLOCKS_APART: TimeDelta = TimeDelta::minutes(5);
/// How long putting back may take. An operator waits longer for an action than a viewer for a page.
const REPLAY_WITHIN: Duration = Duration::from_secs(30);

/// Which are wanted. What is empty does not count.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Search {
    code: String,
    topic: String,
    /// `new` leaves out what was put back.
    state: String,
}

/// A dead letter with what the pages know of it beside the brokers.
#[derive(Debug, Clone)]
struct Letter {
    row: DeadLetterRow,
    /// When it was put back from here.
    replayed_at: Option<DateTime<Utc>>,
}

impl Letter {
    fn was_replayed(&self) -> bool {
        self.row.replayed || self.replayed_at.is_some()
    }
}

#[derive(Debug, Template)]
#[template(path = "dead_letters.html")]
struct DeadLettersPage {
    page: Page,
    search: Search,
    window: Window,
    letters: Result<Letters, Trouble>,
}

/// The newest letters that were searched for.
#[derive(Debug)]
struct Letters {
    /// Those of this page.
    rows: Vec<Letter>,
    /// How many there are.
    total: u64,
    /// How many of them were not put back yet.
    new: usize,
    /// Every kind of reason that there is, searched for or not.
    codes: BTreeSet<String>,
    topics: BTreeSet<String>,
    /// Whether there may be older ones, which are not looked at.
    cut: bool,
}

/// `GET /dashboard/dead-letters`.
pub(crate) async fn show(
    visit: Visit,
    State(dashboard): State<Dashboard>,
    Query(search): Query<Search>,
    Query(window): Query<Window>,
) -> PageResult {
    let letters = list(&dashboard, &search, window).await;
    render(&DeadLettersPage {
        page: Page::new(visit, "events", Text::of("dead-letters-title")),
        search,
        window,
        letters,
    })
}

async fn list(dashboard: &Dashboard, search: &Search, window: Window) -> Result<Letters, Trouble> {
    let all = dashboard.broker()?.letters().await?;
    let letters = known(dashboard, &all).await?;
    let codes = letters.iter().map(|letter| letter.row.code.clone()).collect();
    let topics = letters.iter().map(|letter| letter.row.place.topic.clone()).collect();
    let cut = letters.len() >= usize::try_from(NEWEST_LETTERS).unwrap_or(usize::MAX);
    let mut rows: Vec<Letter> = letters.into_iter().filter(|letter| search.wants(letter)).collect();
    let total = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    let new = rows.iter().filter(|letter| !letter.was_replayed()).count();
    let first = usize::try_from(window.offset()).unwrap_or(usize::MAX).min(rows.len());
    rows.drain(..first);
    rows.truncate(usize::try_from(window.limit()).unwrap_or(usize::MAX));
    Ok(Letters {
        rows,
        total,
        new,
        codes,
        topics,
        cut,
    })
}

impl Search {
    fn wants(&self, letter: &Letter) -> bool {
        (self.code.is_empty() || self.code == letter.row.code)
            && (self.topic.is_empty() || self.topic == letter.row.place.topic)
            && (self.state != "new" || !letter.was_replayed())
    }
}

/// Adds what was put back from here.
async fn known(dashboard: &Dashboard, rows: &[DeadLetterRow]) -> Result<Vec<Letter>, Trouble> {
    let mongo = configured(dashboard.sources().operations_database(), Needs::AnyRole)?;
    let places: Vec<String> = rows.iter().map(|row| row.place.to_string()).collect();
    let replayed: HashMap<String, DateTime<Utc>> = within(Dependency::MongoDb, replays::of(mongo, &places)).await?;
    let letters = rows.iter().zip(&places).map(|(row, place)| Letter {
        // A topic that was made anew has other letters at the same places.
        replayed_at: replayed
            .get(place)
            .copied()
            .filter(|at| row.buried_at.is_none_or(|buried| buried <= *at + CLOCKS_APART)),
        row: row.clone(),
    });
    Ok(letters.collect())
}

#[derive(Debug, Template)]
#[template(path = "dead_letter.html")]
struct DeadLetterPage {
    page: Page,
    letter: Letter,
    sent: Sent,
}

/// `GET /dashboard/dead-letters/{topic}/{partition}/{offset}`.
pub(crate) async fn show_letter(
    visit: Visit,
    State(dashboard): State<Dashboard>,
    Path((topic, partition, offset)): Path<(String, i32, i64)>,
) -> PageResult {
    let place = Place {
        topic,
        partition,
        offset,
    };
    let settings = dashboard.broker()?.settings();
    of_ours(&dashboard, &place)?;
    let raw = within(Dependency::Kafka, dead_letters::raw(settings, &place)).await?;
    let letter = known(&dashboard, &[raw.row]).await?.pop();
    let letter = letter.ok_or_else(|| Trouble::Failed("the dead letter was lost on the way".to_owned()))?;
    render(&DeadLetterPage {
        page: Page::new(
            visit,
            "events",
            Text::of("dead-letter-title").with("place", place.to_string()),
        ),
        sent: Sent::of(
            raw.key.as_deref(),
            raw.value.as_deref().unwrap_or_default(),
            &raw.headers,
        ),
        letter,
    })
}

/// Pages show messages of topics of dead letters and of no others.
fn of_ours(dashboard: &Dashboard, place: &Place) -> Result<(), Trouble> {
    let settings = dashboard.broker()?.settings();
    let ours = settings
        .topics
        .iter()
        .any(|topic| settings.dead_letter_topic(topic) == place.topic);
    ours.then_some(())
        .ok_or_else(|| Trouble::NotFound(Text::of("trouble-no-message").with("place", place.to_string())))
}

/// What is to be put back: these, or all of a search that were not put back before.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wanted {
    place: Vec<String>,
    all: String,
    #[serde(flatten)]
    search: Search,
}

#[derive(Debug, Template)]
#[template(path = "dead_letters_replay.html")]
struct ReplayPage {
    page: Page,
    /// What goes back, and what stays with the reason.
    rows: Vec<ReplayRow>,
    goes: usize,
}

/// `GET /dashboard/dead-letters/replay`: what putting back would do.
pub(crate) async fn preview(visit: Visit, State(dashboard): State<Dashboard>) -> PageResult {
    let wanted: Wanted = serde_html_form::from_str(visit.uri.query().unwrap_or_default())
        .map_err(|_| Trouble::Refused(Text::of("guard-form-wrong")))?;
    let places = places(&dashboard, &wanted).await?;
    let settings = dashboard.broker()?.settings();
    let rows = within(
        Dependency::Kafka,
        dead_letters::replay(settings, &Replay::These(places), true),
    )
    .await?;
    render(&ReplayPage {
        page: Page::new(visit, "events", Text::of("dead-letters-replay-title")),
        goes: rows.iter().filter(|row| row.skipped.is_none()).count(),
        rows,
    })
}

async fn places(dashboard: &Dashboard, wanted: &Wanted) -> Result<Vec<Place>, Trouble> {
    let places: Vec<Place> = if wanted.all.is_empty() {
        let wrong = |_| Trouble::Refused(Text::of("guard-form-wrong"));
        wanted
            .place
            .iter()
            .map(|place| place.parse().map_err(wrong))
            .collect::<Result<_, _>>()?
    } else {
        let letters = known(dashboard, &dashboard.broker()?.letters().await?).await?;
        let new = letters
            .into_iter()
            .filter(|letter| wanted.search.wants(letter) && !letter.was_replayed());
        new.map(|letter| letter.row.place).collect()
    };
    if places.is_empty() {
        return Err(Trouble::Refused(Text::of("dead-letters-none-chosen")));
    }
    if places.len() > MOST_REPLAYED {
        return Err(Trouble::Refused(
            Text::of("dead-letters-too-many").with("most", MOST_REPLAYED),
        ));
    }
    for place in &places {
        of_ours(dashboard, place)?;
    }
    Ok(places)
}

/// What the confirmed form says.
#[derive(Debug, Deserialize)]
pub(crate) struct Confirmed {
    #[serde(default)]
    place: Vec<String>,
}

/// `POST /dashboard/dead-letters/replay`: puts back what the preview showed.
pub(crate) async fn replay(State(dashboard): State<Dashboard>, Form(confirmed): Form<Confirmed>) -> ActionResult {
    let wanted = Wanted {
        place: confirmed.place,
        ..Wanted::default()
    };
    let places = places(&dashboard, &wanted).await?;
    let broker = dashboard.broker()?;
    let mongo = configured(dashboard.sources().operations_database(), Needs::AnyRole)?;
    // They count as put back from now on: one that goes twice changes nothing, and one that is thought to wait still shows
    // itself at the consumer.
    let these = Replay::These(places);
    let replaying = dead_letters::replay(broker.settings(), &these, false);
    let rows = tokio::time::timeout(REPLAY_WITHIN, replaying)
        .await
        .map_err(|_| {
            Trouble::away(
                Dependency::Kafka,
                format!("no answer within {} s", REPLAY_WITHIN.as_secs()),
            )
        })?
        .map_err(|error| error.trouble(Dependency::Kafka))?;
    let gone: Vec<String> = rows
        .iter()
        .filter(|row| row.skipped.is_none())
        .map(|row| row.place.to_string())
        .collect();
    within(
        Dependency::MongoDb,
        replays::note(mongo, &gone, dashboard.clock().now()),
    )
    .await?;
    broker.forget();
    let stayed = rows.len() - gone.len();
    let detail = gone.iter().take(20).map(String::as_str).collect::<Vec<_>>().join(" ");
    let said = Text::of("dead-letters-replayed")
        .with("count", gone.len())
        .with("stayed", stayed);
    let done = Done::then("/dashboard/dead-letters", said).noting(format!("{}: {detail}", gone.len()));
    Ok(if stayed > 0 { done.in_part() } else { done })
}

#[expect(clippy::unused_self, reason = "templates call these through `self`, with references")]
impl DeadLettersPage {
    fn address(&self, letter: &Letter) -> String {
        format!("/dashboard/dead-letters/{}", letter.row.place)
    }

    fn state(&self, letter: &Letter) -> Badge {
        state(&self.page, letter)
    }

    /// Where all that were searched for and not put back are put back.
    fn replay_all(&self) -> String {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("all", "yes")
            .append_pair("code", &self.search.code)
            .append_pair("topic", &self.search.topic)
            .finish();
        format!("/dashboard/dead-letters/replay?{query}")
    }
}

impl DeadLetterPage {
    fn state(&self) -> Badge {
        state(&self.page, &self.letter)
    }
}

fn state(page: &Page, letter: &Letter) -> Badge {
    if letter.was_replayed() {
        page.badge(Tone::Good, Text::of("dead-letter-replayed"))
    } else {
        page.badge(Tone::Warning, Text::of("dead-letter-new"))
    }
}
