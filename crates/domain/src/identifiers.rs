//! Identifiers as types, so that a client's id can never stand where a sale's is expected.
//!
//! Billz hands out UUIDs today, but its documentation never promises that and the historical payloads carry such ids as
//! `order123`. They are therefore opaque text, refused only where it could not be an identifier at all.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::input::{Mismatch, text};

/// The longest identifier that is accepted, in bytes.
pub const LONGEST_IDENTIFIER: usize = 200;

const EXPECTED: &str = "a non-empty text of at most 200 bytes without spaces around it or control characters";

fn check(candidate: &str) -> Result<(), Mismatch> {
    let fits = !candidate.is_empty()
        && candidate.len() <= LONGEST_IDENTIFIER
        && candidate.trim() == candidate
        && !candidate.chars().any(char::is_control);
    if fits {
        Ok(())
    } else {
        Err(Mismatch::expected(EXPECTED))
    }
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// Reads an identifier from text.
            pub fn parse(candidate: &str) -> Result<Self, Mismatch> {
                check(candidate).map(|()| Self(candidate.into()))
            }

            /// Reads an identifier from JSON; a number or a boolean is taken as its text, as Mongoose does.
            pub fn from_json(value: &Value) -> Result<Option<Self>, Mismatch> {
                text(value)?.map(|found| Self::parse(found.trim())).transpose()
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, concat!(stringify!($name), "({:?})"), self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    };
}

identifier!(
    /// A customer of the billing product, by the application's own id (`users.userId`).
    UserId
);
identifier!(
    /// A sale in Billz: a draft, a parked or a paid order.
    BillzOrderId
);
identifier!(
    /// A client (customer) in Billz.
    BillzClientId
);
identifier!(
    /// A product in Billz.
    BillzProductId
);
identifier!(
    /// A seller in Billz, `seller_ids` of a line.
    BillzSellerId
);
identifier!(
    /// A shop in Billz.
    ShopId
);
identifier!(
    /// A cash box (till) of a shop in Billz.
    CashboxId
);
identifier!(
    /// A payment type of the company in Billz, `company_payment_type_id` of a payment.
    PaymentTypeId
);
identifier!(
    /// What a payment job names as its card: the id of a document in `cards`, or a Billz payment type itself.
    CardId
);
identifier!(
    /// Ties together everything that was done for one request, job or event.
    CorrelationId
);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn refuses_what_cannot_be_an_identifier() {
        for bad in ["", " a", "a ", "a\nb", "a\0", &"x".repeat(201)] {
            assert!(BillzOrderId::parse(bad).is_err(), "{bad:?} was taken");
        }
        assert_eq!(BillzOrderId::parse("order123").unwrap().as_str(), "order123");
    }

    #[test]
    fn takes_a_number_as_its_text() {
        assert_eq!(UserId::from_json(&json!(42)).unwrap().unwrap().as_str(), "42");
        assert!(UserId::from_json(&json!({"$gt": ""})).is_err());
        assert!(UserId::from_json(&json!(null)).unwrap().is_none());
    }
}
