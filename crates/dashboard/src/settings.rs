//! What the dashboard must be told.

use std::time::Duration;

use secrecy::SecretString;

use crate::users::Users;

/// The shortest text that may be a key of sessions.
pub const SHORTEST_SESSION_KEY: usize = 32;

/// What the dashboard must be told.
#[derive(Debug, Clone)]
pub struct DashboardSettings {
    /// Who may use it; `None` opens it to this machine alone, with the rights of an operator.
    pub users: Option<Users>,
    /// Signs the sessions; `None` takes a random one, so that a restart signs everybody out.
    pub session_key: Option<SecretString>,
    /// After how long without a request a session ends.
    pub idle: Duration,
    /// Whether a proxy in front sets `X-Forwarded-For`, whose last entry is then the client's address.
    pub trust_proxy: bool,
}

impl Default for DashboardSettings {
    fn default() -> Self {
        Self {
            users: None,
            session_key: None,
            idle: Duration::from_mins(30),
            trust_proxy: false,
        }
    }
}
