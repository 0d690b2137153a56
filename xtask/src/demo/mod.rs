//! `cargo xtask demo`: real servers, the sandbox and the real binary; work goes in as producers and callers put it in, and
//! each step looks for its effect where it must be: in MongoDB, Redis, Billz's books, the topic, or the API.

mod billing;
mod orders;
mod screen;
mod stage;

use anyhow::{Result, bail, ensure};

use self::{
    orders::Shop,
    screen::{Effects, Screen, say},
    stage::Stage,
};
use crate::{
    interrupt::interrupted,
    test_bed::{Limits, Places, TestBed},
};

/// Billz's real limit is 2 calls a second, with which this would take minutes.
const BILLZ_CALLS_PER_SECOND: u32 = 20;

/// The command's arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// End after the last step, with success only if every step had its effect.
    #[arg(long)]
    once: bool,
}

/// Shows everything, and stays up until Ctrl-C unless told otherwise.
pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    say("Starting MongoDB, Redis, Kafka, the sandbox and Billwright …");
    let start = TestBed::start(Limits::BillzCallsPerSecond(BILLZ_CALLS_PER_SECOND));
    let bed = tokio::select! {
        bed = Box::pin(start) => bed?,
        // What runs already is stopped by being dropped.
        _ = interrupted() => bail!("broken off"),
    };
    let stage = Stage::set(bed).await?;
    let mut screen = Screen::new();
    let broken_off = tokio::select! {
        () = Box::pin(show(&stage, &mut screen)) => false,
        _ = interrupted() => true,
    };
    if !arguments.once && !broken_off {
        screen.conclude();
        addresses(&stage).await;
        say("Ctrl-C stops everything.\n");
        interrupted().await?;
    }
    let log = stage.bed.log_end(30);
    tokio::select! {
        () = screen.step("SIGTERM: Billwright finishes what it has in hand and stops", stop(stage)) => {}
        _ = interrupted() => bail!("stopped at once"),
    }
    if broken_off {
        bail!("broken off");
    }
    if arguments.once && !screen.conclude() {
        bail!("not every step had its effect. Billwright's log ended with:\n{log}");
    }
    Ok(())
}

/// Every step in turn.
async fn show(stage: &Stage, screen: &mut Screen) {
    let shop = Shop::new();
    say("\nThe order worker: jobs on the queue `billz-operations`\n");
    screen
        .step("The shop has documents of its own", shop.documents(stage))
        .await;
    screen.step("CREATE_CLIENT, twice", shop.create_client(stage)).await;
    screen
        .step(
            "PLACE_ORDER: a complete order, parked because it is not paid yet",
            shop.place_order(stage),
        )
        .await;
    screen
        .step("PLACE_ORDER, the same order again", shop.place_order_again(stage))
        .await;
    screen.step("MAKE_PAYMENT, twice", shop.pay(stage)).await;
    screen
        .step("A payload that can never work", shop.bad_payload(stage))
        .await;
    screen
        .step("PLACE_ORDER with more units than Billz has", shop.sold_out(stage))
        .await;

    say("\nThe billing API and the customer events\n");
    screen
        .step("A user and a billing over HTTP", billing::user_and_billing(stage))
        .await;
    screen
        .step("A billing for a suspended user", billing::suspended_user(stage))
        .await;
    screen
        .step("A billing is paid, then deleted", billing::pay_and_delete(stage))
        .await;
    screen
        .step(
            "Customer.Created on the topic, in both envelopes",
            billing::created(stage),
        )
        .await;
    screen
        .step(
            "Customer.Created, the same customer again",
            billing::created_twice(stage),
        )
        .await;
    screen
        .step("Customer.Suspended and Customer.Reactivated", billing::suspended(stage))
        .await;
    screen.step("An event that is no JSON", billing::poison(stage)).await;

    say("\nOperations\n");
    screen
        .step(
            "The team was told over Telegram, one message a second",
            shop.messages(stage),
        )
        .await;
    screen.step("Health and metrics", operations(stage)).await;
}

/// Readiness names every dependency, metrics count what was done, and the log tells nothing private.
async fn operations(stage: &Stage) -> Result<Effects> {
    let health = stage.read("/health/ready").await?;
    let dependencies = health["dependencies"].to_string().to_lowercase();
    for name in ["mongodb", "redis", "kafka", "billz"] {
        ensure!(
            dependencies.contains(name),
            "`{name}` is not among the dependencies: {health}"
        );
    }
    let metrics = stage.read("/metrics").await?;
    let lines = metrics
        .as_str()
        .unwrap_or_default()
        .lines()
        .filter(|line| line.starts_with("billwright_"))
        .count();
    ensure!(lines > 0, "no metric of Billwright's own");
    let log = stage.bed.log();
    for private in [orders::CLIENT_PHONE, orders::OTHER_PHONE] {
        ensure!(
            !log.contains(private.trim_start_matches('+')),
            "the log tells a whole phone number"
        );
    }
    Ok(vec![
        format!("ready: {}", health["status"]),
        format!(
            "{lines} lines of metrics; {} lines of log, without a whole phone number",
            log.lines().count()
        ),
    ])
}

async fn stop(stage: Stage) -> Result<Effects> {
    stage.bed.stop().await?;
    Ok(vec!["exit status 0".to_owned()])
}

async fn addresses(stage: &Stage) {
    let Places {
        billwright_url,
        billz_url,
        billz_mongodb_uri,
        billing_mongodb_uri,
        redis_url,
        ..
    } = &stage.bed.places;
    let Places {
        bullmq_prefix,
        kafka_brokers,
        kafka_topic,
        ..
    } = &stage.bed.places;
    say(format_args!(
        "\n  API          {billwright_url}/api/users   {billwright_url}/api/billings"
    ));
    for (name, path) in [
        ("API docs", "/api/docs"),
        ("Dashboard", "/dashboard"),
        ("Health", "/health/ready"),
        ("Metrics", "/metrics"),
    ] {
        if stage.read(path).await.is_ok() {
            say(format_args!("  {name:<12} {billwright_url}{path}"));
        }
    }
    say(format_args!(
        "  Sandbox      {billz_url}/   (Billz and Telegram, with their books)"
    ));
    say(format_args!("  MongoDB      {billz_mongodb_uri}"));
    say(format_args!("               {billing_mongodb_uri}"));
    say(format_args!(
        "  Redis        {redis_url}   (queue billz-operations, prefix {bullmq_prefix})"
    ));
    say(format_args!("  Kafka        {kafka_brokers}   (topic {kafka_topic})\n"));
}
