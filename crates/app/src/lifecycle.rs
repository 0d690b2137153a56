//! From start to stop: the first SIGTERM or SIGINT stops gracefully, the second at once.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::telemetry::LogControl;

/// The exit status of a process that was told twice to stop: as the shell reports a SIGTERM.
const STOPPED_AT_ONCE: i32 = 143;

/// Cancels the token at the first signal and ends the process at the second.
pub(crate) fn stop_on_signals() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let token = stop.clone();
    tokio::spawn(async move {
        let name = next(&mut terminate, &mut interrupt).await;
        tracing::info!(
            signal = name,
            "stopping: no new work is taken, and what is in flight is finished; a second signal stops at once"
        );
        token.cancel();
        let name = next(&mut terminate, &mut interrupt).await;
        tracing::warn!(
            signal = name,
            "stopped at once; what was in flight is taken up again by the next start"
        );
        end_now();
    });
    Ok(stop)
}

/// Lets SIGUSR1 make our own crates log more for a while, and as configured again.
pub(crate) fn debug_on_signal(logs: LogControl, stop: CancellationToken) -> anyhow::Result<()> {
    let mut asked = signal(SignalKind::user_defined1())?;
    tokio::spawn(async move {
        while let Some(Some(())) = stop.run_until_cancelled(asked.recv()).await {
            logs.toggle_debug();
        }
    });
    Ok(())
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}

#[expect(
    clippy::exit,
    reason = "a second signal means that somebody does not want to wait for anything"
)]
fn end_now() {
    std::process::exit(STOPPED_AT_ONCE);
}
