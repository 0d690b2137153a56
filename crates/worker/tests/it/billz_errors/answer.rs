//! What Billz can answer instead of the right thing, and what is to come of it.

use billwright_sandbox::Fault;

/// What Billz answers instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Answer {
    EnvelopeBadRequest,
    BadRequest,
    UnauthorizedOnce,
    UnauthorizedAlways,
    Forbidden,
    NotFound,
    Conflict,
    Unprocessable,
    OutOfStock,
    TooMany,
    ProcessingError,
    ServerError,
    ServerErrorAlways,
    BadGatewayPage,
    Page,
    BrokenJson,
    CutBefore,
}

/// What is to come of an answer.
pub(super) enum Meaning {
    /// The job fails at once, and its reason contains this.
    Final(&'static str),
    /// The job's call is repeated without its noticing.
    Unnoticed,
    /// The queue rests, and the job goes on, which is no attempt.
    Rest,
    /// The job is tried again and completes.
    Passes,
    /// The job is tried again until its attempts are used up; its reason contains this.
    NeverPasses(&'static str),
}

impl Answer {
    pub(super) const ALL: [Self; 17] = [
        Self::EnvelopeBadRequest,
        Self::BadRequest,
        Self::UnauthorizedOnce,
        Self::UnauthorizedAlways,
        Self::Forbidden,
        Self::NotFound,
        Self::Conflict,
        Self::Unprocessable,
        Self::OutOfStock,
        Self::TooMany,
        Self::ProcessingError,
        Self::ServerError,
        Self::ServerErrorAlways,
        Self::BadGatewayPage,
        Self::Page,
        Self::BrokenJson,
        Self::CutBefore,
    ];

    pub(super) fn fault(self) -> Fault {
        match self {
            Self::EnvelopeBadRequest => Fault::EnvelopeError {
                status_code: 400,
                code: "BAD_REQUEST".to_owned(),
                message: "no such luck".to_owned(),
            },
            Self::BadRequest => Fault::status(400),
            Self::UnauthorizedOnce => Fault::TokenRevoked,
            Self::UnauthorizedAlways => Fault::status(401),
            Self::Forbidden => Fault::status(403),
            Self::NotFound => Fault::status(404),
            Self::Conflict => Fault::status(409),
            Self::Unprocessable => Fault::status(422),
            Self::OutOfStock => Fault::out_of_stock(),
            Self::TooMany => Fault::rate_limited(Some(1)),
            Self::ProcessingError => Fault::processing_error("PROCESSING_ERROR", "try again"),
            Self::ServerError | Self::ServerErrorAlways => Fault::status(500),
            Self::BadGatewayPage => Fault::bad_gateway_page(),
            Self::Page => Fault::html_page(),
            Self::BrokenJson => Fault::broken_json(),
            Self::CutBefore => Fault::CutBefore,
        }
    }

    pub(super) fn meaning(self) -> Meaning {
        match self {
            Self::EnvelopeBadRequest => Meaning::Final("no such luck"),
            Self::BadRequest | Self::Conflict | Self::Unprocessable => Meaning::Final("fault by script"),
            Self::UnauthorizedOnce => Meaning::Unnoticed,
            Self::UnauthorizedAlways => Meaning::Final("does not accept the secret token (fault by script)"),
            Self::Forbidden => Meaning::Final("ask Billz to grant"),
            Self::NotFound => Meaning::Final("knows nothing under this id"),
            Self::OutOfStock => Meaning::Final("stock not sufficient"),
            Self::TooMany => Meaning::Rest,
            Self::ServerErrorAlways => Meaning::NeverPasses("500"),
            Self::ProcessingError
            | Self::ServerError
            | Self::BadGatewayPage
            | Self::Page
            | Self::BrokenJson
            | Self::CutBefore => Meaning::Passes,
        }
    }

    /// How often it is given: a read is repeated once before its job notices.
    pub(super) fn times(self) -> Option<u64> {
        match self.meaning() {
            Meaning::Unnoticed | Meaning::Rest => Some(1),
            Meaning::Passes => Some(2),
            Meaning::Final(_) | Meaning::NeverPasses(_) => None,
        }
    }

    /// How many of its cases one worker is given, so that none takes long.
    pub(super) fn at_a_time(self) -> usize {
        match self {
            Self::TooMany | Self::ServerErrorAlways => 3,
            _ => 30,
        }
    }
}
