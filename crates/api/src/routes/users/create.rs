//! `POST /api/users`.

use axum::{extract::State, response::Response};
use billwright_domain::user::NewUser;

use crate::{
    error::{ApiError, ErrorView},
    idempotency::{WriteRequest, effect_of},
    openapi::{IdempotencyHeader, UserBody, UserView},
    rendering::created,
    state::AppState,
};

/// Create a user.
///
/// `userId` must be new. The rule is `billwright_domain::user::NewUser::from_json`.
#[utoipa::path(
    post, path = "/users", tag = "users", operation_id = "create_user",
    params(IdempotencyHeader), request_body = UserBody,
    responses(
        (status = 201, description = "The new user", body = UserView,
            headers(("ETag" = String, description = "Its version"), ("Location" = String, description = "Where it is"))),
        (status = 400, description = "The body is wrong", body = ErrorView),
        (status = 409, description = "The `userId` is taken, or the `Idempotency-Key` is in use", body = ErrorView),
        (status = 422, description = "The `Idempotency-Key` was used for another request", body = ErrorView),
    ))]
#[tracing::instrument(name = "handler.users.create", skip_all)]
pub(crate) async fn create_user(State(state): State<AppState>, request: WriteRequest) -> Result<Response, ApiError> {
    let user = NewUser::from_json(&request.json()?)?;
    let now = state.clock.now();
    request
        .carry_out(&state, created("/api/users"), async |mut terms| {
            terms.precondition = None;
            effect_of(
                state.store.create_user(&user, terms, now).await?,
                ApiError::UserNotFound,
            )
        })
        .await
}
