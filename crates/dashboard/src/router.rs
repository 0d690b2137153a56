//! Every page and action, on one page. Each passes the guard, which this table tells what to ask for.

use axum::Router;

use crate::{
    assets,
    dashboard::Dashboard,
    live,
    pages::{
        audit, billings, customer, customers, dead_letters, events, job, jobs, jobs_bulk, jobs_history, jobs_search,
        login, notifications, order, orders, overview, set_aside, settings,
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
        .page("/jobs", jobs::show)
        .page("/jobs/history", jobs_history::show)
        .page("/jobs/search", jobs_search::show)
        .page("/jobs/bulk", jobs_bulk::preview)
        .page("/job/{id}", job::show)
        .page("/orders", orders::show)
        .page("/order/{id}", order::show)
        .page("/notifications", notifications::show)
        .page("/settings", settings::show)
        .page("/audit", audit::show)
        .page("/customers", customers::show)
        .page("/customer", customer::show)
        .page("/billings", billings::show)
        .page("/events", events::show)
        .page("/set-aside", set_aside::show)
        .page("/set-aside/{topic}/{partition}/{offset}", set_aside::show_event)
        .page("/dead-letters", dead_letters::show)
        .page("/dead-letters/{topic}/{partition}/{offset}", dead_letters::show_letter)
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
        .action("/dead-letters/replay", "dead-letters.replay", dead_letters::replay)
        .dangerous("/job/{id}/retry", "job.retry", job::question::retry, job::retry)
        .dangerous("/job/{id}/run-now", "job.run-now", job::question::run_now, job::run_now)
        .dangerous("/job/{id}/promote", "job.promote", job::question::promote, job::promote)
        .dangerous("/job/{id}/remove", "job.remove", job::question::remove, job::remove)
        .dangerous(
            "/job/{id}/reopen",
            "job.retry-from-step",
            job::question::reopen,
            job::reopen,
        )
        .dangerous("/jobs/bulk", "jobs.bulk", jobs_bulk::question, jobs_bulk::act)
        .dangerous(
            "/order/{id}/reconcile",
            "order.reconcile",
            order::question,
            order::reconcile,
        )
        .action("/notifications/test", "notifications.test", notifications::send_test)
        .action(
            "/notifications/{id}/again",
            "notifications.again",
            notifications::send_again,
        )
        .action("/settings/log-level", "log-level.change", settings::change_log_level)
        .finish()
}
