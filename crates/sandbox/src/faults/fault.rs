//! What can go wrong with one call.

use std::time::Duration;

use rand::{Rng as _, rngs::StdRng};
use serde::{Deserialize, Serialize};

/// One thing that goes wrong with a call.
///
/// Unless it says otherwise a fault that replaces the answer leaves the call without effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// Time passes before the call takes effect (also when the caller has gone by then).
    Latency {
        /// How much.
        delay: Delay,
    },
    /// The call takes effect at once, and time passes before the answer.
    SlowAnswer {
        /// How much.
        delay: Delay,
    },
    /// This answer instead of the true one.
    Answer {
        /// Status.
        status: u16,
        /// `Content-Type`.
        #[serde(default = "json_type")]
        content_type: String,
        /// Body.
        #[serde(default)]
        body: String,
        /// `Retry-After`, in seconds.
        #[serde(default)]
        retry_after: Option<u64>,
        /// Whether the call takes effect all the same.
        #[serde(default)]
        effect: bool,
    },
    /// The connection is cut, and the call has no effect.
    CutBefore,
    /// The call takes effect, then the connection is cut.
    CutAfter,
    /// The call takes effect; half of the answer's body comes, then the connection is cut.
    TruncatedBody,
    /// The call takes effect; the answer has no body.
    EmptyBody,
    /// The call takes effect; the body comes in small pieces.
    SlowDrip {
        /// Bytes a piece.
        bytes: usize,
        /// Milliseconds between pieces.
        every_ms: u64,
    },
    /// The call is held before its effect until [`super::Faults::release`]; then it goes on as any other, also when the caller has
    /// gone by then.
    Hold,
    /// No effect, and silence for ever.
    Hang,
    /// The call takes effect, then silence for ever.
    HangAfter,
    /// All tokens are revoked before the call.
    TokenRevoked,
    /// The goods of the call or of its sale are sold out before the call.
    SoldOut,
    /// Status 200 and an envelope that says that it failed.
    EnvelopeError {
        /// `status_code` in the envelope.
        status_code: u16,
        /// `error.code`.
        code: String,
        /// `error.message`.
        message: String,
    },
    /// The sale is refused with `data.error_code`, in the shape that the variants choose.
    SaleError {
        /// 20016, 20020, …
        error_code: u32,
        /// Text.
        message: String,
    },
}

/// How long something takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delay {
    /// Always so many milliseconds.
    FixedMs(u64),
    /// Evenly between two numbers of milliseconds.
    BetweenMs(u64, u64),
    /// One of a list, by chance.
    OneOfMs(Vec<u64>),
}

impl Delay {
    pub(super) fn draw(&self, chance: &mut StdRng) -> Duration {
        Duration::from_millis(match self {
            Self::FixedMs(ms) => *ms,
            Self::BetweenMs(from, to) => chance.random_range(*from..=(*to).max(*from)),
            Self::OneOfMs(list) if list.is_empty() => 0,
            Self::OneOfMs(list) => list[chance.random_range(0..list.len())],
        })
    }
}

fn json_type() -> String {
    "application/json".to_owned()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Fault {
    /// The call takes so long, before its effect.
    pub fn latency(delay: Duration) -> Self {
        Self::Latency {
            delay: Delay::FixedMs(millis(delay)),
        }
    }

    /// The call takes between so long and so long, before its effect.
    pub fn latency_between(from: Duration, to: Duration) -> Self {
        Self::Latency {
            delay: Delay::BetweenMs(millis(from), millis(to)),
        }
    }

    /// The call takes one of these times, before its effect.
    pub fn latency_of(list: &[Duration]) -> Self {
        Self::Latency {
            delay: Delay::OneOfMs(list.iter().copied().map(millis).collect()),
        }
    }

    /// The answer comes so long after the effect.
    pub fn slow_answer(delay: Duration) -> Self {
        Self::SlowAnswer {
            delay: Delay::FixedMs(millis(delay)),
        }
    }

    /// A status without effect, with a JSON body.
    pub fn status(status: u16) -> Self {
        Self::Answer {
            status,
            content_type: json_type(),
            body: format!(r#"{{"code":{status},"message":"fault by script","error":"fault by script","data":null}}"#),
            retry_after: None,
            effect: false,
        }
    }

    /// A status although the call took effect.
    pub fn status_after_effect(status: u16) -> Self {
        match Self::status(status) {
            Self::Answer {
                status,
                content_type,
                body,
                retry_after,
                ..
            } => Self::Answer {
                status,
                content_type,
                body,
                retry_after,
                effect: true,
            },
            other => other,
        }
    }

    /// 429, with `Retry-After` when seconds are given.
    pub fn rate_limited(retry_after: Option<u64>) -> Self {
        Self::Answer {
            status: 429,
            content_type: json_type(),
            body: r#"{"code":429,"message":"too many requests","error":"too many requests","data":null}"#.to_owned(),
            retry_after,
            effect: false,
        }
    }

    /// A page of HTML with a status of success, as a proxy on the way may send it; no effect.
    pub fn html_page() -> Self {
        Self::Answer {
            status: 200,
            content_type: "text/html".to_owned(),
            body: "<html><body><h1>Please stand by</h1></body></html>".to_owned(),
            retry_after: None,
            effect: false,
        }
    }

    /// A page of HTML with status 502; no effect.
    pub fn bad_gateway_page() -> Self {
        Self::Answer {
            status: 502,
            content_type: "text/html".to_owned(),
            body: "<html><body><h1>502 Bad Gateway</h1></body></html>".to_owned(),
            retry_after: None,
            effect: false,
        }
    }

    /// Status 200 after the effect, and a body that is not JSON although it says so.
    pub fn broken_json() -> Self {
        Self::Answer {
            status: 200,
            content_type: json_type(),
            body: r#"{"id": "#.to_owned(),
            retry_after: None,
            effect: true,
        }
    }

    /// The body byte by byte, one every 20 ms.
    pub fn slow_drip() -> Self {
        Self::SlowDrip { bytes: 1, every_ms: 20 }
    }

    /// Status 200 and an envelope with `status_code` 500.
    pub fn processing_error(code: &str, message: &str) -> Self {
        Self::EnvelopeError {
            status_code: 500,
            code: code.to_owned(),
            message: message.to_owned(),
        }
    }

    /// Stock not sufficient (20016).
    pub fn out_of_stock() -> Self {
        Self::SaleError {
            error_code: 20016,
            message: "stock not sufficient".to_owned(),
        }
    }

    /// Wrong payment amount (20020).
    pub fn wrong_amount() -> Self {
        Self::SaleError {
            error_code: 20020,
            message: "wrong payment amount".to_owned(),
        }
    }

    /// The name under which the ledger writes it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Latency { .. } => "latency",
            Self::SlowAnswer { .. } => "slow_answer",
            Self::Answer { .. } => "answer",
            Self::CutBefore => "cut_before",
            Self::CutAfter => "cut_after",
            Self::TruncatedBody => "truncated_body",
            Self::EmptyBody => "empty_body",
            Self::SlowDrip { .. } => "slow_drip",
            Self::Hold => "hold",
            Self::Hang => "hang",
            Self::HangAfter => "hang_after",
            Self::TokenRevoked => "token_revoked",
            Self::SoldOut => "sold_out",
            Self::EnvelopeError { .. } => "envelope_error",
            Self::SaleError { .. } => "sale_error",
        }
    }
}
