//! One run of HTTP load on a fresh process.

use std::time::Duration;

use anyhow::Result;

use super::{
    benchmark::Benchmark,
    contenders::Service,
    figures::{Contender, Figure},
    ground::Ground,
    meter::{self, Used},
    wrk::{Answers, Requests},
};

/// How many requests are under way at a time.
pub(super) const CONNECTIONS: u32 = 64;

/// What is asked, of which data, for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load<'a> {
    pub(super) benchmark: Benchmark,
    pub(super) case: &'a str,
    pub(super) database: &'a str,
    pub(super) requests: &'a Requests,
}

impl Load<'_> {
    /// Measures `who`, or the bare loop that `bare` is, and keeps the row.
    pub(super) async fn measure(
        self,
        ground: &mut Ground,
        who: Contender,
        round: u32,
        bare: impl AsyncFnOnce(&Ground, Duration) -> Result<(Answers, Used)>,
    ) -> Result<()> {
        if who != Contender::Bare {
            return self.measure_process(ground, who, round).await;
        }
        ground.quiet().await?;
        let outcome = bare(ground, lasts(ground)).await?;
        self.record(ground, who, round, outcome);
        Ok(())
    }

    /// Measures a process, and keeps the row.
    pub(super) async fn measure_process(self, ground: &mut Ground, who: Contender, round: u32) -> Result<()> {
        let lasts = lasts(ground);
        let outcome = self.served(ground, who, lasts).await?;
        self.record(ground, who, round, outcome);
        Ok(())
    }

    fn record(self, ground: &mut Ground, who: Contender, round: u32, (answers, used): (Answers, Used)) {
        let figures = used.figures(answers.requests).into_iter().chain([
            (Figure::Rate, answers.requests / answers.seconds),
            (Figure::P50Ms, answers.p50_ms),
            (Figure::P99Ms, answers.p99_ms),
        ]);
        ground.record(self.benchmark, self.case, who, round, figures);
    }

    async fn served(self, ground: &mut Ground, who: Contender, lasts: Duration) -> Result<(Answers, Used)> {
        let service = Service::Api {
            database: self.database,
        };
        let (running, _) = ground.start_ready(who, service).await?;
        // A compiler of JavaScript needs some thousand requests before it knows what it compiles.
        self.requests.ask(&running.url, lasts.mul_f64(0.5)).await?;
        meter::settled(running.pid).await?;
        ground.quiet().await?;
        let meter = ground.meter(&[running.pid], &[])?;
        let answers = self.requests.ask(&running.url, lasts).await?;
        let used = meter.stop()?;
        meter::settled(running.pid).await?;
        running.stop().await?;
        Ok((answers, used))
    }
}

fn lasts(ground: &Ground) -> Duration {
    Duration::from_secs(ground.extent.size(10, 1))
}

/// So many of `all`, evenly spread.
pub(super) fn spread(all: u64, wanted: u64) -> impl Iterator<Item = u64> {
    let wanted = wanted.min(all);
    (0..wanted).map(move |index| index * all / wanted)
}
