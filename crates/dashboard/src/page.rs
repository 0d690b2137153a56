//! What every page has around its content, and the small things that pages are made of.

use std::{borrow::Borrow, fmt};

use askama::{Template, filters::HtmlSafe};
use axum::response::{Html, IntoResponse, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use http::StatusCode;

use crate::{
    nav::{NAV, NavEntry},
    section::Trouble,
    text::{Said, Text},
    texts::Language,
    visit::Visit,
};

/// What a page's template sees as `page`.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    /// Who asks, in which language.
    pub(crate) visit: Visit,
    title: Text,
    /// The entry of the navigation that is marked as the current one.
    current: &'static str,
}

impl Page {
    /// The page `current` (as in [`NAV`]) with this title.
    pub(crate) fn new(visit: Visit, current: &'static str, title: Text) -> Self {
        Self { visit, title, current }
    }

    /// A text by its key. Values follow with [`Said::with`].
    pub(crate) fn say(&self, key: &'static str) -> Said {
        self.tell(Text::of(key))
    }

    /// A text.
    pub(crate) fn tell(&self, text: impl Borrow<Text>) -> Said {
        Said::new(text.borrow().clone(), self.visit.texts)
    }

    /// The page's title.
    pub(crate) fn title(&self) -> Said {
        self.tell(&self.title)
    }

    /// The page's language.
    pub(crate) fn language(&self) -> &'static str {
        self.visit.texts.language.tag()
    }

    /// The other languages: tag, name, and the address of this page in it.
    pub(crate) fn other_languages(&self) -> Vec<(&'static str, &'static str, String)> {
        Language::ALL
            .into_iter()
            .filter(|language| *language != self.visit.texts.language)
            .map(|language| {
                (
                    language.tag(),
                    language.name(),
                    self.visit.address_with("lang", language.tag()),
                )
            })
            .collect()
    }

    /// The navigation.
    #[expect(clippy::unused_self, reason = "templates reach everything through `page`")]
    pub(crate) fn nav(&self) -> &'static [NavEntry] {
        NAV
    }

    /// Whether `entry` is where we are.
    pub(crate) fn is_current(&self, entry: &NavEntry) -> bool {
        entry.page == self.current
    }

    /// Whether the visitor may act; pages leave buttons out for those who may not.
    pub(crate) fn may_act(&self) -> bool {
        self.visit.may_act()
    }

    /// The field that every form must have.
    pub(crate) fn csrf(&self) -> CsrfField<'_> {
        CsrfField {
            token: &self.visit.session.csrf,
        }
    }

    /// A moment, shown in the viewer's zone by script and in UTC without.
    #[expect(clippy::unused_self, reason = "templates reach everything through `page`")]
    pub(crate) fn time(&self, at: impl Borrow<DateTime<Utc>>) -> Moment {
        Moment(*at.borrow())
    }

    /// The block that tells of a trouble.
    pub(crate) fn trouble<'a>(&'a self, trouble: &'a Trouble) -> TroubleBlock<'a> {
        TroubleBlock { page: self, trouble }
    }

    /// A word in a colour that says how good it is.
    pub(crate) fn badge(&self, tone: Tone, text: impl Borrow<Text>) -> Badge {
        Badge {
            tone,
            text: self.tell(text),
        }
    }
}

/// How good something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As it should be.
    Good,
    /// Under way, or of no account.
    Plain,
    /// Worth a look.
    Warning,
    /// Wrong.
    Bad,
}

impl Tone {
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Plain => "plain",
            Self::Warning => "warning",
            Self::Bad => "bad",
        }
    }
}

/// A word in a colour that says how good it is.
#[derive(Debug, Template)]
#[template(source = "<span class=\"badge {{ tone.class() }}\">{{ text }}</span>", ext = "html")]
pub(crate) struct Badge {
    tone: Tone,
    text: Said,
}

impl HtmlSafe for Badge {}

/// The field that every form must have.
#[derive(Debug, Template)]
#[template(source = "<input type=\"hidden\" name=\"csrf\" value=\"{{ token }}\">", ext = "html")]
pub(crate) struct CsrfField<'a> {
    token: &'a str,
}

impl HtmlSafe for CsrfField<'_> {}

/// A moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment(DateTime<Utc>);

impl fmt::Display for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "<time datetime=\"{}\">{} UTC</time>",
            self.0.to_rfc3339_opts(SecondsFormat::Millis, true),
            self.0.format("%Y-%m-%d %H:%M:%S")
        )
    }
}

impl HtmlSafe for Moment {}

/// The block that tells of a trouble.
#[derive(Debug, Template)]
#[template(path = "blocks/trouble.html")]
pub(crate) struct TroubleBlock<'a> {
    page: &'a Page,
    trouble: &'a Trouble,
}

impl HtmlSafe for TroubleBlock<'_> {}

/// A page that consists of a trouble.
#[derive(Debug, Template)]
#[template(path = "trouble.html")]
pub(crate) struct TroublePage {
    pub(crate) page: Page,
    pub(crate) trouble: Trouble,
}

/// What a handler of a page returns.
pub(crate) type PageResult = Result<Response, Trouble>;

/// Renders a page's template.
pub(crate) fn render(template: &impl Template) -> PageResult {
    rendered(StatusCode::OK, template)
}

/// Renders a page's template under a status.
pub(crate) fn rendered(status: StatusCode, template: &impl Template) -> PageResult {
    let text = template
        .render()
        .map_err(|error| Trouble::Failed(format!("the page cannot be rendered: {error}")))?;
    Ok((status, Html(text)).into_response())
}

impl Trouble {
    /// The status of an answer that consists of it.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Away { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotConfigured(_) | Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Refused(_) => StatusCode::CONFLICT,
            Self::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for Trouble {
    /// Only the guard knows the visitor's language, so it renders the page: see `guard::finish`.
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}
