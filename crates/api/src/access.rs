//! Who may do what: API keys and tokens, and what a request without either gets.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, Method, header};

use crate::{error::ApiError, state::AppState};

/// What a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    /// Read.
    Read,
    /// Read and write.
    Write,
}

/// Who makes a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    /// Unique among callers; empty for those who did not say.
    pub(crate) name: String,
    pub(crate) scope: Scope,
}

/// Why access is denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denied {
    /// Neither a key nor a token was given.
    Nothing,
    /// The key is none of ours.
    Key,
    /// The token is not good, and why.
    Token(&'static str),
    /// The token gives no scope of ours.
    NoScope,
    /// The caller may read only.
    ReadOnly,
    /// Whether the token is good cannot be told now.
    KeySetUnavailable,
}

/// Lets a request through if its caller may make it, and notes who that is.
pub(crate) async fn check(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    match caller(&state, request.headers()).await {
        Ok(caller) if caller.scope < needed(request.method()) => ApiError::Denied(Denied::ReadOnly).into_response(),
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(denied) => ApiError::Denied(denied).into_response(),
    }
}

fn needed(method: &Method) -> Scope {
    if method.is_safe() { Scope::Read } else { Scope::Write }
}

async fn caller(state: &AppState, headers: &HeaderMap) -> Result<Caller, Denied> {
    if state.api_keys.is_empty() && state.tokens.is_none() {
        return Ok(Caller {
            name: String::new(),
            scope: Scope::Write,
        });
    }
    let key = headers.get("x-api-key").and_then(|value| value.to_str().ok());
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"))
        .map(|(_, credential)| credential.trim());
    let presented = key.or(bearer).ok_or(Denied::Nothing)?;
    if let Some(caller) = state.api_keys.caller(presented) {
        return Ok(caller);
    }
    match (&state.tokens, bearer) {
        (Some(tokens), Some(token)) => tokens.caller(token).await,
        _ => Err(Denied::Key),
    }
}
