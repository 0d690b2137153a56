//! The question before what cannot be taken back. It needs no script: the same form, with one more field.

use askama::Template;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use crate::{
    page::{Page, rendered},
    text::Text,
    visit::Visit,
};

/// The question before an action.
#[derive(Debug, Template)]
#[template(path = "confirm.html")]
pub(crate) struct ConfirmPage {
    page: Page,
    question: Text,
    action: String,
    fields: Vec<(String, String)>,
}

impl ConfirmPage {
    /// Asks `question`; whoever says yes sends `form` to `action` once more.
    pub(crate) fn answer(visit: Visit, question: Text, action: &str, form: &[u8]) -> Response {
        let fields = form_urlencoded::parse(form)
            .filter(|(name, _)| name != "csrf" && name != "confirmed")
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        let page = Page::new(visit, "", Text::of("confirm-title"));
        let template = Self {
            page,
            question,
            action: action.to_owned(),
            fields,
        };
        rendered(StatusCode::OK, &template).unwrap_or_else(IntoResponse::into_response)
    }
}
