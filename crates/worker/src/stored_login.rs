//! The login that workers share through the `integrations` document, as the Billz client wants it.

use std::{sync::Arc, time::Duration};

use billwright_connectors::billz::{StoredToken, TokenStore, TokenStoreError};
use billwright_domain::Clock;
use billwright_store::{
    Mongo,
    billz::{
        integrations::{EncryptionKey, Integrations, SharedToken},
        leases::{Leases, Memory},
    },
};
use futures_util::future::BoxFuture;
use uuid::Uuid;

/// Keeps the access token in the active `integrations` document, encrypted, where the historical workers look for it.
#[derive(Debug)]
pub struct IntegrationTokenStore {
    integrations: Integrations,
    leases: Leases,
    clock: Arc<dyn Clock>,
    process: String,
}

/// The lease of the process whose turn it is to log in.
const TURN: &str = "billz-login";

impl IntegrationTokenStore {
    /// A store in `mongo` that encrypts with `key`. Without a key nothing is stored, and each worker logs in by itself.
    pub fn new(mongo: &Mongo, key: Option<EncryptionKey>, clock: Arc<dyn Clock>) -> Self {
        Self {
            integrations: Integrations::new(mongo, key),
            leases: Leases::new(mongo),
            clock,
            process: Uuid::now_v7().to_string(),
        }
    }
}

impl TokenStore for IntegrationTokenStore {
    fn load(&self) -> BoxFuture<'_, Result<Option<StoredToken>, TokenStoreError>> {
        Box::pin(async {
            let found = self
                .integrations
                .access_token()
                .await
                .map_err(|error| TokenStoreError(error.to_string()))?;
            Ok(found.map(|token| StoredToken {
                access_token: token.access_token,
                expires_at: token.expires_at,
            }))
        })
    }

    fn save<'a>(&'a self, token: &'a StoredToken) -> BoxFuture<'a, Result<(), TokenStoreError>> {
        Box::pin(async {
            let shared = SharedToken {
                access_token: token.access_token.clone(),
                expires_at: token.expires_at,
            };
            let stored = self.integrations.store_access_token(&shared, self.clock.now()).await;
            stored.map_err(|error| TokenStoreError(error.to_string()))
        })
    }

    fn begin_turn(&self, at_most: Duration) -> BoxFuture<'_, Result<bool, TokenStoreError>> {
        Box::pin(async move {
            let lease = self.leases.acquire(TURN, &self.process, at_most, Memory::Left).await;
            lease
                .map(|lease| lease.is_some())
                .map_err(|error| TokenStoreError(error.to_string()))
        })
    }

    fn end_turn(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            // It ends by itself.
            let _given_back = self.leases.release(&[TURN.to_owned()], &self.process).await;
        })
    }
}
