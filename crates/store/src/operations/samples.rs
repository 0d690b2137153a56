//! `operations_samples`: how things went, minute by minute and quarter by quarter of an hour, for charts. Every process adds
//! to the same documents, so that several processes add up and a restart loses only what was not written yet.

use std::{collections::BTreeMap, time::Duration};

use bson::{Bson, DateTime as BsonDate, Document, doc};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::TryStreamExt;

use crate::{
    Mongo, StoreError,
    values::{date, moment},
};

/// How long samples are kept.
pub const KEPT: Duration = Duration::from_hours(8 * 24);

/// The upper bounds of the buckets of times, in seconds; the last bucket has none.
pub const BOUNDS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

/// How many buckets there are.
pub const BUCKETS: usize = BOUNDS.len() + 1;

/// How much one sample covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// A minute.
    Minute,
    /// A quarter of an hour.
    Quarter,
}

impl Every {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Minute, Self::Quarter];

    /// Its length in seconds.
    pub fn seconds(self) -> i64 {
        match self {
            Self::Minute => 60,
            Self::Quarter => 900,
        }
    }

    /// When the sample begins to which a moment belongs.
    pub fn begin_of(self, at: DateTime<Utc>) -> DateTime<Utc> {
        let seconds = at.timestamp();
        DateTime::from_timestamp(seconds - seconds.rem_euclid(self.seconds()), 0).unwrap_or(at)
    }
}

/// Times that were measured.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Times {
    /// How many fell into each bucket of [`BOUNDS`].
    pub buckets: [u64; BUCKETS],
    /// All of them together, in seconds.
    pub sum: f64,
}

impl Times {
    /// How many there are.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Adds what another process, or another time, measured.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.buckets.iter_mut().zip(other.buckets) {
            *mine += theirs;
        }
        self.sum += other.sum;
    }

    /// The time, in seconds, that `share` (0 to 1) of them did not exceed, as well as the buckets tell: a straight line
    /// within the bucket, and the last bound for what has none.
    #[expect(clippy::cast_precision_loss, reason = "counts of some minutes")]
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let wanted = share * count as f64;
        let mut before = 0_u64;
        for (index, in_bucket) in self.buckets.iter().enumerate() {
            let until = before + in_bucket;
            if until as f64 >= wanted && *in_bucket > 0 {
                let low = index.checked_sub(1).map_or(0.0, |index| BOUNDS[index]);
                let high = BOUNDS.get(index).copied().unwrap_or(low);
                let within = (wanted - before as f64) / *in_bucket as f64;
                return Some(low + (high - low) * within.clamp(0.0, 1.0));
            }
            before = until;
        }
        BOUNDS.last().copied()
    }
}

/// What a process has to add.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Additions {
    /// What was counted, by series.
    pub counts: BTreeMap<&'static str, u64>,
    /// What was measured, by series.
    pub times: BTreeMap<&'static str, Times>,
    /// How things stand in this process, by series.
    pub levels: BTreeMap<&'static str, f64>,
}

impl Additions {
    /// Whether there is nothing to add.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.times.is_empty() && self.levels.is_empty()
    }
}

/// A minute or a quarter of an hour.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// When it began.
    pub at: DateTime<Utc>,
    /// What was counted, by series.
    pub counts: BTreeMap<String, u64>,
    /// What was measured, by series.
    pub times: BTreeMap<String, Times>,
    /// The highest levels, by series, one of each process.
    pub levels: BTreeMap<String, Vec<f64>>,
}

impl Sample {
    /// Adds the sample of a later time, so that this one covers both.
    pub fn add(&mut self, later: &Self) {
        for (series, count) in &later.counts {
            *self.counts.entry(series.clone()).or_default() += count;
        }
        for (series, times) in &later.times {
            self.times.entry(series.clone()).or_default().add(times);
        }
        for (series, levels) in &later.levels {
            let mine = self.levels.entry(series.clone()).or_default();
            let sum = |levels: &[f64]| levels.iter().sum::<f64>();
            // Which process is which is not known any more: the higher of the two moments stands.
            if sum(levels) > sum(mine) {
                mine.clone_from(levels);
            }
        }
    }
}

/// The collection `operations_samples`.
#[derive(Debug, Clone)]
pub struct Samples(Mongo);

impl Samples {
    /// The collection in `mongo`.
    pub fn new(mongo: &Mongo) -> Self {
        Self(mongo.clone())
    }

    /// Adds what the process `process` (a short word of its own) counted and measured around `at`.
    pub async fn add(&self, process: &str, at: DateTime<Utc>, additions: &Additions) -> Result<(), StoreError> {
        let mut increments = Document::new();
        for (series, count) in &additions.counts {
            increments.insert(format!("counts.{series}"), whole(*count));
        }
        for (series, times) in &additions.times {
            increments.insert(format!("times.{series}.sum"), times.sum);
            for (bucket, count) in times.buckets.iter().enumerate().filter(|(_, count)| **count > 0) {
                increments.insert(format!("times.{series}.b{bucket}"), whole(*count));
            }
        }
        let mut highest = Document::new();
        for (series, level) in &additions.levels {
            highest.insert(format!("levels.{process}.{series}"), *level);
        }
        for every in Every::ALL {
            let begin = every.begin_of(at);
            let kept = TimeDelta::from_std(KEPT).unwrap_or(TimeDelta::MAX);
            let expires = begin.checked_add_signed(kept).unwrap_or(DateTime::<Utc>::MAX_UTC);
            let mut update = doc! { "$setOnInsert": { "expiresAt": date(expires) } };
            if !increments.is_empty() {
                update.insert("$inc", increments.clone());
            }
            if !highest.is_empty() {
                update.insert("$max", highest.clone());
            }
            self.0
                .collection("operations_samples")
                .update_one(doc! { "_id": id(every, begin) }, update)
                .upsert(true)
                .await?;
        }
        Ok(())
    }

    /// The samples that began from `from` on, oldest first. Where nothing was written there is none.
    pub async fn since(&self, every: Every, from: DateTime<Utc>) -> Result<Vec<Sample>, StoreError> {
        let found: Vec<Document> = self
            .0
            .collection("operations_samples")
            .find(doc! { "_id": {
                "$gte": id(every, every.begin_of(from)),
                "$lte": id(every, DateTime::<Utc>::MAX_UTC),
            } })
            .sort(doc! { "_id": 1 })
            .limit(10_000)
            .await?
            .try_collect()
            .await?;
        Ok(found.iter().filter_map(read).collect())
    }
}

fn id(every: Every, begin: DateTime<Utc>) -> Document {
    doc! { "every": every.seconds(), "at": BsonDate::from_millis(begin.timestamp_millis()) }
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn count_of(value: &Bson) -> u64 {
    let whole = value.as_i64().or(value.as_i32().map(i64::from));
    u64::try_from(whole.unwrap_or_default()).unwrap_or_default()
}

fn read(document: &Document) -> Option<Sample> {
    let at = moment(*document.get_document("_id").ok()?.get_datetime("at").ok()?);
    let part = |name: &str| document.get_document(name).ok().into_iter().flatten();
    let counts = part("counts")
        .map(|(series, count)| (series.clone(), count_of(count)))
        .collect();
    let times = part("times")
        .filter_map(|(series, times)| Some((series.clone(), read_times(times.as_document()?))))
        .collect();
    let mut levels: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (_, of_process) in part("levels") {
        for (series, level) in of_process.as_document().into_iter().flatten() {
            levels
                .entry(series.clone())
                .or_default()
                .push(level.as_f64().or(level.as_i32().map(f64::from)).unwrap_or_default());
        }
    }
    Some(Sample {
        at,
        counts,
        times,
        levels,
    })
}

fn read_times(document: &Document) -> Times {
    let mut times = Times {
        sum: document.get_f64("sum").unwrap_or_default(),
        ..Times::default()
    };
    for (bucket, count) in times.buckets.iter_mut().enumerate() {
        *count = document.get(format!("b{bucket}")).map(count_of).unwrap_or_default();
    }
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_where_the_buckets_say() {
        let mut times = Times::default();
        assert_eq!(times.quantile(0.5), None);
        // 90 up to 0.1 s, 10 up to 1 s.
        times.buckets[4] = 90;
        times.buckets[7] = 10;
        let near = |share: f64, expected: f64| {
            let found = times.quantile(share).unwrap();
            assert!((found - expected).abs() < 0.001, "{share}: {found}");
        };
        near(0.5, 0.0777);
        near(0.9, 0.1);
        near(0.95, 0.75);
        near(1.0, 1.0);
        let endless = Times {
            buckets: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3],
            sum: 600.0,
        };
        assert_eq!(endless.quantile(0.5), Some(60.0));
    }

    #[test]
    fn a_moment_belongs_to_its_minute_and_its_quarter() {
        let at: DateTime<Utc> = "2026-03-01T10:44:59.9Z".parse().unwrap();
        assert_eq!(Every::Minute.begin_of(at).to_rfc3339(), "2026-03-01T10:44:00+00:00");
        assert_eq!(Every::Quarter.begin_of(at).to_rfc3339(), "2026-03-01T10:30:00+00:00");
    }
}
