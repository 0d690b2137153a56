//! Money as an exact decimal, never as floating point.

use std::{fmt, str::FromStr};

use rust_decimal::{Decimal, prelude::ToPrimitive};
use serde::{Serialize, Serializer};
use serde_json::{Number, Value};

use crate::input::Mismatch;

/// An amount of money, zero or more, in whole currency units with any fraction that a double can carry.
///
/// The historical services kept amounts as JavaScript numbers, and the documents must stay readable for them. An amount
/// that a double cannot carry there and back is therefore refused at the edge, rather than changed in silence.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(Decimal);

/// The largest whole number up to which a double holds each one: above it amounts one apart look the same.
const LARGEST_EXACT: u64 = 9_007_199_254_740_991;

/// A number in the form in which the historical services stored it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum StoredNumber {
    /// A whole number that fits into 32 bits.
    Int32(i32),
    /// Everything else.
    Double(f64),
}

impl Money {
    /// No money at all.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// Takes an exact decimal.
    pub fn new(amount: Decimal) -> Result<Self, Mismatch> {
        if amount.is_sign_negative() && !amount.is_zero() {
            return Err(Mismatch::expected("an amount of zero or more"));
        }
        let amount = amount.normalize();
        if amount > Decimal::from(LARGEST_EXACT) {
            return Err(Mismatch::expected("an amount of at most 9007199254740991"));
        }
        match amount.to_f64().and_then(decimal_of_double) {
            Some(back) if back == amount => Ok(Self(amount)),
            _ => Err(Mismatch::expected(
                "an amount that a double-precision number holds exactly (about 15 digits)",
            )),
        }
    }

    /// A whole number of currency units.
    pub fn whole(amount: u32) -> Self {
        Self(Decimal::from(amount))
    }

    /// Reads an amount from JSON: a number, or text that holds one; `null` and empty text are no amount.
    pub fn from_json(value: &Value) -> Result<Option<Self>, Mismatch> {
        crate::input::decimal(value)?.map(Self::new).transpose()
    }

    /// Reads a double as it lies in a document or an answer of Billz.
    pub fn from_double(amount: f64) -> Result<Self, Mismatch> {
        decimal_of_double(amount)
            .ok_or_else(|| Mismatch::expected("a finite amount"))
            .and_then(Self::new)
    }

    /// The exact amount.
    pub fn amount(self) -> Decimal {
        self.0
    }

    /// Whether there is nothing to pay.
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// What is left after `other` is taken off, or nothing where that would be less than zero.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        (self.0 >= other.0).then(|| Self((self.0 - other.0).normalize()))
    }

    /// The number as the historical services stored it: a 32-bit integer where it fits, else a double.
    pub fn stored(self) -> StoredNumber {
        match self.0.is_integer().then(|| self.0.to_i32()).flatten() {
            Some(whole) => StoredNumber::Int32(whole),
            None => StoredNumber::Double(self.0.to_f64().unwrap_or_default()),
        }
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

/// The shortest decimal that stands for a double, which is also how JavaScript prints it.
pub(crate) fn decimal_of_double(double: f64) -> Option<Decimal> {
    double
        .is_finite()
        .then(|| Decimal::from_str(&double.to_string()).ok())
        .flatten()
        .map(|found| found.normalize())
}

impl fmt::Display for Money {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Money({})", self.0)
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn money(value: &Value) -> Money {
        Money::from_json(value).unwrap().unwrap()
    }

    #[test]
    fn reads_numbers_and_numeric_text_alike() {
        assert_eq!(money(&json!("125000")), money(&json!(125_000)));
        assert_eq!(money(&json!(" 0.1 ")), money(&json!(0.1)));
        assert_eq!(money(&json!("1e3")), money(&json!(1000)));
        assert_eq!(Money::from_json(&json!("")).unwrap(), None);
    }

    #[test]
    fn refuses_what_a_double_cannot_hold() {
        for bad in [
            json!(9_007_199_254_740_993_u64),
            json!(9_007_199_254_740_992_u64),
            json!(1e20),
            json!("0.12345678901234567890"),
            json!(-1),
            json!("-0.5"),
        ] {
            assert!(Money::from_json(&bad).is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn is_stored_as_javascript_would() {
        assert_eq!(money(&json!("125000")).stored(), StoredNumber::Int32(125_000));
        assert_eq!(money(&json!(3_000_000_000_u64)).stored(), StoredNumber::Double(3e9));
        assert_eq!(money(&json!(0.5)).to_json().to_string(), "0.5");
        assert_eq!(money(&json!(125_000.0)).to_json().to_string(), "125000");
    }

    #[test]
    fn never_goes_below_zero() {
        assert_eq!(Money::whole(5).checked_sub(Money::whole(7)), None);
        assert_eq!(Money::whole(7).checked_sub(Money::whole(5)), Some(Money::whole(2)));
    }

    proptest! {
        #[test]
        fn survives_storage(cents in 0_i64..100_000_000_000_000) {
            let before = Money::new(Decimal::new(cents, 2)).unwrap();
            let after = match before.stored() {
                StoredNumber::Int32(whole) => Money::from_double(f64::from(whole)),
                StoredNumber::Double(double) => Money::from_double(double),
            };
            prop_assert_eq!(before, after.unwrap());
            prop_assert_eq!(before, money(&Value::Number(before.to_json())));
        }
    }
}
