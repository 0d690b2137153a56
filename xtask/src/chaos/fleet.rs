//! The Billwright processes: three of them on one database, queue and group, each of which can be killed, stopped, paused
//! and started again.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result};
use nix::sys::signal::Signal;
use tokio::{process::Command, sync::Mutex};

use super::book::lock;
pub(super) use crate::process::Usage;
use crate::process::{Process, inherited};

/// How soon a process notices that its clock was set.
pub(super) const CLOCK_IS_READ_EVERY: Duration = Duration::from_secs(1);

/// One Billwright process, which may be down.
#[derive(Debug)]
pub(super) struct Member {
    /// `billwright-1` and so on, which its log is named after.
    pub(super) name: String,
    /// Where it serves HTTP, also after a restart.
    pub(super) url: String,
    port: u16,
    program: std::sync::Mutex<PathBuf>,
    process: Mutex<Option<Process>>,
    most: std::sync::Mutex<Usage>,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Fleet {
    pub(super) members: Vec<Member>,
    environment: BTreeMap<&'static str, String>,
    directory: PathBuf,
    /// The library that lets a process be told another time, where it is installed.
    faketime: Option<PathBuf>,
}

impl Fleet {
    /// Prepares `count` processes of `program`; none runs yet.
    pub(super) fn new(
        count: usize,
        program: &Path,
        environment: impl IntoIterator<Item = (&'static str, String)>,
        directory: &Path,
    ) -> Result<Self> {
        let members = (1..=count).map(|number| {
            let port = billwright_services::free_port()?;
            Ok(Member {
                name: format!("billwright-{number}"),
                url: format!("http://127.0.0.1:{port}"),
                port,
                program: std::sync::Mutex::new(program.to_owned()),
                process: Mutex::new(None),
                most: std::sync::Mutex::default(),
            })
        });
        Ok(Self {
            members: members.collect::<Result<_>>()?,
            environment: environment.into_iter().collect(),
            directory: directory.to_owned(),
            faketime: faketime(),
        })
    }

    /// Starts a process that is down.
    pub(super) async fn start(&self, member: &Member) -> Result<()> {
        let mut environment = self.environment.clone();
        environment.insert("PORT", member.port.to_string());
        if let Some(library) = &self.faketime {
            self.write_clock(member, 0)?;
            environment.insert("LD_PRELOAD", library.display().to_string());
            environment.insert("FAKETIME_TIMESTAMP_FILE", self.clock_file(member).display().to_string());
            let seconds = CLOCK_IS_READ_EVERY.as_secs().to_string();
            environment.insert("FAKETIME_CACHE_DURATION", seconds);
            environment.insert("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned());
        }
        let mut process = member.process.lock().await;
        if process.is_none() {
            *process = Some(Process::start(
                &member.name,
                &member.program(),
                &["run"],
                environment,
                &self.directory,
            )?);
        }
        Ok(())
    }

    /// Runs one of the program's other commands beside the processes, with their settings and a port of its own.
    pub(super) async fn command(&self, program: &Path, arguments: &[&str]) -> Result<std::process::Output> {
        let mut environment = self.environment.clone();
        environment.insert("PORT", billwright_services::free_port()?.to_string());
        Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(inherited())
            .envs(environment)
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .with_context(|| format!("cannot run {}", program.display()))
    }

    /// Whether a process can be told another time.
    pub(super) fn has_clocks(&self) -> bool {
        self.faketime.is_some()
    }

    /// Sets a process's clock so many minutes ahead of, or behind, the machine's. It goes on from there, and what measures
    /// spans of time (the monotonic clock) does not jump.
    pub(super) fn write_clock(&self, member: &Member, minutes: i64) -> Result<()> {
        let file = self.clock_file(member);
        // Renamed into its place, since it may be read at any moment.
        let draft = file.with_extension("new");
        std::fs::write(&draft, format!("{minutes:+}m\n"))?;
        std::fs::rename(draft, file).context("the clock of a process cannot be set")
    }

    fn clock_file(&self, member: &Member) -> PathBuf {
        self.directory.join(format!("{}.clock", member.name))
    }

    /// Everything that the processes logged, by the name of the log.
    pub(super) fn logs(&self) -> Vec<(String, String)> {
        let read = |member: &Member| {
            let name = format!("{}.log", member.name);
            let bytes = std::fs::read(self.directory.join(&name)).unwrap_or_default();
            (name, String::from_utf8_lossy(&bytes).into_owned())
        };
        self.members.iter().map(read).collect()
    }
}

impl Member {
    /// Names the program that it runs from its next start on.
    pub(super) fn set_program(&self, program: &Path) {
        program.clone_into(&mut lock(&self.program));
    }

    fn program(&self) -> PathBuf {
        lock(&self.program).clone()
    }

    /// SIGKILL. Returns when it is gone.
    pub(super) async fn kill(&self) -> Result<()> {
        if let Some(process) = self.process.lock().await.take() {
            process.kill().await?;
        }
        Ok(())
    }

    /// SIGTERM. Returns how it ended, as an exit status; `None` where it was down.
    pub(super) async fn terminate(&self) -> Result<Option<i32>> {
        let Some(process) = self.process.lock().await.take() else {
            return Ok(None);
        };
        Ok(process.stop().await?.code())
    }

    /// SIGSTOP, and SIGCONT after so long; killed meanwhile, it stays dead.
    pub(super) async fn pause(&self, length: Duration) -> Result<()> {
        self.signal(Signal::SIGSTOP).await?;
        tokio::time::sleep(length).await;
        self.signal(Signal::SIGCONT).await
    }

    async fn signal(&self, signal: Signal) -> Result<()> {
        match &*self.process.lock().await {
            Some(process) => process.signal(signal),
            None => Ok(()),
        }
    }

    /// An error if it ended although nobody told it to.
    pub(super) async fn check_running(&self) -> Result<()> {
        match &mut *self.process.lock().await {
            Some(process) => process.check_running(),
            None => Ok(()),
        }
    }

    /// What it takes of the machine now; `None` where it is down.
    pub(super) async fn usage(&self) -> Option<Usage> {
        self.process.lock().await.as_ref().and_then(Process::usage)
    }

    /// Notes what it takes of the machine now.
    pub(super) async fn measure(&self) {
        if let Some(now) = self.usage().await {
            let mut most = lock(&self.most);
            *most = most.or_more(now);
        }
    }

    /// The most that it ever took.
    pub(super) fn most(&self) -> Usage {
        *lock(&self.most)
    }
}

/// Debian's package `libfaketime` puts it here.
fn faketime() -> Option<PathBuf> {
    let triples = ["x86_64-linux-gnu", "aarch64-linux-gnu"];
    triples
        .iter()
        .map(|triple| PathBuf::from(format!("/usr/lib/{triple}/faketime/libfaketimeMT.so.1")))
        .find(|library| library.exists())
}
