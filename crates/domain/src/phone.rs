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

/// Masks every run of nine or more digits but its last two, unless it stands inside a word such as an id; a number of
/// Uzbekistan is masked even there. Hyphens and dots may divide a run; spaces and brackets too where it begins like a phone
/// number, since amounts stand beside each other in such texts.
pub fn mask_numbers(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut masked = String::with_capacity(text.len());
    let mut index = 0;
    while index < characters.len() {
        let before = |distance: usize| index.checked_sub(distance).map_or(' ', |at| characters[at]);
        let inside_word = before(1).is_alphanumeric() || (before(1) == '-' && before(2).is_alphanumeric());
        let is_uzbek = characters[index..].starts_with(&['9', '9', '8']);
        let (end, digits) = digit_run(&characters, index, before(1) == '+' || is_uzbek);
        let word_goes_on = characters.get(end).is_some_and(|next| next.is_alphabetic());
        let is_whole_number = is_uzbek && end - index == 12 && digits == 12;
        if is_whole_number || digits >= 9 && !inside_word && !word_goes_on {
            let mut left = digits;
            for found in &characters[index..end] {
                if found.is_ascii_digit() {
                    masked.push(if left > 2 { '*' } else { *found });
                    left -= 1;
                } else {
                    masked.push(*found);
                }
            }
        } else {
            masked.extend(&characters[index..end.max(index + 1)]);
        }
        index = end.max(index + 1);
    }
    masked
}

/// Where the run of digits that starts at `from` ends, and how many digits it has.
fn digit_run(characters: &[char], from: usize, spaced: bool) -> (usize, usize) {
    let (mut end, mut digits) = (from, 0);
    for (offset, found) in characters[from..].iter().enumerate() {
        if found.is_ascii_digit() {
            digits += 1;
            end = from + offset + 1;
        } else if digits == 0 || !(matches!(found, '-' | '.') || spaced && matches!(found, ' ' | '(' | ')')) {
            break;
        }
    }
    (end, digits)
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
    fn masks_numbers_wherever_they_stand_and_leaves_ids_alone() {
        for text in [
            "+998901112233",
            "tel998901112233x",
            "a-998901112233",
            "-3001234567",
            "998 (90) 111-22-33",
        ] {
            let masked = mask_numbers(text);
            assert!(
                masked.contains('*') && !masked.contains("111") && !masked.contains("123"),
                "{masked}"
            );
        }
        for id in [
            "cccccccc-0000-4000-8000-000000000003",
            "507f1f77bcf86cd799439011",
            "230000",
            "order-1234567890",
        ] {
            assert_eq!(mask_numbers(id), id);
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
