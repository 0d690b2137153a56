//! `GET /api/billings/user/:userId`.

use axum::{
    extract::{OriginalUri, State},
    response::Response,
};
use billwright_store::billing::lists::{Condition, Listed, Order};
use http::HeaderMap;

use crate::{
    error::{ApiError, ErrorView},
    list_params::ListParams,
    openapi::{BillingListParams, BillingView, ListQueryParams, OfUserPath},
    rendering::list_response,
    routes::Id,
    state::AppState,
};

/// List the billings of a user, newest first.
///
/// A user who has none, or does not exist, has an empty list.
#[utoipa::path(
    get, path = "/billings/user/{userId}", tag = "billings", operation_id = "list_billings_of_user",
    params(OfUserPath, ListQueryParams, BillingListParams),
    responses(
        (status = 200, description = "The user's billings",
            content((Vec<BillingView> = "application/json"), (String = "text/csv")),
            headers(("Link" = String, description = "The next and the previous part of the list, where there is one"),
                ("X-Total-Count" = u64, description = "How many billings the filters match, if `count` is set"))),
        (status = 400, description = "A parameter is wrong", body = ErrorView),
    ))]
#[tracing::instrument(name = "handler.billings.list_by_user", skip_all)]
pub(crate) async fn list_billings_by_user(
    State(state): State<AppState>,
    Id(user_id): Id,
    uri: OriginalUri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let of_user = Condition::UserId(user_id);
    let params = ListParams::read_with(Listed::Billings, uri.query(), vec![of_user], Some(Order::NEWEST_FIRST))?;
    list_response(&state, &headers, &uri, params).await
}
