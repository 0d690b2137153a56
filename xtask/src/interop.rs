//! `cargo xtask interop`: real Node clients (bullmq 4, 5 and 6, mongoose, kafkajs) against the real binary.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use billwright_services::fetch::{self, Node};
use tokio::process::Command;

use crate::{
    cargo::workspace,
    interrupt::interrupted,
    node_packages,
    test_bed::{Limits, TestBed},
};

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
    node_packages::install(&node, &folder).await?;
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

/// Runs the tests one file after another, since some of them count what the server numbers. Whether all passed.
async fn test(node: &Node, folder: &Path, arguments: &Arguments, bed: &TestBed) -> Result<bool> {
    let mut command = Command::from(node.node());
    command.args(["--test", "--test-concurrency=1", "--test-reporter=spec"]);
    if let Some(name) = &arguments.name {
        command.arg("--test-name-pattern").arg(name);
    }
    command.args(&arguments.files);
    node_packages::with_places(&mut command, &bed.places).current_dir(folder);
    Ok(command.status().await.context("cannot run Node")?.success())
}
