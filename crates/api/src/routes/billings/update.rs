//! `PUT /api/billings/:id`.

use axum::{extract::State, response::Response};
use billwright_domain::billing::BillingChange;

use crate::{
    error::{ApiError, ErrorView},
    idempotency::{WriteRequest, effect_of},
    openapi::{BillingChangeBody, BillingPath, BillingView, IdempotencyHeader, IfMatchHeader},
    rendering::updated,
    routes::Id,
    state::AppState,
};

/// Change a billing.
///
/// Each field that the body names replaces the stored one. `billingId`, `userId` and `generationDate` never change: those in the
/// body are ignored. The payment date follows `isPaid` where the body does not name it.
#[utoipa::path(
    put, path = "/billings/{id}", tag = "billings", operation_id = "update_billing",
    params(BillingPath, IdempotencyHeader, IfMatchHeader), request_body = BillingChangeBody,
    responses(
        (status = 200, description = "The billing as it is now", body = BillingView,
            headers(("ETag" = String, description = "Its version"))),
        (status = 400, description = "The body is wrong", body = ErrorView),
        (status = 404, description = "There is no such billing", body = ErrorView),
        (status = 409, description = "The `Idempotency-Key` is in use", body = ErrorView),
        (status = 412, description = "The billing is not the version in `If-Match`", body = ErrorView),
        (status = 422, description = "The `Idempotency-Key` was used for another request", body = ErrorView),
    ))]
#[tracing::instrument(name = "handler.billings.update", skip_all)]
pub(crate) async fn update_billing(
    State(state): State<AppState>,
    Id(id): Id,
    request: WriteRequest,
) -> Result<Response, ApiError> {
    let now = state.clock.now();
    let change = BillingChange::from_json(&request.json()?, now)?;
    request
        .carry_out(&state, updated(), async |terms| {
            let written = state.store.update_billing(&id, &change, terms, now).await?;
            effect_of(written, ApiError::BillingNotFound)
        })
        .await
}
