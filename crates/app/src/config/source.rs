//! Where values come from: a flag, the environment, or the file `.env`, in that order.

use std::{collections::BTreeMap, fmt, fs::File, io, path::Path};

use super::{ConfigProblem, ConfigProblems, Origin, env_file, problem};
use crate::env_vars::{self, Variable};

/// The texts of all variables that are set, each with where it came from. Empty text counts as unset, as in the
/// historical services' `.env`.
#[derive(Default, Clone)]
pub(crate) struct Source {
    values: BTreeMap<&'static str, (String, Origin)>,
    problems: Vec<ConfigProblem>,
}

/// Names only: the values hold secrets.
impl fmt::Debug for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.values.keys()).finish()
    }
}

impl Source {
    /// Reads `.env` in the current directory and the environment, and lets `flags` win over both.
    pub(crate) fn gather(flags: impl IntoIterator<Item = (&'static Variable, Option<String>)>) -> Self {
        let mut source = Self::default();
        source.add_file(Path::new(".env"));
        for variable in env_vars::ALL {
            source.add_environment(variable);
        }
        for (variable, value) in flags {
            source.add(variable.name, value, Origin::Flag);
        }
        source
    }

    #[cfg(test)]
    pub(crate) fn of(values: &[(&'static str, &str)]) -> Self {
        let mut source = Self::default();
        for (name, value) in values {
            source.add(name, Some((*value).to_owned()), Origin::Environment);
        }
        source
    }

    /// The value of a variable, if it is set.
    pub(crate) fn get(&self, variable: &Variable) -> Option<&str> {
        self.values.get(variable.name).map(|(value, _)| value.as_str())
    }

    /// Where the value of a variable came from.
    pub(super) fn origin(&self, variable: &Variable) -> Origin {
        self.values
            .get(variable.name)
            .map_or(Origin::Default, |(_, origin)| *origin)
    }

    /// Whether any of `variables` is set.
    pub(crate) fn any_set(&self, variables: &[&Variable]) -> bool {
        variables.iter().any(|variable| self.get(variable).is_some())
    }

    fn add(&mut self, name: &'static str, value: Option<String>, origin: Origin) {
        if let Some(value) = value.filter(|value| !value.trim().is_empty()) {
            self.values.insert(name, (value.trim().to_owned(), origin));
        }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one door to the environment")]
    fn add_environment(&mut self, variable: &Variable) {
        match std::env::var(variable.name) {
            Ok(value) => self.add(variable.name, Some(value), Origin::Environment),
            Err(std::env::VarError::NotPresent) => {}
            Err(std::env::VarError::NotUnicode(_)) => {
                self.problems
                    .push(problem(variable, Some("bytes that are no text"), "UTF-8 text"));
            }
        }
    }

    pub(super) fn add_file(&mut self, path: &Path) {
        let content = match File::open(path) {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(_) => {
                self.problems
                    .push(unreadable(path, "a file that cannot be read".to_owned()));
                return;
            }
        };
        let file = env_file::read(content);
        for (name, value) in file.values {
            if let Some(variable) = env_vars::ALL.iter().find(|variable| variable.name == name) {
                self.add(variable.name, Some(value), Origin::File);
            }
        }
        let problems = file.problems.into_iter().map(|found| unreadable(path, found));
        self.problems.extend(problems);
    }
}

fn unreadable(path: &Path, found: String) -> ConfigProblem {
    let expected = "a text file of lines `NAME=value`".to_owned();
    ConfigProblem {
        name: path.display().to_string(),
        found,
        expected,
    }
}

/// Reads variables into types and collects every problem.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    /// Where the texts come from.
    pub(crate) source: &'a Source,
    problems: Vec<ConfigProblem>,
}

impl<'a> Reader<'a> {
    /// A reader that has met no problem yet but those of the source itself.
    pub(crate) fn new(source: &'a Source) -> Self {
        Self {
            source,
            problems: source.problems.clone(),
        }
    }

    /// A variable that may be unset. `parse` says what it expected instead.
    pub(crate) fn optional<T>(
        &mut self,
        variable: &Variable,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.source.get(variable).or(variable.default_value())?;
        match parse(text) {
            Ok(value) => Some(value),
            Err(expected) => {
                self.problems.push(problem(variable, Some(text), expected));
                None
            }
        }
    }

    /// A variable that must be set.
    pub(crate) fn required<T>(
        &mut self,
        variable: &Variable,
        expected: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        if self.source.get(variable).is_none() && variable.default_value().is_none() {
            self.problems.push(problem(variable, None, expected));
            return None;
        }
        self.optional(variable, parse)
    }

    /// A variable that holds text, unset or not.
    pub(crate) fn text(&mut self, variable: &Variable) -> Option<String> {
        self.optional(variable, |text| Ok(text.to_owned()))
    }

    /// A variable that holds a whole number within `range`.
    pub(crate) fn number<N>(&mut self, variable: &Variable, range: std::ops::RangeInclusive<N>) -> Option<N>
    where
        N: std::str::FromStr + PartialOrd + std::fmt::Display,
    {
        let expected = || format!("a whole number from {} to {}", range.start(), range.end());
        self.optional(variable, |text| {
            text.parse()
                .ok()
                .filter(|number| range.contains(number))
                .ok_or_else(expected)
        })
    }

    /// A variable that holds `true` or `false`.
    pub(crate) fn boolean(&mut self, variable: &Variable) -> Option<bool> {
        self.optional(variable, |text| match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err("`true` or `false`".to_owned()),
        })
    }

    /// Notes a problem that lies between variables.
    pub(crate) fn refuse(&mut self, variable: &Variable, expected: impl Into<String>) {
        let found = self.source.get(variable);
        self.problems.push(problem(variable, found, expected));
    }

    /// Ends the reading: fine, or every problem that was met.
    pub(crate) fn finish(self) -> Result<(), ConfigProblems> {
        if self.problems.is_empty() {
            Ok(())
        } else {
            Err(ConfigProblems(self.problems))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn collects_every_problem_and_hides_secrets() {
        let source = Source::of(&[
            ("PORT", "http"),
            ("REDIS_TLS", "perhaps"),
            ("ENCRYPTION_KEY", "hunter2"),
        ]);
        let mut reader = Reader::new(&source);
        reader.number(&env_vars::PORT, 0_u16..=u16::MAX);
        reader.boolean(&env_vars::REDIS_TLS);
        reader.optional(&env_vars::ENCRYPTION_KEY, |_| {
            Err::<(), _>("64 hexadecimal digits".to_owned())
        });
        reader.required(&env_vars::BILLZ_TOKEN, "the Billz secret token", |_| Ok(()));
        let report = reader.finish().unwrap_err().to_string();
        for expected in [
            "PORT: found `http`",
            "REDIS_TLS: found `perhaps`",
            "a value of 7 characters",
            "BILLZ_TOKEN: found nothing",
        ] {
            assert!(report.contains(expected), "{expected} is missing in:\n{report}");
        }
        assert!(!report.contains("hunter2"));
    }

    #[test]
    fn empty_text_counts_as_unset() {
        assert_eq!(
            Source::of(&[("REDIS_PASSWORD", "  ")]).get(&env_vars::REDIS_PASSWORD),
            None
        );
    }

    #[test]
    fn a_broken_file_is_reported_without_its_content() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "PORT=8080\nBILLZ_TOKEN='topsecret\n").unwrap();
        let mut source = Source::default();
        source.add_file(file.path());
        assert_eq!(source.get(&env_vars::PORT), Some("8080"));
        let report = Reader::new(&source).finish().unwrap_err().to_string();
        assert!(
            report.contains("a line that cannot be read") && !report.contains("topsecret"),
            "{report}"
        );
    }

    #[test]
    fn a_file_that_is_none_of_ours_is_told_of_in_a_few_lines() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all("no variable\n".repeat(1000).as_bytes()).unwrap();
        let mut source = Source::default();
        source.add_file(file.path());
        let report = Reader::new(&source).finish().unwrap_err().to_string();
        assert!(
            report.contains("found 980 more such lines") && report.len() < 10_000,
            "{report}"
        );
    }

    #[test]
    fn a_long_value_is_not_repeated() {
        let mut reader_source = Source::default();
        reader_source.add(env_vars::PORT.name, Some("8".repeat(5000)), Origin::Environment);
        let mut reader = Reader::new(&reader_source);
        reader.number(&env_vars::PORT, 0_u16..=u16::MAX);
        let report = reader.finish().unwrap_err().to_string();
        assert!(report.contains("PORT: found a value of 5000 characters"), "{report}");
    }
}
