//! `cargo xtask fuzz`: everything that reads what comes from outside is given input that the code's own branches suggest.
//!
//! The targets in `fuzz/` are laid out as `cargo fuzz` wants them, and it can run them; this command needs neither it nor a
//! nightly compiler, since it does without sanitizers: what is tested is safe Rust. CI runs the same properties on a fixed
//! number of mutations, as ordinary tests (`billwright-bad-input`), because building the targets takes longer than that.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use billwright_services::progress;
use tokio::process::Command;

use crate::{
    cargo::{cargo, workspace},
    interrupt::interrupted,
};

/// What makes the compiler count branches and comparisons where libFuzzer looks for them.
const INSTRUMENTED: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1";

/// The longest input. Nothing that is read has a limit that lies near it.
const LONGEST_INPUT: &str = "8192";

/// What is fuzzed, and for how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How long altogether, in equal parts for the targets: `70s`, `10m`.
    #[arg(long, default_value = "70s", value_parser = crate::chaos::duration)]
    duration: Duration,
    /// Run this target and no other; may be given several times.
    #[arg(long, value_name = "TARGET")]
    only: Vec<String>,
    /// Print the targets, and run none.
    #[arg(long)]
    list: bool,
}

/// Runs the targets one after another, all of them; an error names those that found something.
pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    let all = targets()?;
    if arguments.list {
        for target in &all {
            progress::tell(target);
        }
        return Ok(());
    }
    if let Some(unknown) = arguments.only.iter().find(|name| !all.contains(name)) {
        bail!("there is no target `{unknown}`: `--list` names them");
    }
    let chosen: Vec<&String> = all
        .iter()
        .filter(|target| arguments.only.is_empty() || arguments.only.contains(target))
        .collect();
    let programs = build().await?;
    let share = arguments.duration / u32::try_from(chosen.len()).unwrap_or(u32::MAX).max(1);
    let mut failed = Vec::new();
    for target in chosen {
        progress::tell(&format!("{target}: for {} s", share.as_secs().max(1)));
        if !fuzz(&programs.join(target), target, share).await? {
            failed.push(target.as_str());
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    bail!(
        "something was found in: {}. The input lies in `fuzz/artifacts/`; once it is mended, put it into the corpus",
        failed.join(", ")
    )
}

fn folder() -> PathBuf {
    workspace().join("fuzz")
}

/// The targets by their files.
fn targets() -> Result<Vec<String>> {
    let files = fs::read_dir(folder().join("fuzz_targets")).context("cannot list `fuzz/fuzz_targets`")?;
    let mut names = Vec::new();
    for file in files {
        let path = file?.path();
        if let (Some("rs"), Some(name)) = (path.extension().and_then(|end| end.to_str()), path.file_stem()) {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Builds all targets, and tells where they are.
async fn build() -> Result<PathBuf> {
    let host = host().await?;
    // With a target named, what runs at build time is not instrumented: it could not be linked.
    let status = cargo()
        .args(["build", "--release", "--bins", "--target", &host])
        .env("RUSTFLAGS", INSTRUMENTED)
        .current_dir(folder())
        .status()
        .await
        .context("cannot run cargo")?;
    if !status.success() {
        bail!("the targets could not be built: cargo ended with {status}");
    }
    Ok(folder().join("target").join(host).join("release"))
}

/// The triple of this machine, as the compiler calls it.
async fn host() -> Result<String> {
    let told = Command::new("rustc").args(["--print", "host-tuple"]).output().await;
    let told = told.context("cannot run rustc")?;
    let host = String::from_utf8(told.stdout).context("rustc names no host")?;
    if host.trim().is_empty() {
        bail!("rustc names no host");
    }
    Ok(host.trim().to_owned())
}

/// Runs one target; `false` where it found something.
async fn fuzz(program: &Path, target: &str, share: Duration) -> Result<bool> {
    // What libFuzzer finds worth keeping goes into the first folder: a corpus of this machine, that of the repository beside it.
    let found = folder().join("target/corpus").join(target);
    let artifacts = folder().join("artifacts").join(target);
    for folder in [&found, &artifacts] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let mut prefix = OsString::from("-artifact_prefix=");
    prefix.push(artifacts.join("").as_os_str());
    let mut child = Command::new(program)
        .arg(format!("-max_total_time={}", share.as_secs().max(1)))
        .arg(format!("-max_len={LONGEST_INPUT}"))
        .args([
            "-timeout=10",
            "-rss_limit_mb=2048",
            "-print_final_stats=1",
            "-verbosity=0",
        ])
        .arg(prefix)
        .arg(&found)
        .arg(folder().join("corpus").join(target))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot run {}", program.display()))?;
    tokio::select! {
        status = child.wait() => Ok(status?.success()),
        asked = interrupted() => { asked?; bail!("interrupted during `{target}`") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_a_program_and_a_corpus() {
        let manifest = fs::read_to_string(folder().join("Cargo.toml")).unwrap();
        let targets = targets().unwrap();
        assert!(targets.len() > 5, "{targets:?}");
        for target in targets {
            assert!(
                manifest.contains(&format!("name = \"{target}\"")),
                "`{target}` has no program"
            );
            let corpus = fs::read_dir(folder().join("corpus").join(&target)).unwrap();
            assert!(corpus.count() > 2, "`{target}` has next to no corpus");
        }
    }
}
