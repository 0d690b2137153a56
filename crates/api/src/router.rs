//! Every route on one page.

use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    access, availability, correlation,
    cors::CorsOrigins,
    docs_page,
    error::ApiError,
    measure, places, rate_limit,
    routes::{billings, users},
    state::AppState,
};

/// The calls about users and billings, and their description.
pub(crate) fn calls() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(users::create::create_user, users::list::list_users))
        .routes(routes!(
            users::get::get_user,
            users::update::update_user,
            users::delete::delete_user
        ))
        .routes(routes!(billings::create::create_billing, billings::list::list_billings))
        .routes(routes!(
            billings::get::get_billing,
            billings::update::update_billing,
            billings::delete::delete_billing
        ))
        .routes(routes!(billings::list_by_user::list_billings_by_user))
}

/// All routes: the calls with and without `/api`, and their documentation.
pub(crate) fn router(state: AppState, origins: &CorsOrigins) -> Router {
    let (calls, _) = calls().split_for_parts();
    // The last layer is the first that a request meets.
    let guarded = Router::new()
        .nest("/api", calls.clone())
        .merge(calls)
        .layer(from_fn_with_state(state.clone(), availability::guard))
        .layer(from_fn_with_state(state.clone(), rate_limit::check))
        .layer(from_fn_with_state(state.clone(), access::check))
        .layer(from_fn_with_state(state.clone(), places::bound))
        .with_state(state);
    let all = guarded
        .route("/api/openapi.json", get(docs_page::openapi))
        .route("/api/docs", get(docs_page::page))
        .method_not_allowed_fallback(method_not_allowed);
    let all = match origins.layer() {
        Some(cors) => all.layer(cors),
        None => all,
    };
    all.layer(CatchPanicLayer::custom(|_| ApiError::Panicked.into_response()))
        .layer(from_fn(measure::measure))
        .layer(from_fn(correlation::carry))
}

async fn method_not_allowed() -> Response {
    ApiError::MethodNotAllowed.into_response()
}
