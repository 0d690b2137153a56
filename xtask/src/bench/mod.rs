//! `cargo xtask bench`: every benchmark by one command, beside the reference peer and beside bare loops over the
//! drivers.
//!
//! Each benchmark is a file, and an entry of [`Benchmark`]. It puts rows on the [`Ground`]; [`report`] makes tables of
//! their medians, and [`targets`] says which targets they meet. Contenders take turns within each round, since the
//! machine is never twice the same.

mod bare;
mod benchmark;
mod billz;
mod contenders;
mod creations;
mod data;
mod drain;
mod event_latency;
mod events;
mod figures;
mod ground;
mod growth;
mod jobs;
mod lists;
mod memory;
mod meter;
mod order_path;
mod peers;
mod queue;
mod reads;
mod report;
mod rest;
mod scaling;
mod size;
mod start;
mod targets;
mod wrk;

use std::{
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use billwright_services::progress;
use clap::ValueEnum as _;

use self::{
    benchmark::Benchmark,
    ground::{Extent, Ground},
    peers::Peers,
};
use crate::{cargo::cargo, interrupt::interrupted, test_bed};

/// What to measure, and beside whom.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Run this benchmark and no other; may be given several times.
    #[arg(long, value_name = "NAME")]
    only: Vec<Benchmark>,
    /// How often every contender is measured.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: u32,
    /// Measure the reference peers in this folder too.
    #[arg(long, value_name = "DIR")]
    peers: Option<PathBuf>,
    /// Measure this binary instead of building an optimised one.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Write every row, the medians and the verdicts to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Tiny sizes: shows within minutes that every benchmark works. Its figures mean nothing.
    #[arg(long)]
    quick: bool,
    /// Let `growth` go on to 10 million billings and a million waiting jobs.
    #[arg(long)]
    ten_million: bool,
    /// How many seconds to wait at most for a quiet machine before each run.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    wait: u64,
    /// Print the benchmarks with what each measures, and run none.
    #[arg(long)]
    list: bool,
}

/// Runs the chosen benchmarks, one after another. Rows that are there are reported also when one of them fails.
pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    if arguments.list {
        for benchmark in Benchmark::value_variants() {
            say(&format!("{:<14}{}", benchmark.name(), benchmark.measures()));
        }
        return Ok(());
    }
    if cfg!(debug_assertions) && !arguments.quick {
        return again_optimised(arguments).await;
    }
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut ground = tokio::select! {
        ground = prepare(arguments) => ground?,
        asked = interrupted() => { asked?; bail!("interrupted") }
    };
    let mut failed = Vec::new();
    for benchmark in arguments.chosen() {
        progress::tell(&format!("== {}: {}", benchmark.name(), benchmark.measures()));
        let outcome = tokio::select! {
            outcome = benchmark.run(&mut ground) => outcome,
            asked = interrupted() => { asked?; failed.push("the rest: interrupted".to_owned()); break }
        };
        if let Err(error) = outcome {
            progress::tell(&format!("{} failed: {error:#}", benchmark.name()));
            failed.push(format!("{}: {error:#}", benchmark.name()));
        }
    }
    let report = report::Report::of(&ground, &arguments.chosen()).await;
    say(&report.markdown());
    if let Some(file) = &arguments.report {
        let text = serde_json::to_string_pretty(&report.json())?;
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    if !failed.is_empty() {
        bail!("not everything was measured: {}", failed.join("; "));
    }
    Ok(())
}

async fn prepare(arguments: &Arguments) -> Result<Ground> {
    let program = match &arguments.program {
        Some(program) => std::fs::canonicalize(program)
            .with_context(|| format!("cannot find the binary {} of --program", program.display()))?,
        None => build("billwright").await?,
    };
    let peers = if let Some(folder) = &arguments.peers {
        Some(Peers::prepare(folder).await?)
    } else {
        progress::tell("without --peers, ours alone is measured, and targets beside the peer stay open");
        None
    };
    let extent = Extent {
        rounds: if arguments.quick { 1 } else { arguments.rounds },
        quick: arguments.quick,
        ten_million: arguments.ten_million,
        wait_seconds: if arguments.quick { 0 } else { arguments.wait },
    };
    Ground::prepare(program, peers, extent).await
}

/// The loops of this program are part of what is measured: builds it optimised and lets that one go on instead.
async fn again_optimised(arguments: &Arguments) -> Result<()> {
    progress::tell("building optimised programs, which takes some minutes at the first time");
    let mut command = std::process::Command::new(build("xtask").await?);
    command.args(std::env::args_os().skip(1));
    if arguments.program.is_none() {
        command.arg("--program").arg(build("billwright").await?);
    }
    Err(command.exec()).context("cannot run the optimised program")
}

async fn build(program: &str) -> Result<PathBuf> {
    let mut command = cargo();
    command.args(["build", "--release", "--locked", "--bin", program]);
    test_bed::built_by(command, program).await
}

impl Arguments {
    fn chosen(&self) -> Vec<Benchmark> {
        match self.only.as_slice() {
            [] => Benchmark::value_variants().to_vec(),
            only => only.to_vec(),
        }
    }
}

/// The name of a file without its folders.
fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

#[expect(clippy::print_stdout, reason = "the command's answer")]
fn say(text: &str) {
    println!("{text}");
}
