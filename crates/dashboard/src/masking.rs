//! Texts that somebody else wrote, such as errors and log lines, without the phone numbers that may stand in them.

use billwright_domain::Phone;

/// The text with every run of digits that looks like an international phone number masked: nine or more after a `+`, with the
/// blanks, hyphens and brackets between them, or twelve that begin with Uzbekistan's 998.
pub(crate) fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        let plus = usize::from(first == '+');
        let length = plus + length_of_number(&rest[plus..], plus == 1);
        let (run, after) = rest.split_at(length);
        let digits = run.bytes().filter(u8::is_ascii_digit).count();
        let stands_alone =
            !before.is_ascii_alphanumeric() && !after.starts_with(|next: char| next.is_ascii_alphanumeric());
        let is_number = (plus == 1 && digits >= 9) || (digits == 12 && run.starts_with("998"));
        match Phone::parse(run) {
            Ok(phone) if is_number && stands_alone => out.push_str(&phone.to_string()),
            // Several numbers, or something after one.
            _ if plus == 1 && digits > 15 => out.extend(run.chars().map(|letter| match letter {
                '0'..='9' => '*',
                letter => letter,
            })),
            _ if digits > 0 => out.push_str(run),
            _ => {
                out.push(first);
                rest = &rest[first.len_utf8()..];
                before = first;
                continue;
            }
        }
        rest = after;
        before = '0';
    }
    out
}

/// How long the number is with which `text` begins: up to its last digit, and where it may be `spaced`, with what people put
/// between digits.
fn length_of_number(text: &str, spaced: bool) -> usize {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if !spaced || digits >= 9 {
        return digits;
    }
    let belongs = |byte: &u8| byte.is_ascii_digit() || b" -()".contains(byte);
    let run = text.bytes().take_while(belongs).count();
    text[..run]
        .trim_end_matches(|letter: char| !letter.is_ascii_digit())
        .len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phone_numbers_are_masked_and_ids_are_not() {
        assert_eq!(masked("client +998901112233 is known"), "client +********2233 is known");
        assert_eq!(masked("phone=998901112233."), "phone=+********2233.");
        assert_eq!(masked("call +998 (90) 111-22-33 - soon"), "call +********2233 - soon");
        assert_eq!(masked("+998901112233 12345678"), "+********2233 12345678");
        assert_eq!(masked("+998 90 111 22 33 901112244"), "+*** ** *** ** ** *********");
        for kept in [
            "3 + (4 - 5) = 2",
            "order 1234567890123, took 12.5 s",
            "0198a998901112233b",
            "019ab998901112233",
            "a + b, 7+8",
            "заказ №998",
            "",
        ] {
            assert_eq!(masked(kept), kept);
        }
    }
}
