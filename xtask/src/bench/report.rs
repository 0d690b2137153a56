//! What all runs came to: tables for `docs/PERFORMANCE.md`, and JSON.

use std::collections::BTreeSet;

use bson::doc;
use serde_json::{Map, Value, json};
use tokio::process::Command;

use super::{
    benchmark::Benchmark,
    figures::{Figure, Medians, Row, Summary},
    ground::Ground,
    targets::{self, Judged, Verdict},
};

/// Everything that is reported.
#[derive(Debug)]
pub(super) struct Report {
    about: Vec<(&'static str, String)>,
    quick: bool,
    benchmarks: Vec<Benchmark>,
    rows: Vec<Row>,
    medians: Medians,
}

impl Report {
    /// What there is of the chosen benchmarks.
    pub(super) async fn of(ground: &Ground, benchmarks: &[Benchmark]) -> Self {
        Self {
            about: about(ground).await,
            quick: ground.extent.quick,
            benchmarks: benchmarks.to_vec(),
            rows: ground.rows.clone(),
            medians: Medians::of(&ground.rows),
        }
    }

    /// Tables for people.
    pub(super) fn markdown(&self) -> String {
        let mut lines = vec!["## Measured".to_owned(), String::new()];
        if self.quick {
            lines.push("**Tiny sizes, to see that everything works: these figures mean nothing.**".to_owned());
            lines.push(String::new());
        }
        lines.extend(self.about.iter().map(|(what, found)| format!("- {what}: {found}")));
        for benchmark in &self.benchmarks {
            let summaries = self.medians.of_benchmark(*benchmark);
            if !summaries.is_empty() {
                lines.push(format!("\n### {}: {}\n", benchmark.name(), benchmark.measures()));
                lines.extend(table(&summaries));
            }
        }
        lines.push("\n### Targets\n".to_owned());
        lines.push("| target | asked | reached | |".to_owned());
        lines.push("|---|---|---|---|".to_owned());
        for target in self.targets() {
            lines.push(format!(
                "| {} | {} | {} | {} |",
                target.work,
                target.asked,
                target.reached.map_or_else(|| "-".to_owned(), shown),
                target.verdict
            ));
        }
        lines.join("\n")
    }

    /// The targets of the chosen benchmarks.
    fn targets(&self) -> impl Iterator<Item = Judged> {
        targets::all(&self.medians)
            .into_iter()
            .filter(|target| self.benchmarks.contains(&target.benchmark))
    }

    /// The same for programs, with every single row.
    pub(super) fn json(&self) -> Value {
        let about: Map<String, Value> = self
            .about
            .iter()
            .map(|(what, found)| ((*what).to_owned(), json!(found)))
            .collect();
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                json!({
                    "benchmark": row.benchmark.name(), "case": row.case, "who": row.contender.to_string(),
                    "round": row.round, "figures": figures(&row.figures),
                })
            })
            .collect();
        let medians: Vec<Value> = self
            .benchmarks
            .iter()
            .flat_map(|benchmark| self.medians.of_benchmark(*benchmark))
            .map(|summary| {
                json!({
                    "benchmark": summary.benchmark.name(), "case": summary.case, "who": summary.contender.to_string(),
                    "runs": summary.runs, "figures": figures(&summary.medians),
                })
            })
            .collect();
        let targets: Vec<Value> = self
            .targets()
            .map(|target| {
                let met = match target.verdict {
                    Verdict::Met => Some(true),
                    Verdict::Missed => Some(false),
                    Verdict::Open => None,
                };
                json!({"work": target.work, "asked": target.asked, "reached": target.reached, "met": met})
            })
            .collect();
        json!({"about": about, "quick": self.quick, "rows": rows, "medians": medians, "targets": targets})
    }
}

fn figures(figures: &std::collections::BTreeMap<Figure, f64>) -> Map<String, Value> {
    figures
        .iter()
        .map(|(figure, value)| (figure.heading().to_owned(), json!(value)))
        .collect()
}

fn table(summaries: &[&Summary]) -> Vec<String> {
    let columns: BTreeSet<Figure> = summaries
        .iter()
        .flat_map(|summary| summary.medians.keys())
        .copied()
        .collect();
    let headings: Vec<&str> = columns.iter().map(|figure| figure.heading()).collect();
    let mut lines = vec![
        format!("| what | who | runs | {} |", headings.join(" | ")),
        format!("|---|---|---|{}", "---|".repeat(columns.len())),
    ];
    let mut case_before = "";
    for summary in summaries {
        let case = if summary.case == case_before { "" } else { &summary.case };
        let values: Vec<String> = columns
            .iter()
            .map(|figure| {
                summary
                    .medians
                    .get(figure)
                    .map_or_else(String::new, |value| shown(*value))
            })
            .collect();
        lines.push(format!(
            "| {case} | {} | {} | {} |",
            summary.contender,
            summary.runs,
            values.join(" | ")
        ));
        case_before = &summary.case;
    }
    lines
}

/// Three digits that mean something.
pub(super) fn shown(value: f64) -> String {
    let size = value.abs();
    if size >= 100.0 || value == 0.0 {
        grouped(&format!("{value:.0}"))
    } else if size >= 10.0 {
        format!("{value:.1}")
    } else if size >= 0.995 {
        format!("{value:.2}")
    } else {
        format!("{value:.3}")
    }
}

/// Commas between thousands.
pub(super) fn grouped(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let mut text = String::from(sign);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The machine and the versions of everything.
async fn about(ground: &Ground) -> Vec<(&'static str, String)> {
    let mut about = vec![("machine", machine())];
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    about.push((
        "load average at the end",
        load.split(' ').take(3).collect::<Vec<_>>().join(" "),
    ));
    about.push(("rounds", ground.extent.rounds.to_string()));
    about.push(("Billwright", said(ground.program(), &["--version"]).await));
    let built = if cfg!(debug_assertions) {
        "not optimised"
    } else {
        "optimised"
    };
    about.push(("bare loops", built.to_owned()));
    about.push((
        "peers",
        ground.peers().map_or_else(
            || "not measured".to_owned(),
            |peers| format!("on Node {}", peers.version()),
        ),
    ));
    let about_server = ground
        .client()
        .database("admin")
        .run_command(doc! { "buildInfo": 1 })
        .await;
    let version = about_server
        .ok()
        .and_then(|build| build.get_str("version").map(str::to_owned).ok());
    about.push(("MongoDB", version.unwrap_or_else(|| "of an unknown version".to_owned())));
    let redis = redis_version(&ground.servers().redis.url()).await;
    about.push(("Redis", redis.unwrap_or_else(|| "of an unknown version".to_owned())));
    about.push(("wrk", said(std::path::Path::new("wrk"), &["-v"]).await));
    about
}

fn machine() -> String {
    let processors = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = memory.lines().find_map(|line| {
        line.strip_prefix("MemTotal:")?
            .trim()
            .trim_end_matches(" kB")
            .parse::<u64>()
            .ok()
    });
    format!("{processors} processors, {} GiB", kib.unwrap_or_default() / 1024 / 1024)
}

/// The first line that a program says of itself.
async fn said(program: &std::path::Path, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().await;
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let first = text
        .ok()
        .and_then(|text| text.lines().next().map(|line| line.trim().to_owned()));
    first.unwrap_or_else(|| "says nothing of itself".to_owned())
}

async fn redis_version(url: &str) -> Option<String> {
    let client = redis::Client::open(url).ok()?;
    let mut connection = client.get_multiplexed_async_connection().await.ok()?;
    let about: String = redis::cmd("INFO")
        .arg("server")
        .query_async(&mut connection)
        .await
        .ok()?;
    about.lines().find_map(|line| {
        line.strip_prefix("redis_version:")
            .map(|version| version.trim().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::figures::Contender;

    #[test]
    fn shows_three_digits() {
        for (value, expected) in [
            (0.0, "0"),
            (0.1234, "0.123"),
            (1.234, "1.23"),
            (12.345, "12.3"),
            (123.4, "123"),
            (1_234_567.0, "1,234,567"),
            (-1_234.0, "-1,234"),
        ] {
            assert_eq!(shown(value), expected);
        }
    }

    #[test]
    fn makes_a_table_with_the_columns_that_there_are() {
        let row = |contender, figures: &[(Figure, f64)]| Row {
            benchmark: Benchmark::Reads,
            case: "a billing".to_owned(),
            contender,
            round: 1,
            figures: figures.iter().copied().collect(),
        };
        let medians = Medians::of(&[
            row(Contender::Ours, &[(Figure::Rate, 5_000.0), (Figure::PeakMib, 20.0)]),
            row(Contender::Bare, &[(Figure::Rate, 6_000.0)]),
        ]);
        assert_eq!(
            table(&medians.of_benchmark(Benchmark::Reads)),
            [
                "| what | who | runs | per second | peak MiB |",
                "|---|---|---|---|---|",
                "| a billing | Billwright | 1 | 5,000 | 20.0 |",
                "|  | bare loop | 1 | 6,000 |  |",
            ]
        );
    }
}
