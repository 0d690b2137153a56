//! How much of a product is sold, which need not be a whole number: cloth is sold by the metre.

use std::fmt;

use rust_decimal::{Decimal, prelude::ToPrimitive};
use serde::{Serialize, Serializer};
use serde_json::{Number, Value};

use crate::{input::Mismatch, money::decimal_of_double};

/// A quantity of a product: an exact decimal above zero that a double-precision number holds too.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(Decimal);

impl Quantity {
    /// Takes an exact decimal.
    pub fn new(quantity: Decimal) -> Result<Self, Mismatch> {
        let quantity = quantity.normalize();
        let held_by_double = quantity.to_f64().and_then(decimal_of_double) == Some(quantity);
        if quantity <= Decimal::ZERO || !held_by_double {
            return Err(Mismatch::expected("a number above zero, of at most about 15 digits"));
        }
        Ok(Self(quantity))
    }

    /// Reads a quantity from JSON: a number, or text that holds one; `null` and empty text are no quantity.
    pub fn from_json(value: &Value) -> Result<Option<Self>, Mismatch> {
        crate::input::decimal(value)?.map(Self::new).transpose()
    }

    /// The exact quantity.
    pub fn amount(self) -> Decimal {
        self.0
    }

    /// The number as JSON, without a fraction where there is none.
    pub fn to_json(self) -> Number {
        self.0
            .is_integer()
            .then(|| self.0.to_i64())
            .flatten()
            .map(Number::from)
            .or_else(|| self.0.to_f64().and_then(Number::from_f64))
            .unwrap_or_else(|| Number::from(0))
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

impl fmt::Debug for Quantity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Quantity({})", self.0)
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn is_above_zero_and_may_have_a_fraction() {
        let half = Quantity::from_json(&json!("1.50")).unwrap().unwrap();
        assert_eq!(half.to_json().to_string(), "1.5");
        assert_eq!(
            Quantity::from_json(&json!(2.0)).unwrap().unwrap().to_json().to_string(),
            "2"
        );
        for bad in [json!(0), json!(-1), json!("two"), json!("0.12345678901234567890")] {
            assert!(Quantity::from_json(&bad).is_err(), "{bad} was taken");
        }
    }
}
