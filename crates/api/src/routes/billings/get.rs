//! `GET /api/billings/:id`.

use axum::{extract::State, response::Response};
use http::HeaderMap;

use crate::{
    error::{ApiError, ErrorView},
    openapi::{BillingPath, BillingView},
    rendering::document_response,
    routes::Id,
    state::AppState,
};

/// Read a billing, by `billingId` or by MongoDB `_id`.
#[utoipa::path(
    get, path = "/billings/{id}", tag = "billings", operation_id = "get_billing", params(BillingPath),
    responses(
        (status = 200, description = "The billing", body = BillingView,
            headers(("ETag" = String, description = "Its version"))),
        (status = 304, description = "The client has this version already (`If-None-Match`)"),
        (status = 404, description = "There is no such billing", body = ErrorView),
    ))]
#[tracing::instrument(name = "handler.billings.get", skip_all)]
pub(crate) async fn get_billing(
    State(state): State<AppState>,
    Id(id): Id,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let billing = state.store.billing(&id).await?.ok_or(ApiError::BillingNotFound)?;
    document_response(&headers, &billing)
}
