//! Billz: which path is which call, who may make it, and in which shape it is answered.

mod auth;
mod clients;
mod legacy;
mod listing;
mod orders;
mod reference;
mod views;

use hyper::Method;
use serde_json::{Value, json};

use crate::{
    message::{Reply, Request},
    variants::{ForbiddenList, LegacyCalls, SaleError},
    world::{Endpoint, World},
};

/// Which call a request is, and the id in its path.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub(crate) endpoint: Endpoint,
    pub(crate) id: Option<String>,
}

impl Route {
    pub(crate) fn of(method: &Method, path: &str) -> Self {
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (endpoint, id) = match (method.as_str(), segments.as_slice()) {
            ("POST", ["v1", "auth", "login"]) => (Endpoint::Login, None),
            ("POST", ["v2", "auth", "refresh"]) => (Endpoint::Refresh, None),
            ("POST", ["v1", "client"]) => (Endpoint::CreateClient, None),
            ("GET", ["v1", "client"]) => (Endpoint::FindClients, None),
            ("GET", ["v1", "shop"]) => (Endpoint::Shops, None),
            ("GET", ["v1", "cash-box"]) => (Endpoint::CashBoxes, None),
            ("GET", ["v1", "company-payment-type"]) => (Endpoint::PaymentTypes, None),
            ("GET", ["v1", "user"]) => (Endpoint::Users, None),
            ("POST", ["v1", "orders"]) => (Endpoint::Legacy, None),
            ("POST", ["v2", "order"]) => (Endpoint::CreateOrder, None),
            ("POST", ["v2", "order", "create_postpone"]) => (Endpoint::Park, None),
            ("POST", ["v2", "order", "return-postpone"]) => (Endpoint::Unpark, None),
            ("POST", ["v2", "order-product", id]) => (Endpoint::AddProduct, Some(*id)),
            ("PUT", ["v1", "order-item", id]) => (Endpoint::SetQuantity, Some(*id)),
            ("PUT", ["v2", "order-customer-new", id]) => (Endpoint::AttachCustomer, Some(*id)),
            ("POST", ["v2", "order-manual-discount", id]) => (Endpoint::Discount, Some(*id)),
            ("POST", ["v1", "recalculate-order-bill", id]) => (Endpoint::Recalculate, Some(*id)),
            ("POST", ["v2", "order-payment", id]) => (Endpoint::Pay, Some(*id)),
            ("GET", ["v2", "order", id]) => (Endpoint::GetOrder, Some(*id)),
            ("DELETE", ["v2", "order", id]) => (Endpoint::DeleteOrder, Some(*id)),
            ("GET", ["v2", "order-notes"]) => (Endpoint::OrderNotes, None),
            ("GET", ["v3", "order-search"]) => (Endpoint::OrderSearch, None),
            _ => (Endpoint::Unknown, None),
        };
        Self {
            endpoint,
            id: id.filter(|id| !id.is_empty()).map(decoded),
        }
    }
}

/// A path segment without percent-encoding.
fn decoded(segment: &str) -> String {
    url::form_urlencoded::parse(format!("v={}", segment.replace('+', "%2B")).as_bytes())
        .next()
        .map_or_else(|| segment.to_owned(), |(_, value)| value.into_owned())
}

/// Why Billz refuses a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The request itself is wrong.
    Bad(String),
    /// What the path names is not there.
    Missing(&'static str),
    /// The sale cannot do that; with Billz's number where it is known.
    Sale { error_code: Option<u32>, message: String },
}

impl Refusal {
    pub(crate) fn sale(message: impl Into<String>) -> Self {
        Self::Sale {
            error_code: None,
            message: message.into(),
        }
    }

    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::Bad(message.into())
    }
}

/// Whether the caller asked to get the result in this HTTP answer.
pub(crate) fn asks_for_http(request: &Request, body: &Value) -> bool {
    let is_http = |value: Option<&str>| value.is_some_and(|value| value.eq_ignore_ascii_case("HTTP"));
    is_http(request.query("Billz-Response-Channel"))
        || is_http(request.header("Billz-Response-Channel"))
        || is_http(body.get("response_type").and_then(Value::as_str))
}

impl World {
    /// What stands before every call: the token, and the role.
    pub(crate) fn admit(&self, route: &Route, request: &Request) -> Result<(), Reply> {
        let legacy_is_gone = self.settings.variants.legacy_calls == LegacyCalls::Gone;
        if route.endpoint == Endpoint::Unknown || (route.endpoint == Endpoint::Legacy && legacy_is_gone) {
            return Err(Reply::unknown_route());
        }
        if matches!(route.endpoint, Endpoint::Login | Endpoint::Refresh) {
            return Ok(());
        }
        let token = request
            .header("authorization")
            .and_then(|value| value.strip_prefix("Bearer "));
        let now = self.now();
        let known = token.and_then(|token| self.access_tokens.get(token));
        if known.is_none_or(|token| token.expires <= now) {
            return Err(Reply::token_error());
        }
        if self.settings.forbidden.contains(&route.endpoint) {
            if self.settings.variants.forbidden_list == ForbiddenList::Empty
                && let Some(key) = route.endpoint.list_key()
            {
                return Err(Reply::json(200, &json!({"count": 0, key: null})));
            }
            return Err(Reply::json(
                403,
                &json!({"code": 403, "message": "access denied", "error": "access denied", "data": null}),
            ));
        }
        Ok(())
    }

    /// Does what a call asks for and says what came of it.
    pub(crate) fn answer(&mut self, route: &Route, request: &Request, body: &Value) -> (Reply, bool) {
        self.free_expired_holds();
        let done = match (route.endpoint, route.id.as_deref()) {
            (Endpoint::Login, _) => return self.login(body),
            (Endpoint::Refresh, _) => return self.refresh(body),
            (Endpoint::Legacy, _) => return self.legacy(body),
            (Endpoint::CreateClient, _) => self.create_client(body),
            (Endpoint::FindClients, _) => self.find_clients(request),
            (Endpoint::Shops, _) => Ok(self.list_shops(request)),
            (Endpoint::CashBoxes, _) => Ok(self.list_cash_boxes(request)),
            (Endpoint::PaymentTypes, _) => Ok(self.list_payment_types(request)),
            (Endpoint::Users, _) => Ok(self.list_users(request)),
            (Endpoint::CreateOrder, _) => self.create_order(body),
            (Endpoint::AddProduct, Some(id)) => self.add_product(id, body),
            (Endpoint::SetQuantity, Some(id)) => self.set_quantity(id, body),
            (Endpoint::AttachCustomer, Some(id)) => self.attach_customer(id, body),
            (Endpoint::Discount, Some(id)) => self.discount(id, body),
            (Endpoint::Recalculate, Some(id)) => self.recalculate(id),
            (Endpoint::Park, _) => self.park(body),
            (Endpoint::Unpark, _) => self.unpark(body),
            (Endpoint::Pay, Some(id)) => self.pay(id, body),
            (Endpoint::GetOrder, Some(id)) => self.get_order(id),
            (Endpoint::OrderNotes, _) => self.order_notes(request),
            (Endpoint::OrderSearch, _) => self.order_search(request),
            (Endpoint::DeleteOrder, Some(id)) => self.delete_order(id),
            _ => return (Reply::unknown_route(), false),
        };
        match done {
            Ok(value) => (Reply::json(200, &value), true),
            Err(refusal) => (self.refused(&refusal), false),
        }
    }

    /// What Billz says when it only took note of a write.
    pub(crate) fn acknowledge(&mut self) -> Reply {
        Reply::json(200, &json!({"id": self.next_id("message")}))
    }

    /// The answer to a refused call.
    pub(crate) fn refused(&self, refusal: &Refusal) -> Reply {
        match refusal {
            Refusal::Bad(message) => Reply::json(400, &json!({"error": {"code": "BAD_REQUEST", "message": message}})),
            Refusal::Missing(message) => Reply::json(404, &json!({"error": {"code": "NOT_FOUND", "message": message}})),
            Refusal::Sale { error_code, message } => {
                let data = match error_code {
                    Some(error_code) => json!({"error_code": error_code, "message": message}),
                    None => Value::Null,
                };
                let error = json!({"code": "BAD_REQUEST", "message": message});
                match (self.settings.variants.sale_error, error_code) {
                    (SaleError::BareCode, Some(_)) => Reply::json(200, &json!({"data": data})),
                    (SaleError::BadRequest, _) => Reply::json(400, &json!({"error": error, "data": data})),
                    (SaleError::Envelope | SaleError::BareCode, _) => Reply::json(
                        200,
                        &json!({"session_id": "", "status_code": 400, "id": "", "error": error, "data": data,
                            "correlation_id": "", "topic": ""}),
                    ),
                }
            }
        }
    }

    /// An envelope of success.
    pub(crate) fn envelope(&mut self, id: &str, data: &Value, topic: &str) -> Value {
        json!({
            "session_id": self.next_id("session"),
            "status_code": 200,
            "id": id,
            "error": {"code": "", "message": ""},
            "data": data,
            "correlation_id": self.next_id("correlation"),
            "topic": topic,
        })
    }
}

/// A field that must be text with something in it.
fn text<'body>(body: &'body Value, name: &str) -> Result<&'body str, Refusal> {
    match body.get(name).and_then(Value::as_str) {
        Some(text) if !text.is_empty() => Ok(text),
        _ => Err(Refusal::bad(format!("{name} is required"))),
    }
}
