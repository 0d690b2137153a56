//! What a client may take of the server, and how many clients there may be.

use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// The most connections that are served at a time, where the process may open enough files.
const MOST_CONNECTIONS: usize = 2048;
/// The fewest, however few files the process may open: it would be of no use without them.
const FEWEST_CONNECTIONS: usize = 32;
/// Connections beyond those that are served, for health and metrics.
const RESERVE: usize = 256;
/// Files that are no connections of clients: those to MongoDB, Redis, Kafka, Billz and Telegram, logs and the runtime's own.
const OTHER_FILES: usize = 320;

/// What a client may take of the server, and how many clients there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ServerLimits {
    /// The most connections at a time. On one beyond them only health and metrics are answered.
    pub(crate) connections: usize,
    /// The most connections beyond those. The oldest of them gives way to a new one.
    pub(crate) reserve: usize,
    /// How long a client may take to send the head of a request, and how long it may keep a connection open without one.
    pub(crate) head_timeout: Duration,
    /// How long a client may take nothing of an answer that is being written to it.
    pub(crate) write_timeout: Duration,
    /// The largest head of a request, in bytes.
    pub(crate) largest_head: usize,
    /// The most header fields of a request.
    pub(crate) most_headers: usize,
    /// How much of a body or an answer is held for one connection, in bytes.
    pub(crate) largest_buffer: usize,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections: MOST_CONNECTIONS,
            reserve: RESERVE,
            head_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(30),
            // Twice what the historical service took.
            largest_head: 32 * 1024,
            most_headers: 100,
            largest_buffer: 64 * 1024,
        }
    }
}

impl ServerLimits {
    /// Asks the system for as many open files as are wanted, and takes what it allows.
    pub(crate) fn of_this_process() -> Self {
        let wanted = (MOST_CONNECTIONS + RESERVE + OTHER_FILES) as u64;
        let allowed = getrlimit(Resource::RLIMIT_NOFILE).map_or(wanted, |(soft, hard)| {
            let raised = wanted.min(hard);
            if soft >= raised || setrlimit(Resource::RLIMIT_NOFILE, raised, hard).is_err() {
                soft
            } else {
                raised
            }
        });
        let limits = Self::within(usize::try_from(allowed).unwrap_or(usize::MAX));
        if limits.connections < MOST_CONNECTIONS {
            tracing::warn!(
                open_files = allowed,
                connections = limits.connections,
                "the process may open too few files for {MOST_CONNECTIONS} connections, so that fewer are served; \
                 allow {wanted} open files (`ulimit -n`, or `LimitNOFILE` of systemd)"
            );
        }
        limits
    }

    /// The limits of a process that may open so many files.
    fn within(open_files: usize) -> Self {
        let connections = open_files.saturating_sub(RESERVE + OTHER_FILES);
        Self {
            connections: connections.clamp(FEWEST_CONNECTIONS, MOST_CONNECTIONS),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_enough_open_files_for_everything_else() {
        for (open_files, connections) in [
            (0, FEWEST_CONNECTIONS),
            (256, FEWEST_CONNECTIONS),
            (1024, 448),
            (2624, 2048),
            (1_048_576, 2048),
            (usize::MAX, 2048),
        ] {
            assert_eq!(
                ServerLimits::within(open_files).connections,
                connections,
                "{open_files}"
            );
        }
    }

    #[test]
    fn this_process_is_asked_for_what_is_allowed() {
        let limits = ServerLimits::of_this_process();
        let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!(
            limits,
            ServerLimits::within(usize::try_from(soft).unwrap_or(usize::MAX))
        );
    }
}
