//! What the person at the terminal sees: numbered steps, what each of them did, and how long it took.

use std::{
    fmt::Display,
    io::{self, Write as _},
    time::Instant,
};

use anyhow::Result;
use billwright_services::progress;

/// What a step did and how that was seen, one line each.
pub(super) type Effects = Vec<String>;

/// The steps so far.
#[derive(Debug)]
pub(super) struct Screen {
    started: Instant,
    steps: usize,
    failed: Vec<usize>,
}

impl Screen {
    /// Before the first step.
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            steps: 0,
            failed: Vec::new(),
        }
    }

    /// Takes one step: says what is about to happen, does it, and shows its effects or why there are none.
    pub(super) async fn step(&mut self, title: &str, work: impl Future<Output = Result<Effects>>) {
        self.steps += 1;
        say(format_args!("{:>2}. {title}", self.steps));
        let started = Instant::now();
        let outcome = progress::during("    still waiting for the effect", work).await;
        let seconds = started.elapsed().as_secs_f32();
        match outcome {
            Ok(effects) => {
                for effect in effects {
                    say(format_args!("      {effect}"));
                }
                say(format_args!("      ✓ {seconds:.2} s"));
            }
            Err(error) => {
                self.failed.push(self.steps);
                say(format_args!("      ✗ {seconds:.2} s: {error:#}"));
            }
        }
    }

    /// Whether every step so far had its effect, after telling so.
    pub(super) fn conclude(&self) -> bool {
        let seconds = self.started.elapsed().as_secs_f32();
        if self.failed.is_empty() {
            say(format_args!(
                "\nAll {} steps had their effect, in {seconds:.1} s.",
                self.steps
            ));
        } else {
            let failed = self.failed.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
            say(format_args!(
                "\n{} of {} steps had no effect: {failed}.",
                self.failed.len(),
                self.steps
            ));
        }
        self.failed.is_empty()
    }
}

/// One line of the answer. That nobody reads any more is no reason to leave the rest undone.
pub(super) fn say(line: impl Display) {
    drop(writeln!(io::stdout().lock(), "{line}"));
}
