//! Every language says the same, and everything that a page says is there.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use fluent_bundle::FluentArgs;

use super::*;
use crate::text::Text;

/// The keys of a file, each with the values that it takes.
fn keys(content: &str) -> BTreeMap<String, BTreeSet<String>> {
    assert!(
        FluentResource::try_new(content.to_owned()).is_ok(),
        "cannot be read:\n{content}"
    );
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut current = String::new();
    for line in content.lines().filter(|line| !line.starts_with('#')) {
        if line.starts_with(|first: char| first.is_ascii_lowercase()) {
            current = line.split(" =").next().unwrap().to_owned();
            assert!(
                found.insert(current.clone(), BTreeSet::new()).is_none(),
                "{current} is there twice"
            );
        }
        for part in line.split('$').skip(1) {
            let value = part
                .chars()
                .take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '-')
                .collect();
            found.get_mut(&current).unwrap().insert(value);
        }
    }
    found
}

#[test]
fn every_language_has_the_same_keys_with_the_same_values() {
    let mut owners: BTreeMap<String, &str> = BTreeMap::new();
    for (page, contents) in FILES {
        let english = keys(contents[0]);
        for key in english.keys() {
            let other = owners.insert(key.clone(), page);
            assert_eq!(other, None, "`{key}` is in the files of two pages");
        }
        for (language, content) in Language::ALL.iter().zip(contents) {
            assert_eq!(keys(content), english, "{page}.ftl in {language:?} and in English");
        }
    }
}

#[test]
fn every_file_is_in_the_list() {
    for language in Language::ALL {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("texts").join(language.tag());
        let files: BTreeSet<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let listed: BTreeSet<String> = FILES.iter().map(|(page, _)| format!("{page}.ftl")).collect();
        assert_eq!(files, listed, "{language:?}");
    }
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// The content of every template and source file.
fn contents() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("templates"), &mut files);
    sources(&root.join("src"), &mut files);
    files
        .into_iter()
        .filter(|path| !path.ends_with("texts/tests.rs"))
        .map(|path| (path.clone(), fs::read_to_string(&path).unwrap()))
        .collect()
}

#[test]
fn every_key_in_use_exists_and_every_key_is_used() {
    let known: BTreeSet<String> = FILES
        .iter()
        .flat_map(|(_, contents)| keys(contents[0]).into_keys())
        .collect();
    let contents = contents();
    for (path, content) in &contents {
        for call in ["say(\"", "Text::of(\"", "Text::of(\n"] {
            for after in content.split(call).skip(1) {
                let key: String = after
                    .trim_start()
                    .trim_start_matches('"')
                    .chars()
                    .take_while(|letter| *letter != '"')
                    .collect();
                assert!(
                    known.contains(&key),
                    "`{key}` in {} is in no file of texts",
                    path.display()
                );
            }
        }
    }
    for key in &known {
        let quoted = format!("\"{key}\"");
        assert!(
            contents.iter().any(|(_, content)| content.contains(&quoted)),
            "`{key}` is used nowhere"
        );
    }
}

#[test]
fn every_text_can_be_said_with_its_values() {
    for (page, contents) in FILES {
        for (key, values) in keys(contents[0]) {
            for language in Language::ALL {
                let texts = language.texts();
                let mut arguments = FluentArgs::new();
                for value in &values {
                    arguments.set(value.clone(), 1);
                }
                let mut problems = Vec::new();
                let pattern = texts.bundle.get_message(&key).unwrap().value().unwrap();
                let said = texts.bundle.format_pattern(pattern, Some(&arguments), &mut problems);
                assert!(problems.is_empty(), "{page} {key} in {language:?}: {problems:?}");
                assert!(
                    !said.is_empty() && !said.contains('{'),
                    "{page} {key} in {language:?}: {said}"
                );
            }
        }
    }
}

#[test]
fn plurals_follow_the_language() {
    let said = |language: Language, count: i64| Text::of("pager-total").with("total", count).said(language.texts());
    assert_eq!(said(Language::English, 1), "1 entry");
    assert_eq!(said(Language::English, 2), "2 entries");
    assert_eq!(said(Language::Russian, 1), "1 запись");
    assert_eq!(said(Language::Russian, 3), "3 записи");
    assert_eq!(said(Language::Russian, 11), "11 записей");
    assert_eq!(said(Language::Spanish, 2), "2 entradas");
}

#[test]
fn a_browser_gets_the_first_of_our_languages_that_it_asks_for() {
    assert_eq!(Language::of_header("ru-RU,ru;q=0.9,en;q=0.8"), Some(Language::Russian));
    assert_eq!(Language::of_header("de, uz;q=0.8, en;q=0.9"), Some(Language::English));
    assert_eq!(Language::of_header("uz-Latn-UZ"), Some(Language::Uzbek));
    assert_eq!(Language::of_header("fr"), None);
    assert_eq!(Language::of_header(""), None);
}
