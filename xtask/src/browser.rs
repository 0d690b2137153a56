//! `cargo xtask browser`: the operations pages of the real binary in a real Chromium, as a person uses them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use billwright_services::{
    fetch::{self, Node},
    progress,
};
use tokio::process::Command;

use crate::{
    cargo::workspace,
    interrupt::interrupted,
    node_packages,
    test_bed::{Limits, Places, TestBed},
};

/// Where Debian puts the browser, and where other systems do.
const PROGRAMS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

/// Who may use the pages in these tests: an operator `anna` and a viewer `bob`, both with the password that the tests know.
const USERS: &str = include_str!("../../tests/browser/users.txt");

/// The command's arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Run only tests whose name matches this pattern.
    #[arg(long)]
    name: Option<String>,
    /// Take a picture of every page, light, dark and as narrow as a phone, into this folder, instead of testing.
    #[arg(long, value_name = "FOLDER")]
    screenshots: Option<PathBuf>,
}

/// Installs what the tests need, starts everything, runs them, and stops everything.
pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    let folder = workspace().join("tests/browser");
    let chromium = chromium().await?;
    let node = fetch::node().await?;
    node_packages::install(&node, &folder).await?;
    let users = ("DASHBOARD_USERS", USERS.trim().to_owned());
    let mut bed = tokio::select! {
        bed = Box::pin(TestBed::start_with(Limits::None, vec![users])) => bed?,
        _ = interrupted() => bail!("broken off"),
    };
    let tests = tokio::select! {
        passed = test(&node, &folder, &chromium, arguments, &bed.places) => passed,
        // Node and the browser are killed, and what they looked at is stopped below.
        _ = interrupted() => Err(anyhow!("broken off")),
    };
    let alive = bed.check_running();
    let log = bed.log_end(60);
    let stopped = bed.stop().await;
    if !tests? {
        bail!("the browser tests failed; their report is above. Billwright's log ended with:\n{log}");
    }
    alive?;
    stopped
}

/// The browser: where a variable says, else in `PATH`, else installed now where that can be done.
async fn chromium() -> Result<PathBuf> {
    let named = std::env::var_os("BILLWRIGHT_CHROMIUM");
    if let Some(program) = named.map(PathBuf::from) {
        if !program.is_file() {
            bail!("BILLWRIGHT_CHROMIUM is {}, where there is no file", program.display());
        }
        return Ok(program);
    }
    if let Some(program) = installed() {
        return Ok(program);
    }
    if nix::unistd::geteuid().is_root() && Path::new("/usr/bin/apt-get").is_file() {
        progress::during("installing Debian's Chromium", apt_get()).await?;
    }
    installed().context(
        "there is no Chromium to test the pages with. Install it (`sudo apt-get install chromium` on Debian), or name the \
         program of another Chrome in BILLWRIGHT_CHROMIUM. To run everything but this: cargo xtask test --skip browser",
    )
}

fn installed() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let candidates = PROGRAMS
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    candidates.into_iter().find(|program| program.is_file())
}

async fn apt_get() -> Result<()> {
    for arguments in [
        &["update", "-qq"][..],
        &[
            "install",
            "-y",
            "-qq",
            "--no-install-recommends",
            "chromium",
            "fonts-dejavu-core",
        ],
    ] {
        let output = Command::new("apt-get")
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .kill_on_drop(true)
            .output()
            .await?;
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.stderr);
            bail!("`apt-get {}` failed: {}", arguments.join(" "), complaint.trim());
        }
    }
    Ok(())
}

/// Runs the tests, or takes the pictures. Whether all went well.
async fn test(node: &Node, folder: &Path, chromium: &Path, arguments: &Arguments, places: &Places) -> Result<bool> {
    let mut command = Command::from(node.node());
    if let Some(pictures) = &arguments.screenshots {
        command
            .arg("screenshots.mjs")
            .arg(std::path::absolute(pictures).context("the folder for the pictures")?);
    } else {
        command.args(["--test", "--test-concurrency=1", "--test-reporter=spec"]);
        if let Some(name) = &arguments.name {
            command.arg("--test-name-pattern").arg(name);
        }
    }
    node_packages::with_places(&mut command, places)
        .env("BILLWRIGHT_CHROMIUM", chromium)
        .current_dir(folder);
    Ok(command.status().await.context("cannot run Node")?.success())
}
