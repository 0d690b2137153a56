//! Phone numbers, which are personal data: they show themselves masked unless asked for the digits.

use std::fmt;

use serde_json::Value;

use crate::input::{Mismatch, text};

const EXPECTED: &str = "a phone number of 5 to 15 digits, with or without a leading `+`";

/// An international phone number: 5 to 15 digits.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Phone(Box<str>);

impl Phone {
    /// Reads a number; spaces, hyphens, dots and brackets between the digits are dropped.
    pub fn parse(candidate: &str) -> Result<Self, Mismatch> {
        let candidate = candidate.trim();
        let body = candidate.strip_prefix('+').unwrap_or(candidate);
        let digits: String = body
            .chars()
            .filter(|found| !matches!(found, ' ' | '-' | '.' | '(' | ')'))
            .collect();
        if !(5..=15).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Mismatch::expected(EXPECTED));
        }
        Ok(Self(digits.into()))
    }

    /// Reads a number from JSON text or a JSON number.
    pub fn from_json(value: &Value) -> Result<Option<Self>, Mismatch> {
        match text(value) {
            Ok(found) => found
                .filter(|found| !found.trim().is_empty())
                .map(|found| Self::parse(&found))
                .transpose(),
            Err(_) => Err(Mismatch::expected(EXPECTED)),
        }
    }

    /// The digits alone: `998901112233`.
    pub fn digits(&self) -> &str {
        &self.0
    }

    /// The form that Billz documents: `+998901112233`.
    pub fn international(&self) -> String {
        format!("+{}", self.0)
    }

    /// Whether `other`, in whatever form it is written, is this number.
    pub fn is_same_as(&self, other: &str) -> bool {
        other.chars().filter(char::is_ascii_digit).eq(self.0.chars())
    }
}

/// The last four digits, as in `+********2233`; of a short number only two.
impl fmt::Display for Phone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = self.0.len() - if self.0.len() < 8 { 2 } else { 4 };
        write!(formatter, "+{}{}", "*".repeat(hidden), &self.0[hidden..])
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Phone({self})")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_the_forms_that_people_write() {
        for form in ["+998901112233", "998901112233", "+998 (90) 111-22-33"] {
            assert_eq!(Phone::parse(form).unwrap().digits(), "998901112233");
        }
        assert_eq!(
            Phone::from_json(&json!(998_901_112_233_u64)).unwrap().unwrap().digits(),
            "998901112233"
        );
    }

    #[test]
    fn refuses_what_is_no_number() {
        for bad in ["", "+", "1234", "12345678901234567", "+99890abc2233", "99890+1112233"] {
            assert!(Phone::parse(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn never_prints_itself_whole() {
        let phone = Phone::parse("+998901112233").unwrap();
        assert_eq!(phone.to_string(), "+********2233");
        assert!(!format!("{phone:?}").contains("99890111"));
        assert!(phone.is_same_as("+998 90 111 22 33"));
    }
}
