//! What a client is told when a request fails: `{error, code, details?, correlationId}`.
//!
//! The sentences of the historical service stay as they were. What is not the client's to know goes to the log, once, here.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use billwright_domain::{FieldProblem, Problems, billing::BillingRefused};
use billwright_store::{StoreError, billing::creation::CreationError};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{access::Denied, correlation, refusals::TooMany};

/// A failed request.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// The body or the query is wrong.
    Invalid(Problems),
    /// The body is no JSON.
    InvalidJson,
    /// The rule of new billings.
    BillingRefused(BillingRefused),
    UserNotFound,
    BillingNotFound,
    UserExists,
    NotFound,
    NoHost,
    MethodNotAllowed,
    TooLarge {
        most: usize,
    },
    UnsupportedContent {
        expected: &'static str,
    },
    BodyTimeout,
    PreconditionFailed,
    KeyRunning,
    KeyOfOtherRequest,
    Denied(Denied),
    RateLimited(Duration),
    Overloaded(TooMany),
    Timeout,
    /// MongoDB is known to be away.
    Away,
    Store(Arc<StoreError>),
    Stopping,
    Panicked,
}

/// The body of an error.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Error, example = json!({
    "error": "userId is required", "code": "validation_failed",
    "details": [{"field": "userId", "found": "nothing", "expected": "a value"}],
    "correlationId": "0199a3c2-7c1e-7a30-9a52-0f8f2f4ad1c5"
}))]
pub(crate) struct ErrorView {
    /// What was wrong, for people.
    error: String,
    /// What was wrong, for programs; never changes.
    code: &'static str,
    /// The fields that were wrong; of more than 50 the first 50.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<DetailView>,
    /// Ties the answer to the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<String>,
}

/// A field that was wrong.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ErrorDetail)]
pub(crate) struct DetailView {
    /// The path of the field, as in `address.city`; empty for the body as a whole.
    field: String,
    /// What was there.
    found: String,
    /// What would have been right.
    expected: String,
}

impl From<Problems> for ApiError {
    fn from(problems: Problems) -> Self {
        Self::Invalid(problems)
    }
}

impl From<BillingRefused> for ApiError {
    fn from(refused: BillingRefused) -> Self {
        Self::BillingRefused(refused)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl From<CreationError> for ApiError {
    fn from(error: CreationError) -> Self {
        match error {
            CreationError::Overloaded => Self::Overloaded(TooMany::Creations),
            CreationError::Store(error) => Self::Store(error),
            CreationError::Stopped => Self::Stopping,
        }
    }
}

/// The answer to a path that leads nowhere, as a fallback for the whole server.
pub async fn not_found(request: Request) -> Response {
    correlation::carry_through(request, async |_| ApiError::NotFound.into_response()).await
}

/// The answer on a connection beyond the most there may be, as a fallback of what is answered even there.
pub async fn overloaded(request: Request) -> Response {
    correlation::carry_through(request, async |_| {
        ApiError::Overloaded(TooMany::Connections).into_response()
    })
    .await
}

/// The answer to a request that does not name its host, or names several.
pub async fn no_host(request: Request) -> Response {
    correlation::carry_through(request, async |_| ApiError::NoHost.into_response()).await
}

impl ApiError {
    /// A single field that is wrong.
    pub(crate) fn field(field: &str, found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::Invalid(Problems::one(FieldProblem {
            field: field.to_owned(),
            found: found.into(),
            expected: expected.into(),
        }))
    }

    /// Whether the request certainly changed nothing.
    pub(crate) fn is_without_effect(&self) -> bool {
        self.outline().0.is_client_error()
    }

    fn outline(&self) -> (StatusCode, &'static str, String) {
        let plain = |status, code, error: &str| (status, code, error.to_owned());
        match self {
            Self::Invalid(problems) => (StatusCode::BAD_REQUEST, "validation_failed", sentence(problems)),
            Self::InvalidJson => plain(StatusCode::BAD_REQUEST, "invalid_json", "Invalid JSON"),
            Self::BillingRefused(refused @ BillingRefused::UserUnknown) => {
                (StatusCode::NOT_FOUND, "user_not_found", refused.to_string())
            }
            Self::BillingRefused(refused @ BillingRefused::UserInactive) => {
                (StatusCode::BAD_REQUEST, "user_not_active", refused.to_string())
            }
            Self::UserNotFound => plain(StatusCode::NOT_FOUND, "user_not_found", "User not found"),
            Self::BillingNotFound => plain(StatusCode::NOT_FOUND, "billing_not_found", "Billing not found"),
            Self::UserExists => plain(StatusCode::CONFLICT, "user_exists", "userId already exists"),
            Self::NotFound => plain(StatusCode::NOT_FOUND, "not_found", "Not found"),
            Self::NoHost => plain(
                StatusCode::BAD_REQUEST,
                "invalid_host",
                "The request must have exactly one `Host` header",
            ),
            Self::MethodNotAllowed => plain(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "Method not allowed: see the `Allow` header for those that are",
            ),
            Self::TooLarge { most } => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                format!("The body is larger than {most} bytes"),
            ),
            Self::UnsupportedContent { expected } => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                format!("Unsupported media type: expected {expected}"),
            ),
            Self::BodyTimeout => plain(
                StatusCode::REQUEST_TIMEOUT,
                "body_timeout",
                "The body did not arrive in time",
            ),
            Self::PreconditionFailed => plain(
                StatusCode::PRECONDITION_FAILED,
                "precondition_failed",
                "The document was changed by somebody else: read it again and decide anew",
            ),
            Self::KeyRunning => plain(
                StatusCode::CONFLICT,
                "idempotency_key_in_use",
                "A request with this Idempotency-Key is still being carried out",
            ),
            Self::KeyOfOtherRequest => plain(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "This Idempotency-Key was used for another request",
            ),
            Self::Denied(denied) => denied.outline(),
            Self::RateLimited(_) => plain(StatusCode::TOO_MANY_REQUESTS, "rate_limited", "Too many requests"),
            Self::Overloaded(_) => plain(
                StatusCode::SERVICE_UNAVAILABLE,
                "overloaded",
                "Too many requests are being carried out",
            ),
            Self::Timeout => plain(
                StatusCode::SERVICE_UNAVAILABLE,
                "timeout",
                "The request took too long and was given up; whether it had an effect is not known",
            ),
            Self::Stopping => plain(StatusCode::SERVICE_UNAVAILABLE, "stopping", "The service is stopping"),
            Self::Away => plain(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Database unavailable"),
            Self::Store(error) if error.is_transient() => {
                plain(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Database unavailable")
            }
            Self::Store(_) | Self::Panicked => {
                plain(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal server error")
            }
        }
    }

    fn retry_after(&self, status: StatusCode) -> Option<Duration> {
        match self {
            Self::RateLimited(wait) => Some(*wait),
            Self::KeyRunning => Some(Duration::from_secs(1)),
            _ if status == StatusCode::SERVICE_UNAVAILABLE => Some(Duration::from_secs(1)),
            _ => None,
        }
    }

    fn log(&self, status: StatusCode) {
        match self {
            Self::Store(error) if error.is_transient() => {
                tracing::warn!(
                    error = error.as_ref() as &dyn std::error::Error,
                    "MongoDB did not answer a request"
                );
            }
            Self::Store(error) => {
                tracing::error!(
                    error = error.as_ref() as &dyn std::error::Error,
                    "a request failed in MongoDB"
                );
            }
            Self::Overloaded(too_many) => too_many.note(),
            Self::Timeout => tracing::warn!(%status, reason = ?self, "a request was given up"),
            _ => {}
        }
    }
}

impl Denied {
    fn outline(self) -> (StatusCode, &'static str, String) {
        let unauthorized = StatusCode::UNAUTHORIZED;
        match self {
            Self::Nothing => (
                unauthorized,
                "unauthorized",
                "Unauthorized: send an API key as `X-Api-Key`, or a key or token as `Authorization: Bearer`".to_owned(),
            ),
            Self::Key => (
                unauthorized,
                "unauthorized",
                "Unauthorized: the API key is not known".to_owned(),
            ),
            Self::Token(fault) => (
                unauthorized,
                "unauthorized",
                format!("Unauthorized: the token is refused: {fault}"),
            ),
            Self::NoScope => (
                StatusCode::FORBIDDEN,
                "forbidden",
                "Forbidden: the token's `scope` names neither `billwright:read` nor `billwright:write`".to_owned(),
            ),
            Self::ReadOnly => (
                StatusCode::FORBIDDEN,
                "forbidden",
                "Forbidden: these credentials may only read".to_owned(),
            ),
            Self::KeySetUnavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "The keys that sign tokens cannot be had right now".to_owned(),
            ),
        }
    }
}

/// The historical service checked `userId` first and said so; after that the first problem makes the sentence.
pub(crate) fn sentence(problems: &Problems) -> String {
    let missing = |problem: &FieldProblem| {
        matches!(&*problem.found, "nothing" | "null" | "the text ``") && !problem.field.is_empty()
    };
    let first = problems
        .listed()
        .iter()
        .find(|problem| problem.field == "userId" && missing(problem))
        .or(problems.listed().first());
    match first {
        Some(problem) if problem.field.is_empty() => "A JSON object is required".to_owned(),
        Some(problem) if missing(problem) && problem.expected == "a value" || first_is_empty_user_id(problem) => {
            format!("{} is required", problem.field)
        }
        Some(problem) => format!("{} must be {}", problem.field, problem.expected),
        None => "The request is not valid".to_owned(),
    }
}

/// An empty `userId` counted as a missing one.
fn first_is_empty_user_id(problem: &FieldProblem) -> bool {
    problem.field == "userId" && problem.found == "the text ``"
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code, error) = self.outline();
        self.log(status);
        let retry_after = self.retry_after(status);
        let details = match self {
            Self::Invalid(problems) => problems.listed().iter().cloned().map(DetailView::from).collect(),
            _ => Vec::new(),
        };
        let view = ErrorView {
            error,
            code,
            details,
            correlation_id: correlation::current().map(|id| id.to_string()),
        };
        let mut response = (status, axum::Json(view)).into_response();
        let headers = response.headers_mut();
        if let Some(wait) = retry_after {
            // Whole seconds, rounded up: whoever comes back then is let in.
            headers.insert(
                header::RETRY_AFTER,
                HeaderValue::from(wait.as_secs() + u64::from(wait.subsec_nanos() > 0)),
            );
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<FieldProblem> for DetailView {
    fn from(problem: FieldProblem) -> Self {
        Self {
            field: problem.field,
            found: problem.found,
            expected: problem.expected,
        }
    }
}
