//! `Customer.Reactivated`: the user may get billings again. Applied twice it changes nothing.

use billwright_domain::{Given, UserId, user::UserChange};
use serde_json::Value;

use super::{Customer, Effect, user_id};
use crate::invalid::Invalid;

/// The event.
#[derive(Debug, Clone, PartialEq)]
pub struct Reactivated {
    pub(super) user_id: UserId,
}

impl Reactivated {
    /// Its type.
    pub const TYPE: &'static str = "Customer.Reactivated";

    pub(super) fn decode(payload: &Value) -> Result<Self, Invalid> {
        Ok(Self {
            user_id: user_id(payload)?,
        })
    }

    pub(super) fn apply(customer: &mut Customer) -> Effect {
        if !customer.is_known() {
            return Effect::CustomerUnknown;
        }
        customer.change(&UserChange {
            is_active: Given::Value(true),
            ..UserChange::default()
        });
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
    fn changes_nothing_but_whether_the_user_is_active() {
        let (customer, _) = after(&[
            (
                Created::TYPE,
                json!({"userId": "c", "address": {"city": "Cali"}, "isActive": false}),
            ),
            (Reactivated::TYPE, json!({"userId": "c", "address": {"city": "Bogotá"}})),
        ]);
        let UserWrite::Insert(user) = customer.user else {
            panic!("not created")
        };
        assert!(user.is_active);
        assert_eq!(user.address.unwrap().city.as_deref(), Some("Cali"));
    }

    #[test]
    fn waits_for_a_customer_who_is_not_known() {
        let (_, effects) = after(&[(Reactivated::TYPE, json!({"userId": "c"}))]);
        assert_eq!(effects, [Effect::CustomerUnknown]);
    }
}
