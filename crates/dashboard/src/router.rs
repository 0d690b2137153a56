//! Every page and action, on one page. Each passes the guard, which this table tells what to ask for.

use axum::Router;

use crate::{
    assets,
    dashboard::Dashboard,
    live,
    pages::{
        audit, billings, customer, customers, dead_letters, events, login, overview, set_aside,
    },
    routes::Routes,
    text::Text,
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
        .page("/customers", customers::show)
        .page("/customer", customer::show)
        .page("/billings", billings::show)
        .page("/events", events::show)
        .page("/set-aside", set_aside::show)
        .page(
            "/set-aside/{topic}/{partition}/{offset}",
            set_aside::show_event,
        )
        .page("/dead-letters", dead_letters::show)
        .page(
            "/dead-letters/{topic}/{partition}/{offset}",
            dead_letters::show_letter,
        )
        .page("/dead-letters/replay", dead_letters::preview)
        .stream("/live", live::stream)
        .sign_out("/logout", login::sign_out)
        // For those who may act: the path, the action's name in the audit, and what does it. What cannot be taken back is
        // `dangerous`, with the question that is asked first.
        .dangerous(
            "/billings/{id}/paid",
            "billing.pay",
            || Text::of("billing-mark-question"),
            billings::mark_paid,
        )
        .action("/events/resume", "events.resume", events::resume)
        .action(
            "/set-aside/{topic}/{partition}/{offset}/apply",
            "event.apply",
            set_aside::apply,
        )
        .dangerous(
            "/set-aside/{topic}/{partition}/{offset}/discard",
            "event.discard",
            || Text::of("set-aside-discard-question"),
            set_aside::discard,
        )
        // Its preview is the question.
        .action(
            "/dead-letters/replay",
            "dead-letters.replay",
            dead_letters::replay,
        )
        .finish()
}
