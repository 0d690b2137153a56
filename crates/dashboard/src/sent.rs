//! Shows what somebody sent without the personal data in it. Dead letters are broken in every way, so nothing here relies
//! on their form: names of fields and the values of fields that are known to be harmless stay, of all else only the shape
//! is left, letters as `x` and digits as `0`.

use std::fmt::Write as _;

/// How much of a value is shown.
const LONGEST: usize = 16 * 1024;
/// How many bytes of a value that is no text are shown as they are: enough to tell the format by.
const HEAD: usize = 8;
/// The longest text before a colon that counts as the name of a field.
const LONGEST_NAME: usize = 40;

/// Fields whose values are shown: ids and words of the products, dates, amounts and places no smaller than a city.
const HARMLESS: &[&str] = &[
    "_id",
    "billingid",
    "city",
    "codenumber",
    "country",
    "createdat",
    "datacontenttype",
    "dataschema",
    "duedate",
    "event",
    "generationdate",
    "id",
    "isactive",
    "ispaid",
    "paymentdate",
    "serviceid",
    "source",
    "specversion",
    "subject",
    "time",
    "timestamp",
    "totalinvoice",
    "type",
    "updatedat",
    "userid",
    "zipcode",
];

/// Headers whose values are shown, beside our own.
const HARMLESS_HEADERS: &[&str] = &["content-type", "traceparent", "tracestate"];

/// Something that was sent, as a page may show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Text.
    Text(String),
    /// What is no text, as hexadecimal digits.
    Hex(String),
}

impl Shown {
    /// What to write into the page.
    pub(crate) fn content(&self) -> &str {
        match self {
            Self::Text(content) | Self::Hex(content) => content,
        }
    }

    /// Whether it is no text.
    pub(crate) fn is_hex(&self) -> bool {
        matches!(self, Self::Hex(_))
    }
}

/// A whole message, for the block `sent.html`.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) key: Option<Shown>,
    pub(crate) value: Shown,
    pub(crate) headers: Vec<(String, Option<Shown>)>,
}

impl Sent {
    /// The message with this key, value and headers.
    pub(crate) fn of(of_key: Option<&[u8]>, of_value: &[u8], headers: &[(String, Option<Vec<u8>>)]) -> Self {
        let headers = headers.iter();
        Self {
            key: of_key.map(key),
            value: value(of_value),
            headers: headers
                .map(|(name, value)| (name.clone(), value.as_deref().map(|value| header(name, value))))
                .collect(),
        }
    }
}

/// A value without its personal data.
fn value(bytes: &[u8]) -> Shown {
    let bounded = bytes.get(..LONGEST).unwrap_or(bytes);
    let text = match std::str::from_utf8(bounded) {
        Ok(text) => Some(text),
        // The bound may have cut a letter in two.
        Err(error) if bytes.len() > LONGEST && error.error_len().is_none() => {
            std::str::from_utf8(&bounded[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    };
    let Some(text) = text.filter(|text| !text.contains(|letter: char| letter.is_control() && !letter.is_whitespace()))
    else {
        return Shown::Hex(hexadecimal(bounded));
    };
    // Well-formed JSON is laid out, so that it can be read.
    let laid_out = serde_json::from_str::<serde_json::Value>(text)
        .ok()
        .filter(|value| value.is_object() || value.is_array())
        .and_then(|value| serde_json::to_string_pretty(&value).ok());
    Shown::Text(masked(laid_out.as_deref().unwrap_or(text)))
}

/// The key of a record: the customer's id, where it is as it should be.
fn key(bytes: &[u8]) -> Shown {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.len() <= 200 && !text.contains(char::is_control) => Shown::Text(text.to_owned()),
        _ => Shown::Hex(hexadecimal(bytes.get(..LONGEST).unwrap_or(bytes))),
    }
}

/// The value of the header `name`.
fn header(name: &str, bytes: &[u8]) -> Shown {
    let lower = name.to_ascii_lowercase();
    let harmless = lower.starts_with("x-dead-letter-")
        || HARMLESS_HEADERS.contains(&lower.as_str())
        || lower
            .strip_prefix("ce_")
            .or_else(|| lower.strip_prefix("ce-"))
            .is_some_and(|name| HARMLESS.contains(&name));
    match std::str::from_utf8(bytes) {
        Ok(text) if harmless => Shown::Text(text.chars().take(1000).collect()),
        Ok(text) => Shown::Text(shape(&text.chars().take(1000).collect::<String>())),
        Err(_) => Shown::Hex(hexadecimal(bytes.get(..200).unwrap_or(bytes))),
    }
}

/// Letters and digits give only their shape.
fn shape(text: &str) -> String {
    text.chars()
        .map(|letter| match letter {
            letter if letter.is_numeric() => '0',
            letter if letter.is_alphabetic() => 'x',
            letter => letter,
        })
        .collect()
}

fn masked(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    // Whether the value that comes next belongs to a harmless field.
    let mut harmless = false;
    while let Some(first) = rest.chars().next() {
        if first == '"' {
            let (token, after) = quoted(rest);
            let inside = token.trim_matches('"');
            if is_name(inside, after) {
                harmless = HARMLESS.contains(&inside.to_ascii_lowercase().as_str());
                shown.push_str(token);
            } else if harmless {
                shown.push_str(token);
                harmless = false;
            } else {
                shown.push_str(&shape(token));
            }
            rest = after;
        } else if first.is_alphanumeric() {
            let end = rest
                .find(|letter: char| !letter.is_alphanumeric() && !matches!(letter, '.' | '-' | '+' | '_'))
                .unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            if is_name(word, after) {
                harmless = HARMLESS.contains(&word.to_ascii_lowercase().as_str());
                shown.push_str(word);
            } else if harmless || matches!(word, "true" | "false" | "null") {
                shown.push_str(word);
                harmless = false;
            } else {
                shown.push_str(&shape(word));
            }
            rest = after;
        } else {
            // A value that is an object or a list belongs to no harmless field any more, nor does the next one.
            if matches!(first, '{' | '[' | ',' | '}' | ']') {
                harmless = false;
            }
            shown.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    shown
}

/// The text up to the closing quotation mark, or to the end where there is none, and what follows.
fn quoted(text: &str) -> (&str, &str) {
    let mut escaped = false;
    for (place, letter) in text.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return text.split_at(place + 1),
            _ => {}
        }
    }
    (text, "")
}

/// Whether `word` names a field: it looks like a name, and a colon follows.
fn is_name(word: &str, after: &str) -> bool {
    !word.is_empty()
        && word.len() <= LONGEST_NAME
        && word.starts_with(|letter: char| letter.is_ascii_alphabetic() || matches!(letter, '_' | '$'))
        && word
            .chars()
            .all(|letter| letter.is_ascii_alphabetic() || matches!(letter, '_' | '$'))
        && after.trim_start().starts_with(':')
}

/// Sixteen bytes a line, letters and digits beyond the first few bytes as dots.
fn hexadecimal(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len() * 3);
    for (place, byte) in bytes.iter().enumerate() {
        if place > 0 {
            shown.push(if place % 16 == 0 { '\n' } else { ' ' });
        }
        if place >= HEAD && byte.is_ascii_alphanumeric() {
            shown.push_str("··");
        } else {
            // Writing into memory cannot fail.
            let _ = write!(shown, "{byte:02x}");
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value_text: &str) -> String {
        match value(value_text.as_bytes()) {
            Shown::Text(shown) => shown,
            Shown::Hex(hex) => panic!("shown as hex: {hex}"),
        }
    }

    #[test]
    fn ids_and_types_stay_and_persons_do_not() {
        let shown = text(
            r#"{"type":"Customer.Created","payload":{"userId":"u-1","phone":{"codeNumber":"+57","phoneNumber":3001234567},"address":{"city":"Cali","address":"Calle 13 #64-40"},"name":"Ana María","isActive":true}}"#,
        );
        for kept in ["Customer.Created", "u-1", "+57", "Cali", "true", "phoneNumber"] {
            assert!(shown.contains(kept), "{kept} in {shown}");
        }
        for personal in ["3001234567", "Calle", "64", "Ana", "Mar"] {
            assert!(!shown.contains(personal), "{personal} in {shown}");
        }
        assert!(shown.contains("\"xxx xxxxx\""), "{shown}");
    }

    #[test]
    fn broken_text_is_masked_as_well() {
        for broken in [
            r#"{"userId":"u-1","name":"Ana"#,
            "{userId: u-1, name: Ana, phone: +573001234567",
            "Ana, 3001234567, ana@example.com",
            r#"{"name":"x\"Ana\"","phone":"3001234567"}}}"#,
            r#"{"userId":["Ana"],"userId":{"a":"Ana"}}"#,
            r#"{"phone 3001234567":1}"#,
        ] {
            let shown = text(broken);
            for personal in ["Ana", "ana", "3001234567", "example"] {
                assert!(!shown.contains(personal), "{personal} in {shown}");
            }
        }
    }

    #[test]
    fn bytes_are_shown_as_hex_with_their_head_as_it_is() {
        let shown = value(&[0, 0, 0, 0, 42, 8, b'u', b'1', b'A', b'n', b'a', 0xff]);
        assert_eq!(shown, Shown::Hex("00 00 00 00 2a 08 75 31 ·· ·· ·· ff".to_owned()));
    }

    #[test]
    fn a_huge_value_is_cut() {
        let shown = text(&format!("{}é", "x".repeat(LONGEST - 1)));
        assert_eq!(shown.len(), LONGEST - 1);
        assert_eq!(text(""), "");
    }

    #[test]
    fn headers_of_others_give_only_their_shape() {
        assert_eq!(header("X-Dead-Letter-Code", b"not_json").content(), "not_json");
        assert_eq!(header("ce_type", b"Customer.Created").content(), "Customer.Created");
        assert_eq!(header("user", b"Ana 5").content(), "xxx 0");
    }
}
