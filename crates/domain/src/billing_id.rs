//! `billingId`: the number that a billing carries towards the customer.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::{identifiers::LONGEST_IDENTIFIER, input::Mismatch};

/// The number of a billing, unique in its collection.
///
/// A new one is the counter's value padded with zeros to nine digits. Historical ones may look otherwise
/// (`bill-1727000000000`) and stay valid as they are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BillingId(Box<str>);

impl BillingId {
    /// The number for the counter's value `sequence`.
    pub fn from_sequence(sequence: u64) -> Self {
        Self(format!("{sequence:09}").into())
    }

    /// An id as it lies in a document or a path, whoever made it.
    pub fn parse(candidate: &str) -> Result<Self, Mismatch> {
        if candidate.is_empty() || candidate.len() > LONGEST_IDENTIFIER {
            return Err(Mismatch::expected("a non-empty text of at most 200 bytes"));
        }
        Ok(Self(candidate.into()))
    }

    /// The counter's value behind this id, if it is one of the counter's.
    pub fn sequence(&self) -> Option<u64> {
        (self.0.len() >= 9 && self.0.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| self.0.parse().ok())
            .flatten()
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BillingId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Serialize for BillingId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_padded_to_nine_digits_and_grows_past_them() {
        assert_eq!(BillingId::from_sequence(11_232).as_str(), "000011232");
        assert_eq!(BillingId::from_sequence(1_000_000_000).as_str(), "1000000000");
    }

    #[test]
    fn tells_its_number_only_if_it_has_one() {
        assert_eq!(BillingId::parse("000011232").unwrap().sequence(), Some(11_232));
        assert_eq!(BillingId::parse("bill-1727000000000").unwrap().sequence(), None);
        assert!(BillingId::parse("").is_err());
    }
}
