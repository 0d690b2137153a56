//! `Customer.Deleted`: the user and all of the user's billings go.

use billwright_domain::UserId;
use serde_json::Value;

use super::{Customer, Effect, user_id};
use crate::invalid::Invalid;

/// The event.
#[derive(Debug, Clone, PartialEq)]
pub struct Deleted {
    pub(super) user_id: UserId,
}

impl Deleted {
    /// Its type.
    pub const TYPE: &'static str = "Customer.Deleted";

    pub(super) fn decode(payload: &Value) -> Result<Self, Invalid> {
        Ok(Self {
            user_id: user_id(payload)?,
        })
    }

    /// A customer who is not known may still have billings; they go as well.
    pub(super) fn apply(customer: &mut Customer) -> Effect {
        customer.delete();
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
    fn leaves_nothing_of_a_customer_who_was_created_just_before() {
        let (customer, _) = after(&[
            (Created::TYPE, json!({"userId": "c"})),
            (Deleted::TYPE, json!({"userId": "c"})),
        ]);
        assert_eq!(customer.user, UserWrite::Keep);
        assert!(customer.first_billing.is_none() && customer.deletes_billings && !customer.billed);
    }

    #[test]
    fn deletes_the_billings_of_an_unknown_customer_too() {
        let (customer, effects) = after(&[(Deleted::TYPE, json!({"userId": "c"}))]);
        assert_eq!(effects, [Effect::Applied]);
        assert!(customer.deletes_billings);
    }
}
