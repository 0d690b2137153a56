//! `Customer.Created`: the user exists from now on, and gets the first billing, once per customer.

use billwright_domain::{
    Given, UserId,
    billing::{FirstBillingDefaults, NewBilling},
    user::{NewUser, UserChange},
};
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Customer, Effect};
use crate::invalid::Invalid;

/// The event.
#[derive(Debug, Clone, PartialEq)]
pub struct Created {
    user: NewUser,
    /// Whether it says if the user is active, rather than leaving that to the default.
    tells_activity: bool,
    first_billing: NewBilling,
}

impl Created {
    /// Its type.
    pub const TYPE: &'static str = "Customer.Created";

    pub(super) fn decode(
        payload: &Value,
        defaults: &FirstBillingDefaults,
        now: DateTime<Utc>,
    ) -> Result<Self, Invalid> {
        let user = NewUser::from_json(payload)?;
        Ok(Self {
            tells_activity: payload.get("isActive").is_some_and(|told| !told.is_null()),
            first_billing: NewBilling::first(&user.user_id, payload, defaults, now)?,
            user,
        })
    }

    pub(super) fn user_id(&self) -> &UserId {
        &self.user.user_id
    }

    /// Makes the user, or sets the given fields of one that is there.
    pub(super) fn apply(&self, customer: &mut Customer) -> Effect {
        if customer.is_known() {
            customer.change(&self.given());
        } else {
            customer.create(&self.user);
        }
        customer.bill_first(&self.first_billing);
        Effect::Applied
    }

    /// The fields that it gives.
    fn given(&self) -> UserChange {
        fn given<T: Clone>(field: Option<&T>) -> Given<T> {
            field.map_or(Given::Absent, |value| Given::Value(value.clone()))
        }
        UserChange {
            address: given(self.user.address.as_ref()),
            phone: given(self.user.phone.as_ref()),
            is_active: given(self.tells_activity.then_some(&self.user.is_active)),
            user_id: Given::Absent,
        }
    }
}

#[cfg(test)]
mod tests {
    use billwright_store::billing::apply::UserWrite;
    use serde_json::json;

    use super::super::tests::{after, decode};
    use super::*;
    use crate::{customer::Updated, invalid::InvalidCode};

    #[test]
    fn makes_the_user_and_the_first_billing() {
        let (customer, _) = after(&[(Created::TYPE, json!({"userId": "c", "address": {"city": "Cali"}}))]);
        assert!(matches!(&customer.user, UserWrite::Insert(user) if user.is_active));
        assert_eq!(customer.first_billing.unwrap().service_id.as_deref(), Some("1"));
    }

    #[test]
    fn repeated_it_sets_only_what_it_gives_and_bills_no_second_time() {
        let (customer, _) = after(&[
            (
                Created::TYPE,
                json!({"userId": "c", "address": {"city": "Cali"}, "totalInvoice": 1}),
            ),
            (Updated::TYPE, json!({"userId": "c", "isActive": false})),
            (
                Created::TYPE,
                json!({"userId": "c", "totalInvoice": 2, "isActive": null, "address": null}),
            ),
        ]);
        let UserWrite::Insert(user) = customer.user else {
            panic!("not created")
        };
        // What it leaves to the defaults or gives as `null` stays as it was.
        assert!(!user.is_active && user.address.is_some());
        assert_eq!(
            customer.first_billing.unwrap().total_invoice,
            Some(billwright_domain::Money::whole(1))
        );
    }

    #[test]
    fn repeated_it_sets_what_it_gives() {
        let (customer, _) = after(&[
            (Created::TYPE, json!({"userId": "c", "address": {"city": "Cali"}})),
            (
                Created::TYPE,
                json!({"userId": "c", "address": {"city": "Pasto"}, "phone": {"phoneNumber": 3}, "isActive": "false"}),
            ),
        ]);
        let UserWrite::Insert(user) = customer.user else {
            panic!("not created")
        };
        assert_eq!(user.address.unwrap().city.as_deref(), Some("Pasto"));
        assert!(user.phone.is_some() && !user.is_active);
    }

    #[test]
    fn refuses_values_that_the_api_refuses() {
        let error = decode(
            Created::TYPE,
            &json!({"userId": "c", "address": 3, "isActive": "perhaps"}),
        )
        .unwrap_err();
        assert_eq!(error.code, InvalidCode::InvalidPayload);
        assert!(
            error.reason.contains("`address`") && error.reason.contains("`isActive`"),
            "{error}"
        );
        assert!(decode(Created::TYPE, &json!({"userId": "c", "totalInvoice": -1})).is_err());
    }
}
