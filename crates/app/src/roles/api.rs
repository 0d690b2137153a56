//! The billing API.

use std::sync::Arc;

use axum::Router;
use billwright_api::{Api, ApiSettings, JwtSettings, KeySetSource};
use billwright_connectors::document::DocumentSource;
use billwright_domain::{Clock, HealthBoard};
use billwright_store::{Mongo, billing::outbox::Outbox};

use crate::config::{ApiConfig, JwtConfig};

impl ApiConfig {
    /// Whether anybody may read and write.
    pub(crate) fn is_open(&self) -> bool {
        self.keys.is_empty() && self.jwt.is_none()
    }
}

/// Opens the API and gives its routes. MongoDB may be away.
pub(crate) async fn open(config: ApiConfig, clock: Arc<dyn Clock>, health: HealthBoard) -> anyhow::Result<Router> {
    let mongo = Mongo::open(&config.mongo).await?;
    let settings = ApiSettings {
        api_keys: config.keys,
        jwt: config.jwt.map(tokens).transpose()?,
        cors_origins: config.cors_origins,
        rate_limit: config.rate_limit,
        trust_proxy: config.trust_proxy,
        change_log: config
            .publishes
            .then(|| Arc::new(Outbox::new(mongo.clone(), Arc::clone(&clock))) as _),
        ..ApiSettings::default()
    };
    Ok(Api::open(settings, mongo, clock, health).router())
}

fn tokens(config: JwtConfig) -> anyhow::Result<JwtSettings> {
    let source = DocumentSource::new(config.jwks_url)?;
    let key_set: KeySetSource = Arc::new(move || {
        let source = source.clone();
        Box::pin(async move { source.fetch().await.map_err(|error| error.to_string()) })
    });
    Ok(JwtSettings {
        key_set,
        audience: config.audience,
        issuer: config.issuer,
    })
}
