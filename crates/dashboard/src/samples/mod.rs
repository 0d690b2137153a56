//! What is charted, taken from the metrics as they are recorded: a recorder beside the one of `/metrics`, for the handful of
//! series in [`series`].

pub(crate) mod series;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use billwright_store::operations::samples::{Additions, BOUNDS, BUCKETS, Times};
use metrics::{Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};

use self::series::{COUNTS, LEVELS, Series, TIMES};

/// Records what is charted. Cheap to clone; clones record together. To be installed beside the recorder of `/metrics`.
#[derive(Debug, Clone, Default)]
pub struct SampleRecorder(Arc<Recorded>);

#[derive(Debug)]
struct Recorded {
    /// Since they were taken last, in the order of `COUNTS`.
    counts: Vec<Arc<AtomicU64>>,
    /// Since they were taken last, in the order of `TIMES`.
    times: Vec<Arc<Timed>>,
    /// The levels of each series of `LEVELS`, one for each set of labels.
    levels: Mutex<HashMap<(usize, Key), Arc<AtomicU64>>>,
}

impl Default for Recorded {
    fn default() -> Self {
        Self {
            counts: COUNTS.iter().map(|_| Arc::default()).collect(),
            times: TIMES.iter().map(|_| Arc::default()).collect(),
            levels: Mutex::default(),
        }
    }
}

/// Times as they come in.
#[derive(Debug, Default)]
struct Timed {
    buckets: [AtomicU64; BUCKETS],
    /// Whole microseconds, which can be added without a lock.
    sum_us: AtomicU64,
}

impl HistogramFn for Timed {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a time in microseconds, cut at both ends"
    )]
    fn record(&self, seconds: f64) {
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BUCKETS - 1);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add((seconds * 1_000_000.0) as u64, Ordering::Relaxed);
    }
}

/// Several series may come from one metric.
struct Several<T>(Vec<T>);

impl metrics::CounterFn for Several<Arc<AtomicU64>> {
    fn increment(&self, value: u64) {
        for count in &self.0 {
            count.fetch_add(value, Ordering::Relaxed);
        }
    }

    /// None of our counters is set from outside.
    fn absolute(&self, _: u64) {}
}

fn matching<'a>(list: &'a [Series], key: &'a Key) -> impl Iterator<Item = usize> + 'a {
    list.iter()
        .enumerate()
        .filter(|(_, series)| series.metric == key.name() && (series.takes)(key))
        .map(|(index, _)| index)
}

impl Recorder for SampleRecorder {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let counts: Vec<_> = matching(COUNTS, key)
            .map(|index| Arc::clone(&self.0.counts[index]))
            .collect();
        if counts.is_empty() {
            Counter::noop()
        } else {
            Counter::from_arc(Arc::new(Several(counts)))
        }
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        let Some(index) = matching(LEVELS, key).next() else {
            return Gauge::noop();
        };
        let mut levels = self.0.levels.lock().unwrap_or_else(PoisonError::into_inner);
        let level = levels.entry((index, key.clone())).or_default();
        Gauge::from_arc(Arc::clone(level))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        match matching(TIMES, key).next() {
            Some(index) => Histogram::from_arc(Arc::clone(&self.0.times[index])),
            None => Histogram::noop(),
        }
    }
}

impl SampleRecorder {
    /// Takes what was recorded since it was taken last; levels stay as they are.
    #[expect(clippy::cast_precision_loss, reason = "microseconds of some seconds")]
    pub(crate) fn take(&self) -> Additions {
        let mut additions = Additions::default();
        for (series, count) in COUNTS.iter().zip(&self.0.counts) {
            let count = count.swap(0, Ordering::Relaxed);
            if count > 0 {
                additions.counts.insert(series.name, count);
            }
        }
        for (series, timed) in TIMES.iter().zip(&self.0.times) {
            let times = Times {
                buckets: timed.buckets.each_ref().map(|bucket| bucket.swap(0, Ordering::Relaxed)),
                sum: timed.sum_us.swap(0, Ordering::Relaxed) as f64 / 1_000_000.0,
            };
            if times.count() > 0 {
                additions.times.insert(series.name, times);
            }
        }
        for ((index, _), level) in self.0.levels.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let level = f64::from_bits(level.load(Ordering::Relaxed));
            *additions.levels.entry(LEVELS[*index].name).or_default() += level;
        }
        additions
    }

    /// Gives back what could not be written.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "what `take` divided is multiplied again"
    )]
    pub(crate) fn give_back(&self, additions: &Additions) {
        for (series, count) in COUNTS.iter().zip(&self.0.counts) {
            let back = additions.counts.get(series.name).copied().unwrap_or_default();
            count.fetch_add(back, Ordering::Relaxed);
        }
        for (series, timed) in TIMES.iter().zip(&self.0.times) {
            if let Some(times) = additions.times.get(series.name) {
                for (bucket, back) in timed.buckets.iter().zip(times.buckets) {
                    bucket.fetch_add(back, Ordering::Relaxed);
                }
                timed
                    .sum_us
                    .fetch_add((times.sum * 1_000_000.0) as u64, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_from_the_metrics_what_is_charted_and_no_more() {
        let recorder = SampleRecorder::default();
        let record = || {
            metrics::counter!("billwright_jobs_total", "type" => "GET_ORDER", "outcome" => "completed").increment(2);
            metrics::counter!("billwright_jobs_total", "type" => "MAKE_PAYMENT", "outcome" => "completed").increment(1);
            metrics::counter!("billwright_jobs_total", "type" => "GET_ORDER", "outcome" => "failed").increment(1);
            metrics::counter!("billwright_http_requests_total", "route" => "/api/users", "status" => "503")
                .increment(1);
            metrics::counter!("billwright_http_requests_total", "route" => "/dashboard", "status" => "200")
                .increment(9);
            metrics::counter!("something_else").increment(7);
            metrics::histogram!("billwright_job_duration_seconds", "type" => "GET_ORDER").record(0.2);
            metrics::histogram!("billwright_job_duration_seconds", "type" => "GET_ORDER").record(999.0);
            metrics::gauge!("billwright_events_lag", "partition" => "0").set(3.0);
            metrics::gauge!("billwright_events_lag", "partition" => "1").set(4.0);
        };
        metrics::with_local_recorder(&recorder, record);
        let taken = recorder.take();
        let counts: Vec<_> = taken.counts.iter().map(|(series, count)| (*series, *count)).collect();
        assert_eq!(
            counts,
            [
                ("api_failed", 1),
                ("api_requests", 1),
                ("jobs_completed", 3),
                ("jobs_failed", 1)
            ]
        );
        let times = taken.times["job_time"];
        assert_eq!((times.count(), times.buckets[5], times.buckets[12]), (2, 1, 1));
        assert!((times.sum - 999.2).abs() < 0.001);
        assert!((taken.levels["events_lag"] - 7.0).abs() < f64::EPSILON);

        assert!(recorder.take().counts.is_empty(), "it was taken already");
        recorder.give_back(&taken);
        assert_eq!(recorder.take().counts, taken.counts);
    }

    #[test]
    fn no_name_stands_twice() {
        let lists = COUNTS.iter().chain(TIMES).chain(LEVELS);
        let mut names: Vec<_> = lists.map(|series| series.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(
            names
                .iter()
                .all(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
        );
    }
}
