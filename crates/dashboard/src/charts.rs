//! Charts, drawn here as SVG. Colours are stand-ins that the style sheet replaces, so that charts follow dark mode.

use std::collections::{BTreeMap, btree_map::Entry};

use askama::{Template, filters::HtmlSafe};
use billwright_store::operations::samples::{Every, Sample};
use chrono::{DateTime, TimeDelta, Utc};
use plotters::prelude::*;

use crate::{page::Page, text::Text};

/// The stand-ins, which `style.css` knows: text, grid, and one for each line.
const TEXT: RGBColor = RGBColor(1, 1, 1);
const GRID: RGBColor = RGBColor(1, 1, 2);
const LINES: [RGBColor; 3] = [RGBColor(1, 1, 3), RGBColor(1, 1, 4), RGBColor(1, 1, 5)];

/// The drawing's size, which the page scales.
const SIZE: (u32, u32) = (480, 180);
/// The most rows of the table beside a chart.
const ROWS: usize = 12;

/// How far back charts go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Span {
    #[default]
    Hour,
    Day,
    Week,
}

impl Span {
    pub(crate) const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Week];

    /// Its word in addresses.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
        }
    }

    /// The span of a word; the hour for what is none.
    pub(crate) fn of_word(word: Option<&str>) -> Self {
        Self::ALL
            .into_iter()
            .find(|span| Some(span.word()) == word)
            .unwrap_or_default()
    }

    pub(crate) fn every(self) -> Every {
        match self {
            Self::Hour => Every::Minute,
            Self::Day | Self::Week => Every::Quarter,
        }
    }

    /// How much one point of a line covers, in seconds. A week of quarters would be a thicket.
    fn point(self) -> i64 {
        match self {
            Self::Hour | Self::Day => self.every().seconds(),
            Self::Week => 3600,
        }
    }

    fn point_of(self, at: DateTime<Utc>) -> DateTime<Utc> {
        let seconds = at.timestamp();
        DateTime::from_timestamp(seconds - seconds.rem_euclid(self.point()), 0).unwrap_or(at)
    }

    pub(crate) fn length(self) -> TimeDelta {
        match self {
            Self::Hour => TimeDelta::hours(1),
            Self::Day => TimeDelta::hours(24),
            Self::Week => TimeDelta::days(7),
        }
    }

    /// The marks on the time axis.
    fn step(self) -> i64 {
        match self {
            Self::Hour => 600,
            Self::Day => 4 * 3600,
            Self::Week => 24 * 3600,
        }
    }

    fn format(self) -> &'static str {
        match self {
            Self::Hour | Self::Day => "%H:%M",
            Self::Week => "%m-%d",
        }
    }
}

/// What a chart's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// How many in a minute or quarter of an hour; none where nothing was written.
    Counted,
    /// How many at the moment.
    Level,
    /// How long.
    Seconds,
}

/// One line of a chart.
#[derive(Debug)]
pub(crate) struct Line {
    label: Text,
    points: Vec<(DateTime<Utc>, Option<f64>)>,
}

/// The samples of a span, with a place for each minute or quarter, written or not.
pub(crate) struct Trend {
    span: Span,
    places: Vec<DateTime<Utc>>,
    samples: BTreeMap<DateTime<Utc>, Sample>,
}

impl Trend {
    pub(crate) fn new(span: Span, now: DateTime<Utc>, samples: &[Sample]) -> Self {
        let (mut at, last) = (span.point_of(now - span.length()), span.point_of(now));
        let mut places = Vec::new();
        while at <= last {
            places.push(at);
            at += TimeDelta::seconds(span.point());
        }
        let mut by_place: BTreeMap<DateTime<Utc>, Sample> = BTreeMap::new();
        for sample in samples {
            match by_place.entry(span.point_of(sample.at)) {
                Entry::Vacant(place) => drop(place.insert(sample.clone())),
                Entry::Occupied(mut place) => place.get_mut().add(sample),
            }
        }
        Self {
            span,
            places,
            samples: by_place,
        }
    }

    fn line(&self, label: Text, value: impl Fn(Option<&Sample>) -> Option<f64>) -> Line {
        let points = self
            .places
            .iter()
            .map(|at| (*at, value(self.samples.get(at))))
            .collect();
        Line { label, points }
    }

    /// What was counted.
    #[expect(clippy::cast_precision_loss, reason = "counts of a quarter of an hour")]
    pub(crate) fn counted(&self, label: Text, series: &str) -> Line {
        self.line(label, |sample| {
            Some(
                sample
                    .and_then(|sample| sample.counts.get(series))
                    .copied()
                    .unwrap_or_default() as f64,
            )
        })
    }

    /// The time that `share` of what was measured did not exceed.
    pub(crate) fn quantile(&self, label: Text, series: &str, share: f64) -> Line {
        self.line(label, |sample| sample?.times.get(series)?.quantile(share))
    }

    /// A level that every process sees alike.
    pub(crate) fn highest(&self, label: Text, series: &str) -> Line {
        self.line(label, |sample| {
            sample?.levels.get(series)?.iter().copied().reduce(f64::max)
        })
    }

    /// A level of which every process has its part.
    pub(crate) fn together(&self, label: Text, series: &str) -> Line {
        self.line(label, |sample| Some(sample?.levels.get(series)?.iter().sum()))
    }

    /// A chart of lines.
    pub(crate) fn chart(&self, title: Text, unit: Unit, lines: Vec<Line>) -> Chart {
        Chart {
            span: self.span,
            title,
            unit,
            lines,
        }
    }
}

/// A chart.
#[derive(Debug)]
pub(crate) struct Chart {
    span: Span,
    title: Text,
    unit: Unit,
    lines: Vec<Line>,
}

impl Chart {
    /// Whether there is anything to see.
    pub(crate) fn is_empty(&self) -> bool {
        let mut points = self.lines.iter().flat_map(|line| &line.points);
        !points.any(|(_, value)| value.is_some_and(|value| value > 0.0))
    }

    /// The chart as it stands in a page.
    pub(crate) fn figure<'a>(&'a self, page: &'a Page, id: &'a usize) -> Figure<'a> {
        let svg = self.svg().unwrap_or_else(|problem| {
            tracing::warn!(problem, "a chart could not be drawn");
            String::new()
        });
        Figure {
            page,
            id: *id,
            chart: self,
            svg: svg.replacen(
                "<svg ",
                "<svg role=\"img\" aria-hidden=\"true\" focusable=\"false\" ",
                1,
            ),
        }
    }

    fn top(&self) -> f64 {
        let values = self
            .lines
            .iter()
            .flat_map(|line| &line.points)
            .filter_map(|(_, value)| *value);
        let highest = values.fold(0.0, f64::max);
        let least = match self.unit {
            Unit::Counted | Unit::Level => 4.0,
            Unit::Seconds => 0.1,
        };
        (highest * 1.1).max(least)
    }

    fn svg(&self) -> Result<String, String> {
        let Some((first, last)) = self.ends() else {
            return Ok(String::new());
        };
        let step = self.span.step();
        let marks: Vec<i64> = (first.div_ceil_euclid(step)..=last.div_euclid(step))
            .map(|index| index * step)
            .collect();
        let mut svg = String::new();
        let drawn: Result<(), DrawingAreaErrorKind<_>> = (|| {
            let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
            let mut context = ChartBuilder::on(&area)
                .margin(6)
                .margin_right(24)
                .x_label_area_size(24)
                .y_label_area_size(match self.unit {
                    Unit::Counted | Unit::Level => 44,
                    Unit::Seconds => 76,
                })
                .build_cartesian_2d((first..last).with_key_points(marks), 0.0..self.top())?;
            context
                .configure_mesh()
                .disable_x_mesh()
                .light_line_style(TRANSPARENT)
                .bold_line_style(GRID)
                .axis_style(GRID)
                .label_style(("sans-serif", 13, &TEXT))
                .x_label_formatter(&|at| {
                    DateTime::from_timestamp(*at, 0)
                        .map_or_else(String::new, |at| at.format(self.span.format()).to_string())
                })
                .y_label_formatter(&|value| self.said(*value))
                .y_labels(4)
                .draw()?;
            for (line, colour) in self.lines.iter().zip(LINES) {
                for run in line.points.split(|(_, value)| value.is_none()) {
                    let points: Vec<(i64, f64)> = run
                        .iter()
                        .filter_map(|(at, value)| Some((at.timestamp(), (*value)?)))
                        .collect();
                    if let [alone] = points.as_slice() {
                        context.draw_series([Circle::new(*alone, 2, colour.filled())])?;
                    } else {
                        context.draw_series(LineSeries::new(points, colour.stroke_width(2)))?;
                    }
                }
            }
            area.present()
        })();
        drawn.map_err(|error| error.to_string())?;
        Ok(svg)
    }

    fn ends(&self) -> Option<(i64, i64)> {
        let points = &self.lines.first()?.points;
        let (first, last) = (points.first()?.0.timestamp(), points.last()?.0.timestamp());
        (first < last).then_some((first, last))
    }

    fn said(&self, value: f64) -> String {
        match self.unit {
            Unit::Counted | Unit::Level => short_number(value),
            Unit::Seconds => duration(value),
        }
    }

    /// The same as text: at most [`ROWS`] rows, each with the sum of what was counted or the highest of all else.
    fn rows(&self) -> Vec<(DateTime<Utc>, Vec<String>)> {
        let places = self.lines.first().map_or(0, |line| line.points.len());
        let at_once = places.div_ceil(ROWS).max(1);
        (0..places)
            .step_by(at_once)
            .map(|start| {
                let cells = self.lines.iter().map(|line| {
                    let end = (start + at_once).min(line.points.len());
                    let values = line.points[start..end].iter().filter_map(|(_, value)| *value);
                    let value = match self.unit {
                        Unit::Counted => values.reduce(|sum, value| sum + value),
                        Unit::Level | Unit::Seconds => values.reduce(f64::max),
                    };
                    value.map_or_else(|| "–".to_owned(), |value| self.said(value))
                });
                (self.lines[0].points[start].0, cells.collect())
            })
            .collect()
    }
}

trait DivCeilEuclid {
    fn div_ceil_euclid(self, by: Self) -> Self;
}

impl DivCeilEuclid for i64 {
    fn div_ceil_euclid(self, by: Self) -> Self {
        -(-self).div_euclid(by)
    }
}

/// A chart as it stands in a page, with its numbers as a table.
#[derive(Debug, Template)]
#[template(path = "blocks/chart.html")]
pub(crate) struct Figure<'a> {
    page: &'a Page,
    id: usize,
    chart: &'a Chart,
    svg: String,
}

impl HtmlSafe for Figure<'_> {}

/// A number with three digits or so: `950`, `12.3k`, `1.2M`.
fn short_number(value: f64) -> String {
    if value >= 999_500.0 {
        format!("{:.1}M", value / 1_000_000.0)
    } else if value >= 10_000.0 {
        format!("{:.1}k", value / 1_000.0)
    } else if value.fract().abs() < 0.005 {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    }
}

/// A time in the symbols that all our languages share: `35 ms`, `1.2 s`, `3 min 20 s`, `2 h 5 min`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "cut on purpose, at both ends"
)]
pub(crate) fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        _ if seconds <= 0.0 => "0 s".to_owned(),
        _ if seconds < 0.9995 => format!("{:.0} ms", seconds * 1000.0),
        _ if seconds < 9.95 => format!("{seconds:.1} s"),
        0..60 => format!("{whole} s"),
        60..3600 => two(whole / 60, "min", whole % 60, "s"),
        3600..86_400 => two(whole / 3600, "h", whole % 3600 / 60, "min"),
        _ => two(whole / 86_400, "d", whole % 86_400 / 3600, "h"),
    }
}

fn two(great: u64, unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 {
        format!("{great} {unit}")
    } else {
        format!("{great} {unit} {small} {small_unit}")
    }
}

#[cfg(test)]
mod tests {
    use billwright_store::operations::samples::Times;

    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-03-01T10:30:20Z".parse().unwrap()
    }

    fn sample(minutes_ago: i64, completed: u64) -> Sample {
        let at = Every::Minute.begin_of(now() - TimeDelta::minutes(minutes_ago));
        let mut times = Times::default();
        times.buckets[4] = completed;
        Sample {
            at,
            counts: [("done".to_owned(), completed)].into(),
            times: [("time".to_owned(), times)].into(),
            levels: [("lag".to_owned(), vec![2.0, 3.0])].into(),
        }
    }

    fn chart(unit: Unit, line: impl Fn(&Trend, Text) -> Line) -> Chart {
        let trend = Trend::new(Span::Hour, now(), &[sample(30, 3), sample(29, 5), sample(5, 7)]);
        let line = line(&trend, Text::of("flash-done"));
        trend.chart(Text::of("flash-done"), unit, vec![line])
    }

    #[test]
    fn what_was_counted_is_zero_where_nothing_was_written_and_all_else_is_not_known() {
        let counted = chart(Unit::Counted, |trend, label| trend.counted(label, "done"));
        assert_eq!(counted.lines[0].points.len(), 61);
        assert!(counted.lines[0].points.iter().all(|(_, value)| value.is_some()));
        let sum: f64 = counted.lines[0].points.iter().filter_map(|(_, value)| *value).sum();
        assert!((sum - 15.0).abs() < f64::EPSILON);
        let timed = chart(Unit::Seconds, |trend, label| trend.quantile(label, "time", 0.5));
        assert_eq!(
            timed.lines[0]
                .points
                .iter()
                .filter(|(_, value)| value.is_some())
                .count(),
            3
        );
        let level = chart(Unit::Level, |trend, label| trend.together(label, "lag"));
        assert!(level.lines[0].points.iter().any(|(_, value)| *value == Some(5.0)));
        let level = chart(Unit::Level, |trend, label| trend.highest(label, "lag"));
        assert!(level.lines[0].points.iter().any(|(_, value)| *value == Some(3.0)));
    }

    #[test]
    fn a_drawing_holds_only_colours_that_the_style_sheet_knows() {
        let drawn = chart(Unit::Seconds, |trend, label| trend.quantile(label, "time", 0.5))
            .svg()
            .unwrap();
        assert!(drawn.contains("10:00") && drawn.contains("10:30"), "{drawn}");
        assert!(!drawn.contains("style=") && !drawn.contains("<script"));
        let style = include_str!("../assets/style.css");
        for colour in drawn.split("=\"#").skip(1).map(|after| &after[..6]) {
            assert!(
                style.contains(&format!("\"#{colour}\"")),
                "#{colour} is not in style.css"
            );
        }
    }

    #[test]
    fn the_table_has_few_rows_and_loses_nothing() {
        let rows = chart(Unit::Counted, |trend, label| trend.counted(label, "done")).rows();
        assert!(rows.len() <= ROWS, "{}", rows.len());
        let sum: u64 = rows.iter().map(|(_, cells)| cells[0].parse::<u64>().unwrap()).sum();
        assert_eq!(sum, 15);
    }

    #[test]
    fn times_are_said_as_people_say_them() {
        let said = [0.0, 0.035, 0.9996, 1.24, 12.4, 60.0, 200.0, 7500.0, 90_000.0].map(duration);
        assert_eq!(
            said,
            [
                "0 s",
                "35 ms",
                "1.0 s",
                "1.2 s",
                "12 s",
                "1 min",
                "3 min 20 s",
                "2 h 5 min",
                "1 d 1 h"
            ]
        );
    }
}
