//! The targets, and whether the medians meet them.

use std::fmt;

use super::{
    benchmark::Benchmark,
    creations, drain, event_latency,
    figures::{Contender, Figure, Medians},
    growth, lists, memory, order_path, queue, reads, size, start,
};

/// How a target stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Met,
    Missed,
    /// What it compares was not measured.
    Open,
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Met => "met",
            Self::Missed => "**missed**",
            Self::Open => "not measured",
        })
    }
}

/// One target with what was reached of it.
#[derive(Debug, Clone)]
pub(super) struct Judged {
    pub(super) benchmark: Benchmark,
    pub(super) work: String,
    pub(super) asked: String,
    pub(super) reached: Option<f64>,
    pub(super) verdict: Verdict,
}

/// What is asked of a number.
#[derive(Debug, Clone, Copy)]
enum Asked {
    AtLeast(f64),
    AtMost(f64),
}

impl Asked {
    fn judge(self, reached: Option<f64>) -> Verdict {
        match (self, reached) {
            (_, None) => Verdict::Open,
            (Self::AtLeast(bound), Some(reached)) if reached >= bound => Verdict::Met,
            (Self::AtMost(bound), Some(reached)) if reached <= bound => Verdict::Met,
            _ => Verdict::Missed,
        }
    }
}

/// The medians while they are judged.
struct Judge<'a> {
    medians: &'a Medians,
    judged: Vec<Judged>,
}

impl Judge<'_> {
    fn ours(&self, benchmark: Benchmark, case: &str, figure: Figure) -> Option<f64> {
        self.medians.get(benchmark, case, Contender::Ours, figure)
    }

    fn ratio(&self, benchmark: Benchmark, case: &str, to: Contender, figure: Figure) -> Option<f64> {
        let other = self.medians.get(benchmark, case, to, figure)?;
        let ours = self.ours(benchmark, case, figure)?;
        (other > 0.0).then(|| ours / other)
    }

    fn add(&mut self, benchmark: Benchmark, work: &str, asked: &str, bound: Asked, reached: Option<f64>) {
        self.judged.push(Judged {
            benchmark,
            work: work.to_owned(),
            asked: asked.to_owned(),
            reached,
            verdict: bound.judge(reached),
        });
    }

    /// So many times the peer's rate, at a share of its processor time.
    fn beside_peer(&mut self, benchmark: Benchmark, case: &str, times: f64, share: f64) {
        let rate = self.ratio(benchmark, case, Contender::Peer, Figure::Rate);
        self.add(
            benchmark,
            case,
            &format!("rate ≥ {times} × the peer's"),
            Asked::AtLeast(times),
            rate,
        );
        let cpu = self.ratio(benchmark, case, Contender::Peer, Figure::CpuMs);
        self.add(
            benchmark,
            case,
            &format!("CPU each ≤ 1/{share} = {:.3} of the peer's", 1.0 / share),
            Asked::AtMost(1.0 / share),
            cpu,
        );
    }

    fn of_limit(&mut self, benchmark: Benchmark, case: &str) {
        let rate = self.ratio(benchmark, case, Contender::Bare, Figure::Rate);
        self.add(
            benchmark,
            case,
            "rate ≥ 0.8 of the bare loop's",
            Asked::AtLeast(0.8),
            rate,
        );
    }

    fn bound(&mut self, benchmark: Benchmark, case: &str, figure: Figure, asked: &str, bound: Asked) {
        let reached = self.ours(benchmark, case, figure);
        self.add(benchmark, case, asked, bound, reached);
    }

    fn jobs(&mut self, case: &str) {
        let queue = Benchmark::Queue;
        self.beside_peer(queue, case, 2.5, 6.0);
        self.of_limit(queue, case);
        let calls = self.ratio(queue, case, Contender::Peer, Figure::Calls);
        self.add(queue, case, "Billz calls ≤ the peer's", Asked::AtMost(1.0), calls);
        self.bound(queue, case, Figure::PaidTwice, "none paid twice", Asked::AtMost(0.0));
        self.bound(queue, case, Figure::ClientsTwice, "no client twice", Asked::AtMost(0.0));
    }

    /// What the last of `cases` costs all servers together, as a multiple of the first.
    fn growth(&mut self, work: &str, cases: &[String]) {
        let cost = |case: &String| {
            let own = self.ours(Benchmark::Growth, case, Figure::CpuMs)?;
            let of = |figure| self.ours(Benchmark::Growth, case, figure).unwrap_or_default();
            Some(own + of(Figure::MongodbMs) + of(Figure::RedisMs))
        };
        let measured: Vec<f64> = cases.iter().filter_map(cost).collect();
        let grown = match measured.as_slice() {
            [first, .., last] if *first > 0.0 => Some(last / first),
            _ => None,
        };
        let asked = "CPU of all servers each, largest to smallest ≤ 1.2";
        self.add(Benchmark::Growth, work, asked, Asked::AtMost(1.2), grown);
    }
}

/// Bounds that hold whoever else is measured: of what, which figure, what is asked.
const BOUNDS: [(Benchmark, &str, Figure, &str, Asked); 11] = {
    use Asked::{AtLeast, AtMost};
    use Benchmark as B;
    use Figure as F;
    let flat = "resident ≤ 64 MiB";
    let first = "first byte < 50 ms";
    [
        (B::List20000, lists::TWENTY_THOUSAND, F::PeakMib, flat, AtMost(64.0)),
        (
            B::List20000,
            lists::TWENTY_THOUSAND_ALONE,
            F::FirstByteMs,
            first,
            AtMost(50.0),
        ),
        (B::List1000000, lists::MILLION, F::PeakMib, flat, AtMost(64.0)),
        (B::List1000000, lists::MILLION, F::FirstByteMs, first, AtMost(50.0)),
        (
            B::EventLatency,
            event_latency::CASE,
            F::P99Ms,
            "p99 ≤ 50 ms",
            AtMost(50.0),
        ),
        (
            B::OrderPath,
            order_path::CASE,
            F::BudgetShare,
            "≥ 95 % of the call budget",
            AtLeast(95.0),
        ),
        (
            B::OrderPath,
            order_path::CASE,
            F::CallsBefore,
            "payments wait ≤ 1 call",
            AtMost(1.0),
        ),
        (B::Start, start::CASE, F::ReadyMs, "≤ 150 ms", AtMost(150.0)),
        (B::Memory, memory::CASE, F::IdleMib, "idle ≤ 20 MiB", AtMost(20.0)),
        (B::Memory, memory::CASE, F::PeakMib, "loaded ≤ 80 MiB", AtMost(80.0)),
        (B::Size, size::CASE, F::SizeMib, "≤ 30 MiB", AtMost(30.0)),
    ]
};

/// Every target.
pub(super) fn all(medians: &Medians) -> Vec<Judged> {
    let mut judge = Judge {
        medians,
        judged: Vec::new(),
    };
    for case in [reads::BILLING, reads::USER] {
        judge.beside_peer(Benchmark::Reads, case, 4.0, 8.0);
        let p99 = judge.ratio(Benchmark::Reads, case, Contender::Peer, Figure::P99Ms);
        let asked = "p99 ≤ 1/4 = 0.25 of the peer's";
        judge.add(Benchmark::Reads, case, asked, Asked::AtMost(0.25), p99);
        judge.of_limit(Benchmark::Reads, case);
    }
    judge.beside_peer(Benchmark::Creations, creations::CASE, 4.0, 8.0);
    judge.of_limit(Benchmark::Creations, creations::CASE);
    judge.beside_peer(Benchmark::List1000, lists::THOUSAND, 8.0, 10.0);
    judge.of_limit(Benchmark::List1000, lists::THOUSAND);
    judge.beside_peer(Benchmark::Drain, drain::CASE, 3.0, 10.0);
    let one_by_one = judge.ratio(Benchmark::Drain, drain::CASE, Contender::PeerOneByOne, Figure::Rate);
    let asked = "rate ≥ 30 × the peer's one by one";
    judge.add(Benchmark::Drain, drain::CASE, asked, Asked::AtLeast(30.0), one_by_one);
    judge.of_limit(Benchmark::Drain, drain::CASE);
    for case in queue::cases() {
        judge.jobs(&case);
    }
    for (benchmark, case, figure, asked, bound) in BOUNDS {
        judge.bound(benchmark, case, figure, asked, bound);
    }
    for (work, cases) in growth::series() {
        judge.growth(&work, &cases);
    }
    judge.judged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::figures::Row;

    fn row(benchmark: Benchmark, case: &str, contender: Contender, figures: &[(Figure, f64)]) -> Row {
        Row {
            benchmark,
            case: case.to_owned(),
            contender,
            round: 1,
            figures: figures.iter().copied().collect(),
        }
    }

    fn verdicts(rows: &[Row], work: &str) -> Vec<(String, Verdict)> {
        all(&Medians::of(rows))
            .into_iter()
            .filter(|judged| judged.work == work)
            .map(|judged| (judged.asked, judged.verdict))
            .collect()
    }

    #[test]
    fn compares_with_the_peer_and_with_the_limit() {
        let reads = |contender, rate, cpu, p99| {
            let figures = [(Figure::Rate, rate), (Figure::CpuMs, cpu), (Figure::P99Ms, p99)];
            row(Benchmark::Reads, reads::BILLING, contender, &figures)
        };
        let rows = [
            reads(Contender::Ours, 8_000.0, 0.05, 10.0),
            reads(Contender::Peer, 2_000.0, 0.39, 50.0),
            reads(Contender::Bare, 10_001.0, 0.04, 8.0),
        ];
        let found: Vec<Verdict> = verdicts(&rows, reads::BILLING)
            .into_iter()
            .map(|(_, verdict)| verdict)
            .collect();
        assert_eq!(found, [Verdict::Met, Verdict::Missed, Verdict::Met, Verdict::Missed]);
    }

    #[test]
    fn leaves_open_what_was_not_measured() {
        let rows = [row(
            Benchmark::Size,
            size::CASE,
            Contender::Ours,
            &[(Figure::SizeMib, 30.5)],
        )];
        assert_eq!(verdicts(&rows, size::CASE), [("≤ 30 MiB".to_owned(), Verdict::Missed)]);
        let open = verdicts(&rows, reads::USER);
        assert!(
            open.len() == 4 && open.iter().all(|(_, verdict)| *verdict == Verdict::Open),
            "{open:?}"
        );
    }

    #[test]
    fn adds_up_what_growth_costs_every_server() {
        let (work, cases) = growth::series().swap_remove(0);
        let at = |case: &String, own, mongodb| {
            let figures = [(Figure::CpuMs, own), (Figure::MongodbMs, mongodb)];
            row(Benchmark::Growth, case, Contender::Ours, &figures)
        };
        let met = [at(&cases[0], 0.2, 0.3), at(&cases[1], 0.2, 0.39)];
        assert_eq!(verdicts(&met, &work)[0].1, Verdict::Met);
        let missed = [at(&cases[0], 0.2, 0.3), at(&cases[1], 0.2, 0.41)];
        assert_eq!(verdicts(&missed, &work)[0].1, Verdict::Missed);
    }
}
