//! The HTTP server: reads a request whole, lets the world answer it, and plays the faults that are set on it.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body_util::{BodyExt as _, Full, Limited, StreamBody, combinators::BoxBody};
use hyper::{
    Response, StatusCode,
    body::{Frame, Incoming},
    header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    admin,
    billz::{self, Route},
    clock,
    faults::{Fault, Faults, Plan},
    ledger::CallRecord,
    message::{Reply, Request},
    rate_limit::RateLimiter,
    settings::SandboxSettings,
    telegram,
    world::World,
};

/// The largest body that is read.
const BODY_LIMIT: usize = 4 * 1024 * 1024;

/// What all connections of a sandbox share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) world: Mutex<World>,
    /// What the sandbox was started with.
    pub(crate) initial: SandboxSettings,
    pub(crate) limiter: Mutex<RateLimiter>,
    pub(crate) faults: Faults,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

impl Shared {
    /// The world, also after a test panicked while it held the lock.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts everything back to how it was at the start.
    pub(crate) fn reset(&self) {
        self.faults.clear();
        self.faults.reseed(self.initial.seed);
        *self.limiter.lock().unwrap_or_else(PoisonError::into_inner) = RateLimiter::default();
        *self.world() = World::new(self.initial.clone());
    }

    fn admit(&self, peer: IpAddr) -> Result<(), Reply> {
        let (limit, retry_after) = {
            let world = self.world();
            (world.settings.rate_limit, world.settings.variants.retry_after)
        };
        let Some(limit) = limit else { return Ok(()) };
        let mut limiter = self.limiter.lock().unwrap_or_else(PoisonError::into_inner);
        limiter.admit(limit, retry_after, peer, Instant::now())
    }
}

/// Takes connections until the sandbox stops.
pub(crate) async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    loop {
        let taken = tokio::select! {
            () = shared.stop.cancelled() => return,
            taken = listener.accept() => taken,
        };
        match taken {
            Ok((stream, peer)) => {
                shared.tasks.spawn(serve_connection(Arc::clone(&shared), stream, peer));
            }
            // Out of file handles, most likely: the listener itself stays good, so wait for some to come free.
            Err(error) => {
                tracing::warn!(%error, "the sandbox could not take a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn serve_connection(shared: Arc<Shared>, stream: TcpStream, peer: SocketAddr) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| answer(Arc::clone(&shared), peer.ip(), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        () = shared.stop.cancelled() => {}
        ended = connection => {
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection to the sandbox ended early");
            }
        }
    }
}

/// The connection is to be closed without an answer: hyper does so when a service fails.
#[derive(Debug, thiserror::Error)]
#[error("cut by script")]
struct Cut;

type Body = BoxBody<Bytes, Cut>;

/// How an answer goes out.
enum Delivery {
    Whole(Reply),
    Truncated(Reply),
    Dripped {
        reply: Reply,
        bytes: usize,
        every: Duration,
    },
    Cut,
    Silence,
}

async fn answer(shared: Arc<Shared>, peer: IpAddr, request: hyper::Request<Incoming>) -> Result<Response<Body>, Cut> {
    let (parts, body) = request.into_parts();
    let query = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
    let mut request = Request {
        query: query.into_owned().collect(),
        path: parts.uri.path().to_owned(),
        method: parts.method,
        headers: parts.headers,
        body: Bytes::new(),
        peer,
    };
    match Limited::new(body, BODY_LIMIT).collect().await {
        Ok(body) => request.body = body.to_bytes(),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            let reply = Reply::json(
                413,
                &json!({"error": {"code": "BAD_REQUEST", "message": "request is too large"}}),
            );
            return Ok(response(reply));
        }
        Err(_) => return Err(Cut),
    }
    if admin::is_admin_path(&request.path) {
        return Ok(response(admin::answer(&shared, &request)));
    }
    // In a task of its own, so that a caller who hangs up does not undo what Billz would have done all the same.
    let tasks = shared.tasks.clone();
    let played = async move {
        let stop = shared.stop.clone();
        tokio::select! {
            () = stop.cancelled() => Delivery::Cut,
            delivery = play(&shared, request) => delivery,
        }
    };
    let delivery = tasks.spawn(played).await;
    match delivery.unwrap_or(Delivery::Cut) {
        Delivery::Whole(reply) => Ok(response(reply)),
        Delivery::Truncated(reply) => Ok(truncated(&reply)),
        Delivery::Dripped { reply, bytes, every } => Ok(dripped(&reply, bytes, every)),
        Delivery::Cut => Err(Cut),
        Delivery::Silence => std::future::pending().await,
    }
}

/// Everything that happens to one call, from its entry in the ledger to its answer.
async fn play(shared: &Arc<Shared>, request: Request) -> Delivery {
    let route = match telegram::endpoint_of(&request.method, &request.path) {
        Some(endpoint) => Route { endpoint, id: None },
        None => Route::of(&request.method, &request.path),
    };
    let is_telegram = request.path.starts_with("/bot");
    let body = request.json();
    let order_id = route.id.clone().or_else(|| {
        let body = body.as_ref().ok()?;
        let id = body
            .get("order_id")
            .or_else(|| body.get("params")?.get("order_id"))?
            .as_str()?;
        Some(id.to_owned())
    });
    let sequence = note_call(shared, &request, &route, order_id.clone(), body.as_ref().ok());
    if !is_telegram && let Err(reply) = shared.admit(request.peer) {
        note_answer(shared, sequence, Some(reply.status), false);
        return Delivery::Whole(reply);
    }
    let mut plan = shared.faults.plan(route.endpoint, order_id.as_deref());
    if !plan.names.is_empty()
        && let Some(call) = shared.world().call_mut(sequence)
    {
        call.fault = Some(plan.names.join("+"));
    }
    if let Some(mut held) = plan.held.take() {
        // Fails only once nobody can release it any more, which the sandbox's end does.
        let _released = held.changed().await;
    }
    if !plan.before.is_zero() {
        tokio::time::sleep(plan.before).await;
    }
    let (reply, effect) = match before_effect(shared, &plan, &body, order_id.as_deref()) {
        Some(reply) => (reply, false),
        None if is_telegram => shared.world().telegram(route.endpoint, &request),
        None => billz_call(shared, sequence, &route, &request, body),
    };
    if !plan.after.is_zero() {
        tokio::time::sleep(plan.after).await;
    }
    let delivery = deliver(plan, reply);
    let status = match &delivery {
        Delivery::Whole(reply) | Delivery::Truncated(reply) | Delivery::Dripped { reply, .. } => Some(reply.status),
        Delivery::Cut | Delivery::Silence => None,
    };
    note_answer(shared, sequence, status, effect);
    delivery
}

/// Plays what happens before the effect; an answer means that there is none.
fn before_effect<E>(
    shared: &Arc<Shared>,
    plan: &Plan,
    body: &Result<Value, E>,
    order_id: Option<&str>,
) -> Option<Reply> {
    match plan.fault.as_ref()? {
        Fault::Answer { effect: false, .. } | Fault::CutBefore | Fault::Hang => {
            // The true answer is never seen; `deliver` puts the scripted one in its place.
            Some(Reply::json(500, &Value::Null))
        }
        Fault::TokenRevoked => {
            shared.world().revoke_tokens();
            None
        }
        Fault::SoldOut => {
            let product_id = body
                .as_ref()
                .ok()
                .and_then(|body| body.get("product_id"))
                .and_then(Value::as_str);
            sell_out(&mut shared.world(), order_id, product_id);
            None
        }
        Fault::EnvelopeError {
            status_code,
            code,
            message,
        } => Some(Reply::json(
            200,
            &json!({"session_id": "", "status_code": status_code, "id": "",
                "error": {"code": code, "message": message}, "data": null, "correlation_id": "", "topic": ""}),
        )),
        Fault::SaleError { error_code, message } => {
            let refusal = billz::Refusal::Sale {
                error_code: Some(*error_code),
                message: message.clone(),
            };
            Some(shared.world().refused(&refusal))
        }
        _ => None,
    }
}

/// Leaves nothing of the goods of a call or of its sale that no parked sale holds.
fn sell_out(world: &mut World, order_id: Option<&str>, product_id: Option<&str>) {
    let of_order = order_id
        .and_then(|id| world.order_place(id))
        .map(|place| world.orders[place].quantities());
    let of_order = of_order
        .unwrap_or_default()
        .into_iter()
        .map(|(product_id, _)| product_id);
    for product_id in of_order.chain(product_id.map(str::to_owned)).collect::<Vec<_>>() {
        let sold = world.available(&product_id);
        if let Some(stock) = world.products.get(&product_id).map(|product| product.stock) {
            world.set_stock(&product_id, stock - sold);
        }
    }
}

fn billz_call(
    shared: &Arc<Shared>,
    sequence: u64,
    route: &Route,
    request: &Request,
    body: Result<Value, serde_json::Error>,
) -> (Reply, bool) {
    let mut world = shared.world();
    if let Err(reply) = world.admit(route, request) {
        return (reply, false);
    }
    let Ok(body) = body else {
        return (world.refused(&billz::Refusal::bad("body is not JSON")), false);
    };
    if route.endpoint.is_queued_write() && !billz::asks_for_http(request, &body) {
        let reply = world.acknowledge();
        let (delay, route, shared) = (world.settings.queue_delay, route.clone(), Arc::clone(shared));
        let request = request.clone_head();
        let tasks = shared.tasks.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = shared.stop.cancelled() => {}
                () = tokio::time::sleep(delay) => {
                    let mut world = shared.world();
                    let (_, effect) = world.answer(&route, &request, &body);
                    if let Some(call) = world.call_mut(sequence) {
                        call.effect = effect;
                    }
                }
            }
        });
        return (reply, false);
    }
    world.answer(route, request, &body)
}

/// What the fault makes of an answer.
fn deliver(plan: Plan, reply: Reply) -> Delivery {
    match plan.fault {
        Some(Fault::Answer {
            status,
            content_type,
            body,
            retry_after,
            ..
        }) => Delivery::Whole(Reply {
            status,
            content_type,
            retry_after,
            body: Bytes::from(body),
        }),
        Some(Fault::CutBefore | Fault::CutAfter) => Delivery::Cut,
        Some(Fault::Hang | Fault::HangAfter) => Delivery::Silence,
        Some(Fault::TruncatedBody) => Delivery::Truncated(reply),
        Some(Fault::EmptyBody) => Delivery::Whole(Reply {
            body: Bytes::new(),
            ..reply
        }),
        Some(Fault::SlowDrip { bytes, every_ms }) => Delivery::Dripped {
            reply,
            bytes: bytes.max(1),
            every: Duration::from_millis(every_ms),
        },
        _ => Delivery::Whole(reply),
    }
}

fn note_call(
    shared: &Arc<Shared>,
    request: &Request,
    route: &Route,
    order_id: Option<String>,
    body: Option<&Value>,
) -> u64 {
    let mut world = shared.world();
    let correlation_id = ["x-correlation-id", "correlation-id", "x-request-id"]
        .iter()
        .find_map(|name| request.header(name));
    let call = CallRecord {
        sequence: 0,
        at: clock::now(world.settings.clock_offset),
        at_us: u64::try_from(world.started.elapsed().as_micros()).unwrap_or(u64::MAX),
        name: route.endpoint.name(),
        method: request.method.to_string(),
        path: telegram::masked_path(&request.path),
        query: request.query.clone(),
        order_id,
        peer: request.peer.to_string(),
        correlation_id: correlation_id.map(str::to_owned),
        answer_over_http: billz::asks_for_http(request, body.unwrap_or(&Value::Null)),
        body: body.filter(|body| !body.is_null()).map(masked),
        status: None,
        fault: None,
        effect: false,
    };
    world.record_call(call)
}

fn note_answer(shared: &Arc<Shared>, sequence: u64, status: Option<u16>, effect: bool) {
    if let Some(call) = shared.world().call_mut(sequence) {
        call.status = status;
        call.effect |= effect;
    }
}

/// A body without its secrets.
fn masked(body: &Value) -> Value {
    let mut body = body.clone();
    for name in ["secret_token", "refresh_token"] {
        if let Some(secret) = body.get_mut(name) {
            *secret = Value::from("…");
        }
    }
    body
}

fn head(reply: &Reply) -> hyper::http::response::Builder {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut builder = Response::builder()
        .status(status)
        .header(CONTENT_TYPE, reply.content_type.as_str());
    if let Some(seconds) = reply.retry_after {
        builder = builder.header(RETRY_AFTER, seconds);
    }
    builder
}

fn finish(builder: hyper::http::response::Builder, body: Body) -> Response<Body> {
    builder
        .body(body)
        .unwrap_or_else(|_| Response::new(whole(Bytes::new())))
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never: Infallible| match never {}).boxed()
}

fn response(reply: Reply) -> Response<Body> {
    finish(head(&reply), whole(reply.body))
}

/// Promises the whole body, gives half of it, and breaks off.
fn truncated(reply: &Reply) -> Response<Body> {
    let builder = head(reply).header(CONTENT_LENGTH, reply.body.len());
    let half = reply.body.slice(..reply.body.len() / 2);
    let frames = stream::iter([Ok(Frame::data(half)), Err(Cut)]).then(|frame| async {
        if frame.is_err() {
            // Lets the half leave before the connection goes.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        frame
    });
    finish(builder, BoxBody::new(StreamBody::new(frames)))
}

fn dripped(reply: &Reply, bytes: usize, every: Duration) -> Response<Body> {
    let builder = head(reply).header(CONTENT_LENGTH, reply.body.len());
    let pieces: Vec<Bytes> = reply
        .body
        .chunks(bytes)
        .map(|piece| reply.body.slice_ref(piece))
        .collect();
    let frames = stream::iter(pieces).then(move |piece| async move {
        tokio::time::sleep(every).await;
        Ok(Frame::data(piece))
    });
    finish(builder, BoxBody::new(StreamBody::new(frames)))
}
