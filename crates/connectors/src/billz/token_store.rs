//! Where access tokens lie between processes, so that several workers with one secret share one login.

use std::{fmt, time::Duration};

use aes_gcm::{
    Aes256Gcm, Key, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use rand::RngCore;
use redis::aio::ConnectionManager;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::link;

/// An access token and when it ends.
#[derive(Debug, Clone)]
pub struct StoredToken {
    /// The token.
    pub access_token: SecretString,
    /// When Billz will stop accepting it.
    pub expires_at: DateTime<Utc>,
}

/// The store could not be read or written. Calls go on with a login of this process's own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TokenStoreError(pub String);

/// A place that several workers share. Whatever is kept there must be encrypted.
pub trait TokenStore: fmt::Debug + Send + Sync {
    /// The token that was saved last, whether or not it is still good; `None` if there is none.
    fn load(&self) -> BoxFuture<'_, Result<Option<StoredToken>, TokenStoreError>>;

    /// Keeps a token for everybody.
    fn save<'a>(&'a self, token: &'a StoredToken) -> BoxFuture<'a, Result<(), TokenStoreError>>;

    /// Asks for the turn to log in, which ends after `at_most` or with [`TokenStore::end_turn`]. `false`: another process
    /// has it, and its token will be there soon. A store that cannot arrange turns lets everybody log in.
    fn begin_turn(&self, at_most: Duration) -> BoxFuture<'_, Result<bool, TokenStoreError>> {
        let _ = at_most;
        Box::pin(async { Ok(true) })
    }

    /// Gives the turn back, with or without a new token saved.
    fn end_turn(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

/// Keeps the token in Redis, encrypted with AES-256-GCM under a key made from the secret token itself: who can read it
/// could log in anyway.
pub struct RedisTokenStore {
    connection: ConnectionManager,
    cipher: Aes256Gcm,
    token_key: String,
    turn_key: String,
    /// Marks a turn as this process's, so that it ends no turn but its own.
    process: String,
}

const NONCE_BYTES: usize = 12;

impl RedisTokenStore {
    /// A store for the tokens of `secret`. Opens no connection yet.
    pub fn new(client: redis::Client, key_prefix: &str, secret: &SecretString) -> Result<Self, redis::RedisError> {
        let name = hex::encode(&derive(b"billwright/billz-token/name", secret)[..12]);
        let key: Key<Aes256Gcm> = derive(b"billwright/billz-token/key", secret).into();
        Ok(Self {
            connection: link::lazy(client)?,
            cipher: Aes256Gcm::new(&key),
            token_key: format!("{key_prefix}:billz-token:{name}"),
            turn_key: format!("{key_prefix}:billz-login:{name}"),
            process: format!("{:016x}", rand::random::<u64>()),
        })
    }

    fn seal(&self, token: &StoredToken) -> Option<String> {
        let plain = json!({
            "access_token": token.access_token.expose_secret(),
            "expires_at_ms": token.expires_at.timestamp_millis(),
        })
        .to_string();
        let mut nonce = [0; NONCE_BYTES];
        rand::rng().fill_bytes(&mut nonce);
        let payload = Payload {
            msg: plain.as_bytes(),
            aad: self.token_key.as_bytes(),
        };
        let sealed = self.cipher.encrypt(&Nonce::from(nonce), payload).ok()?;
        Some(BASE64.encode([&nonce[..], &sealed].concat()))
    }

    fn unseal(&self, stored: &str) -> Option<StoredToken> {
        let bytes = BASE64.decode(stored).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload {
            msg: sealed,
            aad: self.token_key.as_bytes(),
        };
        let plain = self.cipher.decrypt(&Nonce::from(*nonce), payload).ok()?;
        let plain: Value = serde_json::from_slice(&plain).ok()?;
        Some(StoredToken {
            access_token: plain["access_token"].as_str()?.to_owned().into(),
            expires_at: DateTime::from_timestamp_millis(plain["expires_at_ms"].as_i64()?)?,
        })
    }
}

/// The secret is a random key and no password, so that one hash with a purpose in front of it is enough.
fn derive(purpose: &[u8], secret: &SecretString) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(purpose);
    hash.update([0]);
    hash.update(secret.expose_secret().as_bytes());
    hash.finalize().into()
}

impl fmt::Debug for RedisTokenStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RedisTokenStore").finish_non_exhaustive()
    }
}

impl TokenStore for RedisTokenStore {
    fn load(&self) -> BoxFuture<'_, Result<Option<StoredToken>, TokenStoreError>> {
        Box::pin(async {
            let mut connection = self.connection.clone();
            let stored: Option<String> =
                link::in_time(redis::cmd("GET").arg(&self.token_key).query_async(&mut connection))
                    .await
                    .map_err(TokenStoreError)?;
            // What somebody else's hand left there is as good as nothing: the next login replaces it.
            Ok(stored.and_then(|stored| self.unseal(&stored)))
        })
    }

    fn save<'a>(&'a self, token: &'a StoredToken) -> BoxFuture<'a, Result<(), TokenStoreError>> {
        Box::pin(async {
            let sealed = self
                .seal(token)
                .ok_or_else(|| TokenStoreError("the token cannot be encrypted".to_owned()))?;
            let mut connection = self.connection.clone();
            let mut set = redis::cmd("SET");
            set.arg(&self.token_key)
                .arg(sealed)
                .arg("PXAT")
                .arg(token.expires_at.timestamp_millis());
            link::in_time(set.query_async(&mut connection))
                .await
                .map_err(TokenStoreError)
        })
    }

    fn begin_turn(&self, at_most: Duration) -> BoxFuture<'_, Result<bool, TokenStoreError>> {
        Box::pin(async move {
            let mut connection = self.connection.clone();
            let mut set = redis::cmd("SET");
            let at_most = u64::try_from(at_most.as_millis()).unwrap_or(u64::MAX).max(1);
            set.arg(&self.turn_key)
                .arg(&self.process)
                .arg("NX")
                .arg("PX")
                .arg(at_most);
            let set: Option<String> = link::in_time(set.query_async(&mut connection))
                .await
                .map_err(TokenStoreError)?;
            Ok(set.is_some())
        })
    }

    fn end_turn(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            let mut connection = self.connection.clone();
            let script = redis::Script::new(
                "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0",
            );
            let mut call = script.key(&self.turn_key);
            let _it_ends_by_itself: Result<u8, _> =
                link::in_time(call.arg(&self.process).invoke_async(&mut connection)).await;
        })
    }
}
