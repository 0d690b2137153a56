//! `wrk`, the load generator of the HTTP benchmarks.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::process::Command;

use super::figures::{count, float, percentile};

const SCRIPT: &str = include_str!("load.lua");
/// How long one answer may take: a list of all billings in a crowd takes its time.
const PATIENCE: &str = "120s";

/// What is asked for.
#[derive(Debug, Clone)]
pub(super) struct Requests {
    script: PathBuf,
    paths: PathBuf,
    bodies: Option<PathBuf>,
    connections: u32,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Answers {
    pub(super) requests: f64,
    pub(super) seconds: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    refused: u64,
    broken: u64,
}

impl Answers {
    /// Those of a bare loop that took these times.
    pub(super) fn of_loop(times_ms: &[f64], seconds: f64) -> Result<Self> {
        let nothing = "the bare loop did nothing";
        Ok(Self {
            requests: count(times_ms.len()),
            seconds,
            p50_ms: percentile(times_ms, 50).context(nothing)?,
            p99_ms: percentile(times_ms, 99).context(nothing)?,
            refused: 0,
            broken: 0,
        })
    }
}

impl Requests {
    /// `GET` of the paths, one after another on every connection. Files go to `folder`.
    pub(super) fn get(
        folder: &Path,
        name: &str,
        paths: impl IntoIterator<Item = String>,
        connections: u32,
    ) -> Result<Self> {
        let script = folder.join("load.lua");
        std::fs::write(&script, SCRIPT)?;
        Ok(Self {
            script,
            paths: lines(folder, &format!("{name}.paths"), paths)?,
            bodies: None,
            connections,
        })
    }

    /// `POST` of the bodies to a path.
    pub(super) fn post(
        folder: &Path,
        name: &str,
        path: &str,
        bodies: impl IntoIterator<Item = String>,
        connections: u32,
    ) -> Result<Self> {
        Ok(Self {
            bodies: Some(lines(folder, &format!("{name}.bodies"), bodies)?),
            ..Self::get(folder, name, [path.to_owned()], connections)?
        })
    }

    /// Asks the server at `url` for as long as `lasts`. An answer that is no success is an error.
    pub(super) async fn ask(&self, url: &str, lasts: Duration) -> Result<Answers> {
        let output = Command::new("wrk")
            .arg("-t1")
            .arg(format!("-c{}", self.connections))
            .arg(format!("-d{}s", lasts.as_secs().max(1)))
            .args(["--timeout", PATIENCE, "-s"])
            .arg(&self.script)
            .args([url, "--"])
            .arg(&self.paths)
            .args(&self.bodies)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .output()
            .await
            .context("cannot run `wrk`, which makes the HTTP load: install the package `wrk`")?;
        let said = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            bail!("wrk ended with {}: {}", output.status, said.trim());
        }
        let answers = parse(&said).with_context(|| format!("wrk gave no figures: {}", said.trim()))?;
        ensure!(
            answers.refused == 0 && answers.broken == 0,
            "{} answers of {url} were no success and {} connections failed",
            answers.refused,
            answers.broken
        );
        ensure!(answers.requests > 0.0, "{url} answered nothing within {lasts:?}");
        Ok(answers)
    }
}

fn lines(folder: &Path, name: &str, lines: impl IntoIterator<Item = String>) -> Result<PathBuf> {
    let file = folder.join(name);
    let text: String = lines.into_iter().flat_map(|line| [line, "\n".to_owned()]).collect();
    std::fs::write(&file, text)?;
    Ok(file)
}

fn parse(said: &str) -> Option<Answers> {
    let figures = said.lines().find_map(|line| line.strip_prefix("FIGURES "))?;
    let numbers: Vec<u64> = figures
        .split_whitespace()
        .map_while(|number| number.parse().ok())
        .collect();
    let &[requests, micros, p50, p99, refused, broken] = numbers.as_slice() else {
        return None;
    };
    Some(Answers {
        requests: float(requests),
        seconds: float(micros) / 1e6,
        p50_ms: float(p50) / 1e3,
        p99_ms: float(p99) / 1e3,
        refused,
        broken,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_figures_between_other_lines() {
        let said =
            "Running 1s test @ http://127.0.0.1:1\n  1 threads and 4 connections\nFIGURES 1000 2000000 1500 9000 0 3\n";
        let answers = parse(said).unwrap();
        assert_eq!(
            answers,
            Answers {
                requests: 1_000.0,
                seconds: 2.0,
                p50_ms: 1.5,
                p99_ms: 9.0,
                refused: 0,
                broken: 3
            }
        );
        assert_eq!(parse("FIGURES 1 2\n"), None);
        assert_eq!(parse("no figures\n"), None);
    }
}
