//! `POST /api/billings`.

use axum::{extract::State, response::Response};
use billwright_domain::billing::BillingDraft;
use billwright_store::billing::{creation::Created, writes::Effect};

use crate::{
    error::{ApiError, ErrorView},
    idempotency::WriteRequest,
    openapi::{BillingBody, BillingView, IdempotencyHeader},
    rendering::created,
    state::AppState,
};

/// Create a billing.
///
/// The user must exist and be active; number and date are ours. The rule is
/// `billwright_domain::billing::NewBilling::open`, and the number is taken in `billwright_store::billing::creation`.
#[utoipa::path(
    post, path = "/billings", tag = "billings", operation_id = "create_billing",
    params(IdempotencyHeader), request_body = BillingBody,
    responses(
        (status = 201, description = "The new billing", body = BillingView,
            headers(("ETag" = String, description = "Its version"), ("Location" = String, description = "Where it is"))),
        (status = 400, description = "The body is wrong, or the user is not active", body = ErrorView),
        (status = 404, description = "There is no such user", body = ErrorView),
        (status = 409, description = "The `Idempotency-Key` is in use", body = ErrorView),
        (status = 422, description = "The `Idempotency-Key` was used for another request", body = ErrorView),
    ))]
#[tracing::instrument(name = "handler.billings.create", skip_all)]
pub(crate) async fn create_billing(State(state): State<AppState>, request: WriteRequest) -> Result<Response, ApiError> {
    let draft = BillingDraft::from_json(&request.json()?)?;
    request
        .carry_out(&state, created("/api/billings"), async |terms| {
            match state.creator.create(draft, terms.repeatable).await? {
                Created::Made(document) => Ok(Effect {
                    document,
                    remaining_billings: None,
                }),
                Created::Refused(refused) => Err(refused.into()),
                Created::ClaimLost => Err(ApiError::KeyRunning),
            }
        })
        .await
}
