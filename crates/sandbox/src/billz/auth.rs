//! Login with the secret token, and refresh, whose tokens work once.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    message::Reply,
    variants::{AccessToken, LoginRefusal},
    world::{Token, World},
};

const REFRESH_DAYS: i64 = 30;

impl World {
    pub(crate) fn login(&mut self, body: &Value) -> (Reply, bool) {
        let secret = body.get("secret_token").and_then(Value::as_str).unwrap_or_default();
        if self.settings.secret_tokens.iter().any(|known| known == secret) {
            (self.issue_tokens(), true)
        } else {
            (self.refuse_login("secret token is not valid"), false)
        }
    }

    /// A spent refresh token revokes every token.
    pub(crate) fn refresh(&mut self, body: &Value) -> (Reply, bool) {
        let token = body.get("refresh_token").and_then(Value::as_str).unwrap_or_default();
        let now = self.now();
        match self.refresh_tokens.get_mut(token) {
            Some(known) if !known.spent && known.expires > now => {
                known.spent = true;
                (self.issue_tokens(), true)
            }
            Some(known) if known.spent => {
                self.revoke_tokens();
                (Reply::token_error(), false)
            }
            _ => (Reply::token_error(), false),
        }
    }

    fn issue_tokens(&mut self) -> Reply {
        let now = self.now();
        let lifetime = TimeDelta::from_std(self.settings.token_lifetime).unwrap_or(TimeDelta::days(15));
        let expires = now + lifetime;
        let id = self.next_id("token");
        let access_token = match self.settings.variants.access_token {
            AccessToken::Jwt => jwt(&id, now.timestamp(), expires.timestamp()),
            AccessToken::Opaque => format!("opaque-{id}"),
        };
        let refresh_expires = now + TimeDelta::days(REFRESH_DAYS);
        let refresh_token = jwt(
            &self.next_id("refresh token"),
            now.timestamp(),
            refresh_expires.timestamp(),
        );
        self.access_tokens.retain(|_, token| token.expires > now);
        self.access_tokens
            .insert(access_token.clone(), Token { expires, spent: false });
        self.refresh_tokens.insert(
            refresh_token.clone(),
            Token {
                expires: refresh_expires,
                spent: false,
            },
        );
        let expires_in = self
            .settings
            .expires_in
            .unwrap_or(self.settings.token_lifetime.as_secs());
        Reply::json(
            200,
            &json!({"code": 200, "message": "ok", "error": null, "data": {
                "access_token": access_token,
                "refresh_token": refresh_token,
                "token_type": "Bearer",
                "expires_in": expires_in,
            }}),
        )
    }

    fn refuse_login(&self, message: &str) -> Reply {
        let status = match self.settings.variants.login_refusal {
            LoginRefusal::Unauthorized => 401,
            LoginRefusal::InBody => 200,
        };
        Reply::json(
            status,
            &json!({"code": 401, "message": message, "error": message, "data": null}),
        )
    }
}

/// A text shaped as a JWT signed by HS256. The signature is a digest that nobody can check, and nobody needs to: the
/// sandbox knows which tokens it gave out.
fn jwt(id: &str, issued: i64, expires: i64) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let claims = URL_SAFE_NO_PAD.encode(json!({"jti": id, "iat": issued, "exp": expires}).to_string());
    let signature = URL_SAFE_NO_PAD.encode(Sha256::digest(format!("{header}.{claims}")));
    format!("{header}.{claims}.{signature}")
}
