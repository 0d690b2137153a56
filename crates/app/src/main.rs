//! The `billwright` binary: order worker, billing API and event consumer in one process, and the commands around them.

mod alerts;
mod answer;
mod commands;
mod config;
mod env_vars;
mod http;
mod lifecycle;
mod roles;
mod telemetry;

use std::{process::ExitCode, time::Duration};

use clap::{Arg, ArgMatches, CommandFactory, FromArgMatches};
use config::{ConfigProblems, Source};

use crate::{commands::Command, env_vars::Variable, telemetry::Telemetry};

/// Exit status for a wrong configuration, after `EX_CONFIG` of `sysexits.h`.
const EXIT_CONFIGURATION: u8 = 78;

/// How long calls that block are waited for once everything else has ended.
const LEFT_BEHIND: Duration = Duration::from_secs(1);

/// Billz order worker and TelecomX billing, in one process.
#[derive(Debug, clap::Parser)]
#[command(
    name = "billwright",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    let matches = command_line().get_matches();
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let source = Source::gather(flags(&matches));
    match run(cli, &source) {
        Ok(code) => code,
        Err(error) => {
            // Standard error may be closed, and then nobody is left to tell.
            let told = match error.downcast_ref::<ConfigProblems>() {
                Some(problems) => commands::complain(problems),
                None => commands::complain(format_args!("error: {error:#}")),
            };
            drop(told);
            ExitCode::from(if error.is::<ConfigProblems>() {
                EXIT_CONFIGURATION
            } else {
                1
            })
        }
    }
}

/// Carries the command out, with the logs and traces around it.
fn run(cli: Cli, source: &Source) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let telemetry = Telemetry::start(source, cli.command.is_traced(), runtime.handle())?;
    let outcome = runtime.block_on(cli.command.run(source, telemetry.logs.clone()));
    telemetry.finish();
    // A call into librdkafka that waits for a broker which is gone must not keep a process that has stopped.
    runtime.shutdown_timeout(LEFT_BEHIND);
    outcome
}

/// The command line, with a flag for every variable whose value may be seen in a list of processes.
fn command_line() -> clap::Command {
    let flags = env_vars::ALL
        .iter()
        .filter(|variable| has_flag(variable))
        .map(|variable| {
            Arg::new(variable.name)
                .long(flag_name(variable))
                .global(true)
                .value_name("VALUE")
                .help(variable.about)
                .help_heading(variable.section)
                .hide_short_help(true)
        });
    Cli::command().args(flags)
}

fn has_flag(variable: &Variable) -> bool {
    !variable.secret || variable.is_address()
}

fn flag_name(variable: &Variable) -> String {
    variable.name.to_lowercase().replace('_', "-")
}

/// What the flags say, each for the variable of the same meaning.
fn flags(matches: &ArgMatches) -> impl Iterator<Item = (&'static Variable, Option<String>)> {
    env_vars::ALL
        .iter()
        .filter(|variable| has_flag(variable))
        .map(|variable| {
            let value = matches.get_one::<String>(variable.name).cloned();
            (*variable, value)
        })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_sound() {
        super::command_line().debug_assert();
    }
}
