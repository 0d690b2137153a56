//! The builder of the table of pages and actions: what it adds cannot miss the guard.

use axum::{
    Router,
    handler::Handler,
    middleware::from_fn_with_state,
    response::Redirect,
    routing::{MethodRouter, get, post},
};

use crate::{
    dashboard::Dashboard,
    guard::{ActionRule, Rule, guard},
    section::Trouble,
    text::Text,
    users::Role,
};

/// Where the dashboard lies.
pub(crate) const BASE: &str = "/dashboard";

/// Builds the table.
pub(crate) struct Routes<'a> {
    dashboard: &'a Dashboard,
    router: Router<Dashboard>,
}

impl<'a> Routes<'a> {
    pub(crate) fn new(dashboard: &'a Dashboard) -> Self {
        Self {
            dashboard,
            router: Router::new(),
        }
    }

    /// A page that everybody may see who reaches the dashboard.
    pub(crate) fn open<H: Handler<T, Dashboard>, T: 'static>(self, path: &str, show: H) -> Self {
        self.add(path, get(show), Rule::open())
    }

    /// A page for those who may look.
    pub(crate) fn page<H: Handler<T, Dashboard>, T: 'static>(self, path: &str, show: H) -> Self {
        self.add(path, get(show), Rule::page())
    }

    /// What scripts ask for by themselves: like a page, but it keeps no session alive.
    pub(crate) fn stream<H: Handler<T, Dashboard>, T: 'static>(self, path: &str, show: H) -> Self {
        self.add(path, get(show), Rule::stream())
    }

    /// An action for operators, under `name` in the audit.
    pub(crate) fn action<H: Handler<T, Dashboard>, T: 'static>(self, path: &str, name: &'static str, act: H) -> Self {
        self.add(path, post(act), Rule::action(ActionRule::audited(name, Role::Operator)))
    }

    /// An action for operators that cannot be taken back: `question` is asked first.
    pub(crate) fn dangerous<H: Handler<T, Dashboard>, T: 'static>(
        self,
        path: &str,
        name: &'static str,
        question: fn() -> Text,
        act: H,
    ) -> Self {
        let rule = ActionRule::audited(name, Role::Operator).asking(question);
        self.add(path, post(act), Rule::action(rule))
    }

    /// The form with which somebody signs in. It writes its own audit entry, since nobody is known before it.
    pub(crate) fn sign_in<H: Handler<T, Dashboard>, T: 'static>(self, path: &str, act: H) -> Self {
        self.add(path, post(act), Rule::sign_in())
    }

    /// The button with which anybody signs out.
    pub(crate) fn sign_out<H: Handler<T, Dashboard>, T: 'static>(self, path: &str, act: H) -> Self {
        self.add(path, post(act), Rule::sign_out())
    }

    fn add(mut self, path: &str, method: MethodRouter<Dashboard>, rule: Rule) -> Self {
        let layer = from_fn_with_state((self.dashboard.clone(), rule), guard);
        self.router = self.router.route(&format!("{BASE}{path}"), method.route_layer(layer));
        self
    }

    pub(crate) fn finish(self) -> Router {
        let dashboard = self.dashboard.clone();
        let layer = from_fn_with_state((dashboard.clone(), Rule::page()), guard);
        let nothing = get(async || Trouble::NotFound(Text::of("trouble-no-page"))).route_layer(layer);
        self.router
            .route(&format!("{BASE}/"), get(async || Redirect::permanent(BASE)))
            .route(&format!("{BASE}/{{*nothing}}"), nothing)
            .with_state(dashboard)
    }
}
