//! The way of one call: breaker, budget, token, the exchange itself, what its answer means, and what is told about it.

use std::time::Duration;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::time::Instant;
use tracing::Instrument;

use super::{
    Billz, BillzError, CallContext,
    answer::{self, Effect},
};
use crate::http::{NoReply, Reply, Request, header_value};

/// The fixed value that the documentation prints for `platform-id`.
const PLATFORM_ID: HeaderValue = HeaderValue::from_static("7d4a4c38-dd84-4902-b744-0488b80a4c01");
/// Makes Billz answer a write in the same exchange instead of over a websocket; documented now in the query, now as a
/// header.
const CHANNEL: &str = "Billz-Response-Channel";

const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// One call, ready to be sent.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) name: &'static str,
    method: Method,
    path: Vec<String>,
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
    effect: Effect,
}

impl Call {
    pub(super) fn get(name: &'static str, path: &[&str]) -> Self {
        Self::new(name, Method::GET, path, None, Effect::Repeatable)
    }

    pub(super) fn post(name: &'static str, path: &[&str], body: Value) -> Self {
        Self::new(name, Method::POST, path, Some(body), Effect::Write)
    }

    pub(super) fn put(name: &'static str, path: &[&str], body: Value) -> Self {
        Self::new(name, Method::PUT, path, Some(body), Effect::Write)
    }

    pub(super) fn delete(name: &'static str, path: &[&str]) -> Self {
        Self::new(name, Method::DELETE, path, None, Effect::Write)
    }

    fn new(name: &'static str, method: Method, path: &[&str], body: Option<Value>, effect: Effect) -> Self {
        Self {
            name,
            method,
            path: path.iter().map(|part| (*part).to_owned()).collect(),
            query: Vec::new(),
            body,
            effect,
        }
    }

    /// Sending it twice does no harm although it is a POST.
    pub(super) fn repeatable(mut self) -> Self {
        self.effect = Effect::Repeatable;
        self
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }
}

/// How much time is left to one call of this client, over all its exchanges. Waiting for the budget does not use it up.
#[derive(Debug)]
pub(super) struct Operation {
    left: Duration,
    waited: Duration,
}

impl Operation {
    pub(super) fn new(timeout: Duration) -> Self {
        Self {
            left: timeout,
            waited: Duration::ZERO,
        }
    }
}

impl Billz {
    /// Makes a call with a token, logging in where that is needed, and again once where the token is rejected. `read` makes
    /// of a good answer what it stands for, or says that it is none after all.
    pub(super) async fn call<T>(
        &self,
        context: &CallContext,
        call: Call,
        read: impl Fn(Value) -> Result<T, BillzError>,
    ) -> Result<T, BillzError> {
        let span = tracing::info_span!(
            "billz.call",
            otel.name = format!("billz.{}", call.name),
            otel.kind = "client",
            billz.call = call.name,
            correlation.id = %context.correlation_id,
            billz.outcome = tracing::field::Empty,
            billz.budget_wait_ms = tracing::field::Empty,
            otel.status_code = tracing::field::Empty,
        );
        let mut operation = Operation::new(self.settings().operation_timeout);
        let outcome = self
            .call_with_token(context, &call, &read, &mut operation)
            .instrument(span.clone())
            .await;
        span.record(
            "billz.outcome",
            outcome.as_ref().map_or_else(BillzError::outcome, |_| "ok"),
        );
        span.record(
            "billz.budget_wait_ms",
            u64::try_from(operation.waited.as_millis()).unwrap_or(u64::MAX),
        );
        if let Err(error) = &outcome {
            span.record("otel.status_code", "ERROR");
            span.in_scope(|| tracing::debug!(%error, "the call did not succeed"));
        }
        outcome
    }

    async fn call_with_token<T>(
        &self,
        context: &CallContext,
        call: &Call,
        read: &impl Fn(Value) -> Result<T, BillzError>,
        operation: &mut Operation,
    ) -> Result<T, BillzError> {
        let mut token = self.token(context, operation).await?;
        // The first token in the place of a rejected one may be one that another process stored and Billz rejects too;
        // the second is from a login.
        for _ in 0..2 {
            match self.run(context, call, Some(&token), read, operation).await {
                Err(BillzError::Unauthorized { .. }) => {
                    token = self.token_instead_of(&token, context, operation).await?;
                }
                other => return other,
            }
        }
        self.run(context, call, Some(&token), read, operation).await
    }

    /// Makes a call with this token or none; one that may be repeated is repeated once where no answer came.
    pub(super) async fn run<T>(
        &self,
        context: &CallContext,
        call: &Call,
        token: Option<&SecretString>,
        read: &impl Fn(Value) -> Result<T, BillzError>,
        operation: &mut Operation,
    ) -> Result<T, BillzError> {
        match self.exchange(context, call, token, read, operation).await {
            Err(BillzError::Unavailable { .. }) if call.effect == Effect::Repeatable => {
                self.exchange(context, call, token, read, operation).await
            }
            other => other,
        }
    }

    async fn exchange<T>(
        &self,
        context: &CallContext,
        call: &Call,
        token: Option<&SecretString>,
        read: &impl Fn(Value) -> Result<T, BillzError>,
        operation: &mut Operation,
    ) -> Result<T, BillzError> {
        let outcome = self.try_exchange(context, call, token, read, operation).await;
        let word = outcome.as_ref().map_or_else(BillzError::outcome, |_| "ok");
        metrics::counter!("billwright_billz_calls_total", "call" => call.name, "outcome" => word).increment(1);
        outcome
    }

    async fn try_exchange<T>(
        &self,
        context: &CallContext,
        call: &Call,
        token: Option<&SecretString>,
        read: &impl Fn(Value) -> Result<T, BillzError>,
        operation: &mut Operation,
    ) -> Result<T, BillzError> {
        let request = self.request(context, call, token)?;
        // Not worth waiting for a slot while nothing may be sent; and it may have opened while we waited.
        self.breaker()
            .check()
            .map_err(|held| BillzError::BreakerOpen { until: held.until })?;
        operation.waited += self.budget().acquire(context.urgency, &context.cancel).await?;
        let permit = self
            .breaker()
            .permit()
            .map_err(|held| BillzError::BreakerOpen { until: held.until })?;

        let timeout = self.settings().request_timeout.min(operation.left);
        if timeout.is_zero() {
            return Err(BillzError::Unavailable {
                call: call.name,
                reason: format!("no time left of {} s", self.settings().operation_timeout.as_secs_f32()),
            });
        }
        let started = Instant::now();
        let sending = self.http().send(request, timeout);
        let reply = match call.effect {
            Effect::Repeatable => tokio::select! {
                reply = sending => reply,
                () = context.cancel.cancelled() => return Err(BillzError::Cancelled),
            },
            // A write that is under way is never given up: its outcome would be unknown for no reason.
            Effect::Write => sending.await,
        };
        let took = started.elapsed();
        operation.left = operation.left.saturating_sub(took);
        metrics::histogram!("billwright_billz_call_duration_seconds", "call" => call.name).record(took.as_secs_f64());
        match &reply {
            Ok(reply) if !answer::is_broken(reply.status) && reply.body.is_ok() => permit.succeeded(),
            _ => permit.failed(),
        }
        self.judge(call, reply).await.and_then(read)
    }

    async fn judge(&self, call: &Call, reply: Result<Reply, NoReply>) -> Result<Value, BillzError> {
        let reply = match reply {
            Ok(reply) => reply,
            Err(NoReply::NotSent(reason)) => {
                return Err(BillzError::Unavailable {
                    call: call.name,
                    reason,
                });
            }
            Err(NoReply::Lost(reason)) => return Err(answer::lost(call.name, call.effect, reason)),
        };
        tracing::debug!(http.status = reply.status.as_u16(), "Billz answered");
        let decided = answer::decide(call.name, call.effect, &reply, self.clock().now());
        match decided {
            Err(BillzError::RateLimited { after }) => {
                let asked = Some(after).filter(|asked| !asked.is_zero());
                Err(BillzError::RateLimited {
                    after: self.budget().slow_down(asked).await,
                })
            }
            other => other,
        }
    }

    fn request(&self, context: &CallContext, call: &Call, token: Option<&SecretString>) -> Result<Request, BillzError> {
        let mut path = self.settings().base_url.path().trim_end_matches('/').to_owned();
        for part in &call.path {
            // A URL swallows these parts, and the call would go to another resource.
            if matches!(part.as_str(), "." | "..") {
                return Err(BillzError::NotFound { call: call.name });
            }
            path.push('/');
            path.extend(utf8_percent_encode(part, IN_PATH));
        }
        let mut url = self.settings().base_url.clone();
        url.set_path(&path);
        url.set_fragment(None);
        let is_sales_write = call.effect == Effect::Write;
        url.set_query(None);
        if is_sales_write || !call.query.is_empty() {
            let mut query = url.query_pairs_mut();
            for (name, value) in &call.query {
                query.append_pair(name, value);
            }
            if is_sales_write {
                query.append_pair(CHANNEL, "HTTP");
            }
        }

        let mut headers = HeaderMap::new();
        if let Some(trace) = self.settings().trace_headers {
            trace(&mut headers);
        }
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert("platform-id", PLATFORM_ID);
        headers.insert("x-correlation-id", header_value(context.correlation_id.as_str()));
        if is_sales_write {
            headers.insert("billz-response-channel", HeaderValue::from_static("HTTP"));
        }
        if let Some(token) = token {
            let mut value = header_value(&format!("Bearer {}", token.expose_secret()));
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let body = call.body.as_ref().map(|body| Bytes::from(body.to_string()));
        if body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Ok(Request {
            method: call.method.clone(),
            url,
            headers,
            body,
        })
    }
}
