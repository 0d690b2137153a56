//! What can go wrong with a Billz call, in terms of what the caller may do next.

use std::{fmt, time::Duration};

use chrono::{DateTime, Utc};

use crate::budget::Cancelled;

/// Why a Billz call did not succeed. Texts hold neither tokens nor whole phone numbers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BillzError {
    /// Billz understood the call and refused it. Nothing was changed; the same call will be refused again.
    #[error("Billz refused `{call}`: {text}{}", code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default())]
    Refused {
        /// The call, as in the metrics.
        call: &'static str,
        /// Billz's code, if it gave one.
        code: Option<RefusalCode>,
        /// Billz's own words, with personal data masked.
        text: String,
    },
    /// The secret token was refused at login, or a token that was just made was refused.
    #[error(
        "Billz does not accept the secret token ({text}): make a new integration key in Billz, and set BILLZ_TOKEN"
    )]
    Unauthorized {
        /// Billz's own words.
        text: String,
    },
    /// The key's role lacks the method.
    #[error(
        "the Billz integration key may not call `{call}`: ask Billz to grant this method to the role of the key \
         (a new key has only the basic methods, sales are granted separately)"
    )]
    Forbidden {
        /// The call, as in the metrics.
        call: &'static str,
    },
    /// There is no such thing in Billz, or it was deleted.
    #[error("Billz knows nothing under this id (`{call}`)")]
    NotFound {
        /// The call, as in the metrics.
        call: &'static str,
    },
    /// Too many calls. Not executed; the shared budget has been told already.
    #[error("Billz asks to slow down for {} s", after.as_secs_f32())]
    RateLimited {
        /// How long to wait.
        after: Duration,
    },
    /// Not executed, or a read that may simply be repeated: Billz could not be reached or could not answer.
    #[error("Billz cannot be reached (`{call}`): {reason}")]
    Unavailable {
        /// The call, as in the metrics.
        call: &'static str,
        /// What was seen.
        reason: String,
    },
    /// A write was sent and its answer was lost. It may or may not have taken effect: look before it is sent again.
    #[error("the outcome of `{call}` in Billz is unknown: {reason}")]
    OutcomeUnknown {
        /// The call, as in the metrics.
        call: &'static str,
        /// What was seen.
        reason: String,
    },
    /// A read was answered with something that cannot be what was asked for.
    #[error("Billz answered `{call}` with something unexpected: {excerpt}")]
    BadReply {
        /// The call, as in the metrics.
        call: &'static str,
        /// The shape of the answer, its values masked.
        excerpt: String,
    },
    /// The circuit breaker holds calls back. Nothing was sent.
    #[error("calls to Billz are held back until {until} because the last ones failed")]
    BreakerOpen {
        /// When the next attempt is due.
        until: DateTime<Utc>,
    },
    /// The caller gave up before the call was sent. Nothing was sent.
    #[error("the call was given up before it was sent")]
    Cancelled,
}

/// What a caller may do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// Nothing was changed, and the same call may succeed later.
    Transient,
    /// Nothing was changed, and the same call will fail again.
    Permanent,
    /// Something may have been changed: read before deciding. The operation as a whole may be tried again later.
    OutcomeUnknown,
}

impl BillzError {
    /// What a caller may do about it.
    pub fn class(&self) -> ErrorClass {
        match self {
            // A page of a proxy in the way is the usual cause of an unreadable answer, and it goes away again.
            Self::RateLimited { .. }
            | Self::Unavailable { .. }
            | Self::BadReply { .. }
            | Self::BreakerOpen { .. }
            | Self::Cancelled => ErrorClass::Transient,
            Self::OutcomeUnknown { .. } => ErrorClass::OutcomeUnknown,
            Self::Refused { .. } | Self::Unauthorized { .. } | Self::Forbidden { .. } | Self::NotFound { .. } => {
                ErrorClass::Permanent
            }
        }
    }

    /// Whether the operation may succeed later. An unknown outcome counts, since the next attempt looks first.
    pub fn is_transient(&self) -> bool {
        self.class() != ErrorClass::Permanent
    }

    /// How long to wait at least before the next attempt, where that is known.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { after } => Some(*after),
            _ => None,
        }
    }

    /// The word for metrics and logs.
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "refused",
            Self::Unauthorized { .. } => "unauthorized",
            Self::Forbidden { .. } => "forbidden",
            Self::NotFound { .. } => "not_found",
            Self::RateLimited { .. } => "rate_limited",
            Self::Unavailable { .. } => "unavailable",
            Self::OutcomeUnknown { .. } => "outcome_unknown",
            Self::BadReply { .. } => "bad_reply",
            Self::BreakerOpen { .. } => "breaker_open",
            Self::Cancelled => "cancelled",
        }
    }
}

impl From<Cancelled> for BillzError {
    fn from(Cancelled: Cancelled) -> Self {
        Self::Cancelled
    }
}

/// A code under which Billz refused a call. No complete list of them is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefusalCode {
    /// 20016: there is less in stock than is to be sold.
    InsufficientStock,
    /// 20020: the payment differs from the total of the sale.
    WrongAmount,
    /// Any other.
    Other(String),
}

impl RefusalCode {
    /// The code as Billz writes it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::InsufficientStock => "20016",
            Self::WrongAmount => "20020",
            Self::Other(code) => code,
        }
    }

    pub(super) fn from_text(code: &str) -> Self {
        match code {
            "20016" => Self::InsufficientStock,
            "20020" => Self::WrongAmount,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Whether the code proves, whatever the HTTP status says, that Billz's sales part examined the call and refused it.
    pub(super) fn is_decisive(&self) -> bool {
        !matches!(self, Self::Other(_))
    }
}

impl fmt::Display for RefusalCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InsufficientStock => formatter.write_str("20016, not enough in stock"),
            Self::WrongAmount => formatter.write_str("20020, wrong payment amount"),
            Self::Other(code) => formatter.write_str(code),
        }
    }
}
