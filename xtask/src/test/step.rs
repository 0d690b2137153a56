//! The steps by name, and how one is run: as a group of processes that ends with this one.

use std::{process::Stdio, time::Duration};

use anyhow::{Context, Result, bail};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::process::Command;

use crate::interrupt::interrupted;

/// No step takes a third of this on two cores from an empty cache; one that does not end is better known by its name.
const DEADLINE: Duration = Duration::from_mins(40);

/// One thing to check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Step {
    Format,
    Lints,
    Docs,
    Dependencies,
    AlertRules,
    Build,
    Tests,
    Instructions,
    Interop,
    Browser,
    Demo,
    Chaos,
}

impl Step {
    /// As `--only` and `--skip` take it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::Lints => "lints",
            Self::Docs => "docs",
            Self::Dependencies => "dependencies",
            Self::AlertRules => "alert-rules",
            Self::Build => "build",
            Self::Tests => "tests",
            Self::Instructions => "instructions",
            Self::Interop => "interop",
            Self::Browser => "browser",
            Self::Demo => "demo",
            Self::Chaos => "chaos",
        }
    }

    /// What holds when the step passes.
    pub(crate) fn checks(self) -> &'static str {
        match self {
            Self::Format => "rustfmt would change nothing",
            Self::Lints => "clippy warns of nothing, in any target",
            Self::Docs => "rustdoc warns of nothing",
            Self::Dependencies => "licences, sources, who may use what, and nothing unused",
            Self::AlertRules => "Prometheus takes the rules in `deploy/`, and their tests pass",
            Self::Build => "all targets compile",
            Self::Tests => "unit, integration and doc tests pass on real services",
            Self::Instructions => "no hot path takes more instructions than are on record",
            Self::Interop => "real Node clients and the built binary understand each other",
            Self::Browser => "the operations pages do what a person wants, in Chromium",
            Self::Demo => "`cargo xtask demo --once`: every step has its effect",
            Self::Chaos => "a minute of faults: nothing is lost and nothing done twice",
        }
    }
}

/// Runs `command` to its end; anything but success is an error that repeats the command.
pub(super) async fn run(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    let mut child = command
        .stdin(Stdio::null())
        // Cargo's children (rustc, tests) are not ours: the group is how to reach them.
        .process_group(0)
        .spawn()
        .with_context(|| format!("cannot run `{shown}`"))?;
    let group = Group(child.id().and_then(|id| i32::try_from(id).ok()));
    let status = tokio::select! {
        status = child.wait() => status?,
        () = tokio::time::sleep(DEADLINE) => bail!("`{shown}` has not ended in {} minutes", DEADLINE.as_secs() / 60),
        asked = interrupted() => { asked?; bail!("interrupted during `{shown}`") }
    };
    drop(group);
    if !status.success() {
        bail!("`{shown}` ended with {status}");
    }
    Ok(())
}

/// Ends whatever is left of a step, also when its first process ended well.
struct Group(Option<i32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // An error means that nobody is left, which is what is wanted.
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
    }
}

fn shown(command: &Command) -> String {
    let command = command.as_std();
    let program = std::path::Path::new(command.get_program())
        .file_name()
        .unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words
        .map(std::ffi::OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn a_step_is_called_what_the_options_call_it() {
        for step in Step::value_variants() {
            assert_eq!(step.to_possible_value().unwrap().get_name(), step.name());
        }
    }

    #[tokio::test]
    async fn a_failing_command_is_an_error_that_names_it_and_its_status() {
        let failure = run(Command::new("sh").args(["-c", "exit 3"]))
            .await
            .unwrap_err()
            .to_string();
        assert_eq!(failure, "`sh -c exit 3` ended with exit status: 3");
        run(&mut Command::new("true")).await.unwrap();
    }

    #[tokio::test]
    async fn what_a_step_leaves_running_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let script = format!("sleep 300 & echo $! > '{}'", file.display());
        run(Command::new("sh").args(["-c", &script])).await.unwrap();
        let pid = std::fs::read_to_string(file).unwrap();
        let state = || std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
        while state().is_ok_and(|stat| !stat.contains(") Z ")) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
