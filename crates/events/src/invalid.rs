//! Why a message can never be applied.

use billwright_domain::Problems;

/// Why a message can never be applied. It goes to the dead letters with this reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Invalid {
    /// The kind of reason, for counting.
    pub code: InvalidCode,
    /// The reason for people, without personal data.
    pub reason: String,
}

/// The kinds of reasons for which a message goes to the dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InvalidCode {
    /// The message has no value.
    NoValue,
    /// The value is larger than an event may be.
    TooLarge,
    /// The value is no JSON.
    NotJson,
    /// The value has none of the known forms of an event.
    NotAnEvent,
    /// The event is of no known type.
    UnknownType,
    /// The payload breaks a rule.
    InvalidPayload,
    /// MongoDB refuses the documents that the event leads to.
    Refused,
    /// The customer did not appear in time.
    Expired,
}

impl InvalidCode {
    /// The code as it stands in headers and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoValue => "no_value",
            Self::TooLarge => "too_large",
            Self::NotJson => "not_json",
            Self::NotAnEvent => "not_an_event",
            Self::UnknownType => "unknown_type",
            Self::InvalidPayload => "invalid_payload",
            Self::Refused => "refused",
            Self::Expired => "expired",
        }
    }
}

impl Invalid {
    pub(crate) fn new(code: InvalidCode, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
        }
    }
}

impl From<Problems> for Invalid {
    fn from(problems: Problems) -> Self {
        Self::new(InvalidCode::InvalidPayload, format!("the payload is wrong: {problems}"))
    }
}
