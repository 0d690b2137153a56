//! `PUT /api/users/:id`.

use axum::{extract::State, response::Response};
use billwright_domain::user::UserChange;

use crate::{
    error::{ApiError, ErrorView},
    idempotency::{WriteRequest, effect_of},
    openapi::{IdempotencyHeader, IfMatchHeader, UserChangeBody, UserPath, UserView},
    rendering::updated,
    routes::Id,
    state::AppState,
};

/// Change a user.
///
/// Each field that the body names replaces the stored one, an object as a whole. `userId` never changes: one in the body is
/// ignored.
#[utoipa::path(
    put, path = "/users/{id}", tag = "users", operation_id = "update_user",
    params(UserPath, IdempotencyHeader, IfMatchHeader), request_body = UserChangeBody,
    responses(
        (status = 200, description = "The user as it is now", body = UserView,
            headers(("ETag" = String, description = "Its version"))),
        (status = 400, description = "The body is wrong", body = ErrorView),
        (status = 404, description = "There is no such user", body = ErrorView),
        (status = 409, description = "The `Idempotency-Key` is in use", body = ErrorView),
        (status = 412, description = "The user is not the version in `If-Match`", body = ErrorView),
        (status = 422, description = "The `Idempotency-Key` was used for another request", body = ErrorView),
    ))]
#[tracing::instrument(name = "handler.users.update", skip_all)]
pub(crate) async fn update_user(
    State(state): State<AppState>,
    Id(id): Id,
    request: WriteRequest,
) -> Result<Response, ApiError> {
    let change = UserChange::from_json(&request.json()?)?;
    let now = state.clock.now();
    request
        .carry_out(&state, updated(), async |terms| {
            let written = state.store.update_user(&id, &change, terms, now).await?;
            effect_of(written, ApiError::UserNotFound)
        })
        .await
}
