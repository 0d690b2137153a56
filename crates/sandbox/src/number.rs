//! JSON numbers as exact decimals, and back, so that no sum is ever made in floating point.

use std::str::FromStr;

use rust_decimal::{Decimal, prelude::ToPrimitive};
use serde::{Serialize, Serializer};
use serde_json::{Number, Value};

/// Nothing in a shop is larger, and sums and products of such numbers stay within what a decimal holds.
const LARGEST: Decimal = Decimal::from_parts(2_764_472_320, 232_830, 0, false, 0);

/// Reads a JSON number by its decimal text; numbers beyond 10^15 are none.
pub(crate) fn decimal(value: &Value) -> Option<Decimal> {
    let Value::Number(number) = value else { return None };
    let text = number.to_string();
    Decimal::from_str(&text)
        .or_else(|_| Decimal::from_scientific(&text))
        .ok()
        .filter(|number| number.abs() <= LARGEST)
}

/// Writes a decimal as a JSON number: whole when it is whole.
pub(crate) fn number(amount: Decimal) -> Value {
    let amount = amount.normalize();
    if amount.is_integer()
        && let Some(whole) = amount.to_i64()
    {
        return Value::from(whole);
    }
    amount
        .to_f64()
        .and_then(Number::from_f64)
        .map_or(Value::Null, Value::Number)
}

/// Serializes a decimal as a JSON number.
pub(crate) fn as_number<S: Serializer>(amount: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
    number(*amount).serialize(serializer)
}
