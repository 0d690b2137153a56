//! The two programs: this version, and an earlier one that is built from its commit and kept.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, Result, ensure};
use billwright_services::progress;
use tokio::process::Command;

use crate::{
    cargo::{cargo, workspace},
    test_bed,
};

/// What is older where no release is tagged: a commit before claims and rights were judged by MongoDB's clock, and before
/// attempts, samples, processes and ended sessions were stored.
const OLDER: &str = "458fbbf61c8082923c5f849f5d0aa04f00a93094";

/// Where built programs are kept.
fn kept() -> PathBuf {
    workspace().join("target").join("upgrade")
}

/// This version.
pub(super) async fn newer() -> Result<PathBuf> {
    let program = kept().join("new").join("billwright");
    build(workspace(), &program).await?;
    Ok(program)
}

/// The version of a commit; without one that of the last release before this commit, else of [`OLDER`].
pub(super) async fn older(commit: Option<&str>) -> Result<PathBuf> {
    let released = git(&["describe", "--tags", "--abbrev=0", "HEAD^"]).await.ok();
    let wanted = commit.or(released.as_deref()).unwrap_or(OLDER);
    let named = git(&["rev-parse", "--verify", "--quiet", &format!("{wanted}^{{commit}}")]).await;
    let commit = named.with_context(|| {
        format!("there is no commit `{wanted}` here; name one with `--old-commit`, or a binary with `--program-old`")
    })?;
    let program = kept().join(&commit).join("billwright");
    if !program.exists() {
        let source = tempfile::tempdir()?;
        let archive = source.path().join("source.tar");
        git(&["archive", "--output", &archive.display().to_string(), &commit]).await?;
        let unpacked = Command::new("tar")
            .arg("-xf")
            .arg(&archive)
            .current_dir(source.path())
            .status()
            .await
            .context("cannot run tar")?;
        ensure!(unpacked.success(), "the source of {commit} cannot be unpacked");
        build(source.path(), &program).await?;
    }
    progress::tell(&format!("the older version is that of commit {commit}"));
    Ok(program)
}

/// Builds the binary as a release that is quick to make, and puts it at `program`.
async fn build(source: &Path, program: &Path) -> Result<()> {
    let folder = program.parent().context("a program stands in a folder")?;
    let mut command = cargo();
    command
        .args([
            "build",
            "--release",
            "--locked",
            "-p",
            "billwright",
            "--bin",
            "billwright",
        ])
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        // Of its own for each version: cargo takes crates of one name in two copies of a workspace for the same.
        .env("CARGO_TARGET_DIR", folder.join("build"))
        .current_dir(source);
    let built = test_bed::built_by(command, "billwright").await?;
    // Renamed into its place, so that what stands there is complete.
    let draft = program.with_extension("new");
    std::fs::copy(&built, &draft).with_context(|| format!("cannot copy {}", built.display()))?;
    std::fs::rename(&draft, program)?;
    Ok(())
}

/// What git answers, without the end of the line.
async fn git(arguments: &[&str]) -> Result<String> {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(workspace())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("cannot run git")?;
    ensure!(
        output.status.success(),
        "git {} failed: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
