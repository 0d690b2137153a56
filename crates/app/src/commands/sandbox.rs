//! `billwright sandbox`: a stand-in for Billz and Telegram.

use std::{net::SocketAddr, process::ExitCode};

use anyhow::Context as _;
use billwright_sandbox::{BOT_TOKEN, CASHBOX_ID, GROUP_ID, SECRET_TOKEN, SHOP_ID, Sandbox as Server, SandboxSettings};
use serde_json::json;

use crate::{answer, lifecycle};

/// The command's arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  billwright sandbox\n  billwright sandbox --listen 127.0.0.1:0 --no-limits --json")]
pub(crate) struct Sandbox {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4010")]
    listen: SocketAddr,
    /// From this all ids, order numbers and chances derive.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Do not limit calls and messages as Billz and Telegram do.
    #[arg(long)]
    no_limits: bool,
    /// Take any product id, instead of refusing those that the sandbox does not sell.
    #[arg(long)]
    any_product: bool,
    /// Print the addresses as JSON.
    #[arg(long)]
    json: bool,
}

impl Sandbox {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let stop = lifecycle::stop_on_signals()?;
        let limits = SandboxSettings::like_the_real_services(self.listen.port());
        let settings = SandboxSettings {
            address: self.listen,
            seed: self.seed,
            any_product: self.any_product,
            ..if self.no_limits {
                SandboxSettings::default()
            } else {
                limits
            }
        };
        let server = Server::start(settings).await.context("the sandbox does not start")?;
        let (billz, telegram) = (server.billz_url(), server.telegram_url());
        if self.json {
            answer::json(&json!({
                "BILLZ_BASE_URL": billz, "BILLZ_TOKEN": SECRET_TOKEN, "BILLZ_SHOP_ID": SHOP_ID, "BILLZ_CASHBOX_ID": CASHBOX_ID,
                "TELEGRAM_BASE_URL": telegram, "TELEGRAM_BOT_TOKEN": BOT_TOKEN, "TELEGRAM_GROUP_ID": GROUP_ID.to_string(),
            }))?;
        } else {
            answer::line(format_args!(
                "The sandbox of Billz and Telegram is up; {billz}/ shows what happens in it. For `billwright run`:"
            ))?;
            for (name, value) in [
                ("BILLZ_BASE_URL", billz.as_str()),
                ("BILLZ_TOKEN", SECRET_TOKEN),
                ("BILLZ_SHOP_ID", SHOP_ID),
                ("TELEGRAM_BASE_URL", telegram.as_str()),
                ("TELEGRAM_BOT_TOKEN", BOT_TOKEN),
                ("TELEGRAM_GROUP_ID", &GROUP_ID.to_string()),
            ] {
                answer::line(format_args!("export {name}={value}"))?;
            }
        }
        server.serve_until(stop).await;
        Ok(ExitCode::SUCCESS)
    }
}
