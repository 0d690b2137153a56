//! `billwright status`: what is going on right now, asked of the running process and of the dependencies themselves.

pub(crate) mod process;

use std::{process::ExitCode, time::Duration};

use billwright_domain::{Clock as _, SystemClock};
use billwright_events::admin;
use billwright_store::{
    Mongo, MongoSettings,
    alerts::Alerts,
    billz::{notifications::Notifications, order_sagas::OrderSagas},
};
use billwright_worker::QueueWatch;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    answer,
    config::{EventsConfig, Role, RunConfig, Source, WorkerConfig},
    lifecycle,
};

/// How long anybody may take to answer.
const PATIENCE: Duration = Duration::from_secs(8);

/// The command's arguments.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  billwright status\n  billwright status --watch 2\n  billwright status --json | jq .queue.counts.waiting\n\nExit statuses: 0 everything that was asked answered, 1 something did not, 2 wrong usage, 78 wrong configuration."
)]
pub(crate) struct Status {
    /// The roles to ask about; by default every role whose configuration is there.
    #[arg(long, value_enum, value_delimiter = ',')]
    roles: Option<Vec<Role>>,
    /// Ask again every so many seconds, until Ctrl-C.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2", value_parser = clap::value_parser!(u64).range(1..=3600))]
    watch: Option<u64>,
    /// Print the answer as JSON, one line an answer with `--watch`.
    #[arg(long)]
    json: bool,
}

/// One area of the answer: what it says, or why nobody answered.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Area {
    name: &'static str,
    said: Result<Value, String>,
}

impl Status {
    pub(crate) async fn run(self, source: &Source) -> anyhow::Result<ExitCode> {
        let config = RunConfig::read(source, self.roles.as_deref())?;
        let Some(every) = self.watch else {
            let areas = ask(&config).await;
            self.show(&areas)?;
            let answered = areas.iter().all(|area| area.said.is_ok());
            return Ok(if answered { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        };
        let stop = lifecycle::stop_on_signals()?;
        while let Some(areas) = stop.run_until_cancelled(ask(&config)).await {
            if !self.json {
                // Clears the screen and goes to its beginning.
                answer::line("\u{1b}[2J\u{1b}[H")?;
            }
            self.show(&areas)?;
            let pause = tokio::time::sleep(Duration::from_secs(every));
            if stop.run_until_cancelled(pause).await.is_none() {
                break;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    fn show(&self, areas: &[Area]) -> anyhow::Result<()> {
        if self.json {
            let all: serde_json::Map<String, Value> = areas
                .iter()
                .map(|area| {
                    let said = area.said.clone().unwrap_or_else(|reason| json!({ "error": reason }));
                    (area.name.to_owned(), said)
                })
                .collect();
            return if self.watch.is_some() {
                answer::line(Value::Object(all))
            } else {
                answer::json(&all)
            };
        }
        for area in areas {
            answer::line(area.name.to_uppercase())?;
            match &area.said {
                Ok(said) => print(said, 1)?,
                Err(reason) => answer::line(format_args!("  no answer: {reason}"))?,
            }
        }
        Ok(())
    }
}

/// Everything that belongs to the roles, asked at once.
async fn ask(config: &RunConfig) -> Vec<Area> {
    let process = async {
        let said = process::ask(&config.http, PATIENCE).await;
        Some(Area {
            name: "process",
            said: said.and_then(|state| serde_json::to_value(state).map_err(|error| error.to_string())),
        })
    };
    let queue = async {
        let worker = config.worker.as_ref()?;
        Some(within("queue", queue(worker)).await)
    };
    let orders = async {
        let worker = config.worker.as_ref()?;
        Some(within("orders", orders(&worker.mongo)).await)
    };
    let events = async {
        let events = config.events.as_ref()?;
        Some(within("events", events_state(events)).await)
    };
    let alerts = async {
        let mongo = config.alerts_mongo()?;
        Some(within("alerts", alerts(mongo)).await)
    };
    // The clients of so many servers are too much for the stack of whoever waits.
    let areas = Box::pin(async { tokio::join!(process, queue, orders, events, alerts) }).await;
    [areas.0, areas.1, areas.2, areas.3, areas.4]
        .into_iter()
        .flatten()
        .collect()
}

async fn within(name: &'static str, question: impl Future<Output = anyhow::Result<Value>>) -> Area {
    let said = match tokio::time::timeout(PATIENCE, question).await {
        Ok(Ok(said)) => Ok(said),
        Ok(Err(error)) => Err(format!("{error:#}")),
        Err(_) => Err(format!("nothing within {} s", PATIENCE.as_secs())),
    };
    Area { name, said }
}

async fn queue(worker: &WorkerConfig) -> anyhow::Result<Value> {
    let watch = QueueWatch::new(&worker.queue()).map_err(anyhow::Error::msg)?;
    let sight = watch.look().await.map_err(anyhow::Error::msg)?;
    let counts: serde_json::Map<String, Value> = sight
        .counts
        .iter()
        .map(|(state, count)| ((*state).to_owned(), json!(count)))
        .collect();
    let now_ms = SystemClock.now().timestamp_millis();
    let oldest = sight
        .oldest_waiting_since_ms
        .map(|since| now_ms.saturating_sub_unsigned(since).max(0) / 1_000);
    Ok(json!({
        "counts": counts,
        "oldestWaitingSeconds": oldest,
        "workers": sight.workers,
    }))
}

async fn orders(mongo: &MongoSettings) -> anyhow::Result<Value> {
    let mongo = Mongo::open(mongo).await?;
    let (placing, taking_back) = OrderSagas::new(&mongo).open_counts().await?;
    let waiting = Notifications::new(&mongo).waiting().await?;
    Ok(json!({
        "beingPlaced": placing,
        "beingTakenBack": taking_back,
        "notificationsWaiting": waiting,
    }))
}

async fn events_state(events: &EventsConfig) -> anyhow::Result<Value> {
    let mongo = Mongo::open(&events.mongo).await?;
    let lag = admin::lag(&events.settings, &mongo).await?;
    let dead_letters = admin::dead_letter_count(&events.settings).await?;
    Ok(json!({
        "lag": lag.iter().map(|partition| partition.lag).sum::<i64>(),
        "deadLetters": dead_letters,
        "partitions": lag,
    }))
}

async fn alerts(mongo: &MongoSettings) -> anyhow::Result<Value> {
    let firing = Alerts::new(&Mongo::open(mongo).await?).firing().await?;
    let firing = firing.iter().map(|alert| {
        let since = alert
            .since
            .to_chrono()
            .to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        json!({ "alert": alert.name, "since": since, "detail": alert.detail })
    });
    Ok(json!({ "firing": firing.collect::<Vec<_>>() }))
}

/// A value for people: fields one below the other, rows of a list on a line each.
fn print(value: &Value, depth: usize) -> anyhow::Result<()> {
    let indent = "  ".repeat(depth);
    let Value::Object(fields) = value else {
        return answer::line(format_args!("{indent}{}", plain(value)));
    };
    for (name, value) in fields {
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                answer::line(format_args!("{indent}{name}:"))?;
                print(value, depth + 1)?;
            }
            Value::Array(rows) if !rows.is_empty() => {
                answer::line(format_args!("{indent}{name}:"))?;
                for row in rows {
                    answer::line(format_args!("{indent}  {}", plain(row)))?;
                }
            }
            value => answer::line(format_args!("{indent}{name}: {}", plain(value)))?,
        }
    }
    Ok(())
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.replace(char::is_control, " "),
        Value::Array(rows) if rows.is_empty() => "none".to_owned(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| format!("{name}={}", plain(value)));
            fields.collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}
