//! The one guard that every page and action passes: who is it, may they, did they mean it, and what is to be remembered.

mod cookies;
pub(crate) mod login_limit;
mod loopback;
mod origin;

use std::net::{IpAddr, SocketAddr};

use axum::{
    body::{Body, Bytes},
    extract::{ConnectInfo, Request, State},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use billwright_store::operations::audit::{AuditOutcome, NewAuditEntry};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Limited};
use subtle::ConstantTimeEq as _;
use tracing::Instrument as _;

use self::cookies::{Cookies, FLASH_COOKIE, Jar, LANGUAGE_COOKIE, SESSION_COOKIE};
use crate::{
    action::Done,
    dashboard::Dashboard,
    page::{Page, TroublePage, rendered},
    pages::{confirm::ConfirmPage, refused::RefusedPage},
    routes::BASE,
    section::{Dependency, Needs, Trouble, within},
    session::Session,
    text::Text,
    texts::Language,
    users::{Role, Users},
    visit::{Person, Visit},
};

/// The name of signing in, in the audit.
pub(crate) const SIGN_IN: &str = "session.begin";
/// The name of signing out, in the audit.
pub(crate) const SIGN_OUT: &str = "session.end";

/// What `live.js` sends with what it asks for by itself.
const REFRESH: &str = "x-refresh";

/// The largest form.
const LARGEST_FORM: usize = 64 * 1024;

/// What the guard asks for at one route.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    /// The role that it takes; `None` lets everybody in who reaches the dashboard.
    role: Option<Role>,
    /// Whether asking for it keeps the session alive.
    renews: bool,
    /// What is to be done before and after an action.
    action: Option<ActionRule>,
}

/// What is to be done before and after an action.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ActionRule {
    name: &'static str,
    role: Option<Role>,
    audited: bool,
    question: Option<fn() -> Text>,
}

impl ActionRule {
    pub(crate) fn audited(name: &'static str, role: Role) -> Self {
        Self {
            name,
            role: Some(role),
            audited: true,
            question: None,
        }
    }

    pub(crate) fn asking(self, question: fn() -> Text) -> Self {
        Self {
            question: Some(question),
            ..self
        }
    }
}

impl Rule {
    pub(crate) fn open() -> Self {
        Self {
            role: None,
            renews: true,
            action: None,
        }
    }

    pub(crate) fn page() -> Self {
        Self {
            role: Some(Role::Viewer),
            ..Self::open()
        }
    }

    pub(crate) fn stream() -> Self {
        Self {
            renews: false,
            ..Self::page()
        }
    }

    pub(crate) fn action(action: ActionRule) -> Self {
        Self {
            role: action.role,
            renews: true,
            action: Some(action),
        }
    }

    /// Signing in and out write their own lines, as far as they can: nobody is known before the one, and the other must be
    /// possible whatever is away.
    pub(crate) fn sign_in() -> Self {
        Self::action(ActionRule {
            name: SIGN_IN,
            role: None,
            audited: false,
            question: None,
        })
    }

    pub(crate) fn sign_out() -> Self {
        Self::action(ActionRule {
            name: SIGN_OUT,
            role: Some(Role::Viewer),
            audited: false,
            question: None,
        })
    }
}

/// The session that a handler wants the visitor to have from now on.
#[derive(Debug, Clone)]
pub(crate) struct NewSession(pub(crate) Session);

/// The guard.
pub(crate) async fn guard(
    State((dashboard, rule)): State<(Dashboard, Rule)>,
    request: Request,
    next: Next,
) -> Response {
    let secure = came_by_https(request.headers());
    let mut response = enter(&dashboard, rule, secure, request, next).await;
    protect(&mut response);
    response
}

/// Who is it, from where, in which language; then on to [`pass`].
async fn enter(dashboard: &Dashboard, rule: Rule, secure: bool, request: Request, next: Next) -> Response {
    let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>().copied() else {
        tracing::error!("the HTTP server does not tell the addresses of its peers; the dashboard stays closed");
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let cookies = Cookies::of(request.headers());
    let (language, language_is_new) = language(&request, &cookies);
    let users = dashboard.settings().users.as_ref();
    let known = cookies
        .get(SESSION_COOKIE)
        .and_then(|cookie| dashboard.sessions().open(cookie, users));
    let session_is_new = known.is_none();
    // A link from elsewhere brings no cookie of ours (`SameSite=Strict`). A new session would overwrite the one that is
    // there, so the page asks once more, this time by itself.
    if session_is_new && cookies.get(SESSION_COOKIE).is_none() && comes_from_elsewhere(&request) {
        return again(request.uri());
    }
    let session = known.unwrap_or_else(|| dashboard.sessions().anonymous());
    let flash = cookies
        .get(FLASH_COOKIE)
        .and_then(|cookie| dashboard.sessions().open_flash(cookie));
    let uri = if request.method() == Method::GET {
        request.uri().clone()
    } else {
        Uri::from_static(BASE)
    };
    let mut visit = Visit {
        who: None,
        session,
        address: address(peer.ip(), request.headers(), dashboard.settings().trust_proxy),
        texts: language.texts(),
        flash,
        uri,
        has_users: users.is_some(),
    };
    match users {
        Some(users) => {
            visit.who = visit.session.name.as_deref().and_then(|name| person(users, name));
        }
        None if loopback::is_this_machine(peer.ip(), request.headers(), request.uri()) => {
            visit.who = Some(Person {
                name: "local".to_owned(),
                role: Role::Operator,
            });
        }
        None => return RefusedPage::answer(visit),
    }
    // A page that `live.js` fetches by itself is asked for by nobody.
    let by_itself = request.headers().contains_key(REFRESH);
    let is_page = request.method() == Method::GET && rule.role.is_some() && rule.renews && !by_itself;
    let renewed = if session_is_new {
        Some(visit.session.clone())
    } else if rule.renews && !by_itself {
        dashboard.sessions().renewed(&visit.session)
    } else {
        None
    };
    let shows_flash = is_page && visit.flash.is_some();
    let mut response = pass(dashboard, rule, visit, request, next).await;

    let jar = Jar { secure };
    let wanted = response
        .extensions_mut()
        .remove::<NewSession>()
        .map(|NewSession(session)| session);
    if let Some(session) = wanted.or(renewed) {
        jar.set(&mut response, SESSION_COOKIE, dashboard.sessions().seal(&session));
    }
    if language_is_new {
        jar.keep(&mut response, LANGUAGE_COOKIE, language.tag());
    }
    if shows_flash && response.status() == StatusCode::OK {
        jar.remove(&mut response, FLASH_COOKIE);
    }
    if let Some(done) = response.extensions_mut().remove::<Done>() {
        jar.set(
            &mut response,
            FLASH_COOKIE,
            dashboard.sessions().seal_flash(done.good, done.message),
        );
    }
    response
}

/// May they, and did they mean it.
async fn pass(dashboard: &Dashboard, rule: Rule, visit: Visit, mut request: Request, next: Next) -> Response {
    if let Some(role) = rule.role {
        match &visit.who {
            None if request.method() == Method::GET && rule.renews => return sign_in_first(request.uri()),
            None => {
                return trouble_page(
                    visit,
                    StatusCode::UNAUTHORIZED,
                    Trouble::Refused(Text::of("guard-signed-out")),
                );
            }
            Some(person) if person.role < role => {
                return trouble_page(visit, StatusCode::FORBIDDEN, Trouble::Refused(Text::of("guard-viewer")));
            }
            Some(_) => {}
        }
    }
    let Some(action) = rule.action else {
        request.extensions_mut().insert(visit.clone());
        let response = next.run(request).await;
        return finish(visit, response);
    };
    if !origin::is_ours(request.headers(), request.uri(), dashboard.settings().trust_proxy) {
        return trouble_page(visit, StatusCode::FORBIDDEN, Trouble::Refused(Text::of("guard-origin")));
    }
    let (mut parts, body) = request.into_parts();
    let Some(body) = read(body).await else {
        let trouble = Trouble::Refused(Text::of("guard-too-large"));
        return trouble_page(visit, StatusCode::PAYLOAD_TOO_LARGE, trouble);
    };
    let field = |wanted: &str| {
        form_urlencoded::parse(&body)
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.into_owned())
    };
    let token = field("csrf").unwrap_or_default();
    if !bool::from(token.as_bytes().ct_eq(visit.session.csrf.as_bytes())) {
        return trouble_page(
            visit,
            StatusCode::FORBIDDEN,
            Trouble::Refused(Text::of("guard-form-too-old")),
        );
    }
    if let Some(question) = action.question
        && field("confirmed").is_none()
    {
        return ConfirmPage::answer(visit, question(), parts.uri.path(), &body);
    }
    parts.extensions.insert(visit.clone());
    let target = parts.uri.path().to_owned();
    let request = Request::from_parts(parts, Body::from(body));
    if action.audited {
        let acting = audited(dashboard.clone(), action, visit, target, request, next);
        // A task of its own: a browser that goes away breaks no action off, and none ends without its second line.
        tokio::spawn(acting.in_current_span())
            .await
            .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
    } else {
        let response = next.run(request).await;
        finish(visit, response)
    }
}

/// Does an action between its two lines in the audit. What cannot be written down is not done.
async fn audited(
    dashboard: Dashboard,
    action: ActionRule,
    visit: Visit,
    target: String,
    request: Request,
    next: Next,
) -> Response {
    let Some(audit) = dashboard.audit() else {
        let trouble = Trouble::NotConfigured(Needs::AnyRole);
        return trouble_page(visit, trouble.status(), trouble);
    };
    let person = visit.who.clone();
    let entry = NewAuditEntry {
        at: dashboard.clock().now(),
        who: person.as_ref().map(|person| person.name.clone()).unwrap_or_default(),
        role: person.map(|person| person.role.to_string()).unwrap_or_default(),
        address: visit.address.to_string(),
        action: action.name.to_owned(),
        target,
    };
    let id = match within(Dependency::MongoDb, audit.begin(&entry)).await {
        Ok(id) => id,
        Err(trouble) => {
            tracing::warn!(
                action = action.name,
                who = entry.who,
                "nothing was done, since the audit cannot be written"
            );
            return trouble_page(visit, trouble.status(), trouble);
        }
    };
    let response = next.run(request).await;
    let (outcome, detail) = match (
        response.extensions().get::<Trouble>(),
        response.extensions().get::<Done>(),
    ) {
        (Some(trouble @ (Trouble::NotFound(_) | Trouble::Refused(_) | Trouble::NotConfigured(_))), _) => (
            AuditOutcome::Refused,
            Some(trouble.advice().said(Language::English.texts())),
        ),
        (Some(trouble), _) => (AuditOutcome::Failed, trouble.seen().map(str::to_owned)),
        (None, Some(done)) => (AuditOutcome::Done, done.detail.clone()),
        (None, None) if response.status().is_server_error() => (AuditOutcome::Failed, None),
        (None, None) if response.status().is_client_error() => (AuditOutcome::Refused, None),
        (None, None) => (AuditOutcome::Done, None),
    };
    tracing::info!(
        action = action.name,
        target = entry.target,
        who = entry.who,
        address = entry.address,
        outcome = outcome.as_str(),
        "an operator acted"
    );
    let ended = audit.end(id, outcome, detail.as_deref(), dashboard.clock().now());
    if let Err(trouble) = within(Dependency::MongoDb, ended).await {
        tracing::warn!(
            action = action.name,
            seen = trouble.seen(),
            "the audit does not know how the action ended"
        );
    }
    finish(visit, response)
}

/// Gives an answer that consists of a trouble its page.
fn finish(visit: Visit, mut response: Response) -> Response {
    match response.extensions_mut().remove::<Trouble>() {
        Some(trouble) => trouble_page(visit, response.status(), trouble),
        None => response,
    }
}

fn trouble_page(visit: Visit, status: StatusCode, trouble: Trouble) -> Response {
    let page = Page::new(visit, "", trouble.heading());
    rendered(status, &TroublePage { page, trouble }).unwrap_or_else(|_| status.into_response())
}

async fn read(body: Body) -> Option<Bytes> {
    let whole = Limited::new(body, LARGEST_FORM).collect();
    // A body that trickles in is held by nobody for longer than a dependency is.
    let read = tokio::time::timeout(std::time::Duration::from_secs(10), whole).await;
    Some(read.ok()?.ok()?.to_bytes())
}

fn person(users: &Users, name: &str) -> Option<Person> {
    Some(Person {
        name: name.to_owned(),
        role: users.role(name)?,
    })
}

fn sign_in_first(uri: &Uri) -> Response {
    let wanted = uri.path_and_query().map_or(BASE, http::uri::PathAndQuery::as_str);
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("next", wanted)
        .finish();
    Redirect::to(&format!("{BASE}/login?{query}")).into_response()
}

fn comes_from_elsewhere(request: &Request) -> bool {
    let says = |name: &str, value: &str| request.headers().get(name).is_some_and(|found| found == value);
    request.method() == Method::GET && says("sec-fetch-site", "cross-site") && says("sec-fetch-mode", "navigate")
}

/// Has the browser ask again, as a request of our own site.
fn again(uri: &Uri) -> Response {
    let path = uri.path_and_query().map_or(BASE, http::uri::PathAndQuery::as_str);
    let value = HeaderValue::from_str(&format!("0; url={path}"));
    let mut response = axum::response::Html("<!doctype html><title>Billwright</title>").into_response();
    if let Ok(value) = value {
        response.headers_mut().insert(HeaderName::from_static("refresh"), value);
    }
    response
}

/// The language, and whether the visitor chose it just now.
fn language(request: &Request, cookies: &Cookies) -> (Language, bool) {
    let query = request.uri().query().unwrap_or_default();
    let chosen = form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "lang")
        .and_then(|(_, tag)| Language::of_tag(&tag));
    if let Some(language) = chosen {
        return (language, true);
    }
    let header = request.headers().get(header::ACCEPT_LANGUAGE);
    let language = cookies
        .get(LANGUAGE_COOKIE)
        .and_then(Language::of_tag)
        .or_else(|| Language::of_header(header?.to_str().ok()?))
        .unwrap_or(Language::English);
    (language, false)
}

/// From where a request comes: what a trusted proxy says, else the peer.
fn address(peer: IpAddr, headers: &HeaderMap, trust_proxy: bool) -> IpAddr {
    let told = || {
        let last = headers.get_all("x-forwarded-for").iter().next_back()?;
        last.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
    };
    Some(peer)
        .filter(|_| !trust_proxy)
        .or_else(told)
        .unwrap_or(peer)
        .to_canonical()
}

/// Whether the browser speaks https, to us or to a proxy in front. A visitor who makes this up harms only themselves.
fn came_by_https(headers: &HeaderMap) -> bool {
    let told = headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok());
    told.is_some_and(|told| told.split(',').next().is_some_and(|first| first.trim() == "https"))
}

/// What holds for every answer: nothing from elsewhere runs, nobody frames the pages, nothing of them is kept.
fn protect(response: &mut Response) {
    const HEADERS: [(HeaderName, &str); 6] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // `no-referrer` would have forms sent with the origin `null`.
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
        .headers_mut()
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}
