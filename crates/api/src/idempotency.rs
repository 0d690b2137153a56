//! Writes: reads what comes with them, and sees to it that one with an `Idempotency-Key` is carried out once.

use std::time::Duration;

use axum::{
    extract::{FromRequest, OriginalUri, Request},
    response::Response,
};
use billwright_store::billing::{
    idempotency::{CLAIM_HOLDS_FOR, Claim, Claimed},
    version::Precondition,
    writes::{Answering, Effect, Repeatable, Terms, Written},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{access::Caller, body, error::ApiError, preconditions, rendering::response_of, state::AppState};

const KEY_HEADER: &str = "idempotency-key";

/// The longest key that is taken, in bytes.
const LONGEST_KEY: usize = 255;

/// Marks an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// A request that changes something.
pub(crate) struct WriteRequest {
    /// What the stored document must be.
    pub(crate) precondition: Option<Precondition>,
    key: Option<RequestKey>,
    headers: HeaderMap,
    body: Bytes,
}

struct RequestKey {
    /// Stands for the caller and the key.
    key: String,
    /// Stands for everything that the request says.
    fingerprint: String,
}

impl FromRequest<AppState> for WriteRequest {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let body = body::read(&parts.headers, body, state.largest_body, state.body_timeout).await?;
        let key = match parts.headers.get(KEY_HEADER) {
            None => None,
            Some(given) => {
                let caller = parts.extensions.get::<Caller>().map_or("", |caller| &*caller.name);
                let path = parts
                    .extensions
                    .get::<OriginalUri>()
                    .map_or(parts.uri.path(), |uri| uri.path());
                Some(RequestKey {
                    key: digest(&[caller.as_bytes(), checked(given)?]),
                    fingerprint: digest(&[
                        parts.method.as_str().as_bytes(),
                        path.strip_prefix("/api").unwrap_or(path).as_bytes(),
                        &body,
                    ]),
                })
            }
        };
        Ok(Self {
            precondition: preconditions::if_match(&parts.headers),
            key,
            headers: parts.headers,
            body,
        })
    }
}

fn checked(given: &HeaderValue) -> Result<&[u8], ApiError> {
    let bytes = given.as_bytes();
    let fits = (1..=LONGEST_KEY).contains(&bytes.len()) && bytes.iter().all(|byte| (b' '..=b'~').contains(byte));
    if fits {
        Ok(bytes)
    } else {
        Err(ApiError::field(
            "Idempotency-Key",
            format!("{} bytes", bytes.len()),
            format!("1 to {LONGEST_KEY} visible ASCII characters"),
        ))
    }
}

/// A hash of the parts; each is preceded by its length, so that no two lists of parts look alike.
fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex::encode(hash.finalize())
}

impl WriteRequest {
    /// The JSON that the body holds.
    pub(crate) fn json(&self) -> Result<Value, ApiError> {
        body::json(&self.headers, &self.body)
    }

    /// Carries out `write` and answers with what `answering` makes of its effect; or, if this request was carried out
    /// before, answers as then.
    pub(crate) async fn carry_out<F, W>(
        self,
        state: &AppState,
        answering: Answering,
        write: W,
    ) -> Result<Response, ApiError>
    where
        W: FnOnce(Terms) -> F,
        F: Future<Output = Result<Effect, ApiError>>,
    {
        let claim = match &self.key {
            None => None,
            Some(RequestKey { key, fingerprint }) => match state.store.claim(key, fingerprint).await? {
                Claimed::Claim(claim) => Some(claim),
                Claimed::Answered(answer) => {
                    let mut response = response_of(answer);
                    response
                        .headers_mut()
                        .insert(REPLAYED, HeaderValue::from_static("true"));
                    return Ok(response);
                }
                Claimed::Running => return Err(ApiError::KeyRunning),
                Claimed::OtherRequest => return Err(ApiError::KeyOfOtherRequest),
            },
        };
        let terms = Terms {
            precondition: self.precondition,
            repeatable: claim.clone().map(|claim| Repeatable {
                claim,
                answering: answering.clone(),
            }),
        };
        match write(terms).await {
            Ok(effect) => Ok(response_of(answering(&effect)?)),
            Err(error) => {
                if let Some(claim) = claim {
                    release(state, claim, error.is_without_effect());
                }
                Err(error)
            }
        }
    }
}

/// Gives up the claim of a write that failed, so that the client's next try is not held up. Where the outcome is not known,
/// the store keeps the claim if the write took effect after all.
fn release(state: &AppState, claim: Claim, certain: bool) {
    let store = state.store.clone();
    tokio::spawn(async move {
        let patience = tokio::time::Instant::now() + CLAIM_HOLDS_FOR;
        if !certain {
            // A commit that is under way should find its claim as it was.
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        while store.release(&claim).await.is_err() && tokio::time::Instant::now() < patience {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    });
}

/// The effect of a write, or why it has none. `missing` is the answer where there is no such document.
pub(crate) fn effect_of(written: Written, missing: ApiError) -> Result<Effect, ApiError> {
    match written {
        Written::Done(effect) => Ok(effect),
        Written::NotFound => Err(missing),
        Written::Taken => Err(ApiError::UserExists),
        Written::PreconditionFailed => Err(ApiError::PreconditionFailed),
        Written::ClaimLost => Err(ApiError::KeyRunning),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_tells_lists_of_parts_apart() {
        assert_ne!(digest(&[b"ab", b"c"]), digest(&[b"a", b"bc"]));
        assert_eq!(digest(&[b"ab", b"c"]), digest(&[b"ab", b"c"]));
    }

    #[test]
    fn a_key_is_visible_text_of_bounded_length() {
        assert!(checked(&HeaderValue::from_static("8e03978e-40d5-43dd-bc93-6894a57f9324")).is_ok());
        assert!(checked(&HeaderValue::from_static("")).is_err());
        assert!(checked(&HeaderValue::from_str(&"k".repeat(256)).unwrap()).is_err());
        assert!(checked(&HeaderValue::from_bytes(b"\xffk").unwrap()).is_err());
    }
}
