//! One request to the dashboard: who asks, from where, in which language. The guard makes it; handlers take it.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use form_urlencoded::Serializer;
use http::{Uri, request::Parts};

use crate::{
    section::Trouble,
    session::{Flash, Session},
    texts::Texts,
    users::Role,
};

/// One request to the dashboard.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    /// Who asks; nobody on the pages that are there for everybody.
    pub(crate) who: Option<Person>,
    /// Their session, which holds the token of their forms.
    pub(crate) session: Session,
    /// From which address.
    pub(crate) address: IpAddr,
    /// What the pages say, in their language.
    pub(crate) texts: &'static Texts,
    /// The message that waited for this page.
    pub(crate) flash: Option<Flash>,
    /// What they asked for.
    pub(crate) uri: Uri,
    /// Whether people sign in here at all.
    pub(crate) has_users: bool,
}

/// Somebody who may use the dashboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    /// The name in `DASHBOARD_USERS`, or `local` where there is no such list.
    pub(crate) name: String,
    /// What they may do.
    pub(crate) role: Role,
}

impl Visit {
    /// Whether the visitor may act.
    pub(crate) fn may_act(&self) -> bool {
        self.who.as_ref().is_some_and(|person| person.role >= Role::Operator)
    }

    /// This page's address with one value of the query replaced.
    pub(crate) fn address_with(&self, name: &str, value: &str) -> String {
        let mut query = Serializer::new(String::new());
        let old = self.uri.query().unwrap_or_default();
        for (old_name, old_value) in form_urlencoded::parse(old.as_bytes()) {
            if old_name != name {
                query.append_pair(&old_name, &old_value);
            }
        }
        query.append_pair(name, value);
        format!("{}?{}", self.uri.path(), query.finish())
    }
}

impl<S: Sync> FromRequestParts<S> for Visit {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| Trouble::Failed("a page was reached around the guard".to_owned()))
    }
}
