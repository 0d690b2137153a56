//! Reads JSON from outside into the types of this crate, with the coercions that Mongoose made for the historical
//! services, and collects *every* problem of a document rather than the first.
//!
//! ```
//! use billwright_domain::{Fields, Money, UserId};
//! let body = serde_json::json!({"userId": "c-1", "totalInvoice": "12 pesos"});
//! let mut fields = Fields::of(&body).unwrap();
//! let user_id = fields.required("userId", UserId::from_json);
//! let total = fields.optional("totalInvoice", Money::from_json);
//! let problems = fields.finish().unwrap_err();
//! assert_eq!(problems.listed()[0].field, "totalInvoice");
//! ```

mod coercions;

use std::{borrow::Cow, fmt};

use serde::Serialize;
use serde_json::{Map, Value};

pub use self::coercions::{boolean, date, decimal, text};
use crate::phone::mask_numbers;

/// A value that cannot be read as what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// What would have been right, as the end of the sentence "expected …".
    pub expected: Cow<'static, str>,
}

impl Mismatch {
    /// A mismatch with what would have been right.
    pub fn expected(expected: impl Into<Cow<'static, str>>) -> Self {
        Self {
            expected: expected.into(),
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "expected {}", self.expected)
    }
}

impl std::error::Error for Mismatch {}

/// One wrong or missing field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldProblem {
    /// The path of the field, as in `products[1].qty`.
    pub field: String,
    /// What was there, shortened; of personal data only its kind and length.
    pub found: String,
    /// What would have been right.
    pub expected: String,
}

impl fmt::Display for FieldProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "field `{}`: found {}, expected {}",
            self.field, self.found, self.expected
        )
    }
}

/// How many problems of one document are told. Whoever sends a list of a million wrong items learns enough from these.
pub const MOST_PROBLEMS: usize = 50;

/// The problems of one document: at least one, and at most [`MOST_PROBLEMS`] of them one by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(ProblemList);

/// Collects problems. Those beyond [`MOST_PROBLEMS`] are only counted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProblemList {
    listed: Vec<FieldProblem>,
    left_out: usize,
}

impl ProblemList {
    /// Adds a problem.
    pub fn push(&mut self, problem: FieldProblem) {
        if self.listed.len() < MOST_PROBLEMS {
            self.listed.push(problem);
        } else {
            self.left_out += 1;
        }
    }

    /// Fine, or the problems.
    pub fn finish(self) -> Result<(), Problems> {
        if self.listed.is_empty() {
            Ok(())
        } else {
            Err(Problems(self))
        }
    }

    fn append(&mut self, other: Self) {
        other.listed.into_iter().for_each(|problem| self.push(problem));
        self.left_out += other.left_out;
    }
}

impl Problems {
    /// A single problem.
    pub fn one(problem: FieldProblem) -> Self {
        Self(ProblemList {
            listed: vec![problem],
            left_out: 0,
        })
    }

    /// Stands where a field is missing that [`Fields::finish`] has reported already, so that nobody ever sees it; it exists
    /// because the compiler cannot know.
    pub fn unread() -> Self {
        Self::one(FieldProblem {
            field: String::new(),
            found: "a field that was not read".to_owned(),
            expected: "no such error: please report it".to_owned(),
        })
    }

    /// The problems one by one, in the order in which they were met.
    pub fn listed(&self) -> &[FieldProblem] {
        &self.0.listed
    }

    /// How many more there are.
    pub fn left_out(&self) -> usize {
        self.0.left_out
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, problem) in self.listed().iter().enumerate() {
            if position > 0 {
                formatter.write_str("; ")?;
            }
            problem.fmt(formatter)?;
        }
        match self.left_out() {
            0 => Ok(()),
            more => write!(formatter, "; and {more} more"),
        }
    }
}

impl std::error::Error for Problems {}

/// What an update says about a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Given<T> {
    /// The field is not named: it stays as it is.
    #[default]
    Absent,
    /// The field is named and empty.
    Null,
    /// The field is named with this value.
    Value(T),
}

impl<T> Given<T> {
    /// Whether the field is not named.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// The value, if there is one.
    pub fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }
}

/// The fields of one JSON object, read one by one. Fields that nobody asks for are ignored.
#[derive(Debug)]
pub struct Fields<'a> {
    object: Option<&'a Map<String, Value>>,
    path: String,
    problems: ProblemList,
}

/// Whether a field's content may be repeated in an error.
#[derive(Clone, Copy)]
enum Shown {
    Content,
    KindOnly,
}

impl<'a> Fields<'a> {
    /// The fields of the document `value`, which must be a JSON object.
    pub fn of(value: &'a Value) -> Result<Self, Problems> {
        match value.as_object() {
            Some(object) => Ok(Self {
                object: Some(object),
                path: String::new(),
                problems: ProblemList::default(),
            }),
            None => Err(Problems::one(FieldProblem {
                field: String::new(),
                found: describe(Some(value), Shown::KindOnly),
                expected: "a JSON object".to_owned(),
            })),
        }
    }

    /// The raw value of a field, if it is there at all.
    pub fn raw(&self, name: &str) -> Option<&'a Value> {
        self.object?.get(name)
    }

    /// A field that must be there; `null` counts as missing.
    pub fn required<T>(&mut self, name: &str, read: impl FnOnce(&Value) -> Result<Option<T>, Mismatch>) -> Option<T> {
        self.read(name, read, Shown::Content, true)
    }

    /// A field that may be missing or `null`.
    pub fn optional<T>(&mut self, name: &str, read: impl FnOnce(&Value) -> Result<Option<T>, Mismatch>) -> Option<T> {
        self.read(name, read, Shown::Content, false)
    }

    /// Like [`Fields::required`] for personal data or secrets: an error tells only the kind and length of what was found.
    pub fn required_private<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&Value) -> Result<Option<T>, Mismatch>,
    ) -> Option<T> {
        self.read(name, read, Shown::KindOnly, true)
    }

    /// Like [`Fields::optional`] for personal data or secrets: an error tells only the kind and length of what was found.
    pub fn optional_private<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&Value) -> Result<Option<T>, Mismatch>,
    ) -> Option<T> {
        self.read(name, read, Shown::KindOnly, false)
    }

    /// A field of an update, where "not named" and `null` differ.
    pub fn given<T>(&mut self, name: &str, read: impl FnOnce(&Value) -> Result<Option<T>, Mismatch>) -> Given<T> {
        self.read_given(name, read, Shown::Content)
    }

    /// Like [`Fields::given`] for personal data or secrets: an error tells only the kind and length of what was found.
    pub fn given_private<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&Value) -> Result<Option<T>, Mismatch>,
    ) -> Given<T> {
        self.read_given(name, read, Shown::KindOnly)
    }

    /// A nested object that may be missing or `null`. Its problems carry the whole path.
    pub fn object<T>(&mut self, name: &str, read: impl FnOnce(&mut Fields<'_>) -> T) -> Option<T> {
        let value = self.raw(name).filter(|value| !value.is_null())?;
        let Some(object) = value.as_object() else {
            self.problem(name, Some(value), Shown::KindOnly, Mismatch::expected("an object"));
            return None;
        };
        let mut nested = Fields {
            object: Some(object),
            path: self.path_of(name),
            problems: ProblemList::default(),
        };
        let found = read(&mut nested);
        self.problems.append(nested.problems);
        Some(found)
    }

    /// A list of objects that may be missing or `null`. Its problems carry the whole path, as in `products[1].qty`.
    pub fn list<T>(&mut self, name: &str, mut read: impl FnMut(&mut Fields<'_>) -> T) -> Option<Vec<T>> {
        let value = self.raw(name).filter(|value| !value.is_null())?;
        let Some(items) = value.as_array() else {
            self.problem(
                name,
                Some(value),
                Shown::KindOnly,
                Mismatch::expected("a list of objects"),
            );
            return None;
        };
        let mut found = Vec::with_capacity(items.len());
        for (position, item) in items.iter().enumerate() {
            let place = format!("{name}[{position}]");
            let Some(object) = item.as_object() else {
                self.problem(&place, Some(item), Shown::KindOnly, Mismatch::expected("an object"));
                continue;
            };
            let mut nested = Fields {
                object: Some(object),
                path: self.path_of(&place),
                problems: ProblemList::default(),
            };
            found.push(read(&mut nested));
            self.problems.append(nested.problems);
        }
        Some(found)
    }

    /// Notes that a field which could be read breaks a rule.
    pub fn refuse(&mut self, name: &str, expected: impl Into<Cow<'static, str>>) {
        self.problem(name, self.raw(name), Shown::Content, Mismatch::expected(expected));
    }

    /// Ends the reading: fine, or every problem that was met.
    pub fn finish(self) -> Result<(), Problems> {
        self.problems.finish()
    }

    fn read_given<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&Value) -> Result<Option<T>, Mismatch>,
        shown: Shown,
    ) -> Given<T> {
        let Some(value) = self.raw(name) else {
            return Given::Absent;
        };
        match read(value) {
            Ok(Some(found)) => Given::Value(found),
            Ok(None) => Given::Null,
            Err(mismatch) => {
                self.problem(name, Some(value), shown, mismatch);
                Given::Absent
            }
        }
    }

    fn read<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&Value) -> Result<Option<T>, Mismatch>,
        shown: Shown,
        required: bool,
    ) -> Option<T> {
        let value = self.raw(name);
        match value.map_or(Ok(None), read) {
            Ok(None) if required => {
                self.problem(name, value, shown, Mismatch::expected("a value"));
                None
            }
            Ok(found) => found,
            Err(mismatch) => {
                self.problem(name, value, shown, mismatch);
                None
            }
        }
    }

    fn problem(&mut self, name: &str, value: Option<&Value>, shown: Shown, mismatch: Mismatch) {
        self.problems.push(FieldProblem {
            field: self.path_of(name),
            found: describe(value, shown),
            expected: mismatch.expected.into_owned(),
        });
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }
}

/// How much of a value an error repeats, in characters: less than a token has.
const LONGEST_EXCERPT: usize = 40;
/// The same once line breaks and the like are written out.
const LONGEST_ESCAPED: usize = 80;

/// The beginning of a text from outside, as an error may repeat it: short, on one line, with phone numbers masked.
pub fn excerpt(text: &str) -> String {
    // Masked before it is cut, since half a phone number is not known as one.
    let beginning: String = text.chars().take(4 * LONGEST_EXCERPT).collect();
    let masked = mask_numbers(&beginning);
    let mut shown = String::new();
    let mut left = masked.chars();
    for found in left.by_ref().take(LONGEST_EXCERPT) {
        shown.extend(found.escape_debug());
        if shown.len() > LONGEST_ESCAPED {
            break;
        }
    }
    if left.next().is_some() || beginning.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// What an error says of a text: the text itself where it is short, else its length.
pub fn describe_text(text: &str) -> String {
    let length = text.chars().take(LONGEST_EXCERPT + 1).count();
    if length <= LONGEST_EXCERPT {
        format!("the text `{}`", excerpt(text))
    } else {
        format!("a text of {} characters", text.chars().count())
    }
}

fn describe(value: Option<&Value>, shown: Shown) -> String {
    match (value, shown) {
        (None, _) => "nothing".to_owned(),
        (Some(Value::Null), _) => "null".to_owned(),
        (Some(Value::Object(_)), _) => "an object".to_owned(),
        (Some(Value::Array(items)), _) => format!("a list of {}", items.len()),
        (Some(Value::String(text)), Shown::Content) => describe_text(text),
        (Some(Value::String(text)), Shown::KindOnly) => format!("a text of {} characters", text.chars().count()),
        (Some(scalar), Shown::Content) => format!("`{}`", excerpt(&scalar.to_string())),
        (Some(Value::Number(_)), Shown::KindOnly) => "a number".to_owned(),
        (Some(_), Shown::KindOnly) => "a boolean".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeZone, Utc};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn collects_every_problem_with_its_path() {
        let body = json!({"address": {"city": {}}, "products": [{"qty": 1}, {"qty": "two"}, 3]});
        let mut fields = Fields::of(&body).unwrap();
        fields.required("userId", text);
        fields.object("address", |address| address.optional("city", text));
        fields.list("products", |product| product.required("qty", decimal));
        let problems = fields.finish().unwrap_err();
        let seen: Vec<_> = problems
            .listed()
            .iter()
            .map(|problem| (&*problem.field, &*problem.found))
            .collect();
        assert_eq!(
            seen,
            [
                ("userId", "nothing"),
                ("address.city", "an object"),
                ("products[1].qty", "the text `two`"),
                ("products[2]", "a number"),
            ]
        );
    }

    #[test]
    fn keeps_personal_data_out_of_errors() {
        let body = json!({"clientPhone": "call me: 998901112233"});
        let mut fields = Fields::of(&body).unwrap();
        fields.required_private("clientPhone", crate::Phone::from_json);
        assert!(!fields.finish().unwrap_err().to_string().contains("998901112233"));
    }

    #[test]
    fn tells_of_many_problems_only_so_many_and_counts_the_rest() {
        let body = json!({"products": vec![json!({"qty": "x".repeat(40)}); 100_000]});
        let mut fields = Fields::of(&body).unwrap();
        fields.list("products", |product| product.required("qty", decimal));
        let problems = fields.finish().unwrap_err();
        assert_eq!(
            (problems.listed().len(), problems.left_out()),
            (MOST_PROBLEMS, 100_000 - MOST_PROBLEMS)
        );
        let text = problems.to_string();
        assert!(
            text.ends_with("; and 99950 more") && text.len() < 10_000,
            "{}",
            text.len()
        );
    }

    #[test]
    fn repeats_of_others_values_only_what_is_short_and_no_phone_number() {
        let tell = |value: Value| {
            let body = json!({ "qty": value });
            let mut fields = Fields::of(&body).unwrap();
            fields.required("qty", decimal);
            fields.required("isPaid", |_| Ok(None::<bool>));
            fields.given("qty", boolean);
            fields.finish().unwrap_err().to_string()
        };
        for number in [
            json!("998901112233 "),
            json!("+998 (90) 111-22-33"),
            json!("call 998901112233!"),
        ] {
            let told = tell(number.clone());
            assert!(told.contains("33") && !told.contains("111"), "{number}: {told}");
        }
        let told = tell(json!(998_901_112_233_u64));
        assert!(told.contains("`**********33`"), "{told}");
        assert!(tell(json!("x".repeat(1_000_000))).contains("a text of 1000000 characters"));
        assert!(tell(json!("\u{7f}".repeat(40))).len() < 500);
    }

    #[test]
    fn an_excerpt_is_the_masked_beginning() {
        assert_eq!(excerpt("GET\nORDER"), "GET\\nORDER");
        assert_eq!(excerpt(&"x".repeat(41)), format!("{}…", "x".repeat(40)));
        // Half of a number is none that can be known as one.
        let cut = excerpt(&format!("{} 998901112233", "x".repeat(34)));
        assert!(!cut.contains("9989"), "{cut}");
    }

    #[test]
    fn tells_absent_from_null() {
        let body = json!({"paymentDate": null, "serviceId": 7});
        let mut fields = Fields::of(&body).unwrap();
        assert_eq!(fields.given("paymentDate", date), Given::Null);
        assert_eq!(fields.given("serviceId", text), Given::Value("7".to_owned()));
        assert_eq!(fields.given("isPaid", boolean), Given::Absent);
    }

    #[test]
    fn reads_dates_as_javascript_does() {
        let expected = Utc.with_ymd_and_hms(2025, 10, 15, 0, 0, 0).unwrap();
        for form in [
            json!("2025-10-15"),
            json!("2025-10-15T00:00:00"),
            json!("2025-10-15T05:00:00+05:00"),
            json!(1_760_486_400_000_i64),
            json!("1760486400000"),
            json!(1_760_486_400_000.9),
        ] {
            assert_eq!(date(&form).unwrap(), Some(expected), "{form}");
        }
        for bad in [
            json!("soon"),
            json!(true),
            json!({}),
            json!("2025-13-40"),
            json!("99999-01-01"),
        ] {
            assert!(date(&bad).is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn numbers_keep_their_last_digit() {
        for written in [
            "41.299499999999995",
            "9007199254740.993",
            "69.24010000000001",
            "1.7976931348623157e308",
        ] {
            let number: Value = serde_json::from_str(written).unwrap();
            assert_eq!(number.as_f64(), written.parse().ok(), "{written}");
        }
    }

    #[test]
    fn refuses_objects_where_scalars_belong() {
        let operator = json!({"$gt": ""});
        assert!(
            text(&operator).is_err()
                && boolean(&operator).is_err()
                && decimal(&operator).is_err()
                && date(&operator).is_err()
        );
    }

    proptest! {
        #[test]
        fn never_panics_on_any_text(candidate in ".{0,40}") {
            let value = Value::String(candidate);
            let _ = (text(&value), boolean(&value), decimal(&value), date(&value), crate::Money::from_json(&value), crate::Phone::from_json(&value));
        }

        #[test]
        fn never_panics_on_any_double(candidate: f64) {
            let value = json!(candidate);
            let _ = (text(&value), boolean(&value), decimal(&value), date(&value), crate::Money::from_json(&value));
        }
    }
}
