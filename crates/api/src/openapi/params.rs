//! The parameters of calls, as the OpenAPI document describes them. They are read in `list_params.rs`, `routes.rs` and
//! `idempotency.rs`; these types only describe.
#![expect(dead_code, reason = "only their description is used")]

use utoipa::IntoParams;

use super::schemas::{order_of_billings, order_of_users, truth};

/// Which user.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct UserPath {
    /// MongoDB's `_id`, or the application's `userId`.
    #[param(example = "12122121-eefwedf-1121333")]
    id: String,
}

/// Which billing.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct BillingPath {
    /// The `billingId`, or MongoDB's `_id`.
    #[param(example = "000011232")]
    id: String,
}

/// Whose billings.
#[derive(IntoParams)]
#[into_params(parameter_in = Path, rename_all = "camelCase")]
pub(crate) struct OfUserPath {
    /// The application's `userId`.
    #[param(example = "11211232-eferfef-1233424")]
    user_id: String,
}

/// What every list takes.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQueryParams {
    /// The most documents to answer; 50 where only `page` is given. The `Link` header leads to the next part of the list.
    #[param(minimum = 1, maximum = 1000, nullable = false)]
    limit: Option<u32>,
    /// The number of the page, from 1.
    #[param(minimum = 1, maximum = 1_000_000, nullable = false)]
    page: Option<u32>,
    /// Answer `X-Total-Count`.
    #[param(schema_with = truth, required = false)]
    count: Option<bool>,
    /// Only documents whose `userId` or `billingId` begins with this.
    #[param(max_length = 200, nullable = false)]
    q: Option<String>,
}

/// What lists of users take.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(crate) struct UserListParams {
    /// The order: a field, with `-` before it for descending order. By `_id` where a part is asked for without it.
    #[param(schema_with = order_of_users, required = false)]
    sort: Option<String>,
    /// Only the user with this `userId`.
    #[param(nullable = false)]
    user_id: Option<String>,
    /// Only users that are active, or not.
    #[param(schema_with = truth, required = false)]
    is_active: Option<bool>,
    /// Only users who live in this city.
    #[param(nullable = false)]
    city: Option<String>,
}

/// What lists of all users' billings take.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(crate) struct OfUserParam {
    /// Only billings of the user with this `userId`.
    #[param(nullable = false)]
    user_id: Option<String>,
}

/// What lists of billings take.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(crate) struct BillingListParams {
    /// The order: a field, with `-` before it for descending order. Where a part is asked for without it: newest first with
    /// `userId`, by `dueDate` with `isPaid`, `dueBefore` or `dueAfter`, else by `_id`.
    #[param(schema_with = order_of_billings, required = false)]
    sort: Option<String>,
    /// Only billings that are paid, or not.
    #[param(schema_with = truth, required = false)]
    is_paid: Option<bool>,
    /// Only billings that are due before this moment.
    #[param(format = Date, nullable = false)]
    due_before: Option<String>,
    /// Only billings that are due after this moment.
    #[param(format = Date, nullable = false)]
    due_after: Option<String>,
}

/// What a write takes that may be repeated.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(crate) struct IdempotencyHeader {
    /// Carries out the write once, however often it is sent with this key within 24 hours, and answers alike.
    #[param(
        rename = "Idempotency-Key",
        example = "8e03978e-40d5-43dd-bc93-6894a57f9324",
        min_length = 1,
        max_length = 255,
        pattern = "^[!-~]([ -~]*[!-~])?$",
        nullable = false
    )]
    idempotency_key: Option<String>,
}

/// What a write takes that changes a document.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(crate) struct IfMatchHeader {
    /// The `ETag` of the version that is to be changed; the write is refused (412) if it is another one.
    #[param(
        rename = "If-Match",
        pattern = "^(\\*|\"[0-9a-f]{32}\")$",
        example = "*",
        nullable = false
    )]
    if_match: Option<String>,
}
