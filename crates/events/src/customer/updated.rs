//! `Customer.Updated`: sets the given fields of the user.

use billwright_domain::{UserId, user::UserChange};
use serde_json::Value;

use super::{Customer, Effect, given_fields, user_id};
use crate::invalid::Invalid;

/// The event.
#[derive(Debug, Clone, PartialEq)]
pub struct Updated {
    pub(super) user_id: UserId,
    change: UserChange,
}

impl Updated {
    /// Its type.
    pub const TYPE: &'static str = "Customer.Updated";

    pub(super) fn decode(payload: &Value) -> Result<Self, Invalid> {
        Ok(Self {
            user_id: user_id(payload)?,
            change: given_fields(payload)?,
        })
    }

    pub(super) fn apply(&self, customer: &mut Customer) -> Effect {
        if !customer.is_known() {
            return Effect::CustomerUnknown;
        }
        customer.change(&self.change);
        Effect::Applied
    }
}

#[cfg(test)]
mod tests {
    use billwright_store::billing::apply::UserWrite;
    use serde_json::json;

    use super::super::{Created, tests::after};
    use super::*;

    #[test]
    fn sets_the_given_fields_only() {
        let (customer, _) = after(&[
            (
                Created::TYPE,
                json!({"userId": "c", "address": {"city": "Cali"}, "phone": {"phoneNumber": 5}}),
            ),
            (
                Updated::TYPE,
                json!({"userId": "c", "address": {"city": "Bogotá"}, "phone": null}),
            ),
        ]);
        let UserWrite::Insert(user) = customer.user else {
            panic!("not created")
        };
        assert_eq!(user.address.unwrap().city.as_deref(), Some("Bogotá"));
        assert!(user.phone.is_some() && user.is_active);
    }

    #[test]
    fn waits_for_a_customer_who_is_not_known() {
        let (customer, effects) = after(&[(Updated::TYPE, json!({"userId": "c", "isActive": false}))]);
        assert_eq!(effects, [Effect::CustomerUnknown]);
        assert_eq!(customer.user, UserWrite::Keep);
    }
}
