//! Says on standard error what a person is waiting for, when it takes longer than a second.

use std::{
    io::Write,
    time::{Duration, Instant},
};

const FIRST_WORD_AFTER: Duration = Duration::from_secs(1);
const THEN_EVERY: Duration = Duration::from_secs(5);

/// Waits for `work`, saying `what` after a second and again every five.
///
/// What is worth waiting for tends to be a large future, which is put on the heap here instead of by every caller.
pub fn during<T>(what: &str, work: impl Future<Output = T>) -> impl Future<Output = T> {
    let mut work = Box::pin(work);
    async move {
        let started = Instant::now();
        let mut patience = FIRST_WORD_AFTER;
        loop {
            match tokio::time::timeout(patience, work.as_mut()).await {
                Ok(done) => return done,
                Err(_) => tell(&format!("{what} … {} s", started.elapsed().as_secs())),
            }
            patience = THEN_EVERY;
        }
    }
}

/// One line for the person at the terminal; that standard error is closed is no reason to fail.
pub fn tell(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
