//! `cargo xtask test`: everything that must hold before a change is taken, in the order in which it is quickest to know.

mod step;

use std::time::Instant;

use anyhow::{Context, Result, bail};
use billwright_services::{Services, fetch};
use clap::ValueEnum;
use tokio::process::Command;

use self::step::Step;
use crate::cargo::{cargo, workspace};

/// What to check; everything by default.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Run this step and no other; may be given several times.
    #[arg(long, value_name = "STEP")]
    only: Vec<Step>,
    /// Run all steps but this one; may be given several times.
    #[arg(long, value_name = "STEP", conflicts_with = "only")]
    skip: Vec<Step>,
    /// Print the steps with what each checks, and run none.
    #[arg(long)]
    list: bool,
}

impl Arguments {
    fn steps(&self) -> Vec<Step> {
        let chosen = |step: &Step| match self.only.as_slice() {
            [] => !self.skip.contains(step),
            only => only.contains(step),
        };
        Step::value_variants().iter().copied().filter(chosen).collect()
    }
}

/// Runs the chosen steps and stops at the first that fails.
pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    let steps = arguments.steps();
    if arguments.list {
        for step in steps {
            say(&format!("{:<14}{}", step.name(), step.checks()));
        }
        return Ok(());
    }
    if steps.is_empty() {
        bail!("no step is left to run: `--list` names them");
    }
    let begun = Instant::now();
    let mut services = None;
    let mut times = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        say(&format!(
            "\n=== {} of {}: {} ({})",
            index + 1,
            steps.len(),
            step.name(),
            step.checks()
        ));
        let step_begun = Instant::now();
        run_step(*step, &mut services).await.with_context(|| {
            format!(
                "step `{0}` failed. To run it alone: cargo xtask test --only {0}",
                step.name()
            )
        })?;
        times.push((step.name(), step_begun.elapsed()));
    }
    drop(services);
    say("\n=== everything holds:");
    for (name, time) in times {
        say(&format!("{name:<14}{:>8.1} s", time.as_secs_f64()));
    }
    say(&format!("{:<14}{:>8.1} s", "together", begun.elapsed().as_secs_f64()));
    Ok(())
}

async fn run_step(step: Step, services: &mut Option<Services>) -> Result<()> {
    match step {
        Step::Format => step::run(cargo().args(["fmt", "--all", "--", "--check"])).await,
        Step::Lints => {
            step::run(cargo().args([
                "clippy",
                "--workspace",
                "--all-targets",
                "--locked",
                "--",
                "-D",
                "warnings",
            ]))
            .await
        }
        Step::Docs => {
            let mut doc = cargo();
            doc.args([
                "doc",
                "--workspace",
                "--no-deps",
                "--document-private-items",
                "--locked",
            ]);
            // Nobody reads these pages but who works on the code: private items are shown, and may be linked to.
            step::run(doc.env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private_intra_doc_links")).await
        }
        Step::Dependencies => dependencies().await,
        Step::AlertRules => alert_rules().await,
        Step::Build => step::run(cargo().args(["test", "--workspace", "--all-targets", "--no-run", "--locked"])).await,
        Step::Tests => {
            step::run(
                with(services, cargo())
                    .await?
                    .args(["test", "--workspace", "--locked", "--no-fail-fast"]),
            )
            .await
        }
        Step::Instructions => step::run(this_program()?.arg("instructions")).await,
        Step::Interop => step::run(with(services, this_program()?).await?.arg("interop")).await,
        Step::Browser => step::run(with(services, this_program()?).await?.arg("browser")).await,
        Step::Demo => step::run(with(services, this_program()?).await?.args(["demo", "--once"])).await,
        // On servers of its own, since it kills them; always the same seed, so that a change is judged by the change.
        Step::Chaos => step::run(this_program()?.args(["chaos", "--seed", "1", "--duration", "60s"])).await,
    }
}

async fn alert_rules() -> Result<()> {
    let promtool = fetch::promtool()?;
    let folder = workspace().join("deploy/prometheus");
    for arguments in [
        ["check", "rules", "billwright.rules.yml"],
        ["test", "rules", "billwright.rules.test.yml"],
    ] {
        step::run(Command::new(&promtool).args(arguments).current_dir(&folder)).await?;
    }
    Ok(())
}

async fn dependencies() -> Result<()> {
    let (deny, shear) = tokio::try_join!(fetch::cargo_deny(), fetch::cargo_shear())?;
    let check = |arguments: &[&str]| {
        let mut check = Command::new(&deny);
        check.arg("--locked").args(arguments).current_dir(workspace());
        check
    };
    step::run(&mut check(&["check", "licenses", "sources"])).await?;
    // Who may use what is a matter of the product: tests may use what they like.
    step::run(&mut check(&["--exclude-dev", "check", "bans"])).await?;
    let mut unused = Command::new(shear);
    step::run(unused.args(["--locked"]).current_dir(workspace())).await
}

/// `command` with the addresses of the services, which the first that needs them starts for all.
async fn with(services: &mut Option<Services>, mut command: Command) -> Result<Command> {
    let services = match services {
        Some(started) => started,
        None => services.insert(Services::start().await?),
    };
    command.envs(services.variables());
    Ok(command)
}

/// A step that is a command of this program is a process of its own, so that it meets the services as others do.
fn this_program() -> Result<Command> {
    // The link in `/proc` names a file that was deleted once a step has built this program anew.
    let program = std::env::current_exe()?
        .to_string_lossy()
        .trim_end_matches(" (deleted)")
        .to_owned();
    Ok(Command::new(program))
}

#[expect(clippy::print_stdout, reason = "headings between the output of the steps")]
fn say(line: &str) {
    println!("{line}");
}
