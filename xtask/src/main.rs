//! The project's own commands: `cargo xtask demo`, `test`, `services`, `interop`, `browser`, `chaos`, `upgrade`, `soak`,
//! `overload`, `fuzz`, `instructions`, `bench`.

mod bench;
mod browser;
mod cargo;
mod chaos;
mod demo;
mod fuzz;
mod instructions;
mod interop;
mod interrupt;
mod node_packages;
mod overload;
mod process;
mod services;
mod test;
mod test_bed;

use std::process::ExitCode;

use billwright_services::progress;
use clap::{Parser, Subcommand};

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the services, the sandbox and all roles, put real work through them, and show what happened.
    Demo(demo::Arguments),
    /// Check everything: format, lints, docs, dependencies, unit and integration tests, interop, browser, demo.
    Test(test::Arguments),
    /// Start MongoDB, Redis and Kafka for development, and keep them until Ctrl-C.
    Services,
    /// Run the tests with real Node clients against the built binary.
    Interop(interop::Arguments),
    /// Use the operations pages of the built binary in a real Chromium.
    Browser(browser::Arguments),
    /// Break everything, again and again, under load, and check that nothing is lost and nothing happens twice.
    Chaos(chaos::Arguments),
    /// Replace an older version by this one and go back, process by process under load, and check the same.
    Upgrade(chaos::upgrade::Arguments),
    /// Give every reader of outside input what its own branches suggest, and check what must hold.
    Fuzz(fuzz::Arguments),
    /// Count the instructions of the hot paths, and compare them with what is on record.
    Instructions(instructions::Arguments),
    /// Measure everything beside the reference peer and beside bare loops over the drivers, and judge the targets.
    Bench(bench::Arguments),
    /// Let everything run for an hour with nothing broken, and check that nothing grows that should not.
    Soak(chaos::soak::Arguments),
    /// Offer ten times what one process can serve, and check that it stays small, answers, and recovers.
    Overload(overload::Arguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Demo(arguments) => demo::run(&arguments).await,
        Command::Test(arguments) => test::run(&arguments).await,
        Command::Services => services::run().await,
        Command::Interop(arguments) => interop::run(&arguments).await,
        Command::Browser(arguments) => browser::run(&arguments).await,
        Command::Chaos(arguments) => chaos::run(&arguments).await,
        Command::Upgrade(arguments) => chaos::upgrade::run(&arguments).await,
        Command::Fuzz(arguments) => fuzz::run(&arguments).await,
        Command::Instructions(arguments) => instructions::run(&arguments).await,
        Command::Bench(arguments) => bench::run(&arguments).await,
        Command::Soak(arguments) => chaos::soak::run(&arguments).await,
        Command::Overload(arguments) => overload::run(&arguments).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // For a person: the causes in a row, and no backtrace of this program.
            progress::tell(&format!("error: {failure:#}"));
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
