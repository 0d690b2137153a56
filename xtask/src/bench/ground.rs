//! What every benchmark stands on: servers of the run's own, the programs to measure, and the rows so far.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use billwright_services::{KafkaServer, MongoServer, RedisServer, progress};
use bson::doc;
use mongodb::{Client, Database};
use tempfile::TempDir;

use super::{
    benchmark::Benchmark,
    figures::{Contender, Figure, Row, float},
    meter::{self, Meter, Surroundings, Used},
    peers::Peers,
};
use crate::test_bed::with_database;

/// MongoDB's cache. The servers of tests have a quarter of a GiB, which a million billings with their indexes exceed.
const CACHE: &str = "cache_size=2G";

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    pub(super) rounds: u32,
    /// Sizes that only show that everything works.
    pub(super) quick: bool,
    pub(super) ten_million: bool,
    /// How long to wait at most for a quiet machine.
    pub(super) wait_seconds: u64,
}

impl Extent {
    /// `whole`, or `tiny` where it is only to be seen that everything works.
    pub(super) fn size<T>(self, whole: T, tiny: T) -> T {
        if self.quick { tiny } else { whole }
    }
}

/// The servers, gone with this.
#[derive(Debug)]
pub(super) struct Servers {
    pub(super) mongodb: MongoServer,
    pub(super) redis: RedisServer,
    pub(super) kafka: KafkaServer,
}

/// The whole.
#[derive(Debug)]
pub(super) struct Ground {
    servers: Servers,
    client: Client,
    http: reqwest::Client,
    program: PathBuf,
    peers: Option<Peers>,
    folder: TempDir,
    started: u32,
    pub(super) extent: Extent,
    pub(super) rows: Vec<Row>,
}

impl Ground {
    /// Starts the servers.
    pub(super) async fn prepare(program: PathBuf, peers: Option<Peers>, extent: Extent) -> Result<Self> {
        let (mongodb, redis, kafka) =
            tokio::try_join!(MongoServer::start(), RedisServer::start(), KafkaServer::start())?;
        let client = Client::with_uri_str(mongodb.uri()).await?;
        client
            .database("admin")
            .run_command(doc! { "setParameter": 1, "wiredTigerEngineRuntimeConfig": CACHE })
            .await
            .context("cannot give MongoDB a larger cache")?;
        Ok(Self {
            servers: Servers { mongodb, redis, kafka },
            client,
            http: reqwest::Client::new(),
            program,
            peers,
            folder: tempfile::Builder::new().prefix("billwright-bench-").tempdir()?,
            started: 0,
            extent,
            rows: Vec::new(),
        })
    }

    pub(super) fn servers(&self) -> &Servers {
        &self.servers
    }

    /// The binary of ours.
    pub(super) fn program(&self) -> &Path {
        &self.program
    }

    pub(super) fn peers(&self) -> Option<&Peers> {
        self.peers.as_ref()
    }

    /// Where logs and the load generator's files go.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// The connection string of a database.
    pub(super) fn uri(&self, database: &str) -> String {
        with_database(&self.servers.mongodb.uri(), database)
    }

    pub(super) fn database(&self, name: &str) -> Database {
        self.client.database(name)
    }

    /// The driver's client that this program uses, also for its bare loops.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// A name for the next process and its log.
    pub(super) fn next_name(&mut self, who: Contender) -> String {
        self.started += 1;
        let who = match who {
            Contender::Ours => "ours",
            Contender::Peer => "peer",
            Contender::PeerOneByOne => "peer-one-by-one",
            Contender::Bare => "bare",
        };
        format!("{:03}-{who}", self.started)
    }

    /// Who of `contenders` can be measured, in the order of the round: it is turned around in every second one.
    pub(super) fn turns(&self, round: u32, contenders: &[Contender]) -> Vec<Contender> {
        let there =
            |who: &&Contender| self.peers.is_some() || !matches!(who, Contender::Peer | Contender::PeerOneByOne);
        let mut turns: Vec<Contender> = contenders.iter().filter(there).copied().collect();
        if round.is_multiple_of(2) {
            turns.reverse();
        }
        turns
    }

    /// Waits for a quiet machine, as long as the run allows it.
    pub(super) async fn quiet(&self) -> Result<()> {
        let at_most = Duration::from_secs(self.extent.wait_seconds);
        progress::during("waiting for a quiet machine", meter::quiet(at_most)).await
    }

    /// Begins to measure processes; `rest` are others that belong to the measurement.
    pub(super) fn meter(&self, measured: &[i32], rest: &[i32]) -> Result<Meter> {
        Meter::start(measured, self.surroundings(rest)?)
    }

    /// Begins to measure a bare loop in this process.
    pub(super) fn meter_own(&self) -> Result<Meter> {
        Meter::start_own(self.surroundings(&[])?)
    }

    fn surroundings(&self, rest: &[i32]) -> Result<Surroundings> {
        Ok(Surroundings {
            mongodb: vec![self.servers.mongodb.pid()?],
            redis: vec![self.servers.redis.pid()?],
            rest: rest.iter().copied().chain([self.servers.kafka.pid()?]).collect(),
        })
    }

    /// Keeps the row of a run and tells it.
    pub(super) fn record(
        &mut self,
        benchmark: Benchmark,
        case: &str,
        contender: Contender,
        round: u32,
        figures: impl IntoIterator<Item = (Figure, f64)>,
    ) {
        let figures: BTreeMap<Figure, f64> = figures.into_iter().collect();
        let shown: Vec<String> = figures
            .iter()
            .map(|(figure, value)| format!("{} {}", figure.heading(), super::report::shown(*value)))
            .collect();
        progress::tell(&format!("{case}, {contender}, round {round}: {}", shown.join(", ")));
        self.rows.push(Row {
            benchmark,
            case: case.to_owned(),
            contender,
            round,
            figures,
        });
    }
}

impl Used {
    /// What `units` of work cost.
    pub(super) fn figures(&self, units: f64) -> Vec<(Figure, f64)> {
        let each = |seconds: f64| seconds * 1e3 / units;
        vec![
            (Figure::CpuMs, each(self.cpu)),
            (Figure::MongodbMs, each(self.mongodb)),
            (Figure::PeakMib, self.peak_mib),
            (Figure::Foreign, self.foreign * 100.0),
        ]
    }

    /// The same with the rate at which the work was done, and with what it cost Redis where it has a part in it.
    pub(super) fn figures_with_rate(&self, units: u64, redis: bool) -> Vec<(Figure, f64)> {
        let units = float(units);
        let mut figures = self.figures(units);
        figures.push((Figure::Rate, units / self.seconds));
        if redis {
            figures.push((Figure::RedisMs, self.redis * 1e3 / units));
        }
        figures
    }
}
