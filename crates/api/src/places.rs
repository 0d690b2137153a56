//! Bounds how many requests are worked on at a time.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, header};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use crate::{error::ApiError, refusals::TooMany, state::AppState};

/// A body of more bytes is a large one: of those there may be fewer at a time, since each is held as a whole.
const LARGE_BODY: u64 = 64 * 1024;

/// How many requests there may be at a time, and for how long an answer is sent.
pub(crate) struct Places {
    /// For requests whose answers have not been sent.
    pub(crate) all: Arc<Semaphore>,
    /// For those of them that are in hand: until the answer begins.
    pub(crate) in_hand: Semaphore,
    /// How long a request waits to be taken in hand. What waits longer is refused, so that what is carried out is carried out
    /// in good time however many there are.
    pub(crate) longest_wait: Duration,
    /// For those in hand whose body is large, or may be.
    pub(crate) large_bodies: Semaphore,
    /// How long a client may take to read a streamed answer.
    pub(crate) longest_answer: Duration,
}

/// Refuses requests while there are too many. A streamed answer counts until it has been sent.
pub(crate) async fn bound(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let places = &state.places;
    let Ok(place) = Arc::clone(&places.all).try_acquire_owned() else {
        return ApiError::Overloaded(TooMany::Requests).into_response();
    };
    let Ok(Ok(in_hand)) = tokio::time::timeout(places.longest_wait, places.in_hand.acquire()).await else {
        return ApiError::Overloaded(TooMany::Waiting).into_response();
    };
    let large = has_large_body(request.headers()).then(|| places.large_bodies.try_acquire());
    if matches!(large, Some(Err(_))) {
        return ApiError::Overloaded(TooMany::LargeBodies).into_response();
    }
    let response = next.run(request).await;
    drop((in_hand, large));
    response.map(|body| {
        if body.size_hint().exact().is_some() {
            body
        } else {
            Body::new(Held {
                body,
                until: Instant::now() + places.longest_answer,
                _place: place,
            })
        }
    })
}

/// Whether a body is large, or may be since its length is not said.
fn has_large_body(headers: &HeaderMap) -> bool {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    match announced {
        Some(length) => length > LARGE_BODY,
        None => headers.contains_key(header::TRANSFER_ENCODING),
    }
}

/// A body that keeps its request's place until it has been sent, and no longer than it may take.
struct Held {
    body: Body,
    until: Instant,
    _place: OwnedSemaphorePermit,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        // Asked whenever the client has taken something; one that takes nothing meets the server's write timeout.
        if Instant::now() > self.until {
            tracing::warn!("a list was broken off, since the client took too long to read it");
            return Poll::Ready(Some(Err(axum::Error::new(TooSlow))));
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

/// Why an answer is broken off.
#[derive(Debug, thiserror::Error)]
#[error("the client took too long to read the answer; it is expected to read faster, or to ask for it in pages")]
struct TooSlow;

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_body_of_unknown_length_counts_as_a_large_one() {
        let with = |name, value: &'static str| HeaderMap::from_iter([(name, HeaderValue::from_static(value))]);
        assert!(has_large_body(&with(header::TRANSFER_ENCODING, "chunked")));
        assert!(has_large_body(&with(header::CONTENT_LENGTH, "65537")));
        assert!(!has_large_body(&with(header::CONTENT_LENGTH, "65536")));
        assert!(!has_large_body(&HeaderMap::new()));
    }
}
