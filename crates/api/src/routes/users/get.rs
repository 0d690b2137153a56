//! `GET /api/users/:id`.

use axum::{extract::State, response::Response};
use http::HeaderMap;

use crate::{
    error::{ApiError, ErrorView},
    openapi::{UserPath, UserView},
    rendering::document_response,
    routes::Id,
    state::AppState,
};

/// Read a user, by MongoDB `_id` or by `userId`.
#[utoipa::path(
    get, path = "/users/{id}", tag = "users", operation_id = "get_user", params(UserPath),
    responses(
        (status = 200, description = "The user", body = UserView, headers(("ETag" = String, description = "Its version"))),
        (status = 304, description = "The client has this version already (`If-None-Match`)"),
        (status = 404, description = "There is no such user", body = ErrorView),
    ))]
#[tracing::instrument(name = "handler.users.get", skip_all)]
pub(crate) async fn get_user(
    State(state): State<AppState>,
    Id(id): Id,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let user = state.store.user(&id).await?.ok_or(ApiError::UserNotFound)?;
    document_response(&headers, &user)
}
