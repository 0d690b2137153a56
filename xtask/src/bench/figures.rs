//! What a run is described by, and medians over runs.

use std::{collections::BTreeMap, fmt};

use super::benchmark::Benchmark;

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Contender {
    /// The binary of this workspace.
    Ours,
    /// The reference peer.
    Peer,
    /// The reference peer's consumer with one handler call for each event.
    PeerOneByOne,
    /// A bare loop over the driver that does only what the work needs: the limit.
    Bare,
}

impl fmt::Display for Contender {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Ours => "Billwright",
            Self::Peer => "peer",
            Self::PeerOneByOne => "peer, one by one",
            Self::Bare => "bare loop",
        })
    }
}

/// One thing that is measured. The order is that of the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Figure {
    /// Requests, events or jobs a second.
    Rate,
    /// Processor time of the contender for each of them.
    CpuMs,
    /// Processor time of MongoDB for each of them.
    MongodbMs,
    /// Processor time of Redis for each of them.
    RedisMs,
    P50Ms,
    P99Ms,
    /// From a payment's job until its first call.
    PaymentWaitMs,
    /// The longest that one took.
    MostMs,
    FirstByteMs,
    /// From the start of the process until it is ready.
    ReadyMs,
    /// From the start of the process to its first effect.
    JoinSeconds,
    IdleMib,
    PeakMib,
    SizeMib,
    /// Commands to MongoDB for each job.
    Commands,
    /// Calls to Billz in the whole run.
    Calls,
    Failed,
    /// Calls that Billz answered with 429.
    Refused,
    PaidTwice,
    ClientsTwice,
    OrdersPerMinute,
    /// The share of the allowed Billz calls that was used.
    BudgetShare,
    /// The most calls of others that came before a payment's first one, once its job was begun.
    CallsBefore,
    /// The share of the machine that went to anything else.
    Foreign,
}

impl Figure {
    /// The heading of its column.
    pub(super) fn heading(self) -> &'static str {
        match self {
            Self::Rate => "per second",
            Self::CpuMs => "CPU ms each",
            Self::MongodbMs => "MongoDB ms each",
            Self::RedisMs => "Redis ms each",
            Self::P50Ms => "p50 ms",
            Self::P99Ms => "p99 ms",
            Self::PaymentWaitMs => "payment waits ms",
            Self::MostMs => "longest ms",
            Self::FirstByteMs => "first byte ms",
            Self::ReadyMs => "ready ms",
            Self::JoinSeconds => "first effect s",
            Self::IdleMib => "idle MiB",
            Self::PeakMib => "peak MiB",
            Self::SizeMib => "MiB",
            Self::Commands => "MongoDB commands each",
            Self::Calls => "Billz calls",
            Self::Failed => "failed",
            Self::Refused => "429",
            Self::PaidTwice => "paid twice",
            Self::ClientsTwice => "clients twice",
            Self::OrdersPerMinute => "orders/min",
            Self::BudgetShare => "budget used %",
            Self::CallsBefore => "calls before a payment",
            Self::Foreign => "foreign %",
        }
    }
}

/// One run of one contender.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) benchmark: Benchmark,
    /// What exactly was done, as the table says it.
    pub(super) case: String,
    pub(super) contender: Contender,
    pub(super) round: u32,
    pub(super) figures: BTreeMap<Figure, f64>,
}

/// The rows with the same benchmark, case and contender as one.
#[derive(Debug, Clone)]
pub(super) struct Summary {
    pub(super) benchmark: Benchmark,
    pub(super) case: String,
    pub(super) contender: Contender,
    pub(super) runs: usize,
    pub(super) medians: BTreeMap<Figure, f64>,
}

/// Medians of all rows, in the order in which the cases came.
#[derive(Debug, Clone, Default)]
pub(super) struct Medians(Vec<Summary>);

impl Medians {
    pub(super) fn of(rows: &[Row]) -> Self {
        let mut summaries: Vec<Summary> = Vec::new();
        for row in rows {
            let known = |summary: &Summary| {
                (summary.benchmark, &summary.case, summary.contender) == (row.benchmark, &row.case, row.contender)
            };
            if summaries.iter().any(known) {
                continue;
            }
            let same: Vec<&Row> = rows
                .iter()
                .filter(|other| {
                    (other.benchmark, &other.case, other.contender) == (row.benchmark, &row.case, row.contender)
                })
                .collect();
            let mut values: BTreeMap<Figure, Vec<f64>> = BTreeMap::new();
            for (figure, value) in same.iter().flat_map(|row| &row.figures) {
                values.entry(*figure).or_default().push(*value);
            }
            let medians = values
                .into_iter()
                .filter_map(|(figure, values)| Some((figure, median(&values)?)));
            summaries.push(Summary {
                benchmark: row.benchmark,
                case: row.case.clone(),
                contender: row.contender,
                runs: same.len(),
                medians: medians.collect(),
            });
        }
        Self(summaries)
    }

    /// One figure, where it was measured.
    pub(super) fn get(&self, benchmark: Benchmark, case: &str, contender: Contender, figure: Figure) -> Option<f64> {
        self.0
            .iter()
            .find(|summary| {
                (summary.benchmark, summary.case.as_str(), summary.contender) == (benchmark, case, contender)
            })
            .and_then(|summary| summary.medians.get(&figure).copied())
    }

    /// What there is of one benchmark: the cases as they came, and the contenders of each side by side.
    pub(super) fn of_benchmark(&self, benchmark: Benchmark) -> Vec<&Summary> {
        let all: Vec<&Summary> = self.0.iter().filter(|summary| summary.benchmark == benchmark).collect();
        let place = |case: &str| all.iter().position(|summary| summary.case == case);
        let mut sorted = all.clone();
        sorted.sort_by_key(|summary| (place(&summary.case), summary.contender));
        sorted
    }
}

/// The value in the middle, or the mean of the two there; none of no values.
pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    Some(if sorted.len().is_multiple_of(2) {
        f64::midpoint(*sorted.get(middle - 1)?, upper)
    } else {
        upper
    })
}

/// The smallest value that at least so many percent of all do not exceed; none of no values.
pub(super) fn percentile(values: &[f64], percent: usize) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

/// A count as a figure.
#[expect(
    clippy::cast_precision_loss,
    reason = "figures are shown with three digits, and no count comes near 2^52"
)]
pub(super) fn float(count: u64) -> f64 {
    count as f64
}

/// The length of something as a figure.
pub(super) fn count(length: usize) -> f64 {
    float(u64::try_from(length).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 100.0]), Some(3.0));
    }

    #[test]
    fn finds_percentiles() {
        let hundred: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(&hundred, 50), Some(50.0));
        assert_eq!(percentile(&hundred, 99), Some(99.0));
        assert_eq!(percentile(&[7.0], 99), Some(7.0));
        assert_eq!(percentile(&[1.0, 2.0, 3.0], 99), Some(3.0));
        assert_eq!(percentile(&[], 50), None);
    }

    #[test]
    fn takes_medians_of_what_belongs_together() {
        let row = |case: &str, contender, round, rate| Row {
            benchmark: Benchmark::Reads,
            case: case.to_owned(),
            contender,
            round,
            figures: BTreeMap::from([(Figure::Rate, rate)]),
        };
        let medians = Medians::of(&[
            row("a", Contender::Peer, 1, 10.0),
            row("a", Contender::Ours, 1, 50.0),
            row("b", Contender::Ours, 1, 7.0),
            row("a", Contender::Ours, 2, 70.0),
            row("a", Contender::Peer, 2, 30.0),
        ]);
        let get = |case, contender| medians.get(Benchmark::Reads, case, contender, Figure::Rate);
        assert_eq!(get("a", Contender::Ours), Some(60.0));
        assert_eq!(get("a", Contender::Peer), Some(20.0));
        assert_eq!(get("b", Contender::Peer), None);
        let shown: Vec<(&str, Contender, usize)> = medians
            .of_benchmark(Benchmark::Reads)
            .into_iter()
            .map(|summary| (summary.case.as_str(), summary.contender, summary.runs))
            .collect();
        assert_eq!(
            shown,
            [
                ("a", Contender::Ours, 2),
                ("a", Contender::Peer, 2),
                ("b", Contender::Ours, 1)
            ]
        );
    }
}
