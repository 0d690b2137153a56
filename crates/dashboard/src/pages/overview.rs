//! The overview: is everything all right, and if not, what to look at.

mod concerns;

use std::{fmt::Display, sync::Arc, time::Duration};

use askama::Template;
use axum::extract::{Query, State};
use billwright_store::{
    StoreError,
    operations::{
        processes::{ProcessDependency, ProcessReport, Processes},
        samples::{Sample, Samples, Times},
    },
};
use serde::Deserialize;

use self::concerns::Concern;
use crate::{
    cached::Cached,
    charts::{Chart, Span, Trend, Unit, duration},
    dashboard::Dashboard,
    live::Snapshot,
    page::{Badge, Page, PageResult, Tone, render},
    samples::series::name,
    section::{Dependency, Needs, Trouble, configured, within},
    text::Text,
    visit::Visit,
};

/// How long one reading of what changes slowly serves all viewers.
const FRESH: Duration = Duration::from_secs(4);

/// What the overview reads from MongoDB, once for all viewers.
pub(crate) struct Trends {
    minutes: Cached<Vec<Sample>>,
    day: Cached<Vec<Sample>>,
    week: Cached<Vec<Sample>>,
    processes: Cached<Vec<ProcessReport>>,
}

impl Default for Trends {
    fn default() -> Self {
        Self {
            minutes: Cached::new(Dependency::MongoDb, FRESH),
            day: Cached::new(Dependency::MongoDb, FRESH * 4),
            week: Cached::new(Dependency::MongoDb, FRESH * 8),
            processes: Cached::new(Dependency::MongoDb, FRESH),
        }
    }
}

impl Trends {
    async fn samples(&self, dashboard: &Dashboard, span: Span) -> Result<Arc<Vec<Sample>>, Trouble> {
        let cached = match span {
            Span::Hour => &self.minutes,
            Span::Day => &self.day,
            Span::Week => &self.week,
        };
        let mongo = configured(dashboard.sources().operations_database(), Needs::AnyRole)?;
        let (samples, from) = (Samples::new(mongo), dashboard.clock().now() - span.length());
        cached
            .get(|| async move { within(Dependency::MongoDb, samples.since(span.every(), from)).await })
            .await
    }

    async fn processes(&self, dashboard: &Dashboard) -> Result<Arc<Vec<ProcessReport>>, Trouble> {
        let mongo = configured(dashboard.sources().operations_database(), Needs::AnyRole)?;
        let processes = Processes::new(mongo);
        self.processes
            .get(|| async move { within::<_, StoreError>(Dependency::MongoDb, processes.alive()).await })
            .await
    }
}

/// The last hour in figures.
#[derive(Debug, Default)]
struct Hour {
    minutes: Vec<Sample>,
}

impl Hour {
    fn count(&self, series: &str) -> u64 {
        self.minutes.iter().filter_map(|minute| minute.counts.get(series)).sum()
    }

    fn times(&self, series: &str) -> Times {
        let mut all = Times::default();
        for times in self.minutes.iter().filter_map(|minute| minute.times.get(series)) {
            all.add(times);
        }
        all
    }

    /// The median and what one in twenty exceeds.
    fn typical(&self, series: &str) -> String {
        let times = self.times(series);
        match (times.quantile(0.5), times.quantile(0.95)) {
            (Some(half), Some(most)) => format!("{} / {}", duration(half), duration(most)),
            _ => "–".to_owned(),
        }
    }

    /// The latest of a level of which every process has its part.
    fn together(&self, series: &str) -> Option<f64> {
        let last = self.minutes.last()?;
        Some(last.levels.get(series)?.iter().sum())
    }
}

#[derive(Debug, Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    page: Page,
    span: Span,
    now: Arc<Snapshot>,
    hour: Result<Hour, Trouble>,
    processes: Result<Arc<Vec<ProcessReport>>, Trouble>,
    concerns: Vec<Concern>,
    shows: Shows,
    charts: Result<Vec<Chart>, Trouble>,
}

/// Which products there are, in this process or another one.
#[derive(Debug, Clone, Copy)]
struct Shows {
    orders: bool,
    billing: bool,
}

/// What is asked of the overview.
#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    range: Option<String>,
}

/// `GET /dashboard`.
pub(crate) async fn show(visit: Visit, State(dashboard): State<Dashboard>, Query(wanted): Query<Wanted>) -> PageResult {
    let span = Span::of_word(wanted.range.as_deref());
    let trends = dashboard.trends();
    let (now, minutes, samples, processes) = tokio::join!(
        dashboard.live().snapshot(),
        trends.samples(&dashboard, Span::Hour),
        trends.samples(&dashboard, span),
        trends.processes(&dashboard),
    );
    let hour = minutes.map(|minutes| Hour {
        minutes: minutes.to_vec(),
    });
    let sources = dashboard.sources();
    let has_role = |role: &str| {
        let all = processes.as_ref().ok().into_iter().flat_map(|all| all.iter());
        all.flat_map(|process| &process.roles).any(|found| found == role)
    };
    let shows = Shows {
        orders: sources.queue.is_some() || has_role("worker"),
        billing: sources.billing_database.is_some() || has_role("api") || has_role("events"),
    };
    let charts = samples.map(|samples| charts(shows, &Trend::new(span, now.at, &samples)));
    let concerns = concerns::of(&concerns::Seen {
        now: &now,
        hour: hour.as_ref().ok(),
        processes: processes.as_ref().ok().map_or(&[], |processes| processes.as_slice()),
        orders: shows.orders,
    });
    render(&OverviewPage {
        page: Page::new(visit, "overview", Text::of("overview-title")),
        span,
        now,
        hour,
        processes,
        concerns,
        shows,
        charts,
    })
}

fn charts(shows: Shows, trend: &Trend) -> Vec<Chart> {
    let half = || Text::of("chart-half");
    let most = || Text::of("chart-most");
    let mut charts = Vec::new();
    if shows.orders {
        charts.extend([
            trend.chart(
                Text::of("chart-jobs"),
                Unit::Counted,
                vec![
                    trend.counted(Text::of("chart-completed"), name::JOBS_COMPLETED),
                    trend.counted(Text::of("chart-failed"), name::JOBS_FAILED),
                    trend.counted(Text::of("chart-retried"), name::JOBS_RETRIED),
                ],
            ),
            trend.chart(
                Text::of("chart-job-time"),
                Unit::Seconds,
                vec![
                    trend.quantile(half(), name::JOB_TIME, 0.5),
                    trend.quantile(most(), name::JOB_TIME, 0.95),
                ],
            ),
            trend.chart(
                Text::of("chart-waiting"),
                Unit::Level,
                vec![trend.highest(Text::of("chart-waiting-jobs"), name::QUEUE_WAITING)],
            ),
            trend.chart(
                Text::of("chart-oldest"),
                Unit::Seconds,
                vec![trend.highest(Text::of("chart-oldest-job"), name::QUEUE_OLDEST)],
            ),
            trend.chart(
                Text::of("chart-billz"),
                Unit::Counted,
                vec![
                    trend.counted(Text::of("chart-answered"), name::BILLZ_OK),
                    trend.counted(Text::of("chart-failed"), name::BILLZ_FAILED),
                ],
            ),
            trend.chart(
                Text::of("chart-budget"),
                Unit::Seconds,
                vec![
                    trend.quantile(half(), name::BUDGET_WAIT, 0.5),
                    trend.quantile(most(), name::BUDGET_WAIT, 0.95),
                ],
            ),
            trend.chart(
                Text::of("chart-budget-waiting"),
                Unit::Level,
                vec![trend.together(Text::of("chart-calls"), name::BUDGET_WAITING)],
            ),
        ]);
    }
    if shows.billing {
        charts.extend([
            trend.chart(
                Text::of("chart-api"),
                Unit::Counted,
                vec![
                    trend.counted(Text::of("chart-requests"), name::API_REQUESTS),
                    trend.counted(Text::of("chart-failed"), name::API_FAILED),
                ],
            ),
            trend.chart(
                Text::of("chart-api-time"),
                Unit::Seconds,
                vec![
                    trend.quantile(half(), name::API_TIME, 0.5),
                    trend.quantile(most(), name::API_TIME, 0.95),
                ],
            ),
            trend.chart(
                Text::of("chart-events"),
                Unit::Counted,
                vec![
                    trend.counted(Text::of("chart-applied"), name::EVENTS_APPLIED),
                    trend.counted(Text::of("chart-dead"), name::EVENTS_DEAD),
                    trend.counted(Text::of("chart-set-aside"), name::EVENTS_SET_ASIDE),
                ],
            ),
            trend.chart(
                Text::of("chart-lag"),
                Unit::Level,
                vec![trend.together(Text::of("chart-lag-events"), name::EVENTS_LAG)],
            ),
        ]);
    }
    charts
}

/// A figure with its label, and how good it is.
#[derive(Debug)]
struct Fact {
    label: Text,
    value: String,
    tone: Tone,
    /// Whether the value is a sentence rather than a number.
    words: bool,
}

impl OverviewPage {
    fn tone(&self) -> Tone {
        let tones = self.concerns.iter().map(|concern| concern.tone);
        tones.fold(Tone::Good, |worst, tone| if worst == Tone::Bad { worst } else { tone })
    }

    fn spans(&self) -> Vec<(bool, String, Text)> {
        let said = |span: Span| match span {
            Span::Hour => Text::of("overview-hour"),
            Span::Day => Text::of("overview-day"),
            Span::Week => Text::of("overview-week"),
        };
        let links = Span::ALL.into_iter();
        links
            .map(|span| {
                (
                    span == self.span,
                    self.page.visit.address_with("range", span.word()),
                    said(span),
                )
            })
            .collect()
    }

    /// Figures of the last hour.
    fn facts(&self, of: fn(&Self, &Hour) -> Vec<Fact>) -> Result<Vec<Fact>, &Trouble> {
        self.hour.as_ref().map(|hour| of(self, hour))
    }

    #[expect(clippy::unused_self, reason = "one of the lists that `facts` takes")]
    fn order_facts(&self, hour: &Hour) -> Vec<Fact> {
        let failed = hour.count(name::JOBS_FAILED);
        vec![
            plain(Text::of("overview-completed"), hour.count(name::JOBS_COMPLETED)),
            bad_if_any(Text::of("overview-failed"), failed),
            plain(Text::of("overview-retried"), hour.count(name::JOBS_RETRIED)),
            plain(Text::of("overview-job-time"), hour.typical(name::JOB_TIME)),
            plain(Text::of("overview-notified"), hour.count(name::NOTIFICATIONS_SENT)),
        ]
    }

    fn billz_facts(&self, hour: &Hour) -> Vec<Fact> {
        let mut waiting = 0;
        let mut breaker = "closed";
        for process in self.processes.as_ref().ok().into_iter().flat_map(|all| all.iter()) {
            if let Some(billz) = &process.billz {
                waiting += billz.payments_waiting + billz.ordinary_waiting;
                breaker = match (breaker, billz.breaker.as_str()) {
                    ("open", _) | (_, "open") => "open",
                    ("half_open", _) | (_, "half_open") => "half_open",
                    _ => "closed",
                };
            }
        }
        let (said, tone) = match breaker {
            "open" => (Text::of("breaker-open"), Tone::Bad),
            "half_open" => (Text::of("breaker-half-open"), Tone::Warning),
            _ => (Text::of("breaker-closed"), Tone::Good),
        };
        vec![
            plain(
                Text::of("overview-calls"),
                hour.count(name::BILLZ_OK) + hour.count(name::BILLZ_FAILED),
            ),
            bad_if_any(Text::of("overview-calls-failed"), hour.count(name::BILLZ_FAILED)),
            plain(Text::of("overview-call-time"), hour.typical(name::BILLZ_TIME)),
            plain(Text::of("overview-budget-wait"), hour.typical(name::BUDGET_WAIT)),
            plain(Text::of("overview-budget-waiting"), waiting),
            Fact {
                label: Text::of("overview-breaker"),
                value: said.said(self.page.visit.texts),
                tone,
                words: true,
            },
        ]
    }

    #[expect(clippy::unused_self, reason = "one of the lists that `facts` takes")]
    fn billing_facts(&self, hour: &Hour) -> Vec<Fact> {
        vec![
            plain(Text::of("overview-requests"), hour.count(name::API_REQUESTS)),
            bad_if_any(Text::of("overview-requests-failed"), hour.count(name::API_FAILED)),
            plain(Text::of("overview-request-time"), hour.typical(name::API_TIME)),
            plain(Text::of("overview-applied"), hour.count(name::EVENTS_APPLIED)),
            plain(
                Text::of("overview-lag"),
                hour.together(name::EVENTS_LAG)
                    .map_or_else(|| "–".to_owned(), |lag| format!("{lag:.0}")),
            ),
            plain(Text::of("overview-delay"), hour.typical(name::EVENTS_DELAY)),
            plain(Text::of("overview-set-aside"), hour.count(name::EVENTS_SET_ASIDE)),
            bad_if_any(Text::of("overview-dead"), hour.count(name::EVENTS_DEAD)),
        ]
    }

    fn condition(&self, dependency: &ProcessDependency) -> Badge {
        let (tone, text) = match dependency.condition.as_str() {
            "up" => (Tone::Good, Text::of("condition-up")),
            "degraded" => (Tone::Warning, Text::of("condition-degraded")),
            _ => (Tone::Bad, Text::of("condition-down")),
        };
        self.page.badge(tone, text)
    }
}

fn plain(label: Text, value: impl Display) -> Fact {
    Fact {
        label,
        value: value.to_string(),
        tone: Tone::Plain,
        words: false,
    }
}

fn bad_if_any(label: Text, count: u64) -> Fact {
    Fact {
        tone: if count > 0 { Tone::Bad } else { Tone::Plain },
        ..plain(label, count)
    }
}
