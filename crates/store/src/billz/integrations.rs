//! `integrations`: where the historical worker could keep its Billz token and shop, encrypted or plain.
//!
//! A secret is the JSON text `{"iv","tag","content"}` in hexadecimal: AES-256-GCM with a 12-byte nonce.

use aes_gcm::{
    Aes256Gcm, Nonce,
    aead::{Aead, KeyInit, Payload},
};
use bson::{Bson, Document, doc};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::{Mongo, StoreError, values};

/// Why the stored login cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IntegrationError {
    /// MongoDB failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A value is encrypted and there is no key.
    #[error(
        "field `{field}` of the active billz document in `integrations` is encrypted: set ENCRYPTION_KEY (64 hex digits)"
    )]
    KeyMissing {
        /// The field.
        field: &'static str,
    },
    /// A value cannot be decrypted.
    #[error(
        "field `{field}` of the active billz document in `integrations` cannot be decrypted: expected the JSON text \
         {{\"iv\",\"tag\",\"content\"}} in hex, made with this ENCRYPTION_KEY (AES-256-GCM)"
    )]
    Undecryptable {
        /// The field.
        field: &'static str,
    },
    /// A field that must be there is not.
    #[error("the active billz document in `integrations` has no `{field}`")]
    FieldMissing {
        /// The field.
        field: &'static str,
    },
    /// The key itself is no key.
    #[error("ENCRYPTION_KEY: found {found}, expected 64 hexadecimal digits")]
    KeyMalformed {
        /// What was found, without the value.
        found: String,
    },
}

impl IntegrationError {
    /// Whether it may go away by itself.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_transient())
    }
}

/// The key that the stored secrets are encrypted with.
#[derive(Clone)]
pub struct EncryptionKey(Aes256Gcm);

impl std::fmt::Debug for EncryptionKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("EncryptionKey(***)")
    }
}

impl EncryptionKey {
    /// Reads a key of 64 hexadecimal digits.
    pub fn parse(key: &SecretString) -> Result<Self, IntegrationError> {
        let text = key.expose_secret().trim();
        let malformed = || IntegrationError::KeyMalformed {
            found: format!("{} characters", text.chars().count()),
        };
        let bytes = hex::decode(text).map_err(|_| malformed())?;
        Aes256Gcm::new_from_slice(&bytes).map(Self).map_err(|_| malformed())
    }

    /// Decrypts the JSON text `{"iv","tag","content"}`.
    pub fn decrypt(&self, sealed: &Sealed) -> Option<SecretString> {
        let nonce: [u8; 12] = hex::decode(&sealed.iv).ok()?.try_into().ok()?;
        let mut content = hex::decode(&sealed.content).ok()?;
        content.extend(hex::decode(&sealed.tag).ok().filter(|tag| tag.len() == 16)?);
        let payload = Payload {
            msg: &content,
            aad: &[],
        };
        let plain = self.0.decrypt(&Nonce::from(nonce), payload).ok()?;
        String::from_utf8(plain).ok().map(SecretString::from)
    }

    /// Encrypts a secret into the JSON text `{"iv","tag","content"}`.
    pub fn encrypt(&self, secret: &SecretString) -> String {
        let nonce: [u8; 12] = rand::random();
        let payload = Payload {
            msg: secret.expose_secret().as_bytes(),
            aad: &[],
        };
        // Encrypting fails only for texts of many gigabytes.
        let mut content = self.0.encrypt(&Nonce::from(nonce), payload).unwrap_or_default();
        let tag = content.split_off(content.len().saturating_sub(16));
        let sealed = Sealed {
            iv: hex::encode(nonce),
            tag: hex::encode(tag),
            content: hex::encode(content),
        };
        serde_json::to_string(&sealed).unwrap_or_default()
    }
}

/// An encrypted value.
#[derive(Debug, Serialize, Deserialize)]
pub struct Sealed {
    iv: String,
    tag: String,
    content: String,
}

/// What the active `integrations` document says.
#[derive(Debug, Clone)]
pub struct BillzIntegration {
    /// The Billz secret token.
    pub secret: SecretString,
    /// The shop, if the document names one.
    pub shop_id: Option<String>,
}

/// An access token that workers share through the document.
#[derive(Debug, Clone)]
pub struct SharedToken {
    /// The token.
    pub access_token: SecretString,
    /// When it runs out.
    pub expires_at: DateTime<Utc>,
}

/// The collection `integrations`.
#[derive(Debug, Clone)]
pub struct Integrations {
    mongo: Mongo,
    key: Option<EncryptionKey>,
}

impl Integrations {
    /// The collection in `mongo`, read and written with `key`.
    pub fn new(mongo: &Mongo, key: Option<EncryptionKey>) -> Self {
        Self {
            mongo: mongo.clone(),
            key,
        }
    }

    /// The secret token and the shop of the active document; `None` where there is no such document.
    pub async fn load(&self) -> Result<Option<BillzIntegration>, IntegrationError> {
        let Some(document) = self.active().await? else {
            return Ok(None);
        };
        let secret = self
            .secret(&document, "token")?
            .ok_or(IntegrationError::FieldMissing { field: "token" })?;
        let shop_id = self.secret(&document, "shop_id")?;
        Ok(Some(BillzIntegration {
            secret,
            shop_id: shop_id.map(|shop| shop.expose_secret().to_owned()),
        }))
    }

    /// The access token that a worker left there; `None` where there is none, or none that can be read.
    pub async fn access_token(&self) -> Result<Option<SharedToken>, IntegrationError> {
        let Some(document) = self.active().await? else {
            return Ok(None);
        };
        let Some(access_token) = self.secret(&document, "access_token")? else {
            return Ok(None);
        };
        let expires_at = match document.get("expire_date") {
            Some(Bson::DateTime(date)) => Some(values::moment(*date)),
            Some(Bson::String(text)) => text.parse().ok(),
            Some(Bson::Double(ms)) => serde_json::Number::from_f64(*ms)
                .and_then(|ms| ms.to_string().split('.').next()?.parse().ok())
                .and_then(DateTime::from_timestamp_millis),
            Some(Bson::Int64(ms)) => DateTime::from_timestamp_millis(*ms),
            _ => None,
        };
        Ok(expires_at.map(|expires_at| SharedToken {
            access_token,
            expires_at,
        }))
    }

    /// Leaves a new access token for the other workers, encrypted. Without a key nothing is stored: a token in the clear
    /// would be worse than one login per worker.
    pub async fn store_access_token(&self, token: &SharedToken, now: DateTime<Utc>) -> Result<(), IntegrationError> {
        let Some(key) = &self.key else {
            return Ok(());
        };
        let change = doc! { "$set": {
            "access_token": key.encrypt(&token.access_token),
            "expire_date": values::date(token.expires_at),
            "updatedAt": values::date(now),
        } };
        self.mongo
            .collection("integrations")
            .update_one(doc! { "type": "billz", "isActive": true }, change)
            .await
            .map_err(StoreError::from)?;
        Ok(())
    }

    /// Removes the access token, because Billz does not take it any more.
    pub async fn forget_access_token(&self) -> Result<(), IntegrationError> {
        let change = doc! { "$unset": { "access_token": "", "expire_date": "" } };
        self.mongo
            .collection("integrations")
            .update_one(doc! { "type": "billz", "isActive": true }, change)
            .await
            .map_err(StoreError::from)?;
        Ok(())
    }

    async fn active(&self) -> Result<Option<Document>, StoreError> {
        let found = self
            .mongo
            .collection("integrations")
            .find_one(doc! { "type": "billz", "isActive": true })
            .await?;
        Ok(found)
    }

    /// A value that may be encrypted or plain.
    fn secret(&self, document: &Document, field: &'static str) -> Result<Option<SecretString>, IntegrationError> {
        let text = match document.get(field) {
            Some(Bson::String(text)) if !text.trim().is_empty() => text.trim().to_owned(),
            // Some drivers store the object itself rather than its text.
            Some(Bson::Document(object)) => serde_json::to_string(object).unwrap_or_default(),
            _ => return Ok(None),
        };
        let Ok(sealed) = serde_json::from_str::<Sealed>(&text) else {
            return Ok(Some(SecretString::from(text)));
        };
        let key = self.key.as_ref().ok_or(IntegrationError::KeyMissing { field })?;
        key.decrypt(&sealed)
            .map(Some)
            .ok_or(IntegrationError::Undecryptable { field })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(digit: &str) -> EncryptionKey {
        EncryptionKey::parse(&SecretString::from(digit.repeat(64))).unwrap()
    }

    #[test]
    fn decrypts_what_node_encrypted() {
        // crypto.createCipheriv('aes-256-gcm', Buffer.alloc(32, 0xaa), Buffer.alloc(12, 1)) over 'sk-example'
        let sealed = include_str!("../../tests/fixtures/sealed_by_node.json");
        let sealed: Sealed = serde_json::from_str(sealed).unwrap();
        assert_eq!(key("a").decrypt(&sealed).unwrap().expose_secret(), "sk-example");
        assert!(key("b").decrypt(&sealed).is_none());
    }

    #[test]
    fn encrypts_so_that_it_can_be_decrypted_and_never_twice_alike() {
        let secret = SecretString::from("token");
        let (first, second) = (key("1").encrypt(&secret), key("1").encrypt(&secret));
        assert_ne!(first, second);
        let sealed: Sealed = serde_json::from_str(&first).unwrap();
        assert_eq!(key("1").decrypt(&sealed).unwrap().expose_secret(), "token");
    }

    #[test]
    fn refuses_a_key_of_another_length_without_showing_it() {
        let error = EncryptionKey::parse(&SecretString::from("abc123"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("6 characters") && !error.contains("abc123"), "{error}");
    }
}
