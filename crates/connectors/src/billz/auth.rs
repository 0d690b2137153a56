//! The access token: made from the secret token, renewed early, one login at a time, shared with other workers.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use billwright_domain::input::decimal;
use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::prelude::ToPrimitive;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::{
    Billz, BillzError, CallContext, StoredToken, Urgency,
    answer::{Effect, unreadable},
    request::{Call, Operation},
    wire,
};
use crate::redact;

/// What is assumed of a token that says nothing about its end.
const UNKNOWN_LIFE: TimeDelta = TimeDelta::hours(24);
/// A token is renewed this long before its end, or a tenth of its life before it where that is shorter.
const RENEW_BEFORE: TimeDelta = TimeDelta::days(1);
/// How long another process is given to log in before this one does it all the same.
const TURN: Duration = Duration::from_secs(15);
const TURN_POLL: Duration = Duration::from_millis(150);

/// The token of this process.
#[derive(Debug, Default)]
pub(super) struct Auth(Mutex<Option<Held>>);

#[derive(Debug, Clone)]
struct Held {
    token: StoredToken,
    renew_at: DateTime<Utc>,
}

impl Held {
    fn new(token: StoredToken, now: DateTime<Utc>) -> Self {
        let life = token.expires_at - now;
        Self {
            renew_at: token.expires_at - RENEW_BEFORE.min(life / 10),
            token,
        }
    }
}

impl Billz {
    /// A token that Billz should accept.
    pub(super) async fn token(
        &self,
        context: &CallContext,
        operation: &mut Operation,
    ) -> Result<SecretString, BillzError> {
        let mut held = self.auth().0.lock().await;
        let now = self.clock().now();
        if let Some(good) = held.as_ref().filter(|held| now < held.renew_at) {
            return Ok(good.token.access_token.clone());
        }
        let old = held
            .as_ref()
            .filter(|held| now < held.token.expires_at)
            .map(|held| held.token.clone());
        let ours = held.as_ref().map(|held| held.token.access_token.clone());
        match self.fresh(context, operation, ours.as_ref()).await {
            Ok(token) => {
                let access_token = token.access_token.clone();
                *held = Some(Held::new(token, now));
                Ok(access_token)
            }
            // It is only time to renew; until the end of the old token there are more occasions.
            Err(error) => match old {
                Some(old) if error.is_transient() && error != BillzError::Cancelled => Ok(old.access_token),
                _ => Err(error),
            },
        }
    }

    /// A token in place of one that Billz has just rejected.
    pub(super) async fn token_instead_of(
        &self,
        rejected: &SecretString,
        context: &CallContext,
        operation: &mut Operation,
    ) -> Result<SecretString, BillzError> {
        let mut held = self.auth().0.lock().await;
        if let Some(held) = held.as_ref().filter(|held| !same(&held.token.access_token, rejected)) {
            return Ok(held.token.access_token.clone());
        }
        *held = None;
        let token = self.fresh(context, operation, Some(rejected)).await?;
        let access_token = token.access_token.clone();
        *held = Some(Held::new(token, self.clock().now()));
        Ok(access_token)
    }

    /// A token from the store if another process has just made one, else from a login.
    async fn fresh(
        &self,
        context: &CallContext,
        operation: &mut Operation,
        instead_of: Option<&SecretString>,
    ) -> Result<StoredToken, BillzError> {
        let Some(store) = self.token_store() else {
            return self.login(context, operation).await;
        };
        let deadline = tokio::time::Instant::now() + TURN;
        loop {
            match store.load().await {
                Ok(Some(found)) if self.is_usable(&found, instead_of) => return Ok(found),
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "the shared Billz token cannot be read: this process logs in by itself");
                    return self.login(context, operation).await;
                }
            }
            // A store that fails here lets us log in; twice is harmless.
            if store.begin_turn(TURN).await.unwrap_or(true) || tokio::time::Instant::now() >= deadline {
                break;
            }
            tokio::select! {
                () = context.cancel.cancelled() => return Err(BillzError::Cancelled),
                () = tokio::time::sleep(TURN_POLL) => {}
            }
        }
        let outcome = self.login(context, operation).await;
        if let Ok(token) = &outcome
            && let Err(error) = store.save(token).await
        {
            tracing::warn!(%error, "the Billz token cannot be shared: other workers will log in by themselves");
        }
        store.end_turn().await;
        outcome
    }

    /// Whether a token from the store is worth trying: it is not the one to be replaced, and its end is not near.
    fn is_usable(&self, found: &StoredToken, instead_of: Option<&SecretString>) -> bool {
        let left = found.expires_at - self.clock().now();
        left > TimeDelta::minutes(1) && instead_of.is_none_or(|token| !same(&found.access_token, token))
    }

    async fn login(&self, context: &CallContext, operation: &mut Operation) -> Result<StoredToken, BillzError> {
        let body = json!({"secret_token": self.settings().secret.expose_secret()});
        let call = Call::post("login", &["v1", "auth", "login"], body).repeatable();
        // Payments may be among those who wait for the token, whoever it is that fetches it.
        let context = CallContext {
            urgency: Urgency::Payment,
            ..context.clone()
        };
        let answer = match self.run(&context, &call, None, &logged_in, operation).await {
            Ok(answer) => answer,
            // What is refused here is the secret, with whatever status.
            Err(BillzError::Refused { text, .. }) => return Err(BillzError::Unauthorized { text }),
            Err(error) => return Err(error),
        };
        let access_token = wire::text(&answer["data"], "access_token").unwrap_or_default();
        let now = self.clock().now();
        let told = decimal(&answer["data"]["expires_in"])
            .ok()
            .flatten()
            .and_then(|seconds| seconds.to_i64());
        let expires_at = end_of(access_token)
            .or_else(|| TimeDelta::try_seconds(told?).map(|life| now + life))
            .filter(|end| *end > now)
            .unwrap_or(now + UNKNOWN_LIFE);
        tracing::info!(token.expires_at = %expires_at, "logged in to Billz");
        Ok(StoredToken {
            access_token: access_token.to_owned().into(),
            expires_at,
        })
    }
}

/// An answer to the login, if it holds a token.
fn logged_in(answer: Value) -> Result<Value, BillzError> {
    let code = decimal(&answer["code"]).ok().flatten();
    if code.is_some_and(|code| code != 200.into()) {
        let text = wire::text(&answer, "message").map_or_else(|| "no reason given".to_owned(), redact::text);
        return Err(BillzError::Unauthorized { text });
    }
    match wire::text(&answer["data"], "access_token") {
        Some(_) => Ok(answer),
        None => Err(unreadable("login", Effect::Repeatable, redact::shape(&answer))),
    }
}

fn same(left: &SecretString, right: &SecretString) -> bool {
    left.expose_secret() == right.expose_secret()
}

/// The `exp` of a JWT, which is not verified: it only tells when to ask for the next one.
fn end_of(token: &str) -> Option<DateTime<Utc>> {
    let claims = token.split('.').nth(1)?;
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    let end = decimal(claims.get("exp")?).ok().flatten()?.trunc().to_i64()?;
    DateTime::from_timestamp(end, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_end_of_a_token_and_nothing_from_what_is_none() {
        let claims = URL_SAFE_NO_PAD.encode(br#"{"exp":1798761600}"#);
        assert_eq!(
            end_of(&format!("aaa.{claims}.ccc")),
            DateTime::from_timestamp(1_798_761_600, 0)
        );
        for bad in ["", "aaa.bbb.ccc", "a.e30.c", "no token"] {
            assert_eq!(end_of(bad), None);
        }
    }

    #[test]
    fn a_token_is_renewed_a_day_or_a_tenth_of_its_life_early() {
        let now = DateTime::UNIX_EPOCH;
        let renew_at = |life| {
            let token = StoredToken {
                access_token: "t".to_owned().into(),
                expires_at: now + life,
            };
            Held::new(token, now).renew_at
        };
        assert_eq!(renew_at(TimeDelta::days(15)), now + TimeDelta::days(14));
        assert_eq!(renew_at(TimeDelta::hours(10)), now + TimeDelta::hours(9));
    }
}
