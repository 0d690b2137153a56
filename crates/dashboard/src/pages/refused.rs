//! What somebody sees who may not reach the dashboard at all, with what its operator can do about it.

use askama::Template;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use crate::{
    page::{Page, rendered},
    text::Text,
    visit::Visit,
};

#[derive(Debug, Template)]
#[template(path = "refused.html")]
pub(crate) struct RefusedPage {
    page: Page,
}

impl RefusedPage {
    /// No users are configured, and the request does not come from this machine.
    pub(crate) fn answer(visit: Visit) -> Response {
        let page = Page::new(visit, "", Text::of("refused-title"));
        rendered(StatusCode::FORBIDDEN, &Self { page }).unwrap_or_else(IntoResponse::into_response)
    }
}
