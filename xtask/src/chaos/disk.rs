//! A small file system that can be filled, for MongoDB's data.
//!
//! Mounting one takes a namespace of mounts that is the run's own and ends with its last process: [`own_namespace`] has
//! this program start again in one. Where the system allows neither, a run goes without, and says so.

use std::{
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::Result;
use billwright_services::progress;
use tempfile::TempDir;

/// Room for MongoDB's journal, its oplog and what a run writes.
const SIZE: &str = "900m";

/// Names the option by which this program knows that it runs in a namespace of its own.
pub(super) const OWN_MOUNTS: &str = "--own-mounts";

/// Replaces this program by itself in a namespace of its own. It returns only if the system does not allow that.
pub(super) fn own_namespace() {
    let ways: [&[&str]; 2] = [&["--mount"], &["--map-root-user", "--mount"]];
    let allowed = |way: &&&[&str]| {
        let tried = Command::new("unshare")
            .args(**way)
            .arg("true")
            .stderr(Stdio::null())
            .status();
        tried.is_ok_and(|status| status.success())
    };
    let Some(way) = ways.iter().find(allowed) else { return };
    let Ok(program) = std::env::current_exe() else { return };
    let arguments = std::env::args_os().skip(1);
    let failure = Command::new("unshare")
        .args(*way)
        .arg(program)
        .args(arguments)
        .arg(OWN_MOUNTS)
        .exec();
    progress::tell(&format!("no namespace of its own: {failure}"));
}

/// The file system. It is gone when this is dropped.
#[derive(Debug)]
pub(super) struct Disk {
    folder: TempDir,
}

impl Disk {
    /// Mounts one; `None` where that cannot be done.
    pub(super) async fn mount() -> Option<Self> {
        let folder = tempfile::Builder::new().prefix("billwright-disk-").tempdir().ok()?;
        let size = format!("size={SIZE}");
        let mount = ["-t", "tmpfs", "-o", &size, "billwright"];
        let mounted = tokio::process::Command::new("mount")
            .args(mount)
            .arg(folder.path())
            .stderr(Stdio::null())
            .status()
            .await;
        mounted.is_ok_and(|status| status.success()).then_some(Self { folder })
    }

    /// Where it is mounted.
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    fn filler(&self) -> PathBuf {
        self.folder.path().join("filler")
    }

    /// Takes all the room that is left.
    pub(super) async fn fill(&self) -> Result<()> {
        let filler = self.filler();
        tokio::task::spawn_blocking(move || {
            let mut file = std::fs::File::create(filler)?;
            let block = vec![1; 1 << 20];
            // The last write fails: that is how one knows that it is full.
            while std::io::Write::write_all(&mut file, &block).is_ok() {}
            Ok(())
        })
        .await?
    }

    /// Gives the room back.
    pub(super) async fn clear(&self) -> Result<()> {
        tokio::fs::remove_file(self.filler()).await?;
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Else the folder cannot be removed; and where this fails it goes with the namespace.
        drop(
            Command::new("umount")
                .arg("--lazy")
                .arg(self.folder.path())
                .stderr(Stdio::null())
                .status(),
        );
    }
}
