//! What the process itself needs: its port.

use std::{net::SocketAddr, time::Duration};

use super::Finding;
use crate::{config::HttpConfig, http};

/// Whether the port is free, or taken by Billwright itself.
pub(super) async fn port(config: &HttpConfig) -> Vec<Finding> {
    let check = format!("port {}", config.port);
    let Err(error) = http::listen(config).await else {
        return vec![Finding::ok(check, "is free")];
    };
    vec![
        match crate::commands::status::process::ask(config, Duration::from_secs(3)).await {
            Ok(process) => Finding::warning(
                check,
                format!("Billwright {} runs there already", process.version),
                "nothing, if that is meant; otherwise stop it or set `PORT` to another one",
            ),
            Err(_) => Finding::failed(
                check,
                format!("{:#}", error.root_cause()),
                "set `PORT` to a free port (and `HOST` to an address of this machine), or stop what holds this one",
            ),
        },
    ]
}

/// Where a process of this configuration answers, seen from this machine.
pub(crate) fn local_address(config: &HttpConfig) -> SocketAddr {
    let host = config.host.filter(|host| !host.is_unspecified());
    SocketAddr::new(host.unwrap_or(std::net::Ipv4Addr::LOCALHOST.into()), config.port)
}
