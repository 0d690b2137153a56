//! The texts of all pages in all languages, one file per page and language: `texts/<language>/<page>.ftl`.

use std::{fmt, sync::LazyLock};

use fluent_bundle::{FluentArgs, FluentResource, concurrent::FluentBundle};
use unic_langid::LanguageIdentifier;

/// The pages that have texts; a test compares this with the folders. `layout` and `blocks` are what pages share.
macro_rules! pages {
    ($($page:literal),+ $(,)?) => {
        /// The names of the files, and their content in the order of [`Language::ALL`].
        const FILES: &[(&str, [&str; 4])] = &[$((
            $page,
            [
                include_str!(concat!("../texts/en/", $page, ".ftl")),
                include_str!(concat!("../texts/ru/", $page, ".ftl")),
                include_str!(concat!("../texts/uz/", $page, ".ftl")),
                include_str!(concat!("../texts/es/", $page, ".ftl")),
            ],
        )),+];
    };
}

pages![
    "audit",
    "billings",
    "blocks",
    "customers",
    "dead_letters",
    "events",
    "job",
    "jobs",
    "layout",
    "login",
    "notifications",
    "order",
    "orders",
    "overview",
    "set_aside",
    "settings",
];

/// A language that the pages speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    Russian,
    Uzbek,
    Spanish,
}

impl Language {
    pub(crate) const ALL: [Self; 4] = [Self::English, Self::Russian, Self::Uzbek, Self::Spanish];

    /// Its tag, as in `lang` and in cookies.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Russian => "ru",
            Self::Uzbek => "uz",
            Self::Spanish => "es",
        }
    }

    /// Its own name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Russian => "Русский",
            Self::Uzbek => "O‘zbekcha",
            Self::Spanish => "Español",
        }
    }

    /// The language of a tag such as `ru` or `ru-RU`.
    pub(crate) fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_']).next()?;
        Self::ALL
            .into_iter()
            .find(|language| language.tag().eq_ignore_ascii_case(primary))
    }

    /// The best of our languages for an `Accept-Language` header.
    pub(crate) fn of_header(header: &str) -> Option<Self> {
        let bounded: String = header.chars().take(200).collect();
        accept_language::parse(&bounded)
            .iter()
            .find_map(|tag| Self::of_tag(tag))
    }

    /// What the pages say in it.
    pub(crate) fn texts(self) -> &'static Texts {
        static TEXTS: LazyLock<[Texts; 4]> = LazyLock::new(|| Language::ALL.map(Texts::load));
        &TEXTS[self as usize]
    }
}

/// What the pages say in one language.
pub(crate) struct Texts {
    /// The language.
    pub(crate) language: Language,
    bundle: FluentBundle<FluentResource>,
}

impl fmt::Debug for Texts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Texts")
            .field("language", &self.language)
            .finish_non_exhaustive()
    }
}

impl Texts {
    fn load(language: Language) -> Self {
        let id: LanguageIdentifier = language.tag().parse().unwrap_or_default();
        let mut bundle = FluentBundle::new_concurrent(vec![id]);
        // None of our languages mixes directions of writing, and the invisible marks would be copied with ids.
        bundle.set_use_isolating(false);
        for (_, contents) in FILES {
            // A test reads every file strictly; a fault that came through costs one text and not the page.
            let resource = match FluentResource::try_new(contents[language as usize].to_owned()) {
                Ok(resource) | Err((resource, _)) => resource,
            };
            drop(bundle.add_resource(resource));
        }
        Self { language, bundle }
    }

    /// The text of a key; the key itself where there is none, which a test rules out.
    pub(crate) fn format(&self, key: &str, arguments: &FluentArgs<'_>) -> String {
        let Some(pattern) = self.bundle.get_message(key).and_then(|message| message.value()) else {
            return key.to_owned();
        };
        let mut problems = Vec::new();
        self.bundle
            .format_pattern(pattern, Some(arguments), &mut problems)
            .into_owned()
    }
}

#[cfg(test)]
mod tests;
