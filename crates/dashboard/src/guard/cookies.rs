//! The cookies of the pages: never seen by scripts, and never sent along from other sites.

use axum::response::Response;
use cookie::{Cookie, SameSite, time::Duration as CookieAge};
use http::{HeaderMap, HeaderValue, header};

use crate::routes::BASE;

pub(super) const SESSION_COOKIE: &str = "billwright_session";
pub(super) const FLASH_COOKIE: &str = "billwright_flash";
pub(super) const LANGUAGE_COOKIE: &str = "billwright_language";

/// The cookies of a request.
pub(super) struct Cookies(Vec<Cookie<'static>>);

impl Cookies {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let texts = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok());
        Self(
            texts
                .flat_map(|text| Cookie::split_parse(text.to_owned()))
                .filter_map(Result::ok)
                .collect(),
        )
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|cookie| cookie.name() == name).map(Cookie::value)
    }
}

/// Writes cookies.
pub(super) struct Jar {
    /// Whether the browser may send them over https alone.
    pub(super) secure: bool,
}

impl Jar {
    pub(super) fn set(&self, response: &mut Response, name: &'static str, value: impl Into<String>) {
        self.write(response, Cookie::new(name, value.into()));
    }

    pub(super) fn keep(&self, response: &mut Response, name: &'static str, value: &'static str) {
        let cookie = Cookie::build((name, value)).max_age(CookieAge::days(365)).build();
        self.write(response, cookie);
    }

    pub(super) fn remove(&self, response: &mut Response, name: &'static str) {
        let cookie = Cookie::build((name, "")).max_age(CookieAge::ZERO).build();
        self.write(response, cookie);
    }

    fn write(&self, response: &mut Response, mut cookie: Cookie<'static>) {
        cookie.set_path(BASE);
        cookie.set_http_only(true);
        cookie.set_same_site(SameSite::Strict);
        cookie.set_secure(self.secure);
        if let Ok(value) = HeaderValue::from_str(&cookie.to_string()) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
}
