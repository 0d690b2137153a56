//! What is answered, as the OpenAPI document describes it. Documents are answered as they are stored, so that older ones may
//! lack fields or have more; these types only describe.
#![expect(dead_code, reason = "only their description is used")]

use chrono::{DateTime, Utc};
use utoipa::ToSchema;

/// A user as it is stored.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = User, example = json!({
    "_id": "68ddaa4dcba130bb01c826d4", "userId": "12122121-eefwedf-1121333",
    "address": {"city": "Cali", "country": "Colombia", "zipCode": "760001", "address": "Calle 13 #64-40"},
    "isActive": true, "createdAt": "2025-10-01T22:25:17.000Z", "updatedAt": "2025-10-01T22:25:17.000Z", "__v": 0
}))]
pub(crate) struct UserView {
    /// MongoDB's own id.
    #[serde(rename = "_id")]
    id: String,
    /// The application's own id.
    user_id: String,
    /// Where the user lives.
    address: Option<AddressView>,
    /// How to call the user.
    phone: Option<PhoneView>,
    /// Whether billings may be made out to the user.
    is_active: Option<bool>,
    /// When the user was made.
    #[schema(required = false)]
    created_at: DateTime<Utc>,
    /// When the user was last changed.
    #[schema(required = false)]
    updated_at: DateTime<Utc>,
    /// Kept for the historical service's model.
    #[serde(rename = "__v")]
    #[schema(required = false)]
    version: i32,
}

/// A postal address.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Address)]
pub(crate) struct AddressView {
    /// The city.
    city: Option<String>,
    /// The country.
    country: Option<String>,
    /// The postal code.
    zip_code: Option<String>,
    /// Street, house and what else finds the door.
    address: Option<String>,
}

/// A phone: country code and number apart.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Phone)]
pub(crate) struct PhoneView {
    /// The country code.
    code_number: Option<String>,
    /// The number within the country.
    phone_number: Option<f64>,
}

/// A billing as it is stored.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Billing, example = json!({
    "_id": "68dda9dfb24aa93e5f012862", "userId": "11211232-eferfef-1233424", "billingId": "000011232",
    "generationDate": "2025-10-01T09:15:00.000Z", "dueDate": "2025-10-15T00:00:00.000Z", "serviceId": "1",
    "totalInvoice": 125_000, "isPaid": false, "paymentDate": null,
    "createdAt": "2025-10-01T09:15:00.000Z", "updatedAt": "2025-10-01T09:15:00.000Z", "__v": 0
}))]
pub(crate) struct BillingView {
    /// MongoDB's own id.
    #[serde(rename = "_id")]
    id: String,
    /// The user whom the billing is for.
    user_id: String,
    /// The billing's number, at least nine digits; older ones may look otherwise.
    billing_id: String,
    /// When the billing was made.
    generation_date: DateTime<Utc>,
    /// When it must be paid.
    due_date: DateTime<Utc>,
    /// The service that is billed.
    service_id: Option<String>,
    /// The amount.
    total_invoice: Option<f64>,
    /// Whether it is paid.
    is_paid: Option<bool>,
    /// When it was paid.
    payment_date: Option<DateTime<Utc>>,
    /// When the document was made.
    #[schema(required = false)]
    created_at: DateTime<Utc>,
    /// When the document was last changed.
    #[schema(required = false)]
    updated_at: DateTime<Utc>,
    /// Kept for the historical service's model.
    #[serde(rename = "__v")]
    #[schema(required = false)]
    version: i32,
}

/// The answer to a deletion.
#[derive(ToSchema)]
#[schema(as = Deleted, example = json!({"message": "Deleted"}))]
pub(crate) struct DeletedView {
    /// Always `Deleted`.
    message: String,
}
