//! Bounds how many requests are worked on at a time.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::sync::OwnedSemaphorePermit;

use crate::{error::ApiError, state::AppState};

/// Refuses requests while too many are being worked on. A streamed answer counts until it has been sent.
pub(crate) async fn bound(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let Ok(place) = Arc::clone(&state.places).try_acquire_owned() else {
        return ApiError::Overloaded.into_response();
    };
    next.run(request).await.map(|body| {
        if body.size_hint().exact().is_some() {
            body
        } else {
            Body::new(Held { body, _place: place })
        }
    })
}

/// A body that keeps its request's place until it has been sent.
struct Held {
    body: Body,
    _place: OwnedSemaphorePermit,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
