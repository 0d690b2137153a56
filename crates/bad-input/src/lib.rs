//! Bad input for the readers of what comes from outside, and what their errors must keep to. For tests only.
//!
//! Each crate that reads something has a module `fuzzing` with a function per reader, which takes any bytes and panics where
//! a property does not hold. It is called from two sides: by a test of the crate, with the corpus in `fuzz/corpus/` and a
//! fixed number of its mutations ([`try_mutations`]), and by the target of the same name in `fuzz/`, which is guided by what
//! the code does with the input.

#![expect(clippy::missing_panics_doc, reason = "panicking is what they are for")]

mod mutation;

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::Path,
};

use billwright_domain::phone::mask_numbers;
use rand::{SeedableRng, rngs::StdRng};

/// The longest error that tells of a whole document, in bytes.
pub const LONGEST_ERROR: usize = 20 * 1024;

/// The longest error that tells of one thing, in bytes.
pub const LONGEST_SENTENCE: usize = 1024;

/// Digits of our own that stand in errors and look like a phone number.
const OUR_DIGITS: [&str; 1] = ["9007199254740991"];

/// What every error must keep to, whatever brought it about: it says something, on one line of at most `longest` bytes, and
/// repeats neither a phone number nor a word that is long enough to be a token.
pub fn assert_can_be_told(error: &str, longest: usize) {
    assert!(!error.trim().is_empty(), "an error says nothing");
    assert!(
        error.len() <= longest,
        "an error of {} bytes: {error:.300}",
        error.len()
    );
    assert!(!error.chars().any(char::is_control), "control characters in: {error:?}");
    let mut others = error.to_owned();
    for digits in OUR_DIGITS {
        others = others.replace(digits, "");
    }
    assert_eq!(mask_numbers(&others), others, "a phone number stands in an error");
    let longest_word = others
        .split(char::is_whitespace)
        .map(str::len)
        .max()
        .unwrap_or_default();
    assert!(longest_word <= 120, "a word of {longest_word} bytes in: {error}");
}

/// Gives `check` every file of the target's corpus and then `count` mutations of them, the same ones each time. What it
/// panics at is told in a form that can be put into the corpus.
pub fn try_mutations(target: &str, count: usize, check: impl Fn(&[u8])) {
    let seeds = corpus(target);
    for (name, seed) in &seeds {
        try_one(&format!("{target}/{name}"), seed, &check);
    }
    let mut random = StdRng::seed_from_u64(count as u64);
    for number in 0..count {
        let (name, seed) = &seeds[number % seeds.len()];
        let mutated = mutation::of(seed, &mut random);
        try_one(&format!("mutation {number} of {target}/{name}"), &mutated, &check);
    }
}

fn try_one(name: &str, input: &[u8], check: &impl Fn(&[u8])) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(input))) {
        let shown = String::from_utf8_lossy(&input[..input.len().min(4000)]);
        tell(&format!("{name}, {} bytes, breaks a property: {shown}", input.len()));
        resume_unwind(panic);
    }
}

#[expect(clippy::print_stderr, reason = "beside the panic, in the output of a failing test")]
fn tell(line: &str) {
    eprintln!("{line}");
}

/// The files of a target's corpus, in the order of their names.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .filter_map(|path| Some((path.file_name()?.to_str()?.to_owned(), fs::read(&path).ok()?)))
        .collect();
    assert!(!files.is_empty(), "{} holds no files", folder.display());
    files.sort();
    files
}

/// Splits an input into its first line and the rest; without a line break all of it is the rest.
pub fn first_line(input: &[u8]) -> (&str, &[u8]) {
    match input.iter().position(|byte| *byte == b'\n') {
        Some(at) => (std::str::from_utf8(&input[..at]).unwrap_or_default(), &input[at + 1..]),
        None => ("", input),
    }
}

/// What a reader of `.env` must keep to. It lies here because the reader's crate is a binary.
///
/// `read` gives names with values, and problems.
pub fn check_env_file(input: &[u8], read: impl Fn(&[u8]) -> (Vec<(String, String)>, Vec<String>)) {
    // A value that names others grows with each: whoever writes such a file fills the memory, and it is their own.
    let pieces = |byte: u8| input.split(|found| *found == byte).count();
    if pieces(b'$') > 4 {
        return;
    }
    let (values, problems) = read(input);
    assert!(
        values.len() + problems.len() <= pieces(b'\n') + 1,
        "more was found than there are lines"
    );
    assert!(problems.len() <= 25, "{} problems are told", problems.len());
    for problem in &problems {
        assert_can_be_told(problem, 200);
    }
    // Values that need no quotes and no escapes are read as they are written.
    let plain = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"/:@.,-_+?&%".contains(&byte))
    };
    let kept: Vec<(String, String)> = values.into_iter().filter(|(_, value)| plain(value)).collect();
    let written: Vec<String> = kept.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(
        read(written.join("\n").as_bytes()),
        (kept, Vec::new()),
        "written again it reads otherwise"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_told(error: &str) -> bool {
        catch_unwind(|| assert_can_be_told(error, 200)).is_ok()
    }

    #[test]
    fn an_error_that_can_be_told_is_told_from_one_that_cannot() {
        assert!(is_told(
            "field `qty`: found `**********33`, expected an amount of at most 9007199254740991"
        ));
        for bad in [
            "",
            " ",
            "a\nb",
            "client +998901112233 exists",
            &"x".repeat(121),
            &"ab ".repeat(100),
        ] {
            assert!(!is_told(bad), "{bad}");
        }
    }

    #[test]
    fn mutations_are_the_same_each_time() {
        let all = || {
            let mut random = StdRng::seed_from_u64(7);
            (0..100)
                .map(|_| mutation::of(b"{\"a\": [1, {\"b\": \"c\"}]}", &mut random))
                .collect::<Vec<_>>()
        };
        let first = all();
        assert_eq!(first, all());
        assert!(
            first
                .iter()
                .any(|input| serde_json::from_slice::<serde_json::Value>(input).is_ok())
        );
        assert!(
            first
                .iter()
                .any(|input| serde_json::from_slice::<serde_json::Value>(input).is_err())
        );
    }

    #[test]
    fn a_first_line_is_taken_apart() {
        assert_eq!(first_line(b"429 7\n{}\n"), ("429 7", &b"{}\n"[..]));
        assert_eq!(first_line(b"{}"), ("", &b"{}"[..]));
        assert_eq!(first_line(b"\xff\n{}"), ("", &b"{}"[..]));
    }
}
