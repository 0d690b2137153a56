//! A process of the project's own that is stopped with this one, however this one ends.

use std::{
    ffi::OsStr,
    fs::OpenOptions,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::process::{Child, ChildStdin, Command};

/// Runs the program and, when the pipe from this process closes, asks it to stop: closing happens even to a process that
/// is killed. The program reads nothing from the terminal, and Ctrl-C there does not reach it.
const WATCH: &str = r#"
exec 3<&0
"$@" </dev/null 3<&- &
program=$!
{ cat <&3 >/dev/null; kill -TERM "$program"; } 2>/dev/null &
exec 3<&-
wait "$program"
"#;

/// How long a program may take to stop after it was asked to; the product's own grace period is 30 s.
const GRACE: Duration = Duration::from_secs(40);

/// What a process takes of the machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Memory, in KiB.
    pub(crate) resident_kib: u64,
    /// Open files and connections.
    pub(crate) handles: usize,
    /// Threads.
    pub(crate) threads: u64,
}

impl Usage {
    /// The larger of both, each for itself.
    pub(crate) fn or_more(self, other: Self) -> Self {
        Self {
            resident_kib: self.resident_kib.max(other.resident_kib),
            handles: self.handles.max(other.handles),
            threads: self.threads.max(other.threads),
        }
    }
}

/// A running program whose output goes to a file.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    shell: Child,
    pipe: Option<ChildStdin>,
    log: PathBuf,
}

impl Process {
    /// Starts `program` in `directory`, with `environment` and nothing else of this process's environment than where
    /// programs are. Its output goes to the end of a file there.
    pub(crate) fn start(
        name: &str,
        program: &Path,
        arguments: &[&str],
        environment: impl IntoIterator<Item = (&'static str, String)>,
        directory: &Path,
    ) -> Result<Self> {
        let log = directory.join(format!("{name}.log"));
        let output = OpenOptions::new().create(true).append(true).open(&log);
        let output = output.with_context(|| format!("cannot write {}", log.display()))?;
        let mut shell = Command::new("sh")
            .args([
                OsStr::new("-c"),
                OsStr::new(WATCH),
                OsStr::new(name),
                program.as_os_str(),
            ])
            .args(arguments)
            .env_clear()
            .envs(inherited())
            .envs(environment)
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot run {}", program.display()))?;
        let pipe = shell.stdin.take();
        Ok(Self {
            name: name.to_owned(),
            shell,
            pipe,
            log,
        })
    }

    /// An error if the program has ended, with the end of what it said.
    pub(crate) fn check_running(&mut self) -> Result<()> {
        match self.shell.try_wait()? {
            None => Ok(()),
            Some(status) => bail!(
                "{} has ended ({status}). It said last:\n{}",
                self.name,
                self.log_end(20)
            ),
        }
    }

    /// Asks the program to stop (SIGTERM) and waits until it has.
    pub(crate) async fn stop(mut self) -> Result<ExitStatus> {
        self.pipe = None;
        let Ok(status) = tokio::time::timeout(GRACE, self.shell.wait()).await else {
            bail!(
                "{} did not stop within {} s. It said last:\n{}",
                self.name,
                GRACE.as_secs(),
                self.log_end(20)
            );
        };
        Ok(status?)
    }

    /// Sends a signal to the program and to the shell that watches it.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        let group = self.group().with_context(|| format!("{} has ended", self.name))?;
        killpg(Pid::from_raw(group), signal).with_context(|| format!("cannot send {signal} to {}", self.name))
    }

    /// SIGKILL; returns when the program is gone.
    pub(crate) async fn kill(mut self) -> Result<()> {
        self.signal(Signal::SIGKILL)?;
        self.shell.wait().await?;
        Ok(())
    }

    /// The program's own process id, where the system tells it.
    pub(crate) fn pid(&self) -> Option<i32> {
        let shell = self.group()?;
        let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).ok()?;
        // The other child is the shell's own, which waits for the pipe to close.
        children.split_whitespace().find_map(|child| {
            let command = std::fs::read_to_string(format!("/proc/{child}/comm")).ok()?;
            (command.trim() != "sh").then(|| child.parse().ok())?
        })
    }

    /// What the program takes of the machine now, where the system tells it.
    pub(crate) fn usage(&self) -> Option<Usage> {
        let pid = self.pid()?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let field = |name: &str| -> Option<u64> {
            let value = status.lines().find_map(|line| line.strip_prefix(name))?;
            value.split_whitespace().next()?.parse().ok()
        };
        Some(Usage {
            resident_kib: field("VmRSS:")?,
            handles: std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count(),
            threads: field("Threads:")?,
        })
    }

    fn group(&self) -> Option<i32> {
        self.shell.id().and_then(|id| i32::try_from(id).ok())
    }

    /// The last lines that the program wrote.
    pub(crate) fn log_end(&self, lines: usize) -> String {
        let written = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&written);
        let all: Vec<&str> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    /// Everything that the program wrote.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}

/// A program that was not asked to stop is killed, with its shell.
impl Drop for Process {
    fn drop(&mut self) {
        if let Some(group) = self.group() {
            // It may have ended in this moment, which is as good.
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
    }
}

/// What a program needs of this process's environment to run at all, and nothing that would configure it.
#[expect(
    clippy::disallowed_methods,
    reason = "what every program needs of the environment is not `app`'s configuration"
)]
pub(crate) fn inherited() -> impl Iterator<Item = (&'static str, String)> {
    let kept = [
        "PATH",
        "HOME",
        "TMPDIR",
        "LANG",
        "LD_LIBRARY_PATH",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    ];
    kept.into_iter()
        .filter_map(|name| Some((name, std::env::var(name).ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(script: &str, directory: &Path) -> Process {
        Process::start(
            "script",
            Path::new("/bin/sh"),
            &["-c", script],
            [("GREETING", "hello".to_owned())],
            directory,
        )
        .unwrap()
    }

    #[tokio::test]
    async fn is_asked_to_stop_and_tells_how_it_ended() {
        let directory = tempfile::tempdir().unwrap();
        let process = start(
            "trap 'echo bye; exit 7' TERM; echo $GREETING; while :; do sleep 0.02; done",
            directory.path(),
        );
        while process.log().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let log = process.log.clone();
        assert_eq!(process.stop().await.unwrap().code(), Some(7));
        assert_eq!(std::fs::read_to_string(log).unwrap(), "hello\nbye\n");
    }

    #[tokio::test]
    async fn is_killed_with_its_shell_and_writes_on_where_it_stopped() {
        let directory = tempfile::tempdir().unwrap();
        let rounds = async {
            for round in 1..=2 {
                let process = start("echo begun; exec sleep 300", directory.path());
                while process.log().lines().count() < round || process.pid().is_none() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                let stat = format!("/proc/{}/stat", process.pid().unwrap());
                process.kill().await.unwrap();
                while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        };
        tokio::time::timeout(Duration::from_mins(1), rounds).await.unwrap();
    }

    #[tokio::test]
    async fn says_why_it_is_not_running() {
        let directory = tempfile::tempdir().unwrap();
        let mut process = start("echo no configuration; exit 78", directory.path());
        while process.check_running().is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let reason = process.check_running().unwrap_err().to_string();
        assert!(reason.contains("no configuration") && reason.contains("78"), "{reason}");
    }
}
