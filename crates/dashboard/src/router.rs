//! Every page and action, on one page. Each passes the guard, which this table tells what to ask for.

use axum::Router;

use crate::{
    assets,
    dashboard::Dashboard,
    live,
    pages::{audit, login, overview},
    routes::Routes,
};

/// Every page and action.
pub(crate) fn router(dashboard: &Dashboard) -> Router {
    Routes::new(dashboard)
        // For everybody: what it takes to sign in.
        .open("/login", login::show)
        .sign_in("/login", login::sign_in)
        .open("/assets/{name}", assets::serve)
        // For those who may look.
        .page("", overview::show)
        .page("/audit", audit::show)
        .stream("/live", live::stream)
        .sign_out("/logout", login::sign_out)
        // For those who may act: the path, the action's name in the audit, and what does it. What cannot be taken back is
        // `dangerous`, with the question that is asked first.
        .finish()
}
