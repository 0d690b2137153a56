//! `billwright dashboard-user`: makes a person's entry for `DASHBOARD_USERS`.

use std::{
    io::{self, BufRead as _, IsTerminal as _},
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use billwright_dashboard::{Role, entry};
use secrecy::SecretString;

use crate::answer;

/// The command's arguments.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The password is asked for, or read from standard input as one line; it is kept nowhere.\n\nExamples:\n  billwright dashboard-user anna --role operator\n  pass show billwright/anna | billwright dashboard-user anna"
)]
pub(crate) struct DashboardUser {
    /// The person's name.
    name: String,
    /// What they may do: `viewer` looks, `operator` acts too.
    #[arg(long, default_value = "viewer", value_parser = role)]
    role: Role,
}

fn role(word: &str) -> Result<Role, String> {
    word.parse().map_err(|problem| format!("expected {problem}"))
}

impl DashboardUser {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let password = read_password()?;
        match entry(&self.name, self.role, &password) {
            Ok(entry) => {
                answer::line(&entry)?;
                Ok(ExitCode::SUCCESS)
            }
            Err(problem) => bail!("expected {problem}"),
        }
    }
}

/// Asked for at a terminal, where it is not shown; else one line of standard input.
fn read_password() -> anyhow::Result<SecretString> {
    let problem = "the password cannot be read";
    if io::stdin().is_terminal() {
        return Ok(rpassword::prompt_password("Password: ").context(problem)?.into());
    }
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).context(problem)?;
    Ok(SecretString::from(line.trim_end_matches(['\r', '\n'])))
}
