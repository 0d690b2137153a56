//! `DELETE /api/users/:id`.

use axum::{extract::State, response::Response};

use crate::{
    error::{ApiError, ErrorView},
    idempotency::{WriteRequest, effect_of},
    openapi::{DeletedView, IdempotencyHeader, IfMatchHeader, UserPath},
    rendering::deleted,
    routes::Id,
    state::AppState,
};

/// Delete a user.
///
/// The user's billings stay; `X-Remaining-Billings` says how many they are. (The event `Customer.Deleted` deletes them too.)
#[utoipa::path(
    delete, path = "/users/{id}", tag = "users", operation_id = "delete_user",
    params(UserPath, IdempotencyHeader, IfMatchHeader),
    responses(
        (status = 200, description = "The user is deleted", body = DeletedView,
            headers(("X-Remaining-Billings" = u64, description = "How many billings the user leaves behind"))),
        (status = 404, description = "There is no such user", body = ErrorView),
        (status = 409, description = "The `Idempotency-Key` is in use", body = ErrorView),
        (status = 412, description = "The user is not the version in `If-Match`", body = ErrorView),
        (status = 422, description = "The `Idempotency-Key` was used for another request", body = ErrorView),
    ))]
#[tracing::instrument(name = "handler.users.delete", skip_all)]
pub(crate) async fn delete_user(
    State(state): State<AppState>,
    Id(id): Id,
    request: WriteRequest,
) -> Result<Response, ApiError> {
    request
        .carry_out(&state, deleted(), async |terms| {
            effect_of(state.store.delete_user(&id, terms).await?, ApiError::UserNotFound)
        })
        .await
}
