//! `GET /api/users`.

use axum::{
    extract::{OriginalUri, State},
    response::Response,
};
use billwright_store::billing::lists::Listed;
use http::HeaderMap;

use crate::{
    error::{ApiError, ErrorView},
    list_params::ListParams,
    openapi::{ListQueryParams, UserListParams, UserView},
    rendering::list_response,
    state::AppState,
};

/// List users.
///
/// Without `limit`, `page` or `cursor` all of them are streamed, in no particular order unless `sort` names one.
#[utoipa::path(
    get, path = "/users", tag = "users", operation_id = "list_users", params(ListQueryParams, UserListParams),
    responses(
        (status = 200, description = "The users",
            content((Vec<UserView> = "application/json"), (String = "text/csv")),
            headers(("Link" = String, description = "The next and the previous part of the list, where there is one"),
                ("X-Total-Count" = u64, description = "How many users the filters match, if `count` is set"))),
        (status = 400, description = "A parameter is wrong", body = ErrorView),
    ))]
#[tracing::instrument(name = "handler.users.list", skip_all)]
pub(crate) async fn list_users(
    State(state): State<AppState>,
    uri: OriginalUri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let params = ListParams::read(Listed::Users, uri.query())?;
    list_response(&state, &headers, &uri, params).await
}
