//! `GET /api/billings`.

use axum::{
    extract::{OriginalUri, State},
    response::Response,
};
use billwright_store::billing::lists::Listed;
use http::HeaderMap;

use crate::{
    error::{ApiError, ErrorView},
    list_params::ListParams,
    openapi::{BillingListParams, BillingView, ListQueryParams, OfUserParam},
    rendering::list_response,
    state::AppState,
};

/// List billings.
///
/// Without `limit`, `page` or `cursor` all of them are streamed, in no particular order unless `sort` names one.
#[utoipa::path(
    get, path = "/billings", tag = "billings", operation_id = "list_billings",
    params(ListQueryParams, OfUserParam, BillingListParams),
    responses(
        (status = 200, description = "The billings",
            content((Vec<BillingView> = "application/json"), (String = "text/csv")),
            headers(("Link" = String, description = "The next and the previous part of the list, where there is one"),
                ("X-Total-Count" = u64, description = "How many billings the filters match, if `count` is set"))),
        (status = 400, description = "A parameter is wrong", body = ErrorView),
    ))]
#[tracing::instrument(name = "handler.billings.list", skip_all)]
pub(crate) async fn list_billings(
    State(state): State<AppState>,
    uri: OriginalUri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let params = ListParams::read(Listed::Billings, uri.query())?;
    list_response(&state, &headers, &uri, params).await
}
