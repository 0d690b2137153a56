//! Answers of the command line: on standard output, while logs go to standard error.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

/// Writes one line of an answer. A reader that closed the pipe (`| head`) has all that it wanted.
pub(crate) fn line(text: impl std::fmt::Display) -> anyhow::Result<()> {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => Ok(outcome?),
    }
}

/// Writes an answer as JSON.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(serde_json::to_string_pretty(value)?)
}

/// Writes rows under headings, the columns as wide as they need to be. The headings are the fields' names.
pub(crate) fn rows<R: Serialize>(rows: &[R]) -> anyhow::Result<()> {
    let mut headings: Vec<String> = Vec::new();
    let mut cells: Vec<Vec<String>> = Vec::new();
    for row in rows {
        let Value::Object(fields) = serde_json::to_value(row)? else {
            continue;
        };
        for name in fields
            .keys()
            .filter(|name| !headings.contains(name))
            .cloned()
            .collect::<Vec<_>>()
        {
            headings.push(name);
        }
        let cell = |name: &String| match fields.get(name) {
            None | Some(Value::Null) => "-".to_owned(),
            Some(Value::String(text)) => text.replace(char::is_control, " "),
            Some(other) => other.to_string(),
        };
        cells.push(headings.iter().map(cell).collect());
    }
    let width = |column: usize| {
        let cells = cells
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count());
        cells.chain([headings[column].len()]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    for row in std::iter::once(&headings)
        .filter(|headings| !headings.is_empty())
        .chain(&cells)
    {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        line(cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}
