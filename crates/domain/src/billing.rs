//! The rules of billings: who may get one, what the server decides, and how paying one is written down.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::{
    identifiers::UserId,
    input::{Fields, Given, Mismatch, Problems, boolean, date, text},
    money::Money,
    user::{UserPhone, phone, present},
};

/// What the body of `POST /api/billings` says. Its `billingId` and `generationDate` are not read: they are the server's.
#[derive(Debug, Clone, PartialEq)]
pub struct BillingDraft {
    /// The user whom the billing is for.
    pub user_id: UserId,
    /// When it must be paid.
    pub due_date: DateTime<Utc>,
    /// The service that is billed.
    pub service_id: Option<String>,
    /// The amount.
    pub total_invoice: Option<Money>,
    /// Whether it is paid already.
    pub is_paid: bool,
    /// When it was paid, if the body says so.
    pub payment_date: Option<DateTime<Utc>>,
    /// The phone that later versions of the historical service kept with a billing.
    pub phone: Option<BillingPhone>,
}

/// The phone of a billing, in either of the forms that were in use.
#[derive(Debug, Clone, PartialEq)]
pub enum BillingPhone {
    /// As text.
    Text(String),
    /// As a user's phone.
    Parts(UserPhone),
}

/// A billing that may be stored; only its number is missing, which the store takes from the counter.
#[derive(Debug, Clone, PartialEq)]
pub struct NewBilling {
    /// The user whom the billing is for.
    pub user_id: UserId,
    /// When it was made.
    pub generation_date: DateTime<Utc>,
    /// When it must be paid.
    pub due_date: DateTime<Utc>,
    /// The service that is billed.
    pub service_id: Option<String>,
    /// The amount.
    pub total_invoice: Option<Money>,
    /// Whether it is paid.
    pub is_paid: bool,
    /// When it was paid.
    pub payment_date: Option<DateTime<Utc>>,
    /// The phone that it carries, if any.
    pub phone: Option<BillingPhone>,
}

/// Why a billing cannot be made out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BillingRefused {
    /// There is no such user.
    #[error("User not found")]
    UserUnknown,
    /// The user is suspended.
    #[error("User is not active")]
    UserInactive,
}

/// What the rule of a new billing needs to know of its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserStanding {
    /// The user exists and is active.
    Active,
    /// The user exists and is suspended.
    Suspended,
    /// There is no such user.
    Unknown,
}

impl BillingDraft {
    /// Reads the body of `POST /api/billings`.
    pub fn from_json(body: &Value) -> Result<Self, Problems> {
        let mut fields = Fields::of(body)?;
        let user_id = fields.required("userId", UserId::from_json);
        let due_date = fields.required("dueDate", date);
        let service_id = fields.optional("serviceId", text);
        let total_invoice = fields.optional("totalInvoice", Money::from_json);
        let is_paid = fields.optional("isPaid", boolean).unwrap_or(false);
        let payment_date = fields.optional("paymentDate", date);
        let phone = fields.optional_private("phone", billing_phone);
        fields.finish()?;
        Ok(Self {
            user_id: present(user_id)?,
            due_date: present(due_date)?,
            service_id,
            total_invoice,
            is_paid,
            payment_date,
            phone,
        })
    }
}

impl NewBilling {
    /// The rule of `POST /api/billings`: the user must exist and be active, the date of making is `now`, and a billing
    /// that is paid already without saying when was paid `now`.
    pub fn open(user: UserStanding, draft: BillingDraft, now: DateTime<Utc>) -> Result<Self, BillingRefused> {
        match user {
            UserStanding::Unknown => return Err(BillingRefused::UserUnknown),
            UserStanding::Suspended => return Err(BillingRefused::UserInactive),
            UserStanding::Active => {}
        }
        Ok(Self {
            user_id: draft.user_id,
            generation_date: now,
            due_date: draft.due_date,
            service_id: draft.service_id,
            total_invoice: draft.total_invoice,
            payment_date: draft.payment_date.or_else(|| draft.is_paid.then_some(now)),
            is_paid: draft.is_paid,
            phone: draft.phone,
        })
    }
}

/// What the first billing of a customer is where `Customer.Created` does not say otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstBillingDefaults {
    /// How long the customer has to pay.
    pub due_after: TimeDelta,
    /// The service that is billed.
    pub service_id: String,
    /// The amount.
    pub total_invoice: Money,
}

impl Default for FirstBillingDefaults {
    fn default() -> Self {
        Self {
            due_after: TimeDelta::days(14),
            service_id: "1".to_owned(),
            total_invoice: Money::whole(100_000),
        }
    }
}

impl NewBilling {
    /// The first billing of a customer, from the payload of `Customer.Created`. It is made whether or not the customer is
    /// active, as it always was.
    pub fn first(
        user_id: &UserId,
        payload: &Value,
        defaults: &FirstBillingDefaults,
        now: DateTime<Utc>,
    ) -> Result<Self, Problems> {
        let mut fields = Fields::of(payload)?;
        let generation_date = fields.optional("generationDate", date).unwrap_or(now);
        let due_date = fields.optional("dueDate", date);
        let service_id = fields.optional("serviceId", text);
        let total_invoice = fields.optional("totalInvoice", Money::from_json);
        fields.finish()?;
        Ok(Self {
            user_id: user_id.clone(),
            generation_date,
            due_date: due_date.unwrap_or(now + defaults.due_after),
            service_id: Some(service_id.unwrap_or_else(|| defaults.service_id.clone())),
            total_invoice: Some(total_invoice.unwrap_or(defaults.total_invoice)),
            is_paid: false,
            payment_date: None,
            phone: None,
        })
    }
}

/// What an update says about a billing. `billingId`, `userId` and `generationDate` never change.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BillingChange {
    /// When it must be paid.
    pub due_date: Given<DateTime<Utc>>,
    /// The service that is billed.
    pub service_id: Given<String>,
    /// The amount.
    pub total_invoice: Given<Money>,
    /// Whether it is paid.
    pub is_paid: Given<bool>,
    /// When it was paid.
    pub payment_date: Given<DateTime<Utc>>,
    /// Set where the update marks the billing as paid and names no date: it was paid at this moment, unless it is marked
    /// as paid with a date already, which then stays. Saying twice that a billing is paid does not move the date.
    pub paid_at_the_latest: Option<DateTime<Utc>>,
    /// The phone that it carries.
    pub phone: Given<BillingPhone>,
}

impl BillingChange {
    /// Reads the body of `PUT /api/billings/:id`. The payment date follows `isPaid` where the body does not name it: a
    /// billing that becomes paid was paid `now`, and one that is not paid has no payment date.
    pub fn from_json(body: &Value, now: DateTime<Utc>) -> Result<Self, Problems> {
        let mut fields = Fields::of(body)?;
        let mut change = Self {
            due_date: fields.given("dueDate", date),
            service_id: fields.given("serviceId", text),
            total_invoice: fields.given("totalInvoice", Money::from_json),
            is_paid: fields.given("isPaid", boolean),
            payment_date: fields.given("paymentDate", date),
            paid_at_the_latest: None,
            phone: fields.given_private("phone", billing_phone),
        };
        if change.due_date == Given::Null {
            fields.refuse("dueDate", "a date");
        }
        fields.finish()?;
        if change.payment_date.is_absent() {
            match change.is_paid {
                Given::Value(true) => change.paid_at_the_latest = Some(now),
                Given::Value(false) | Given::Null => change.payment_date = Given::Null,
                Given::Absent => {}
            }
        }
        Ok(change)
    }

    /// Whether the update names no field that could change.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn billing_phone(value: &Value) -> Result<Option<BillingPhone>, Mismatch> {
    if value.is_object() {
        let mut fields = Fields::of(value).map_err(|_| Mismatch::expected("a phone"))?;
        let parts = phone(&mut fields);
        return match fields.finish() {
            Ok(()) => Ok(Some(BillingPhone::Parts(parts))),
            Err(_) => Err(Mismatch::expected("a phone as text, or as {codeNumber, phoneNumber}")),
        };
    }
    Ok(text(value)?.map(BillingPhone::Text))
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use serde_json::json;

    use super::*;

    fn now() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 11, 29, 12, 0, 0).unwrap()
    }

    fn draft(body: &Value) -> BillingDraft {
        BillingDraft::from_json(body).unwrap()
    }

    #[test]
    fn refuses_a_billing_for_an_unknown_or_suspended_user() {
        let body = draft(&json!({"userId": "c", "dueDate": "2026-12-01"}));
        let open = |standing| NewBilling::open(standing, body.clone(), now());
        assert_eq!(open(UserStanding::Unknown).unwrap_err().to_string(), "User not found");
        assert_eq!(
            open(UserStanding::Suspended).unwrap_err().to_string(),
            "User is not active"
        );
        assert!(open(UserStanding::Active).is_ok());
    }

    #[test]
    fn the_server_sets_the_date_whatever_the_body_says() {
        let body =
            draft(&json!({"userId": "c", "dueDate": "2026-12-01", "generationDate": "1999-01-01", "billingId": "x"}));
        assert_eq!(
            NewBilling::open(UserStanding::Active, body, now())
                .unwrap()
                .generation_date,
            now()
        );
    }

    #[test]
    fn reads_the_documented_example() {
        let body = draft(&json!({
            "userId": "11211232-eferfef-1233424", "billingId": "000011232", "generationDate": "2025-10-01T09:15:00",
            "dueDate": "2025-10-15", "serviceId": "1", "totalInvoice": "125000", "isPaid": false, "paymentDate": null
        }));
        assert_eq!(body.total_invoice, Some(Money::whole(125_000)));
        assert_eq!(body.payment_date, None);
    }

    #[test]
    fn the_payment_date_follows_is_paid_unless_it_is_given() {
        let paid = BillingChange::from_json(&json!({"isPaid": "true"}), now()).unwrap();
        assert_eq!(
            (paid.payment_date, paid.paid_at_the_latest),
            (Given::Absent, Some(now()))
        );
        let dated = BillingChange::from_json(&json!({"isPaid": true, "paymentDate": null}), now()).unwrap();
        assert_eq!((dated.payment_date, dated.paid_at_the_latest), (Given::Null, None));
        let open = BillingChange::from_json(&json!({"isPaid": false}), now()).unwrap();
        assert_eq!((open.payment_date, open.paid_at_the_latest), (Given::Null, None));
    }

    #[test]
    fn a_wrong_phone_is_not_repeated() {
        let body = json!({"userId": "c", "dueDate": "2026-12-01", "phone": "+57 300 123 45 67\0"});
        for problems in [
            BillingChange::from_json(&body, now()).unwrap_err(),
            BillingDraft::from_json(&body).unwrap_err(),
        ] {
            assert_eq!(problems.listed()[0].found, "a text of 18 characters");
        }
    }

    #[test]
    fn the_first_billing_has_defaults_that_the_payload_overrides() {
        let user = UserId::parse("c").unwrap();
        let plain = NewBilling::first(&user, &json!({"userId": "c"}), &FirstBillingDefaults::default(), now()).unwrap();
        assert_eq!(plain.due_date, now() + TimeDelta::days(14));
        assert_eq!(
            (plain.service_id.as_deref(), plain.total_invoice),
            (Some("1"), Some(Money::whole(100_000)))
        );
        let own = NewBilling::first(
            &user,
            &json!({"totalInvoice": "5"}),
            &FirstBillingDefaults::default(),
            now(),
        )
        .unwrap();
        assert_eq!(own.total_invoice, Some(Money::whole(5)));
    }
}
