//! Asks the service whether it lives, as an orchestrator does: again and again, each time on a new connection.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// How long the service may take to say that it lives.
pub(super) const ANSWERS_WITHIN: Duration = Duration::from_secs(1);
/// How often it is asked.
const EVERY: Duration = Duration::from_millis(250);
const QUESTION: &str = "GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";

/// What it said.
#[derive(Debug, Default)]
pub(super) struct Probed {
    /// How long answers took.
    pub(super) answered: Vec<Duration>,
    /// What went wrong, each time that it did not answer in time.
    pub(super) failed: Vec<String>,
}

/// Asks until it is told to stop. On a thread of its own, since whoever loads the service has no time.
pub(super) struct Probe {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Probed>,
}

impl Probe {
    pub(super) fn start(address: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut probed = Probed::default();
            while !told.load(Ordering::Relaxed) {
                let begun = Instant::now();
                match ask(address) {
                    Ok(()) => probed.answered.push(begun.elapsed()),
                    Err(error) => probed
                        .failed
                        .push(format!("{error} after {} ms", begun.elapsed().as_millis())),
                }
                std::thread::sleep(EVERY.saturating_sub(begun.elapsed()));
            }
            probed
        });
        Self { stop, thread }
    }

    pub(super) fn stop(self) -> Probed {
        self.stop.store(true, Ordering::Relaxed);
        let panicked = |_| Probed {
            failed: vec!["the probe itself failed".to_owned()],
            ..Probed::default()
        };
        self.thread.join().unwrap_or_else(panicked)
    }
}

fn ask(address: SocketAddr) -> std::io::Result<()> {
    let begun = Instant::now();
    let mut stream = TcpStream::connect_timeout(&address, ANSWERS_WITHIN)?;
    // Zero would mean no limit.
    let left = ANSWERS_WITHIN
        .saturating_sub(begun.elapsed())
        .max(Duration::from_millis(1));
    stream.set_read_timeout(Some(left))?;
    stream.write_all(QUESTION.as_bytes())?;
    let mut status = [0; 12];
    stream.read_exact(&mut status)?;
    if status == *b"HTTP/1.1 200" {
        Ok(())
    } else {
        Err(std::io::Error::other(String::from_utf8_lossy(&status).into_owned()))
    }
}
