//! What everything takes, looked at again and again, and what must be flat.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Result;
use bson::{Document, doc};
use serde_json::{Value, json};

use super::growth;
use crate::{
    chaos::{
        invariants::Violation,
        observed::whole,
        stage::{BILLING_DATABASE, BILLZ_DATABASE, Stage},
    },
    process::Usage,
};

/// How much more the last quarter may have than the second one. The first is left out: things warm up.
const FLAT: f64 = 1.15;
/// What is not worth a word, since it is the size of a chance.
const SLACK_KIB: f64 = 4.0 * 1024.0;
const SLACK_HANDLES: f64 = 8.0;
const SLACK_THREADS: f64 = 3.0;
const SLACK_CONNECTIONS: f64 = 8.0;
const SLACK_THINGS: f64 = 24.0;

/// One look at everything.
#[derive(Debug, Clone, Default)]
pub(super) struct Sample {
    /// Since the load began.
    pub(super) at: Duration,
    /// By process.
    pub(super) processes: BTreeMap<String, Usage>,
    /// Connections that MongoDB has.
    pub(super) mongodb_connections: i64,
    /// Documents, and bytes of them, by collection.
    pub(super) collections: BTreeMap<String, (i64, i64)>,
    /// Bytes that Redis uses.
    pub(super) redis_bytes: i64,
    /// Keys in Redis by family.
    pub(super) keys: BTreeMap<String, i64>,
}

impl Sample {
    /// Looks.
    pub(super) async fn take(stage: &Stage, at: Duration) -> Result<Self> {
        let mut sample = Self { at, ..Self::default() };
        for member in &stage.fleet.members {
            if let Some(usage) = member.usage().await {
                sample.processes.insert(member.name.clone(), usage);
            }
        }
        let told = stage.billing.run_command(doc! { "serverStatus": 1 }).await?;
        let connections = told.get_document("connections").ok();
        sample.mongodb_connections = connections.and_then(|found| whole(found, "current")).unwrap_or(0);
        for (name, database) in [(BILLZ_DATABASE, &stage.billz), (BILLING_DATABASE, &stage.billing)] {
            for collection in database.list_collection_names().await? {
                let size: Document = database.run_command(doc! { "collStats": &collection }).await?;
                let of = |field: &str| whole(&size, field).unwrap_or(0);
                sample
                    .collections
                    .insert(format!("{name}.{collection}"), (of("count"), of("size")));
            }
        }
        let mut redis = redis::Client::open(stage.redis.url())?
            .get_multiplexed_async_connection()
            .await?;
        let info: String = redis::cmd("INFO").arg("memory").query_async(&mut redis).await?;
        let used = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
        sample.redis_bytes = used.and_then(|bytes| bytes.trim().parse().ok()).unwrap_or(0);
        let mut cursor: u64 = 0;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("COUNT").arg(1_000);
            let (next, keys): (u64, Vec<String>) = scan.query_async(&mut redis).await?;
            for key in keys {
                *sample.keys.entry(growth::family(&key)).or_default() += 1;
            }
            if next == 0 {
                return Ok(sample);
            }
            cursor = next;
        }
    }
}

/// One thing over time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) values: Vec<f64>,
    /// How much more there may be without a word.
    slack: f64,
}

impl Series {
    fn new(name: impl Into<String>, slack: f64, values: impl Iterator<Item = f64>) -> Self {
        Self {
            name: name.into(),
            values: values.collect(),
            slack,
        }
    }

    /// The median of one of the four quarters.
    pub(super) fn quarter(&self, number: usize) -> f64 {
        let length = self.values.len();
        let mut part = self.values[length * number / 4..length * (number + 1) / 4].to_vec();
        part.sort_by(f64::total_cmp);
        part.get(part.len() / 2).copied().unwrap_or(0.0)
    }

    pub(super) fn is_flat(&self) -> bool {
        let (second, last) = (self.quarter(1), self.quarter(3));
        last <= (second * FLAT).max(second + self.slack)
    }
}

/// What must be flat whatever is accepted: what processes take, and connections.
pub(super) fn taken(samples: &[Sample]) -> Vec<Series> {
    let mut names: Vec<&String> = samples.iter().flat_map(|sample| sample.processes.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let mut series = Vec::new();
    for name in names {
        let of = |field: fn(&Usage) -> f64| {
            samples
                .iter()
                .filter_map(move |sample| sample.processes.get(name).map(field))
        };
        series.push(Series::new(
            format!("{name}: memory in KiB"),
            SLACK_KIB,
            of(|usage| as_f64(usage.resident_kib)),
        ));
        series.push(Series::new(
            format!("{name}: handles"),
            SLACK_HANDLES,
            of(|usage| as_f64(usage.handles as u64)),
        ));
        series.push(Series::new(
            format!("{name}: threads"),
            SLACK_THREADS,
            of(|usage| as_f64(usage.threads)),
        ));
    }
    series.push(Series::new(
        "MongoDB: connections",
        SLACK_CONNECTIONS,
        samples.iter().map(|sample| count(sample.mongodb_connections)),
    ));
    series
}

/// Documents and keys, which may grow if there is a reason.
pub(super) fn stored(samples: &[Sample]) -> Vec<Series> {
    let of = |kept: fn(&Sample) -> Vec<(&String, i64)>| {
        let mut names: Vec<&String> = samples.iter().flat_map(kept).map(|(name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().map(move |name| {
            // What is not there yet, or not any more, is none.
            let found = move |sample: &Sample| {
                let all = kept(sample);
                all.iter()
                    .find(|(found, _)| *found == name)
                    .map_or(0, |(_, number)| *number)
            };
            Series::new(
                name,
                SLACK_THINGS,
                samples.iter().map(move |sample| count(found(sample))),
            )
        })
    };
    let documents = of(|sample| {
        let all = sample.collections.iter();
        all.map(|(name, (documents, _))| (name, *documents)).collect()
    });
    let keys = of(|sample| sample.keys.iter().map(|(name, number)| (name, *number)).collect());
    documents.chain(keys).collect()
}

/// What grew that should not have.
pub(super) fn check(samples: &[Sample]) -> Vec<Violation> {
    let flat: Vec<String> = taken(samples)
        .iter()
        .filter(|series| !series.is_flat())
        .map(|series| format!("{}: {}", series.name, shown(series)))
        .collect();
    let explained: Vec<String> = stored(samples)
        .iter()
        .filter(|series| !series.is_flat() && growth::reason(&series.name).is_none())
        .map(|series| format!("{} grew, and nothing says why: {}", series.name, shown(series)))
        .collect();
    [
        ("what_processes_take_is_flat", flat),
        ("what_is_stored_grows_with_what_was_accepted", explained),
    ]
    .into_iter()
    .filter(|(_, found)| !found.is_empty())
    .map(|(name, found)| Violation {
        invariant: name.to_owned(),
        found,
    })
    .collect()
}

/// The medians of the four quarters.
pub(super) fn shown(series: &Series) -> String {
    let quarters = [0, 1, 2, 3].map(|number| format!("{:.0}", series.quarter(number)));
    quarters.join(", ")
}

/// Everything for people.
pub(super) fn table(samples: &[Sample]) -> String {
    let mut lines = vec![format!("{} looks; medians of the four quarters:", samples.len())];
    lines.extend(
        taken(samples)
            .iter()
            .map(|series| format!("  {:<42} {}", series.name, shown(series))),
    );
    for series in stored(samples) {
        let reason = match (series.is_flat(), growth::reason(&series.name)) {
            (true, _) => "",
            (false, Some(reason)) => reason,
            (false, None) => "grew for no known reason",
        };
        lines.push(format!("  {:<42} {:<28} {reason}", series.name, shown(&series)));
    }
    if let (Some(first), Some(last)) = (samples.first(), samples.last()) {
        let bytes = |sample: &Sample| sample.collections.values().map(|(_, bytes)| bytes).sum::<i64>() / 1024;
        lines.push(format!(
            "  documents took {} KiB at first and {} KiB at last; Redis used {} KiB and {} KiB",
            bytes(first),
            bytes(last),
            first.redis_bytes / 1024,
            last.redis_bytes / 1024
        ));
        let jobs = |sample: &Sample| sample.keys.get("bull:billz-operations:*").copied().unwrap_or(0);
        let more = jobs(last) - jobs(first);
        if more > 0 {
            lines.push(format!(
                "  Redis took {} bytes for each of {more} more jobs",
                (last.redis_bytes - first.redis_bytes) / more
            ));
        }
    }
    lines.join("\n")
}

/// Every look for programs.
pub(super) fn json(samples: &[Sample]) -> Value {
    samples
        .iter()
        .map(|sample| {
            let processes: BTreeMap<_, _> = sample
                .processes
                .iter()
                .map(|(name, usage)| (name, json!([usage.resident_kib, usage.handles, usage.threads])))
                .collect();
            json!({
                "atSeconds": sample.at.as_secs(),
                "processesKibHandlesThreads": processes,
                "mongodbConnections": sample.mongodb_connections,
                "collectionsDocumentsBytes": sample.collections,
                "redisBytes": sample.redis_bytes,
                "redisKeys": sample.keys,
            })
        })
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn as_f64(number: u64) -> f64 {
    number as f64
}

fn count(number: i64) -> f64 {
    as_f64(u64::try_from(number).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(each: impl Fn(u64) -> Sample) -> Vec<Sample> {
        (0..40).map(each).collect()
    }

    fn found(samples: &[Sample]) -> Vec<String> {
        check(samples)
            .into_iter()
            .flat_map(|violation| violation.found)
            .collect()
    }

    #[test]
    fn what_only_warms_up_is_flat() {
        let steady = samples(|number| Sample {
            processes: BTreeMap::from([(
                "one".to_owned(),
                Usage {
                    resident_kib: 40_000 + number.min(10) * 3_000,
                    handles: 100 + usize::from(number % 2 == 0),
                    threads: 12,
                },
            )]),
            mongodb_connections: 60,
            ..Sample::default()
        });
        assert_eq!(found(&steady), Vec::<String>::new());
    }

    #[test]
    fn what_grows_is_found_unless_there_is_a_reason() {
        let growing = samples(|number| Sample {
            processes: BTreeMap::from([(
                "one".to_owned(),
                Usage {
                    resident_kib: 40_000 + number * 1_000,
                    handles: 100 + usize::try_from(number).unwrap(),
                    threads: number,
                },
            )]),
            mongodb_connections: i64::try_from(number).unwrap(),
            collections: BTreeMap::from([
                (
                    "billz_microservice.orders".to_owned(),
                    (i64::try_from(number * 100).unwrap(), 0),
                ),
                (
                    "billz_microservice.forgotten".to_owned(),
                    (i64::try_from(number * 100).unwrap(), 0),
                ),
            ]),
            keys: BTreeMap::from([("left:behind:*".to_owned(), i64::try_from(number * 100).unwrap())]),
            ..Sample::default()
        });
        let found = found(&growing).join("\n");
        for name in [
            "memory",
            "handles",
            "threads",
            "connections",
            "forgotten",
            "left:behind:*",
        ] {
            assert!(found.contains(name), "{name} is not in {found}");
        }
        assert!(!found.contains("orders"), "{found}");
    }
}
