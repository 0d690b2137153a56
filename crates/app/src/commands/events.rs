//! `billwright events`: looks at the consumer of customer events and acts on it.

use std::{ops::ControlFlow, process::ExitCode};

use billwright_domain::{SystemClock, input};
use billwright_events::{
    EventsSettings,
    admin::{self, Place, ResetRequest, ResetTo, TailRequest, dead_letters},
};
use billwright_store::Mongo;

use crate::{
    answer,
    config::{ConfigProblems, EventsConfig, MongoConfig, Reader, Source},
    lifecycle,
};

/// The command's arguments.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  billwright events lag\n  billwright events tail --last 5 --follow\n  billwright events dlq list\n  billwright events dlq replay customers.dlq/0/17 --dry-run\n  billwright events reset --to beginning --dry-run"
)]
pub(crate) struct Events {
    #[command(subcommand)]
    action: Action,
    /// Print the answer as JSON.
    #[arg(long, global = true)]
    json: bool,
}

/// What to do.
#[derive(Debug, clap::Subcommand)]
enum Action {
    /// How far each partition is behind.
    Lag,
    /// The last events, and the next ones as they come.
    Tail {
        /// The topic; the first configured one when not given.
        #[arg(long)]
        topic: Option<String>,
        /// How many of the last events of each partition.
        #[arg(long, default_value_t = 10)]
        last: u32,
        /// Go on with what comes, until Ctrl-C.
        #[arg(long)]
        follow: bool,
    },
    /// The events that could not be applied.
    Dlq {
        #[command(subcommand)]
        action: DeadLetterAction,
    },
    /// Read partitions again, or skip. Running consumers notice within seconds.
    Reset {
        /// Where to go on: `beginning`, `end`, an offset, or a time in ISO 8601 form.
        #[arg(long, value_parser = reset_to)]
        to: ResetTo,
        /// The topic; all of them when not given.
        #[arg(long)]
        topic: Option<String>,
        /// The partition; all of them when not given.
        #[arg(long)]
        partition: Option<i32>,
        /// Let events that were applied before take effect a second time; otherwise they change nothing.
        #[arg(long)]
        reapply: bool,
        /// Only tell what would be done.
        #[arg(long)]
        dry_run: bool,
    },
}

/// What to do with dead letters.
#[derive(Debug, clap::Subcommand)]
enum DeadLetterAction {
    /// The newest dead letters.
    List {
        /// How many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// One of them, raw.
    Show {
        /// Where it lies: topic/partition/offset.
        place: Place,
    },
    /// Put dead letters back into their topics.
    Replay {
        /// One of them, by topic/partition/offset; all that were not put back before when not given.
        place: Option<Place>,
        /// Only tell what would be done.
        #[arg(long)]
        dry_run: bool,
    },
}

fn reset_to(text: &str) -> Result<ResetTo, String> {
    match text {
        "beginning" => Ok(ResetTo::Beginning),
        "end" => Ok(ResetTo::End),
        _ => {
            if let Ok(offset) = text.parse() {
                return Ok(ResetTo::Offset(offset));
            }
            match input::date(&text.into()) {
                Ok(Some(time)) => Ok(ResetTo::Time(time)),
                _ => Err("expected `beginning`, `end`, an offset, or a time such as 2026-01-31T12:00:00Z".to_owned()),
            }
        }
    }
}

impl Events {
    pub(crate) async fn run(self, source: &Source) -> anyhow::Result<ExitCode> {
        let mut reader = Reader::new(source);
        let settings = EventsConfig::read_settings(&mut reader);
        let mongo = MongoConfig::read(&mut reader, false, true).billing;
        reader.finish()?;
        let (Some(settings), Some(mongo)) = (settings, mongo) else {
            return Err(ConfigProblems(Vec::new()).into());
        };
        match self.action {
            Action::Lag => self.show(&admin::lag(&settings, &Mongo::open(&mongo).await?).await?),
            Action::Tail {
                ref topic,
                last,
                follow,
            } => {
                let request = TailRequest {
                    topic: topic.clone(),
                    last,
                    follow,
                };
                self.tail(&settings, &request).await
            }
            Action::Dlq {
                action: DeadLetterAction::List { limit },
            } => self.show(&dead_letters::list(&settings, limit).await?),
            Action::Dlq {
                action: DeadLetterAction::Show { place },
            } => {
                answer::json(&dead_letters::show(&settings, &place).await?)?;
                Ok(ExitCode::SUCCESS)
            }
            Action::Dlq {
                action: DeadLetterAction::Replay { ref place, dry_run },
            } => {
                let which = place
                    .clone()
                    .map_or(dead_letters::Replay::New, dead_letters::Replay::One);
                self.show(&dead_letters::replay(&settings, &which, dry_run).await?)
            }
            Action::Reset {
                to,
                ref topic,
                partition,
                reapply,
                dry_run,
            } => {
                let request = ResetRequest {
                    to,
                    topic: topic.clone(),
                    partition,
                    reapply,
                };
                let mongo = Mongo::open(&mongo).await?;
                self.show(&admin::reset(&settings, &mongo, &SystemClock::shared(), &request, dry_run).await?)
            }
        }
    }

    fn show<R: serde::Serialize>(&self, rows: &[R]) -> anyhow::Result<ExitCode> {
        if self.json {
            answer::json(&rows)?;
        } else {
            answer::rows(rows)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Prints each event on a line of its own as it comes.
    async fn tail(&self, settings: &EventsSettings, request: &TailRequest) -> anyhow::Result<ExitCode> {
        let stop = lifecycle::stop_on_signals()?;
        let mut failed = None;
        let print = |row| {
            let printed = serde_json::to_string(&row)
                .map_err(anyhow::Error::from)
                .and_then(answer::line);
            match printed {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        };
        admin::tail(settings, request, &stop, print).await?;
        failed.map_or(Ok(ExitCode::SUCCESS), Err)
    }
}
