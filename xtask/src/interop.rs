//! `cargo xtask interop`: real Node clients (bullmq 4, 5 and 6, mongoose, kafkajs) against the real binary.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, Result, anyhow, bail};
use billwright_services::{
    fetch::{self, Node},
    progress,
};
use tokio::process::Command;

use crate::{
    cargo::workspace,
    interrupt::interrupted,
    test_bed::{Limits, TestBed},
};

/// What npm installs, as it was when it was installed last.
const INSTALLED: &str = "node_modules/.installed-package-lock.json";

/// The command's arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Files in `tests/interop` to run; all of them if none is named.
    files: Vec<PathBuf>,
    /// Run only tests whose name matches this pattern.
    #[arg(long)]
    name: Option<String>,
}

/// Installs what the tests need, starts everything, runs them, and stops everything.
pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    let folder = workspace().join("tests/interop");
    let node = fetch::node().await?;
    install(&node, &folder).await?;
    let mut bed = tokio::select! {
        bed = Box::pin(TestBed::start(Limits::None)) => bed?,
        _ = interrupted() => bail!("broken off"),
    };
    let tests = tokio::select! {
        passed = test(&node, &folder, arguments, &bed) => passed,
        // Node is killed, and what it was tested against is stopped below.
        _ = interrupted() => Err(anyhow!("broken off")),
    };
    let alive = bed.check_running();
    let log = bed.log_end(60);
    let stopped = bed.stop().await;
    if !tests? {
        bail!("the Node tests failed; their report is above. Billwright's log ended with:\n{log}");
    }
    alive?;
    stopped
}

/// Installs the packages of the lock file, unless they are what is there.
async fn install(node: &Node, folder: &Path) -> Result<()> {
    let wanted = std::fs::read(folder.join("package-lock.json")).context("tests/interop has no lock file")?;
    let installed = folder.join(INSTALLED);
    if std::fs::read(&installed).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    let mut npm = Command::from(node.npm());
    // `npm ci` refuses a lock file without addresses where a package has optional builds per platform. `install` keeps
    // to the same file, and is checked below for leaving it as it was.
    npm.args([
        "install",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--omit-lockfile-registry-resolved",
    ])
    .current_dir(folder)
    .stdin(Stdio::null())
    .stdout(Stdio::null())
    .kill_on_drop(true);
    let status = progress::during("installing the Node packages of tests/interop", npm.status()).await?;
    if !status.success() {
        bail!("npm could not install the packages of tests/interop ({status}); it has told why");
    }
    if std::fs::read(folder.join("package-lock.json"))? != wanted {
        bail!(
            "package-lock.json of tests/interop does not fit its package.json: look at what npm has changed, and commit it"
        );
    }
    Ok(std::fs::write(installed, wanted)?)
}

/// Runs the tests one file after another, since some of them count what the server numbers. Whether all passed.
async fn test(node: &Node, folder: &Path, arguments: &Arguments, bed: &TestBed) -> Result<bool> {
    let places = &bed.places;
    let mut command = Command::from(node.node());
    command.args(["--test", "--test-concurrency=1", "--test-reporter=spec"]);
    if let Some(name) = &arguments.name {
        command.arg("--test-name-pattern").arg(name);
    }
    command
        .args(&arguments.files)
        .env("BILLWRIGHT_URL", &places.billwright_url)
        .env("SANDBOX_URL", &places.billz_url)
        .env("BILLZ_MONGODB_URI", &places.billz_mongodb_uri)
        .env("BILLING_MONGODB_URI", &places.billing_mongodb_uri)
        .env("REDIS_URL", &places.redis_url)
        .env("BULLMQ_PREFIX", &places.bullmq_prefix)
        .env("KAFKA_BROKERS", &places.kafka_brokers)
        .env("KAFKA_TOPIC", &places.kafka_topic)
        .current_dir(folder)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    Ok(command.status().await.context("cannot run Node")?.success())
}
