//! As much of a browser as the tests need: cookies, forms, and no redirect that a test did not ask for.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use reqwest::{Client, Method, StatusCode, header, redirect::Policy};

/// A browser.
pub(crate) struct Browser {
    http: Client,
    base: String,
    cookies: BTreeMap<String, String>,
    headers: Vec<(String, String)>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// Where it redirects to.
    pub(crate) fn location(&self) -> &str {
        self.headers
            .get(header::LOCATION)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// One header.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// That the page shows all of these.
    #[track_caller]
    pub(crate) fn shows(&self, texts: &[&str]) -> &Self {
        for text in texts {
            assert!(
                self.text.contains(text),
                "`{text}` is missing ({}) in:\n{}",
                self.status,
                self.text
            );
        }
        self
    }

    /// That the page shows none of these.
    #[track_caller]
    pub(crate) fn hides(&self, texts: &[&str]) -> &Self {
        for text in texts {
            assert!(!self.text.contains(text), "`{text}` is in:\n{}", self.text);
        }
        self
    }

    /// The token of the page's forms.
    pub(crate) fn csrf(&self) -> String {
        let after = self.text.split("name=\"csrf\" value=\"").nth(1).unwrap_or_default();
        after.split('"').next().unwrap_or_default().to_owned()
    }
}

impl Browser {
    pub(crate) fn at(address: SocketAddr) -> Self {
        Self {
            http: Client::builder().redirect(Policy::none()).build().unwrap(),
            base: format!("http://{address}"),
            cookies: BTreeMap::new(),
            headers: Vec::new(),
        }
    }

    /// Sends this header from now on.
    pub(crate) fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The value of a cookie.
    pub(crate) fn cookie(&self, name: &str) -> Option<&String> {
        self.cookies.get(name)
    }

    /// Puts a cookie into the browser.
    pub(crate) fn set_cookie(&mut self, name: &str, value: &str) {
        self.cookies.insert(name.to_owned(), value.to_owned());
    }

    /// Asks for a page.
    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    /// Asks for a page until it shows all of these.
    pub(crate) async fn until(&mut self, path: &str, texts: &[&str]) -> Answer {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(40);
        loop {
            let page = self.get(path).await;
            if texts.iter().all(|text| page.text.contains(text)) || tokio::time::Instant::now() > deadline {
                page.shows(texts);
                return page;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Sends a form as it is.
    pub(crate) async fn post_raw(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        self.send(Method::POST, path, Some(body)).await
    }

    /// Sends a form with the token that the session has.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        // The sign-out button of every page carries it, and so does the form for signing in.
        let mut page = self.get("/dashboard/audit").await;
        if page.status.is_redirection() {
            page = self.get("/dashboard/login").await;
        }
        let token = page.csrf();
        let mut all = vec![("csrf", token.as_str())];
        all.extend_from_slice(fields);
        self.post_raw(path, &all).await
    }

    /// Signs in.
    pub(crate) async fn sign_in(&mut self, name: &str, password: &str) -> Answer {
        let token = self.get("/dashboard/login").await.csrf();
        let fields = [("csrf", token.as_str()), ("name", name), ("password", password)];
        self.post_raw("/dashboard/login", &fields).await
    }

    async fn send(&mut self, method: Method, path: &str, form: Option<String>) -> Answer {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if !self.cookies.is_empty() {
            let cookies: Vec<String> = self
                .cookies
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        if let Some(form) = form {
            request = request
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        for set in headers.get_all(header::SET_COOKIE) {
            let cookie = set.to_str().unwrap();
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            if cookie.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Answer {
            status,
            headers,
            text: response.text().await.unwrap(),
        }
    }
}
