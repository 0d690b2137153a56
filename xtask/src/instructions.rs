//! `cargo xtask instructions`: how many instructions the hot paths take, compared with what is on record. Unlike a time, the
//! count is the same on every machine and however busy it is, so that a change which makes a request, an event or a job
//! dearer is seen in the run that brings it.
//!
//! A hot path is an ignored test whose name begins with `hot_path_`; `billwright_hot_path::counted` marks the part that is
//! counted, and Callgrind counts it. The tests' own unoptimised build is used, since it is there anyway: it tells what the
//! code does, not what the optimiser makes of it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::cargo::{cargo, workspace};

/// By how many percent a path may be dearer than on record: a changed dependency moves counts by less.
const TOLERANCE: u64 = 10;
/// By how many where another compiler built it, whose code differs without anybody's doing.
const TOLERANCE_OF_ANOTHER_COMPILER: u64 = 30;
/// The crates with hot paths; building no others saves time when the command is run alone.
const WITH_HOT_PATHS: [&str; 4] = [
    "billwright-api",
    "billwright-connectors",
    "billwright-events",
    "billwright-worker",
];

/// What to do with the counts.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Put the counts on record instead of comparing them.
    #[arg(long)]
    record: bool,
}

/// What is on record.
#[derive(Debug, PartialEq)]
struct Record {
    compiler: String,
    counts: BTreeMap<String, u64>,
}

/// Counts every hot path. An error names those that are dearer than on record, new, or gone.
pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    let found = Record {
        compiler: compiler().await?,
        counts: count_all().await?,
    };
    let file = workspace().join("tests/instructions.json");
    if arguments.record {
        std::fs::write(&file, found.written()?).with_context(|| format!("cannot write {}", file.display()))?;
        say(&format!("{} hot paths are on record", found.counts.len()));
        return Ok(());
    }
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let record = Record::read(&text).with_context(|| format!("{} is no such record", file.display()))?;
    let (lines, wrong) = record.compare(&found);
    for line in lines {
        say(&line);
    }
    if wrong.is_empty() {
        return Ok(());
    }
    bail!(
        "{}\nWhere that is meant: cargo xtask instructions --record, and say why in the commit",
        wrong.join("\n")
    );
}

impl Record {
    fn read(text: &str) -> Result<Self> {
        let record: Value = serde_json::from_str(text)?;
        let compiler = record["compiler"].as_str().context("it names no compiler")?;
        let counts = record["counts"].as_object().context("it has no counts")?;
        let count = |(name, count): (&String, &Value)| {
            let count = count
                .as_u64()
                .with_context(|| format!("the count of {name} is no number"))?;
            Ok((name.clone(), count))
        };
        Ok(Self {
            compiler: compiler.to_owned(),
            counts: counts.iter().map(count).collect::<Result<_>>()?,
        })
    }

    fn written(&self) -> Result<String> {
        let record = json!({"compiler": self.compiler, "counts": self.counts});
        Ok(serde_json::to_string_pretty(&record)? + "\n")
    }

    /// A line for each path, and what is wrong.
    fn compare(&self, found: &Self) -> (Vec<String>, Vec<String>) {
        let tolerance = if self.compiler == found.compiler {
            TOLERANCE
        } else {
            TOLERANCE_OF_ANOTHER_COMPILER
        };
        let (mut lines, mut wrong) = (Vec::new(), Vec::new());
        for (name, count) in &found.counts {
            let Some(before) = self.counts.get(name) else {
                wrong.push(format!("{name}: {count} instructions, and none on record"));
                continue;
            };
            let percent = i128::from(*count) * 1000 / i128::from(*before).max(1) - 1000;
            let change = format!(
                "{}{}.{} %",
                if percent < 0 { '-' } else { '+' },
                percent.abs() / 10,
                percent.abs() % 10
            );
            lines.push(format!("{count:>12} {change:>9}  {name}"));
            if count.saturating_mul(100) > before.saturating_mul(100 + tolerance) {
                wrong.push(format!(
                    "{name}: {count} instructions, {change} against {before} on record; at most +{tolerance} % is taken"
                ));
            }
        }
        let gone = self.counts.keys().filter(|name| !found.counts.contains_key(*name));
        wrong.extend(gone.map(|name| format!("{name}: on record, but there is no such hot path")));
        (lines, wrong)
    }
}

async fn compiler() -> Result<String> {
    let output = Command::new("rustc").arg("--version").output().await;
    let output = output.context("cannot run rustc")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The count of every hot path, by its name.
async fn count_all() -> Result<BTreeMap<String, u64>> {
    let valgrind = valgrind().await?;
    let folder = tempfile::tempdir()?;
    let mut counts = BTreeMap::new();
    for (package, program) in test_programs().await? {
        let mut list = Command::new(&program);
        list.args(["hot_path_", "--ignored", "--list", "--format=terse"]);
        for test in output(&mut list)
            .await?
            .lines()
            .filter_map(|line| line.strip_suffix(": test"))
        {
            let count = count(&valgrind, &program, test, folder.path()).await;
            let name = format!("{package}::{}", test.replace("tests::", ""));
            counts.insert(name, count.with_context(|| format!("cannot count {test}"))?);
        }
    }
    if counts.is_empty() {
        bail!("no test whose name begins with `hot_path_` was found");
    }
    Ok(counts)
}

async fn valgrind() -> Result<PathBuf> {
    let valgrind = PathBuf::from("valgrind");
    output(Command::new(&valgrind).arg("--version"))
        .await
        .context("instructions are counted by Valgrind: install the package `valgrind`")?;
    Ok(valgrind)
}

/// The unit tests of each crate with hot paths.
async fn test_programs() -> Result<Vec<(String, PathBuf)>> {
    let mut build = cargo();
    // All of the workspace, as every other step builds it: what a crate's dependencies can do depends on who else is built.
    build.args([
        "test",
        "--workspace",
        "--lib",
        "--no-run",
        "--locked",
        "--message-format=json",
    ]);
    build.stderr(Stdio::inherit());
    let messages = output(&mut build).await?;
    let programs: Vec<_> = messages.lines().filter_map(test_program).collect();
    for package in WITH_HOT_PATHS {
        if !programs.iter().any(|(name, _)| name == package) {
            bail!("cargo built no unit tests of {package}");
        }
    }
    Ok(programs)
}

/// The name and the tests of a crate with hot paths, if this message of cargo's is about one.
fn test_program(message: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(message).ok()?;
    let program = message["executable"].as_str()?;
    let package = WITH_HOT_PATHS
        .into_iter()
        .find(|name| message["target"]["name"] == name.replace('-', "_"))?;
    (message["profile"]["test"] == true).then(|| (package.to_owned(), program.into()))
}

async fn count(valgrind: &Path, program: &Path, test: &str, folder: &Path) -> Result<u64> {
    let counted = folder.join("callgrind.out");
    let mut command = Command::new(valgrind);
    command
        .args([
            "--tool=callgrind",
            "--collect-atstart=no",
            "--toggle-collect=*billwright_hot_path*counted*",
        ])
        .arg(format!("--callgrind-out-file={}", counted.display()))
        .arg(program)
        .args([test, "--exact", "--ignored", "--test-threads=1"]);
    let shown = output(&mut command).await?;
    if !shown.contains("1 passed") {
        bail!("the test did not run:\n{shown}");
    }
    let written = std::fs::read_to_string(&counted).context("Callgrind wrote nothing")?;
    total(&written).context("Callgrind counted nothing: does the test call `counted`?")
}

/// The instructions in all that Callgrind wrote down.
fn total(text: &str) -> Option<u64> {
    let totals = text.lines().filter_map(|line| line.strip_prefix("totals:"));
    totals
        .filter_map(|total| total.trim().parse().ok())
        .next_back()
        .filter(|total| *total > 0)
}

/// What a command printed; an error where it failed.
async fn output(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().await?;
    if !output.status.success() {
        return Err(anyhow!(
            "ended with {}:\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[expect(clippy::print_stdout, reason = "the command's answer")]
fn say(text: &str) {
    println!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(compiler: &str, counts: &[(&str, u64)]) -> Record {
        Record {
            compiler: compiler.to_owned(),
            counts: counts
                .iter()
                .map(|(name, count)| ((*name).to_owned(), *count))
                .collect(),
        }
    }

    #[test]
    fn a_path_that_is_dearer_than_it_may_be_is_wrong() {
        let before = record("1.95", &[("a", 1000), ("b", 1000)]);
        let (lines, wrong) = before.compare(&record("1.95", &[("a", 1100), ("b", 900)]));
        assert!(wrong.is_empty(), "{wrong:?}");
        assert_eq!(lines, ["        1100   +10.0 %  a", "         900   -10.0 %  b"]);
        let (_, wrong) = before.compare(&record("1.95", &[("a", 1101), ("b", 1000)]));
        assert_eq!(wrong.len(), 1);
        assert!(
            wrong[0].starts_with("a: 1101 instructions, +10.1 % against 1000"),
            "{wrong:?}"
        );
    }

    #[test]
    fn another_compiler_is_given_more() {
        let before = record("1.95", &[("a", 1000)]);
        assert!(before.compare(&record("1.96", &[("a", 1300)])).1.is_empty());
        assert_eq!(before.compare(&record("1.96", &[("a", 1301)])).1.len(), 1);
    }

    #[test]
    fn a_path_that_is_new_or_gone_is_wrong() {
        let (_, wrong) = record("1.95", &[("old", 1)]).compare(&record("1.95", &[("new", 1)]));
        assert_eq!(wrong.len(), 2, "{wrong:?}");
    }

    #[test]
    fn what_was_written_can_be_read() {
        let record = record("rustc 1.95.0", &[("a", 1), ("b", u64::MAX)]);
        assert_eq!(Record::read(&record.written().unwrap()).unwrap(), record);
        for wrong in ["", "{}", r#"{"compiler":"x","counts":{"a":-1}}"#] {
            assert!(Record::read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn reads_what_callgrind_wrote() {
        assert_eq!(total("events: Ir\nfn=(1)\n10 20\ntotals: 1234\n"), Some(1234));
        assert_eq!(total("events: Ir\ntotals: 0\n"), None);
        assert_eq!(total(""), None);
    }

    #[test]
    fn finds_the_tests_among_what_cargo_built() {
        let built = |name: &str, test: bool| {
            json!({"reason": "compiler-artifact", "executable": "/x", "target": {"name": name}, "profile": {"test": test}}).to_string()
        };
        assert!(test_program(&built("billwright_api", true)).is_some());
        assert!(test_program(&built("billwright_api", false)).is_none());
        assert!(test_program(&built("it", true)).is_none());
        assert!(test_program("no json").is_none());
    }
}
