//! The API as a whole: opened once, mounted into the server.

use std::sync::Arc;

use axum::Router;
use billwright_domain::{Clock, HealthBoard};
use billwright_store::{
    Mongo,
    billing::{BillingStore, creation::BillingCreator},
};
use tokio::sync::Semaphore;

use crate::{
    availability::Availability,
    cors::CorsOrigins,
    jwt::Tokens,
    places::Places,
    rate_limit::RateLimiter,
    router,
    settings::ApiSettings,
    state::{AppState, Shared},
    upkeep,
};

/// The API of users and billings.
#[derive(Clone)]
pub struct Api {
    state: AppState,
    cors_origins: CorsOrigins,
}

impl Api {
    /// Opens the API on the billing database behind `mongo`. MongoDB may be away: a task of its own prepares the database
    /// once it is there, and posts its condition on `health` as `billing.mongodb`. Must be called within a Tokio runtime.
    pub fn open(settings: ApiSettings, mongo: Mongo, clock: Arc<dyn Clock>, health: HealthBoard) -> Self {
        let store = BillingStore::new(mongo.clone(), settings.change_log);
        let state = AppState::new(Shared {
            creator: BillingCreator::start(store.clone(), Arc::clone(&clock)),
            store,
            clock,
            availability: Availability::new(mongo),
            api_keys: settings.api_keys,
            tokens: settings.jwt.map(Tokens::new),
            rate_limiter: settings.rate_limit.and_then(RateLimiter::new),
            trust_proxy: settings.trust_proxy,
            largest_body: settings.largest_body,
            body_timeout: settings.body_timeout,
            request_timeout: settings.request_timeout,
            places: Places {
                all: Arc::new(Semaphore::new(settings.most_at_a_time)),
                in_hand: Semaphore::new(settings.most_in_hand),
                longest_wait: settings.longest_wait,
                large_bodies: Semaphore::new(settings.most_large_bodies),
                longest_answer: settings.longest_answer,
            },
        });
        tokio::spawn(upkeep::run(state.clone(), health));
        Self {
            state,
            cors_origins: settings.cors_origins,
        }
    }

    /// The routes: `/api/users` and `/api/billings`, the same without `/api`, `/api/openapi.json` and `/api/docs`.
    pub fn router(&self) -> Router {
        router::router(self.state.clone(), &self.cors_origins)
    }
}
