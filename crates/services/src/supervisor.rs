//! Runs one server under a small shell that outlives the test: the shell stops the server and removes its data as soon
//! as the pipe to the process that started it closes, which the system does however that process ends (exit, panic,
//! Ctrl-C, SIGKILL). No code of ours would get the chance.

use std::{
    ffi::OsString,
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// Reads orders, one a line, from the pipe; the end of the pipe is the last order.
///
/// The traps make a signal end `read` (and so the loop) instead of the shell, yet leave the server's own handling of
/// signals as it is; an ignored signal would be inherited.
const SCRIPT: &str = r#"
directory=$1; shift
server=
trap : HUP INT TERM
while read -r order; do
    case $order in
        start) "$@" </dev/null >>"$directory/server.log" 2>&1 & server=$!; echo "$server" ;;
        kill) kill -KILL "$server"; wait "$server"; server=; echo killed ;;
    esac
done
if [ -n "$server" ]; then kill -KILL "$server"; wait "$server"; fi
rm -rf -- "$directory"
"#;

/// How long the shell may take to end after its pipe closed; it has nothing to do but kill and delete.
const FAREWELL: Duration = Duration::from_secs(10);

/// One server process and the folder with its data, both gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Supervised {
    what: &'static str,
    directory: PathBuf,
    shell: Arc<Mutex<Shell>>,
}

#[derive(Debug)]
struct Shell {
    process: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    server: Option<Pid>,
}

impl Supervised {
    /// A shell that can start `command`, which keeps everything in `directory`. Nothing runs before [`Self::start`].
    pub(crate) fn new(what: &'static str, directory: tempfile::TempDir, command: Vec<OsString>) -> Result<Self> {
        let mut process = Command::new("sh")
            .arg("-c")
            .arg(SCRIPT)
            .arg("sh")
            .arg(directory.path())
            .args(command)
            .current_dir(directory.path())
            // A group of its own: Ctrl-C in a terminal goes to the whole foreground group, and would reach the server
            // before whoever uses it.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot run `sh`, which watches over {what}"))?;
        let orders = process.stdin.take();
        let answers = process
            .stdout
            .take()
            .context("the shell's standard output was asked for as a pipe")?;
        let shell = Shell {
            process,
            orders,
            answers: BufReader::new(answers),
            server: None,
        };
        // From here on the shell removes the folder.
        Ok(Self {
            what,
            directory: directory.keep(),
            shell: Arc::new(Mutex::new(shell)),
        })
    }

    /// Starts the server, for the first time or after [`Self::kill`]. It need not serve yet when this returns.
    pub(crate) async fn start(&self) -> Result<()> {
        self.blocking(|shell, what| {
            if shell.server.is_some() {
                bail!("{what} was started already: kill it before starting it again");
            }
            let pid = shell
                .order("start")?
                .parse()
                .with_context(|| format!("no process id for {what}"))?;
            shell.server = Some(Pid::from_raw(pid));
            Ok(())
        })
        .await
    }

    /// SIGKILL; returns when the process is gone. Its data stay.
    pub(crate) async fn kill(&self) -> Result<()> {
        self.blocking(|shell, _| {
            if shell.server.take().is_some() {
                shell.order("kill")?;
            }
            Ok(())
        })
        .await
    }

    /// SIGSTOP: connections stay open and nobody answers.
    pub(crate) fn pause(&self) -> Result<()> {
        self.signal(Signal::SIGSTOP)
    }

    /// SIGCONT.
    pub(crate) fn resume(&self) -> Result<()> {
        self.signal(Signal::SIGCONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.pid()?;
        kill(Pid::from_raw(pid), signal).with_context(|| format!("cannot send {signal} to {} ({pid})", self.what))
    }

    /// The server's own process id, not the shell's.
    pub(crate) fn pid(&self) -> Result<i32> {
        let server = self.lock().server;
        server
            .map(Pid::as_raw)
            .with_context(|| format!("{} is not running: it was killed", self.what))
    }

    /// Waits until `serves` says so, which it is asked again and again; a server that ended, or that still does not
    /// serve after `deadline`, is an error with the end of the server's log.
    pub(crate) async fn wait_until<F>(&self, deadline: Duration, mut serves: impl FnMut() -> F) -> Result<()>
    where
        F: Future<Output = Result<()>>,
    {
        let started = Instant::now();
        loop {
            let answer = serves().await;
            if !is_running(self.pid()?) {
                bail!(
                    "{} ended before it served. Its log ends with:\n{}",
                    self.what,
                    self.log_end()
                );
            }
            let Err(last) = answer else { return Ok(()) };
            if started.elapsed() > deadline {
                let seconds = deadline.as_secs();
                return Err(last.context(format!(
                    "{} does not serve after {seconds} s. Its log ends with:\n{}",
                    self.what,
                    self.log_end()
                )));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn log_end(&self) -> String {
        let log = std::fs::read(self.directory.join("server.log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    /// The shell answers in milliseconds, but mongod may take longer to die: not on a thread of the runtime.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Shell, &'static str) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (shell, what) = (Arc::clone(&self.shell), self.what);
        tokio::task::spawn_blocking(move || work(&mut lock(&shell), what)).await?
    }

    fn lock(&self) -> MutexGuard<'_, Shell> {
        lock(&self.shell)
    }
}

fn lock(shell: &Mutex<Shell>) -> MutexGuard<'_, Shell> {
    shell.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shell {
    fn order(&mut self, order: &str) -> Result<String> {
        let orders = self.orders.as_mut().context("the shell was told to end")?;
        writeln!(orders, "{order}")
            .and_then(|()| orders.flush())
            .context("the shell that watches the server is gone")?;
        let mut answer = String::new();
        self.answers
            .read_line(&mut answer)
            .context("the shell that watches the server gave no answer")?;
        Ok(answer.trim().to_owned())
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        self.orders = None;
        let started = Instant::now();
        while started.elapsed() < FAREWELL && matches!(self.process.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// A dead server stays a zombie until its shell waits for it, and a signal to a zombie succeeds: where the system says
/// more than whether the id exists, ask it.
pub(crate) fn is_running(pid: i32) -> bool {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        // `pid (name) state …`; the name may hold blanks and brackets.
        Ok(stat) => !stat
            .rsplit(')')
            .next()
            .is_some_and(|rest| rest.trim_start().starts_with(['Z', 'X'])),
        Err(_) if Path::new("/proc/self").exists() => false,
        Err(_) => kill(Pid::from_raw(pid), None).is_ok(),
    }
}
