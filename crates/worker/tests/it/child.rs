//! Workers in a process of its own, which a test ends with SIGKILL: this very program, run again to do nothing else.

use std::{
    collections::HashMap,
    io::{BufRead, Write},
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use billwright_connectors::breaker::BreakerSettings;
use billwright_worker::Checkpoint;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::world::{Worker, World, billz_at, open_mongo, quick_settings};

/// What a process is told, in one line of its standard input.
#[derive(Debug, Serialize, Deserialize)]
struct Orders {
    mongo_uri: String,
    database: String,
    redis_url: String,
    workers: Vec<WorkerOrder>,
}

/// One worker of a process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct WorkerOrder {
    pub(crate) prefix: String,
    pub(crate) billz_url: String,
    /// How long its locks live without it.
    pub(crate) lock: Duration,
    /// How long it waits for an answer of Billz.
    pub(crate) patience: Duration,
    /// At the boundary of this number it goes no further.
    pub(crate) stops_at: Option<usize>,
}

/// A process with workers in it. It ends with the one that started it.
pub(crate) struct WorkerProcess {
    child: Child,
    boundaries: Arc<Mutex<HashMap<String, Vec<String>>>>,
    /// The process ends when this closes, which the system does however ours ends.
    _alive: ChildStdin,
}

impl WorkerProcess {
    /// Starts the workers of one world and of those beside it.
    pub(crate) async fn start(world: &World, workers: Vec<WorkerOrder>) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child::the_process_of_workers", "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let orders = Orders {
            mongo_uri: world.mongo_uri().to_owned(),
            database: world.database.name().to_owned(),
            redis_url: world.redis_url().to_owned(),
            workers,
        };
        let mut alive = child.stdin.take().unwrap();
        let line = format!("{}\n", serde_json::to_string(&orders).unwrap());
        alive.write_all(line.as_bytes()).await.unwrap();
        let boundaries = Arc::<Mutex<HashMap<String, Vec<String>>>>::default();
        tokio::spawn(note_boundaries(child.stdout.take().unwrap(), boundaries.clone()));
        Self {
            child,
            boundaries,
            _alive: alive,
        }
    }

    /// The boundaries that the worker of a queue has come to, in order.
    pub(crate) fn boundaries_of(&self, prefix: &str) -> Vec<String> {
        self.boundaries.lock().unwrap().get(prefix).cloned().unwrap_or_default()
    }

    /// SIGKILL; returns when the process is gone.
    pub(crate) async fn kill(mut self) {
        self.child.start_kill().unwrap();
        let status = self.child.wait().await.unwrap();
        assert_eq!(status.code(), None, "the process had ended by itself: {status}");
    }
}

const REACHED: &str = "worker-at-boundary ";

async fn note_boundaries(output: ChildStdout, boundaries: Arc<Mutex<HashMap<String, Vec<String>>>>) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some((prefix, boundary)) = line.strip_prefix(REACHED).and_then(|rest| rest.split_once(' ')) {
            let mut boundaries = boundaries.lock().unwrap();
            boundaries
                .entry(prefix.to_owned())
                .or_default()
                .push(boundary.to_owned());
        }
    }
}

#[test]
#[expect(clippy::exit, reason = "nothing but this ends a process whose workers never stop")]
#[ignore = "it is the body of the process that other tests start and kill"]
fn the_process_of_workers() {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).unwrap();
    let Ok(orders) = serde_json::from_str::<Orders>(&line) else {
        println!("nobody started this to kill it");
        return;
    };
    std::thread::spawn(|| {
        let mut rest = String::new();
        while std::io::stdin().lock().read_line(&mut rest).is_ok_and(|read| read > 0) {}
        std::process::exit(0);
    });
    // What the test harness printed so far is no line yet.
    println!();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mongo = open_mongo(&orders.mongo_uri, &orders.database).await;
        let mut running = Vec::new();
        for worker in orders.workers {
            let mut settings = quick_settings(&orders.redis_url, &worker.prefix);
            settings.lock_duration = worker.lock;
            // All share a database, and nobody is to look after the orders of another one's Billz.
            settings.look_after_every = Duration::from_hours(1);
            settings.checkpoint = Some(checkpoint(worker.prefix, worker.stops_at));
            let billz = billz_at(&worker.billz_url, worker.patience, BreakerSettings::default());
            running.push(Worker::start(settings, billz, None, mongo.clone()));
        }
        std::future::pending::<()>().await;
    });
}

fn checkpoint(prefix: String, stops_at: Option<usize>) -> Checkpoint {
    let passed = AtomicUsize::new(0);
    Checkpoint::new(move |boundary| {
        let stops = Some(passed.fetch_add(1, Ordering::SeqCst)) == stops_at;
        let mut output = std::io::stdout().lock();
        // Nobody reads any more when the other process is gone, and then this one ends too.
        let _written = writeln!(output, "{REACHED}{prefix} {boundary}").and_then(|()| output.flush());
        Box::pin(async move {
            if stops {
                std::future::pending::<()>().await;
            }
        })
    })
}
