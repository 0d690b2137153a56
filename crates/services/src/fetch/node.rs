//! Node with npm, which the interop tests drive.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use super::{NODE, named};
use crate::environment::{on_path, variable};

/// What the oldest of the packages under test asks for.
const OLDEST: (u32, u32) = (20, 19);

/// A Node of a version that the tests run on, and the npm that came with it.
#[derive(Debug, Clone)]
pub struct Node {
    program: PathBuf,
    npm_script: PathBuf,
}

impl Node {
    /// `node`, with its own folder first on `PATH`.
    pub fn node(&self) -> Command {
        let mut command = Command::new(&self.program);
        if let Some(path) = self.path() {
            command.env("PATH", path);
        }
        command
    }

    /// `npm`; packages' scripts find the same Node on `PATH`.
    pub fn npm(&self) -> Command {
        let mut command = self.node();
        command.arg(&self.npm_script);
        command
    }

    fn path(&self) -> Option<OsString> {
        let own = self.program.parent()?.to_owned();
        let path = variable("PATH").unwrap_or_default();
        std::env::join_paths([own].into_iter().chain(std::env::split_paths(&path))).ok()
    }
}

pub(super) async fn find() -> Result<Node> {
    if let Some(program) = named(NODE.variable)? {
        let found = installed(program).await;
        return found.with_context(|| format!("`{}` is of no use: {}", NODE.variable, NODE.instead));
    }
    if let Some(program) = on_path("node")
        && let Ok(node) = installed(program).await
    {
        return Ok(node);
    }
    let program = NODE.fetch().await?;
    installed(program).await
}

async fn installed(program: PathBuf) -> Result<Node> {
    let output = tokio::process::Command::new(&program)
        .arg("--version")
        .kill_on_drop(true)
        .output()
        .await?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let mut numbers = text.trim_start_matches('v').split('.').map(str::parse);
    let version = (numbers.next().and_then(Result::ok), numbers.next().and_then(Result::ok));
    let (Some(major), Some(minor)) = version else {
        anyhow::bail!("`{text}` is no version of Node")
    };
    ensure!(
        (major, minor) >= OLDEST,
        "Node {text} is older than {}.{}",
        OLDEST.0,
        OLDEST.1
    );
    let npm_script = npm_beside(&program).with_context(|| format!("no npm lies beside {}", program.display()))?;
    Ok(Node { program, npm_script })
}

/// npm's script, where Node's own packages, and Debian's, put it, or what the command `npm` beside Node is a link to.
fn npm_beside(program: &Path) -> Option<PathBuf> {
    let real = program.canonicalize().ok()?;
    let folders = [program.parent()?, real.parent()?];
    folders.into_iter().find_map(|folder| {
        let linked = folder.join("npm").canonicalize().ok();
        let script = linked.filter(|script| script.extension().is_some_and(|extension| extension == "js"));
        script.or_else(|| {
            let prefix = folder.parent()?;
            let homes = ["lib/node_modules", "share/nodejs"].map(|home| prefix.join(home).join("npm/bin/npm-cli.js"));
            homes.into_iter().find(|file| file.is_file())
        })
    })
}
