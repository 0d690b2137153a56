//! The HTTP server that every role shares, and how the process stops.

use std::{net::IpAddr, time::Duration};

use super::Reader;
use crate::env_vars::{HOST, PORT, SHUTDOWN_GRACE_SECONDS};

/// The HTTP server.
#[derive(Debug, Clone)]
pub(crate) struct HttpConfig {
    /// The address to listen on; every address of the machine when unset.
    pub(crate) host: Option<IpAddr>,
    /// The port; 0 lets the system choose.
    pub(crate) port: u16,
    /// How long a stop waits for what is in flight.
    pub(crate) grace: Duration,
}

impl HttpConfig {
    /// Reads all of it.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let host = reader.optional(&HOST, |text| {
            let text = if text == "localhost" { "127.0.0.1" } else { text };
            text.parse()
                .map_err(|_| "an IP address, as `127.0.0.1` or `::`".to_owned())
        });
        let port = reader.number(&PORT, 0..=u16::MAX);
        let grace = reader.number(&SHUTDOWN_GRACE_SECONDS, 0..=3600);
        Some(Self {
            host,
            port: port?,
            grace: Duration::from_secs(grace?),
        })
    }
}
