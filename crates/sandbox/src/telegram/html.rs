//! Telegram's HTML: the few tags that it knows, and its complaints about everything else.

/// Tags that Telegram knows. `span` needs a class, which is checked apart.
const TAGS: &[&str] = &[
    "b",
    "strong",
    "i",
    "em",
    "u",
    "ins",
    "s",
    "strike",
    "del",
    "span",
    "tg-spoiler",
    "a",
    "code",
    "pre",
    "blockquote",
    "tg-emoji",
];

/// The text as people see it; the error is Telegram's.
pub(super) fn plain_text(source: &str) -> Result<String, String> {
    let mut plain = String::with_capacity(source.len());
    let mut open: Vec<String> = Vec::new();
    let mut at = 0;
    while let Some(rest) = source.get(at..).filter(|rest| !rest.is_empty()) {
        if let Some(tag) = rest.strip_prefix('<') {
            let end = tag.find('>');
            if let Some(name) = tag.strip_prefix('/') {
                let name = end
                    .and_then(|end| name.get(..end - 1))
                    .ok_or_else(|| format!("Unclosed end tag at byte offset {at}"))?;
                let name = name.trim_end().to_ascii_lowercase();
                let Some(expected) = open.pop() else {
                    return Err(format!("Unexpected end tag at byte offset {at}"));
                };
                // An end tag without a name closes the last one that is open.
                if !name.is_empty() && name != expected {
                    return Err(format!(
                        "Unmatched end tag at byte offset {at}, expected \"</{expected}>\", found \"</{name}>\""
                    ));
                }
            } else {
                let inner = end.and_then(|end| tag.get(..end));
                let name_end = tag.find(|letter: char| letter.is_whitespace() || letter == '>' || letter == '/');
                let name = tag
                    .get(..name_end.unwrap_or(tag.len()))
                    .unwrap_or_default()
                    .to_ascii_lowercase();
                if !TAGS.contains(&name.as_str()) {
                    return Err(format!("Unsupported start tag \"{name}\" at byte offset {at}"));
                }
                let inner = inner.ok_or_else(|| format!("Unclosed start tag at byte offset {at}"))?;
                let is_spoiler = inner
                    .split_once("class=")
                    .is_some_and(|(_, class)| class.trim_matches(['"', '\'', ' ']) == "tg-spoiler");
                if name == "span" && !is_spoiler {
                    return Err(format!(
                        "Tag \"span\" must have class \"tg-spoiler\" at byte offset {at}"
                    ));
                }
                open.push(name);
            }
            at += 2 + end.unwrap_or(0);
        } else if rest.starts_with('&') {
            let (letter, length) = entity(rest);
            plain.push(letter);
            at += length;
        } else {
            let length = rest.find(['<', '&']).unwrap_or(rest.len());
            plain.push_str(rest.get(..length).unwrap_or_default());
            at += length;
        }
    }
    match open.pop() {
        Some(name) => Err(format!("Can't find end tag corresponding to start tag \"{name}\"")),
        None => Ok(plain),
    }
}

/// The character that an entity stands for and how many bytes it takes; what is no entity stands for itself.
fn entity(rest: &str) -> (char, usize) {
    for (name, letter) in [("&lt;", '<'), ("&gt;", '>'), ("&amp;", '&'), ("&quot;", '"')] {
        if rest.starts_with(name) {
            return (letter, name.len());
        }
    }
    let numeric = rest.strip_prefix("&#").and_then(|body| {
        let digits = body.get(..body.find(';')?)?;
        let code = match digits.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => digits.parse().ok()?,
        };
        Some((char::from_u32(code)?, digits.len() + 3))
    });
    numeric.unwrap_or(('&', 1))
}

#[cfg(test)]
mod tests {
    use super::plain_text;

    #[test]
    fn takes_mark_up_out_and_entities_apart() {
        assert_eq!(
            plain_text("<b>A &lt; B</b> &amp; <i><u>c</u></i>").unwrap(),
            "A < B & c"
        );
        assert_eq!(
            plain_text("<a href=\"https://example.com/?a=1&amp;b=2\">link</a>").unwrap(),
            "link"
        );
        assert_eq!(
            plain_text("<span class=\"tg-spoiler\">x</span>&#33;&#x41;").unwrap(),
            "x!A"
        );
        assert_eq!(plain_text("a & b &nbsp; > c").unwrap(), "a & b &nbsp; > c");
        assert_eq!(plain_text("<b>x</>").unwrap(), "x");
        assert_eq!(plain_text("Ташкент <code>1</code>").unwrap(), "Ташкент 1");
    }

    #[test]
    fn complains_as_telegram_does() {
        let complaint = |source: &str| plain_text(source).unwrap_err();
        assert_eq!(
            complaint("a <foo>b</foo>"),
            "Unsupported start tag \"foo\" at byte offset 2"
        );
        assert_eq!(complaint("1 < 2"), "Unsupported start tag \"\" at byte offset 2");
        assert_eq!(complaint("<b>x"), "Can't find end tag corresponding to start tag \"b\"");
        assert_eq!(complaint("x</b>"), "Unexpected end tag at byte offset 1");
        assert_eq!(
            complaint("<b>x</i>"),
            "Unmatched end tag at byte offset 4, expected \"</b>\", found \"</i>\""
        );
        assert_eq!(complaint("<b"), "Unclosed start tag at byte offset 0");
        assert_eq!(complaint("<b>x</b"), "Unclosed end tag at byte offset 4");
        assert_eq!(
            complaint("<span>x</span>"),
            "Tag \"span\" must have class \"tg-spoiler\" at byte offset 0"
        );
        assert_eq!(complaint("<"), "Unsupported start tag \"\" at byte offset 0");
    }
}
