//! JSON Web Tokens: signed by a key of the configured set, for our audience, by the expected issuer.

use std::{fmt, sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use futures_util::future::BoxFuture;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, errors::ErrorKind, jwk::JwkSet};
use serde::Deserialize;
use tokio::{sync::Mutex, time::Instant};

use crate::access::{Caller, Denied, Scope};

/// Fetches the key set, as text. The connection is made outside of this crate.
pub type KeySetSource = Arc<dyn Fn() -> BoxFuture<'static, Result<String, String>> + Send + Sync>;

/// How tokens give access.
#[derive(Clone)]
pub struct JwtSettings {
    /// Fetches the key set (JWKS).
    pub key_set: KeySetSource,
    /// The audience (`aud`) that a token must be for.
    pub audience: String,
    /// The issuer (`iss`) that a token must be from.
    pub issuer: String,
}

impl fmt::Debug for JwtSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("JwtSettings")
            .field("audience", &self.audience)
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

/// What a token's `scope` must name for reading, and for reading and writing.
const READ_SCOPE: &str = "billwright:read";
const WRITE_SCOPE: &str = "billwright:write";

/// Asymmetric algorithms only: with a shared secret every reader of the key set could sign.
const ALGORITHMS: [Algorithm; 6] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// How long a key set is used before it is fetched again.
const KEPT_FOR: Duration = Duration::from_hours(1);

/// How long a key that is not in the set is taken to be missing, so that made-up tokens do not have the set fetched on
/// every request.
const PAUSE: Duration = Duration::from_secs(15);

/// The longest wait for the key set.
const FETCH_TIMEOUT: Duration = Duration::from_secs(3);

/// Checks tokens.
pub(crate) struct Tokens {
    settings: JwtSettings,
    keys: ArcSwapOption<FetchedKeys>,
    fetching: Mutex<Option<Instant>>,
}

struct FetchedKeys {
    set: JwkSet,
    at: Instant,
}

#[derive(Deserialize)]
struct Claims {
    sub: Option<String>,
    scope: Option<String>,
    scp: Option<Vec<String>>,
}

impl Tokens {
    pub(crate) fn new(settings: JwtSettings) -> Self {
        Self {
            settings,
            keys: ArcSwapOption::empty(),
            fetching: Mutex::new(None),
        }
    }

    /// Who the bearer of `token` is.
    pub(crate) async fn caller(&self, token: &str) -> Result<Caller, Denied> {
        let header = decode_header(token).map_err(|_| Denied::Token("it is no JSON Web Token"))?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(Denied::Token("it is signed with an algorithm that is not accepted"));
        }
        let key = self.key(header.kid.as_deref()).await?;
        let mut validation = Validation::new(header.alg);
        validation.set_audience(&[&self.settings.audience]);
        validation.set_issuer(&[&self.settings.issuer]);
        validation.set_required_spec_claims(&["exp", "aud", "iss"]);
        validation.validate_nbf = true;
        let claims = decode::<Claims>(token, &key, &validation)
            .map_err(|error| Denied::Token(fault(error.kind())))?
            .claims;
        let scopes = claims.scope.as_deref().unwrap_or_default().split_whitespace();
        let listed = claims.scp.iter().flatten().map(String::as_str);
        let mut scope = None;
        for found in scopes.chain(listed) {
            match found {
                WRITE_SCOPE => scope = Some(Scope::Write),
                READ_SCOPE => scope = scope.or(Some(Scope::Read)),
                _ => {}
            }
        }
        Ok(Caller {
            name: format!("token:{}", claims.sub.unwrap_or_default()),
            scope: scope.ok_or(Denied::NoScope)?,
        })
    }

    async fn key(&self, id: Option<&str>) -> Result<DecodingKey, Denied> {
        let known = self.keys.load();
        if let Some(keys) = known.as_ref()
            && keys.at.elapsed() < KEPT_FOR
            && let Some(key) = keys.find(id)
        {
            return Ok(key);
        }
        let failed = self.refresh().await.err();
        let keys = self.keys.load();
        match (keys.as_ref().and_then(|keys| keys.find(id)), failed) {
            // Known keys stay good while the set cannot be fetched.
            (Some(key), _) => Ok(key),
            (None, None) => Err(Denied::Token("its key is not in the key set")),
            (None, Some(reason)) => {
                tracing::error!(%reason, "the key set for tokens cannot be had; tokens are refused until it can");
                Err(Denied::KeySetUnavailable)
            }
        }
    }

    async fn refresh(&self) -> Result<(), String> {
        let mut last = self.fetching.lock().await;
        if last.is_some_and(|last| last.elapsed() < PAUSE) {
            // Somebody else has just tried.
            return match self.keys.load().as_ref() {
                Some(_) => Ok(()),
                None => Err("it could not be fetched a moment ago".to_owned()),
            };
        }
        *last = Some(Instant::now());
        let text = tokio::time::timeout(FETCH_TIMEOUT, (self.settings.key_set)())
            .await
            .map_err(|_| format!("no answer within {} s", FETCH_TIMEOUT.as_secs()))??;
        let set: JwkSet = serde_json::from_str(&text).map_err(|error| format!("it is no key set: {error}"))?;
        let at = Instant::now();
        self.keys.store(Some(Arc::new(FetchedKeys { set, at })));
        Ok(())
    }
}

impl FetchedKeys {
    /// The key with this id; without an id, the only key.
    fn find(&self, id: Option<&str>) -> Option<DecodingKey> {
        let key = match (id, &self.set.keys[..]) {
            (Some(id), _) => self.set.find(id)?,
            (None, [only]) => only,
            (None, _) => return None,
        };
        DecodingKey::from_jwk(key).ok()
    }
}

fn fault(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::ExpiredSignature => "it has expired",
        ErrorKind::ImmatureSignature => "it is not valid yet",
        ErrorKind::InvalidAudience => "it is for another audience",
        ErrorKind::InvalidIssuer => "it is from another issuer",
        ErrorKind::MissingRequiredClaim(_) => "it lacks one of `exp`, `aud` and `iss`",
        ErrorKind::InvalidSignature => "its signature is wrong",
        _ => "it cannot be verified",
    }
}
