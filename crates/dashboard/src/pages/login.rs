//! Signing in and out.

use askama::Template;
use axum::{
    extract::{Query, State},
    response::{IntoResponse, Redirect, Response},
};
use billwright_store::operations::{
    audit::{AuditOutcome, NewAuditEntry},
    ended_sessions,
};
use http::{HeaderValue, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::{
    action::{Done, Form},
    dashboard::Dashboard,
    guard::{NewSession, SIGN_IN, SIGN_OUT},
    page::{Page, PageResult, rendered},
    routes::BASE,
    section::{Dependency, within},
    text::Text,
    visit::Visit,
};

#[derive(Debug, Template)]
#[template(path = "login.html")]
struct LoginPage {
    page: Page,
    next: String,
    problem: Option<Text>,
}

/// Where to go after signing in.
#[derive(Debug, Deserialize)]
pub(crate) struct Next {
    next: Option<String>,
}

impl Next {
    /// A page of the dashboard and nothing else, whatever the link said.
    fn page(&self) -> &str {
        self.next
            .as_deref()
            .filter(|next| *next == BASE || next.starts_with("/dashboard/") || next.starts_with("/dashboard?"))
            .filter(|next| !next.contains("//") && !next.contains('\\') && !next.contains(char::is_control))
            .unwrap_or(BASE)
    }
}

/// `GET /dashboard/login`.
pub(crate) async fn show(visit: Visit, Query(next): Query<Next>) -> PageResult {
    if visit.who.is_some() {
        return Ok(Redirect::to(next.page()).into_response());
    }
    form(visit, StatusCode::OK, next.page(), None)
}

fn form(visit: Visit, status: StatusCode, next: &str, problem: Option<Text>) -> PageResult {
    let page = Page::new(visit, "", Text::of("login-title"));
    rendered(
        status,
        &LoginPage {
            page,
            next: next.to_owned(),
            problem,
        },
    )
}

/// The form's fields.
#[derive(Debug, Deserialize)]
pub(crate) struct Credentials {
    name: String,
    password: SecretString,
    #[serde(flatten)]
    next: Next,
}

/// `POST /dashboard/login`.
pub(crate) async fn sign_in(
    visit: Visit,
    State(dashboard): State<Dashboard>,
    Form(credentials): Form<Credentials>,
) -> PageResult {
    let next = credentials.next.page().to_owned();
    let Some(users) = &dashboard.settings().users else {
        return Ok(Redirect::to(&next).into_response());
    };
    if let Err(wait) = dashboard.login_limit().attempt(visit.address, &credentials.name) {
        let seconds = wait.as_secs() + 1;
        let problem = Text::of("login-too-often").with("seconds", seconds);
        let mut response = form(visit, StatusCode::TOO_MANY_REQUESTS, &next, Some(problem))?;
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        return Ok(response);
    }
    let verified = {
        // The semaphore is never closed.
        let _place = dashboard.login_limit().places.acquire().await;
        let (users, name) = (users.clone(), credentials.name.clone());
        let password = credentials.password.clone();
        tokio::task::spawn_blocking(move || users.verify(&name, password.expose_secret()))
            .await
            .unwrap_or(false)
    };
    note(&dashboard, &visit, &credentials.name, SIGN_IN, verified).await;
    if !verified {
        return form(visit, StatusCode::UNAUTHORIZED, &next, Some(Text::of("login-wrong")));
    }
    let mut response = Redirect::to(&next).into_response();
    // A new session, so that one which somebody else planted before is worth nothing.
    let session = dashboard.sessions().signed_in(&credentials.name, users);
    response.extensions_mut().insert(NewSession(session));
    Ok(response)
}

/// Leaves a line in the audit if it can. Somebody must be able to sign in while MongoDB is away, to see that it is.
async fn note(dashboard: &Dashboard, visit: &Visit, name: &str, action: &'static str, verified: bool) {
    let role = dashboard.settings().users.as_ref().and_then(|users| users.role(name));
    // What is no name of ours may be a password in the wrong field.
    let who = role.map_or("-", |_| name);
    tracing::info!(action, who, address = %visit.address, verified, "somebody signed in or out, or tried to");
    let Some(audit) = dashboard.audit() else {
        return;
    };
    let now = dashboard.clock().now();
    let entry = NewAuditEntry {
        at: now,
        who: who.to_owned(),
        role: role.map_or_else(|| "-".to_owned(), |role| role.to_string()),
        address: visit.address.to_string(),
        action: action.to_owned(),
        target: BASE.to_owned(),
    };
    let outcome = if verified {
        AuditOutcome::Done
    } else {
        AuditOutcome::Refused
    };
    let written = async {
        let id = audit.begin(&entry).await?;
        audit.end(id, outcome, None, now).await
    };
    if let Err(trouble) = within(Dependency::MongoDb, written).await {
        tracing::warn!(seen = trouble.seen(), "the audit could not be written");
    }
}

/// `POST /dashboard/logout`.
pub(crate) async fn sign_out(visit: Visit, State(dashboard): State<Dashboard>) -> Response {
    let until = dashboard.sessions().end(&visit.session);
    if let Some(mongo) = dashboard.sources().operations_database() {
        let noted = ended_sessions::note(mongo, &visit.session.id, until);
        if let Err(trouble) = within(Dependency::MongoDb, noted).await {
            tracing::warn!(
                seen = trouble.seen(),
                "other processes do not learn that a session was ended"
            );
        }
    }
    if let Some(person) = &visit.who {
        note(&dashboard, &visit, &person.name, SIGN_OUT, true).await;
    }
    let mut response = Done::then(format!("{BASE}/login"), Text::of("login-signed-out")).into_response();
    response
        .extensions_mut()
        .insert(NewSession(dashboard.sessions().anonymous()));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_leads_to_no_other_site() {
        let page = |next: &str| {
            Next {
                next: Some(next.to_owned()),
            }
            .page()
            .to_owned()
        };
        assert_eq!(page("/dashboard/audit?offset=50"), "/dashboard/audit?offset=50");
        for elsewhere in [
            "https://evil.example.com",
            "//evil.example.com",
            "/dashboard//evil.example.com",
            "/dashboard/\\evil.example.com",
            "/dashboardevil",
            "/dashboard/\nSet-Cookie: a=b",
            "/api/billings",
        ] {
            assert_eq!(page(elsewhere), BASE, "{elsewhere}");
        }
    }
}
