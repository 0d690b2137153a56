//! The operations pages.

use std::time::Duration;

use billwright_dashboard::{DashboardSettings, SHORTEST_SESSION_KEY, Users};
use secrecy::SecretString;

use super::Reader;
use crate::env_vars::{API_TRUST_PROXY, DASHBOARD_IDLE_MINUTES, DASHBOARD_SESSION_KEY, DASHBOARD_USERS};

/// Reads all of it.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<DashboardSettings> {
    let users = reader.optional(&DASHBOARD_USERS, |text| {
        text.parse::<Users>().map_err(|problem| problem.to_string())
    });
    let session_key = reader.optional(&DASHBOARD_SESSION_KEY, |text| {
        if text.len() >= SHORTEST_SESSION_KEY {
            Ok(SecretString::from(text))
        } else {
            Err(format!("at least {SHORTEST_SESSION_KEY} random characters"))
        }
    });
    let idle = reader.number(&DASHBOARD_IDLE_MINUTES, 1..=720_u64);
    let trust_proxy = reader.boolean(&API_TRUST_PROXY);
    Some(DashboardSettings {
        users,
        session_key,
        idle: Duration::from_secs(idle? * 60),
        trust_proxy: trust_proxy?,
    })
}
