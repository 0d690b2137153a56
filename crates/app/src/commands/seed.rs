//! `billwright seed`: fills the billing database with believable users and billings.

use std::process::ExitCode;

use billwright_domain::{Clock as _, SystemClock};
use billwright_store::{Mongo, billing::seed};

use crate::{
    answer,
    config::{ConfigProblems, MongoConfig, Reader, Source},
};

/// The command's arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  billwright seed\n  billwright seed --users 1000 --billings 5000 --json")]
pub(crate) struct Seed {
    /// How many users to add.
    #[arg(long, default_value_t = 100)]
    users: u64,
    /// How many billings to add, spread over those users.
    #[arg(long, default_value_t = 300)]
    billings: u64,
    /// The same number makes the same data, but for ids and numbers.
    #[arg(long = "seed", default_value_t = 1)]
    chance: u64,
    /// Print the answer as JSON.
    #[arg(long)]
    json: bool,
}

impl Seed {
    pub(crate) async fn run(self, source: &Source) -> anyhow::Result<ExitCode> {
        let mut reader = Reader::new(source);
        let mongo = MongoConfig::read(&mut reader, false, true).billing;
        reader.finish()?;
        let Some(settings) = mongo else {
            return Err(ConfigProblems(Vec::new()).into());
        };
        let mongo = Mongo::open(&settings).await?;
        let report = |written: u64| {
            if written.is_multiple_of(100_000) && written > 0 {
                tracing::info!(written, "documents are written");
            }
        };
        let seeded = seed::seed(
            &mongo,
            self.users,
            self.billings,
            self.chance,
            SystemClock.now(),
            report,
        )
        .await?;
        if self.json {
            answer::json(
                &serde_json::json!({ "database": mongo.name(), "users": seeded.users, "billings": seeded.billings }),
            )?;
        } else {
            let (users, billings) = (seeded.users, seeded.billings);
            answer::line(format_args!(
                "{users} users and {billings} billings added to the database `{}`",
                mongo.name()
            ))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
