//! `billwright completions`: completions for a shell.

use std::process::ExitCode;

use crate::answer;

/// The command's arguments.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  billwright completions bash > /etc/bash_completion.d/billwright\n  billwright completions zsh > ~/.zfunc/_billwright\n  billwright completions fish > ~/.config/fish/completions/billwright.fish"
)]
pub(crate) struct Completions {
    /// The shell.
    shell: clap_complete::Shell,
}

impl Completions {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut crate::command_line(), "billwright", &mut script);
        answer::line(String::from_utf8(script)?)?;
        Ok(ExitCode::SUCCESS)
    }
}
