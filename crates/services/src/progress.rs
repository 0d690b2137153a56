//! Says on standard error what a person is waiting for, when it takes longer than a second.

use std::{
    io::Write,
    time::{Duration, Instant},
};

const FIRST_WORD_AFTER: Duration = Duration::from_secs(1);
const THEN_EVERY: Duration = Duration::from_secs(5);

/// Waits for `work`, saying `what` after a second and again every five.
pub async fn during<T>(what: &str, work: impl Future<Output = T>) -> T {
    let started = Instant::now();
    let mut work = std::pin::pin!(work);
    let mut patience = FIRST_WORD_AFTER;
    loop {
        match tokio::time::timeout(patience, work.as_mut()).await {
            Ok(done) => return done,
            Err(_) => tell(&format!("{what} … {} s", started.elapsed().as_secs())),
        }
        patience = THEN_EVERY;
    }
}

/// One line for the person at the terminal; that standard error is closed is no reason to fail.
pub fn tell(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
