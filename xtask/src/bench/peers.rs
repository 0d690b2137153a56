//! The reference peers: copied, so that nothing is written beside their sources, with their packages, and the Node that
//! they run on.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, Result, bail};
use billwright_services::{
    fetch::{self, Node},
    progress,
};
use tokio::process::Command;

use crate::cargo::workspace;

/// The folders that are needed of the peers.
const PARTS: [&str; 3] = ["telecomx", "billz-worker", "fake-billz"];
/// The Node that the targets are about, as a package of npm.
const NODE: &str = "node@24";

/// Peers that can be started.
#[derive(Debug)]
pub(super) struct Peers {
    folder: PathBuf,
    node: PathBuf,
    version: String,
}

impl Peers {
    /// Copies the peers of `given` and installs what they need.
    pub(super) async fn prepare(given: &Path) -> Result<Self> {
        let folder = workspace().join(".cache/peers");
        let npm = fetch::node().await?;
        for part in PARTS {
            let (from, to) = (given.join(part), folder.join(part));
            copy(&from, &to).with_context(|| {
                format!(
                    "cannot copy {}: the folder of --peers must hold {}",
                    from.display(),
                    PARTS.join(", ")
                )
            })?;
            install(&npm, &to, &[]).await?;
        }
        let node = match node_24(&npm).await {
            Ok(node) => node,
            Err(error) => {
                progress::tell(&format!(
                    "{NODE} cannot be had, so the Node on PATH is measured: {error:#}"
                ));
                PathBuf::from(npm.node().get_program())
            }
        };
        let version = Command::new(&node).arg("--version").output().await?;
        let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
        progress::tell(&format!("the peers run on Node {version}"));
        Ok(Self { folder, node, version })
    }

    /// Where their copy is.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The Node that they run on.
    pub(super) fn node(&self) -> &Path {
        &self.node
    }

    /// Its version.
    pub(super) fn version(&self) -> &str {
        &self.version
    }
}

async fn node_24(npm: &Node) -> Result<PathBuf> {
    let folder = workspace().join(".cache/node-24");
    let node = folder.join("node_modules/node/bin/node");
    if !node.exists() {
        std::fs::create_dir_all(&folder)?;
        // Without a manifest npm would take the next one above, which is none of its business.
        std::fs::write(folder.join("package.json"), "{\"private\": true}\n")?;
        install(npm, &folder, &[NODE]).await?;
    }
    let version = Command::new(&node).arg("--version").output().await?;
    let said = String::from_utf8_lossy(&version.stdout);
    if !said.starts_with("v24.") {
        bail!("the package {NODE} holds `{}`", said.trim());
    }
    Ok(node)
}

/// Everything but installed packages, which are of another machine or another Node.
fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == "node_modules" {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to.join(&name))?;
        } else {
            std::fs::copy(entry.path(), to.join(&name))?;
        }
    }
    Ok(())
}

async fn install(npm: &Node, folder: &Path, packages: &[&str]) -> Result<()> {
    let mut command = Command::from(npm.npm());
    command
        .args(["install", "--no-audit", "--no-fund", "--omit=dev"])
        .args(packages)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    let what = format!("installing the Node packages of {}", super::file_name(folder));
    let status = progress::during(&what, command.status()).await?;
    if !status.success() {
        bail!(
            "npm could not install the packages of {} ({status}); it has told why",
            folder.display()
        );
    }
    Ok(())
}
