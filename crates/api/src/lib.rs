//! The JSON API of users and billings.
//!
//! [`Api::open`] prepares it and [`Api::router`] gives its routes, with and without `/api`. All routes are on one page,
//! `router.rs`; each lies in a file of its own below `routes/`. The rules are not here but in `billwright_domain`, the
//! queries in `billwright_store`.

mod access;
mod api;
mod api_keys;
mod availability;
mod body;
mod correlation;
mod cors;
mod docs_page;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod idempotency;
mod jwt;
mod list_params;
mod measure;
mod openapi;
mod places;
mod preconditions;
mod rate_limit;
mod refusals;
mod rendering;
mod router;
mod routes;
mod settings;
mod state;
mod upkeep;

pub use api::Api;
pub use api_keys::{ApiKeys, hash_of_key};
pub use correlation::carry as carry_correlation_id;
pub use cors::CorsOrigins;
pub use error::{no_host, not_found, overloaded};
pub use jwt::{JwtSettings, KeySetSource};
pub use measure::measure;
pub use openapi::openapi_json;
pub use rate_limit::RateLimit;
pub use settings::ApiSettings;
