//! The bodies of requests, as the OpenAPI document describes them. They are read by `billwright_domain`, which takes more
//! forms than a Rust type could say; these types only describe.
#![expect(dead_code, reason = "only their description is used")]

use utoipa::ToSchema;

use super::schemas::{boolean, date, date_or_nothing, identifier, number, text};

/// A new user.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "userId": "12122121-eefwedf-1121333",
    "address": {"city": "Cali", "country": "Colombia", "zipCode": "760001", "address": "Calle 13 #64-40"},
    "isActive": true
}))]
pub(crate) struct UserBody {
    /// The application's own id, without spaces around it or control characters. A number is taken as its text.
    #[schema(schema_with = identifier)]
    user_id: String,
    /// Where the user lives.
    address: Option<AddressBody>,
    /// How to call the user.
    phone: Option<PhoneBody>,
    /// Whether billings may be made out to the user; `true` where it is missing.
    #[schema(schema_with = boolean, required = false)]
    is_active: bool,
}

/// A change of a user: what is named replaces what is stored.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"address": {"city": "Bogotá", "country": "Colombia"}, "isActive": false}))]
pub(crate) struct UserChangeBody {
    /// Where the user lives.
    address: Option<AddressBody>,
    /// How to call the user.
    phone: Option<PhoneBody>,
    /// Whether billings may be made out to the user.
    #[schema(schema_with = boolean, required = false)]
    is_active: bool,
}

/// A postal address.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AddressBody {
    /// The city.
    #[schema(schema_with = text, required = false)]
    city: String,
    /// The country.
    #[schema(schema_with = text, required = false)]
    country: String,
    /// The postal code.
    #[schema(schema_with = text, required = false)]
    zip_code: String,
    /// Street, house and what else finds the door.
    #[schema(schema_with = text, required = false)]
    address: String,
}

/// A phone: country code and number apart.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"codeNumber": "+57", "phoneNumber": 3_001_234_567_u64}))]
pub(crate) struct PhoneBody {
    /// The country code; `+57` where it is missing.
    #[schema(schema_with = text, required = false)]
    code_number: String,
    /// The number within the country.
    #[schema(schema_with = number, required = false)]
    phone_number: u64,
}

/// A new billing. `billingId` and `generationDate` are the server's, whatever the body says.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "userId": "12122121-eefwedf-1121333", "dueDate": "2025-10-15", "serviceId": "1", "totalInvoice": "125000",
    "isPaid": false, "paymentDate": null
}))]
pub(crate) struct BillingBody {
    /// The user, who must exist and be active.
    #[schema(schema_with = identifier)]
    user_id: String,
    /// When it must be paid.
    #[schema(schema_with = date)]
    due_date: String,
    /// The service that is billed.
    #[schema(schema_with = text, required = false)]
    service_id: String,
    /// The amount.
    #[schema(schema_with = number, required = false)]
    total_invoice: f64,
    /// Whether it is paid; `false` where it is missing.
    #[schema(schema_with = boolean, required = false)]
    is_paid: bool,
    /// When it was paid; now, where `isPaid` is true and this is missing.
    #[schema(schema_with = date_or_nothing, required = false)]
    payment_date: Option<String>,
}

/// A change of a billing: what is named replaces what is stored.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"isPaid": true, "totalInvoice": 125_000}))]
pub(crate) struct BillingChangeBody {
    /// When it must be paid.
    #[schema(schema_with = date, required = false)]
    due_date: String,
    /// The service that is billed.
    #[schema(schema_with = text, required = false)]
    service_id: String,
    /// The amount.
    #[schema(schema_with = number, required = false)]
    total_invoice: f64,
    /// Whether it is paid.
    #[schema(schema_with = boolean, required = false)]
    is_paid: bool,
    /// When it was paid. Where it is missing it follows `isPaid`: now for a billing that becomes paid, none for one that is not.
    #[schema(schema_with = date_or_nothing, required = false)]
    payment_date: Option<String>,
}
