//! What the repository says about itself is true: paths exist, variables are listed, and nothing of the machine that a
//! file was written on has stayed in it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The environment variables that the replaced services' operators know, and those added for one process to take both
/// places.
const VARIABLES: [&str; 27] = [
    "BILLING_MONGODB_URI",
    "BILLZ_BASE_URL",
    "BILLZ_CASHBOX_ID",
    "BILLZ_MONGODB_URI",
    "BILLZ_RATE_LIMIT",
    "BILLZ_SHOP_ID",
    "BILLZ_TIMEZONE",
    "BILLZ_TOKEN",
    "ENCRYPTION_KEY",
    "KAFKA_BROKERS",
    "KAFKA_CLIENT_ID",
    "KAFKA_GROUP_ID",
    "KAFKA_MAX_RETRIES",
    "KAFKA_TOPIC",
    "MONGODB_URI",
    "NODE_ENV",
    "PORT",
    "REDIS_DB",
    "REDIS_HOST",
    "REDIS_PASSWORD",
    "REDIS_PORT",
    "REDIS_TLS",
    "REDIS_URL",
    "REDIS_USERNAME",
    "TELEGRAM_BASE_URL",
    "TELEGRAM_BOT_TOKEN",
    "TELEGRAM_GROUP_ID",
];

/// Folders that hold nothing of ours.
const NOT_OURS: [&str; 5] = [".cache", ".git", ".hypothesis", "node_modules", "target"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Every file of the repository, relative to its root.
fn files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                files.push(entry.path().strip_prefix(root()).unwrap().to_owned());
            } else if !NOT_OURS.iter().any(|name| entry.file_name() == *name) {
                folders.push(entry.path());
            }
        }
    }
    files
}

fn documents() -> Vec<(PathBuf, String)> {
    let markdown = files()
        .into_iter()
        .filter(|file| file.extension().is_some_and(|extension| extension == "md"));
    markdown
        .map(|file| (file.clone(), fs::read_to_string(root().join(file)).unwrap()))
        .collect()
}

/// The text between backticks, without the fenced blocks, whose content is no path but a command or a picture.
fn code_spans(markdown: &str) -> Vec<&str> {
    let mut fenced = false;
    let prose = markdown.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    });
    prose.flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

/// Whether `span` means a file or folder of the repository: it begins with the name of a folder in the root.
/// `/api/billings`, `cargo test` and `a/b` are none.
fn names_a_path(span: &str) -> bool {
    let one_word =
        !span.is_empty() && !span.contains(|letter: char| letter.is_whitespace() || "<>{}*…:".contains(letter));
    let first = span.split('/').next().unwrap_or_default();
    one_word && span.contains('/') && !first.is_empty() && first != "." && first != ".." && root().join(first).is_dir()
}

#[test]
fn every_path_that_a_document_names_exists() {
    let mut missing = Vec::new();
    for (document, text) in documents() {
        for span in code_spans(&text).into_iter().filter(|span| names_a_path(span)) {
            let path = span.split('#').next().unwrap();
            if !root().join(path).exists() {
                missing.push(format!("{}: `{span}`", document.display()));
            }
        }
    }
    assert!(missing.is_empty(), "these paths do not exist:\n{}", missing.join("\n"));
}

#[test]
fn the_table_of_where_things_are_names_only_paths() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let rows = text
        .lines()
        .filter(|line| line.starts_with("| "))
        .skip(1)
        .collect::<Vec<_>>();
    assert!(rows.len() > 10, "the table is gone");
    for row in rows {
        let cell = row.trim_matches('|').split('|').next_back().unwrap();
        let spans = code_spans(cell);
        assert!(!spans.is_empty(), "no path in: {row}");
        for span in spans {
            assert!(root().join(span).exists(), "`{span}` does not exist, in: {row}");
        }
    }
}

#[test]
fn every_link_of_a_document_leads_to_a_file() {
    for (document, text) in documents() {
        for rest in text.split("](").skip(1) {
            let target = rest.split([')', '#', ' ']).next().unwrap();
            if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let file = root().join(&document).parent().unwrap().join(target);
            assert!(
                file.exists(),
                "{} links to {target}, which does not exist",
                document.display()
            );
        }
    }
}

#[test]
fn the_example_configuration_names_every_variable() {
    let example = fs::read_to_string(root().join(".env.example")).unwrap();
    let named: BTreeSet<&str> = example
        .lines()
        .filter_map(|line| line.trim_start_matches(['#', ' ']).split_once('='))
        .map(|(name, _)| name.trim())
        .collect();
    let missing: Vec<&str> = VARIABLES.into_iter().filter(|name| !named.contains(name)).collect();
    assert!(
        missing.is_empty(),
        "`.env.example` does not name {}",
        missing.join(", ")
    );
}

#[test]
fn nothing_of_one_machine_or_of_a_registry_is_written_down() {
    // Put together here, so that this file does not hold what it looks for.
    let traces = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
        concat!("/tm", "p/"),
        concat!("/Us", "ers/"),
        concat!("pypi", ".org"),
        concat!("pythonhosted", ".org"),
        concat!("npmjs", ".org"),
        concat!("npmjs", ".com"),
        concat!("maven", ".org"),
        concat!("maven.apache", ".org"),
        concat!("deb.debian", ".org"),
        concat!("static.crates", ".io"),
        concat!("index.crates", ".io"),
    ];
    let mut found = Vec::new();
    // Cargo writes its own source into its lock files.
    for file in files().into_iter().filter(|file| !file.ends_with("Cargo.lock")) {
        // What is no text holds no words.
        let Ok(text) = fs::read_to_string(root().join(&file)) else {
            continue;
        };
        for (index, line) in text.lines().enumerate() {
            for trace in traces.iter().filter(|trace| line.contains(**trace)) {
                found.push(format!("{}:{}: {trace}", file.display(), index + 1));
            }
        }
    }
    assert!(
        found.is_empty(),
        "these belong to a machine or name a registry's host:\n{}",
        found.join("\n")
    );
}

#[test]
fn paths_are_told_from_other_code() {
    for path in ["crates/domain/src/billing.rs", "xtask/src/demo/", "docs/missing.md"] {
        assert!(names_a_path(path), "{path}");
    }
    for other in [
        "/api/billings",
        "POST /api/users",
        "bull/x",
        "cargo xtask test",
        "application/json",
        "",
    ] {
        assert!(!names_a_path(other), "{other}");
    }
    assert_eq!(code_spans("a `b` c\n```\n`d`\n```\n`e/f`"), ["b", "e/f"]);
}
