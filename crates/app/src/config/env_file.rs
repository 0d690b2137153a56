//! Reads what a file `.env` holds. It knows neither files nor variables, so that tests can hand it any bytes.

use std::io::{self, Read};

/// How many of a file's problems are told one by one: a file that is none of ours has one in every line.
const MOST_PROBLEMS: usize = 20;

/// What a file holds.
#[derive(Default)]
pub(crate) struct EnvFile {
    /// Names and values, in the order of the lines.
    pub(crate) values: Vec<(String, String)>,
    /// What was found instead of `NAME=value`, without any of it: a line may hold a secret.
    pub(crate) problems: Vec<String>,
}

/// Reads lines `NAME=value`, to the end or to where they are no text.
pub(crate) fn read(content: impl Read) -> EnvFile {
    let mut file = EnvFile::default();
    let mut left_out = 0_usize;
    for line in dotenvy::from_read_iter(content) {
        match line {
            Ok(pair) => file.values.push(pair),
            Err(dotenvy::Error::LineParse(_, position)) if file.problems.len() < MOST_PROBLEMS => {
                file.problems
                    .push(format!("a line that cannot be read from character {position} on"));
            }
            Err(dotenvy::Error::LineParse(..)) => left_out += 1,
            Err(dotenvy::Error::Io(error)) if error.kind() != io::ErrorKind::InvalidData => {
                file.problems
                    .push(format!("a file that cannot be read ({})", error.kind()));
                break;
            }
            Err(_) => {
                file.problems.push("bytes that are no text".to_owned());
                break;
            }
        }
    }
    if left_out > 0 {
        file.problems.push(format!("{left_out} more such lines"));
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_file_is_read_or_told_of() {
        billwright_bad_input::try_mutations("env_file", 4_000, |input| {
            billwright_bad_input::check_env_file(input, |content| {
                let file = read(content);
                (file.values, file.problems)
            });
        });
    }
}
