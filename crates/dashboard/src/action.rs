//! What an action answers with: back to a page that says what was done.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    response::{IntoResponse, Redirect, Response},
};
use serde::de::DeserializeOwned;

use crate::{section::Trouble, text::Text};

/// An action was done. What could not be done is a [`Trouble`].
#[derive(Debug, Clone)]
pub(crate) struct Done {
    to: String,
    pub(crate) good: bool,
    pub(crate) message: Text,
    pub(crate) detail: Option<String>,
}

impl Done {
    /// Goes on to the page at `to`, which shows `message`.
    pub(crate) fn then(to: impl Into<String>, message: Text) -> Self {
        Self {
            to: to.into(),
            good: true,
            message,
            detail: None,
        }
    }

    /// The same, but the message tells of something that did not go as it should, such as a bulk of which a part failed.
    pub(crate) fn in_part(self) -> Self {
        Self { good: false, ..self }
    }

    /// The same with a word for the audit; no personal data.
    pub(crate) fn noting(self, detail: impl Into<String>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..self
        }
    }
}

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        let mut response = Redirect::to(&self.to).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// What a handler of an action returns.
pub(crate) type ActionResult = Result<Done, Trouble>;

/// The fields of a form. The guard has read and checked its token already.
#[derive(Debug, Clone)]
pub(crate) struct Form<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Form<T> {
    type Rejection = Trouble;

    async fn from_request(request: Request, state: &S) -> Result<Self, Trouble> {
        let wrong = || Trouble::Refused(Text::of("guard-form-wrong"));
        let body = Bytes::from_request(request, state).await.map_err(|_| wrong())?;
        serde_html_form::from_bytes(&body).map(Self).map_err(|_| wrong())
    }
}
