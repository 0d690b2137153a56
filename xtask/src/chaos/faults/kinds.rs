//! What can break, and the chances of it.

use std::time::Duration;

use billwright_sandbox::{Fault, FaultRule};
use rand::{
    Rng as _,
    rngs::StdRng,
    seq::{IndexedRandom as _, SliceRandom as _},
};

use crate::chaos::link::Passage;

/// A server that can be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Server {
    MongoDb,
    Redis,
    Kafka,
}

/// What is broken, and so cannot be broken a second time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Target {
    Process(usize),
    Server(Server),
    Link(Server),
    Billz,
    Telegram,
    BillzClock,
}

/// Something that goes wrong.
#[derive(Debug, Clone)]
pub(super) enum Break {
    KillProcess(usize),
    StopProcess(usize),
    PauseProcess(usize),
    /// The clock of a process jumps by so many minutes.
    ProcessClock(usize, i64),
    KillServer(Server),
    StopServer(Server),
    PauseServer(Server),
    FullDisk,
    Link(Server, Passage),
    Billz(Vec<FaultRule>),
    Telegram(Vec<FaultRule>),
    BillzClock(i64),
}

impl Server {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::MongoDb => "MongoDB",
            Self::Redis => "Redis",
            Self::Kafka => "Kafka",
        }
    }
}

impl Break {
    /// What breaks next and for how long, where there are so many processes. Outages are short, but for some of `long` runs.
    pub(super) fn draw(chance: &mut StdRng, processes: usize, long: bool) -> (Self, Duration) {
        let servers = [Server::MongoDb, Server::Redis, Server::Kafka];
        let server = *servers.choose(chance).unwrap_or(&Server::MongoDb);
        let member = chance.random_range(0..processes.max(1));
        let hour = if chance.random_bool(0.5) { 60 } else { -60 };
        let what = match chance.random_range(0..100) {
            0..12 => Self::KillProcess(member),
            12..18 => Self::StopProcess(member),
            18..22 => Self::PauseProcess(member),
            22..26 => Self::ProcessClock(member, hour),
            26..34 => Self::KillServer(server),
            34..39 => Self::StopServer(server),
            39..45 => Self::PauseServer(server),
            45..48 => Self::FullDisk,
            48..70 => Self::Link(server, passage(chance)),
            70..92 => Self::Billz(billz_faults(chance)),
            92..97 => Self::Telegram(telegram_faults(chance)),
            _ => Self::BillzClock(hour),
        };
        let longest = if long && chance.random_bool(0.1) { 20_000 } else { 5_000 };
        (what, Duration::from_millis(chance.random_range(200..longest)))
    }

    /// What a run too short to draw everything by chance begins with, in an order that the seed decides: the death of every
    /// server, of a process, and the end of one. Each is over after `1..5` seconds.
    pub(super) fn essential(chance: &mut StdRng, processes: usize) -> Vec<(Self, Duration)> {
        let mut essential = vec![
            Self::KillServer(Server::MongoDb),
            Self::KillServer(Server::Redis),
            Self::KillServer(Server::Kafka),
            Self::KillProcess(chance.random_range(0..processes.max(1))),
            Self::StopProcess(chance.random_range(0..processes.max(1))),
        ];
        essential.shuffle(chance);
        let length = |what| (what, Duration::from_millis(chance.random_range(1_000..5_000)));
        essential.into_iter().map(length).collect()
    }

    pub(super) fn target(&self) -> Target {
        match self {
            Self::KillProcess(at) | Self::StopProcess(at) | Self::PauseProcess(at) | Self::ProcessClock(at, _) => {
                Target::Process(*at)
            }
            Self::KillServer(server) | Self::StopServer(server) | Self::PauseServer(server) => Target::Server(*server),
            Self::FullDisk => Target::Server(Server::MongoDb),
            Self::Link(server, _) => Target::Link(*server),
            Self::Billz(_) => Target::Billz,
            Self::Telegram(_) => Target::Telegram,
            Self::BillzClock(_) => Target::BillzClock,
        }
    }

    /// Under which name it is counted.
    pub(super) fn kind(&self) -> String {
        match self {
            Self::KillProcess(_) => "process killed (SIGKILL)".to_owned(),
            Self::StopProcess(_) => "process stopped (SIGTERM)".to_owned(),
            Self::PauseProcess(_) => "process paused (SIGSTOP)".to_owned(),
            Self::ProcessClock(..) => "clock of a process jumped an hour".to_owned(),
            Self::KillServer(server) => format!("{} killed (SIGKILL)", server.name()),
            Self::StopServer(server) => format!("{} restarted (SIGTERM)", server.name()),
            Self::PauseServer(server) => format!("{} paused (SIGSTOP)", server.name()),
            Self::FullDisk => "MongoDB's disk full".to_owned(),
            Self::Link(server, passage) => {
                let how = match passage {
                    Passage::Cut | Passage::Open => "cut",
                    Passage::Silent => "silent",
                    Passage::Delayed(_) => "delayed",
                    Passage::Throttled(_) => "throttled",
                };
                format!("link to {} {how}", server.name())
            }
            Self::Billz(rules) => {
                let fault = rules.first().map_or("fault", |rule| rule.fault.name());
                format!("Billz: {fault}")
            }
            Self::Telegram(_) => "Telegram refused".to_owned(),
            Self::BillzClock(_) => "clock of Billz jumped an hour".to_owned(),
        }
    }
}

fn passage(chance: &mut StdRng) -> Passage {
    match chance.random_range(0..4) {
        0 => Passage::Cut,
        1 => Passage::Silent,
        2 => Passage::Delayed(Duration::from_millis(chance.random_range(20..800))),
        _ => Passage::Throttled(chance.random_range(1_000..60_000)),
    }
}

/// One fault, for some of the calls of one kind or of all kinds.
fn billz_faults(chance: &mut StdRng) -> Vec<FaultRule> {
    let calls = [
        "*",
        "*",
        "pay",
        "pay",
        "create_order",
        "create_order",
        "add_product",
        "park",
        "discount",
        "create_client",
        "attach_customer",
        "delete_order",
        "get_order",
        "login",
        "unpark",
    ];
    let faults = [
        Fault::latency_between(Duration::from_millis(200), Duration::from_secs(3)),
        Fault::slow_answer(Duration::from_secs(2)),
        Fault::status(500),
        Fault::status(503),
        Fault::status(408),
        Fault::status(400),
        Fault::status_after_effect(500),
        Fault::status_after_effect(504),
        Fault::rate_limited(Some(2)),
        Fault::rate_limited(None),
        Fault::html_page(),
        Fault::bad_gateway_page(),
        Fault::broken_json(),
        Fault::CutBefore,
        Fault::CutAfter,
        Fault::CutAfter,
        Fault::TruncatedBody,
        Fault::EmptyBody,
        Fault::slow_drip(),
        Fault::Hang,
        Fault::HangAfter,
        Fault::TokenRevoked,
        Fault::SoldOut,
        Fault::processing_error("INTERNAL", "fault by script"),
        Fault::out_of_stock(),
    ];
    rule(chance, &calls, &faults)
}

fn telegram_faults(chance: &mut StdRng) -> Vec<FaultRule> {
    let faults = [
        Fault::status(500),
        Fault::status(403),
        Fault::rate_limited(Some(3)),
        Fault::CutAfter,
        Fault::Hang,
    ];
    rule(chance, &["sendMessage"], &faults)
}

fn rule(chance: &mut StdRng, calls: &[&str], faults: &[Fault]) -> Vec<FaultRule> {
    let (Some(call), Some(fault)) = (calls.choose(chance), faults.choose(chance)) else {
        return Vec::new();
    };
    vec![FaultRule {
        times: Some(chance.random_range(1..=4)),
        probability: chance.random_range(0.3..=1.0),
        ..FaultRule::every(call, fault.clone())
    }]
}
