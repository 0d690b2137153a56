//! Takes personal data and secrets out of what the other side says, before it reaches an error, a log or a person.

use std::fmt::Write as _;

use billwright_domain::phone::mask_numbers;
use serde_json::Value;

const LONGEST_TEXT: usize = 300;
/// A longer word may be a token. Telegram's have some 45 characters; a UUID has 36.
const LONGEST_WORD: usize = 40;

/// The other side's own words, shortened: runs of digits that could be a phone number keep their last two digits, words that could
/// be a token vanish, and control characters become spaces.
pub(crate) fn text(raw: &str) -> String {
    let mut safe = String::new();
    for word in raw.split(|found: char| found.is_whitespace() || found.is_control()) {
        if word.is_empty() {
            continue;
        }
        if !safe.is_empty() {
            safe.push(' ');
        }
        if word.chars().nth(LONGEST_WORD).is_some() {
            safe.push('…');
        } else {
            safe.push_str(word);
        }
    }
    shorten(&mask_numbers(&safe))
}

/// The shape of an answer that could not be read: JSON with its values masked, anything else by kind and length only.
pub(crate) fn excerpt(body: &[u8]) -> String {
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => shape(&value),
        Err(_) if body.is_empty() => "an empty body".to_owned(),
        Err(_) if body.trim_ascii_start().first() == Some(&b'<') => format!("{} bytes of HTML or XML", body.len()),
        Err(_) => format!("{} bytes that are no JSON", body.len()),
    }
}

/// JSON with its values masked.
pub(crate) fn shape(value: &Value) -> String {
    let mut drawn = String::new();
    draw(value, &mut drawn);
    shorten(&drawn)
}

fn draw(value: &Value, drawn: &mut String) {
    if drawn.len() > LONGEST_TEXT {
        return;
    }
    match value {
        Value::Null => drawn.push_str("null"),
        Value::Bool(found) => drawn.push_str(if *found { "true" } else { "false" }),
        Value::Number(_) => drawn.push('0'),
        Value::String(found) => {
            let _infallible = write!(drawn, "\"…{}\"", found.chars().count());
        }
        Value::Array(rows) => {
            let _infallible = write!(drawn, "[{} rows", rows.len());
            if let Some(first) = rows.first() {
                drawn.push_str(", first ");
                draw(first, drawn);
            }
            drawn.push(']');
        }
        Value::Object(fields) => {
            drawn.push('{');
            for (index, (name, field)) in fields.iter().enumerate() {
                if index > 0 {
                    drawn.push_str(", ");
                }
                let plain = name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
                drawn.push_str(if plain { name } else { "…" });
                drawn.push_str(": ");
                draw(field, drawn);
            }
            drawn.push('}');
        }
    }
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= LONGEST_TEXT {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(LONGEST_TEXT).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn masks_phone_numbers_however_they_are_written() {
        for raw in [
            "+998901112233",
            "998901112233",
            "+998 (90) 111-22-33",
            "998-90-111-22-33",
            "998 90 111 22 33",
        ] {
            let safe = text(&format!("client {raw} exists"));
            assert!(safe.ends_with("33 exists") && !safe.contains("111"), "{safe}");
        }
    }

    #[test]
    fn keeps_amounts_codes_and_ids() {
        let raw = "order cccccccc-0000-4000-8000-000000000003: paid 230000, total 231000 (20020)";
        assert_eq!(text(raw), raw);
    }

    #[test]
    fn drops_tokens_and_line_breaks() {
        let safe = text(&format!("bad\r\ntoken {}", "eyJhbGciOiJIUzI1NiJ9.".repeat(4)));
        assert_eq!(safe, "bad token …");
        let of_a_bot = format!("1234567890:AA{}", "x".repeat(33));
        assert_eq!(text(&format!("no bot {of_a_bot}")), "no bot …");
        assert!(text(&"ab ".repeat(500)).chars().count() <= 301);
    }

    #[test]
    fn an_excerpt_shows_the_shape_and_no_value() {
        let body = json!({"clients": [{"phone": "+998901112233", "id": 998_901_112_233_u64}], "+998901112233": null});
        assert_eq!(
            excerpt(body.to_string().as_bytes()),
            r#"{clients: [1 rows, first {phone: "…13", id: 0}], …: null}"#
        );
        assert_eq!(excerpt(b" <html>"), "7 bytes of HTML or XML");
        assert_eq!(excerpt(b"{\"a\": \"secr"), "11 bytes that are no JSON");
        assert_eq!(excerpt(b""), "an empty body");
    }
}
