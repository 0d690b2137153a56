//! `DELETE /api/billings/:id`.

use axum::{extract::State, response::Response};

use crate::{
    error::{ApiError, ErrorView},
    idempotency::{WriteRequest, effect_of},
    openapi::{BillingPath, DeletedView, IdempotencyHeader, IfMatchHeader},
    rendering::deleted,
    routes::Id,
    state::AppState,
};

/// Delete a billing. Its number is never given out again.
#[utoipa::path(
    delete, path = "/billings/{id}", tag = "billings", operation_id = "delete_billing",
    params(BillingPath, IdempotencyHeader, IfMatchHeader),
    responses(
        (status = 200, description = "The billing is deleted", body = DeletedView),
        (status = 404, description = "There is no such billing", body = ErrorView),
        (status = 409, description = "The `Idempotency-Key` is in use", body = ErrorView),
        (status = 412, description = "The billing is not the version in `If-Match`", body = ErrorView),
        (status = 422, description = "The `Idempotency-Key` was used for another request", body = ErrorView),
    ))]
#[tracing::instrument(name = "handler.billings.delete", skip_all)]
pub(crate) async fn delete_billing(
    State(state): State<AppState>,
    Id(id): Id,
    request: WriteRequest,
) -> Result<Response, ApiError> {
    request
        .carry_out(&state, deleted(), async |terms| {
            let written = state.store.delete_billing(&id, terms).await?;
            effect_of(written, ApiError::BillingNotFound)
        })
        .await
}
