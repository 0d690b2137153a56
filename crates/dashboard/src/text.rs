//! Something to be said to a person, before it is known in which language.

use std::{borrow::Cow, fmt};

use fluent_bundle::{FluentArgs, FluentValue};
use serde::{Deserialize, Serialize};

use crate::texts::Texts;

/// A value within a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Value {
    /// A whole number, which decides on singular and plural.
    Number(i64),
    /// Anything else.
    Text(String),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

macro_rules! from_number {
    ($($number:ty),*) => { $(
        impl From<$number> for Value {
            fn from(number: $number) -> Self {
                Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
            }
        }
        impl From<&$number> for Value {
            fn from(number: &$number) -> Self {
                Self::from(*number)
            }
        }
        // Templates hand over references to what they match.
        impl From<&&$number> for Value {
            fn from(number: &&$number) -> Self {
                Self::from(**number)
            }
        }
    )* };
}
from_number!(i32, i64, u32, u64, usize);

/// A text by its key, with the values within it. Keys are whole literals everywhere, so that a test can find them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Text {
    key: Cow<'static, str>,
    values: Vec<(Cow<'static, str>, Value)>,
}

impl Text {
    /// The text `key` of `texts/<language>/<page>.ftl`.
    pub(crate) fn of(key: &'static str) -> Self {
        Self {
            key: Cow::Borrowed(key),
            values: Vec::new(),
        }
    }

    /// The same with the value `name`.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.values.push((Cow::Borrowed(name), value.into()));
        self
    }

    /// In a language.
    pub(crate) fn said(&self, texts: &Texts) -> String {
        let mut arguments = FluentArgs::new();
        for (name, value) in &self.values {
            let value = match value {
                Value::Number(number) => FluentValue::from(*number),
                Value::Text(text) => FluentValue::from(text.as_str()),
            };
            arguments.set(name.as_ref(), value);
        }
        texts.format(&self.key, &arguments)
    }
}

/// A text in a language, to be written into a page.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    text: Text,
    texts: &'static Texts,
}

impl Said {
    pub(crate) fn new(text: Text, texts: &'static Texts) -> Self {
        Self { text, texts }
    }

    /// The same with the value `name`.
    pub(crate) fn with(self, name: &'static str, value: impl Into<Value>) -> Self {
        Self {
            text: self.text.with(name, value),
            ..self
        }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text.said(self.texts))
    }
}
