//! Steering over HTTP, for tests in other processes and for people: the same powers that the library has.

use std::{sync::Arc, time::Duration};

use hyper::Method;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    faults::FaultRule,
    message::{Reply, Request},
    number::decimal,
    page,
    server::Shared,
    settings::{GroupLimit, RateLimit},
    variants::Variants,
    world::Endpoint,
};

const PREFIX: &str = "/__sandbox";

/// What can be changed while the sandbox runs; what is absent stays as it is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigChange {
    /// Habits to change, by their names in [`Variants`].
    #[serde(default)]
    variants: Map<String, Value>,
    /// Billz calls a second; 0 takes the limit away.
    rate_limit: Option<u32>,
    /// Names of calls that the key's role does not have.
    forbidden: Option<Vec<Endpoint>>,
    /// Whether products that nobody named are taken.
    any_product: Option<bool>,
    /// Seconds added to the machine's time.
    clock_offset_seconds: Option<i32>,
    /// Whether Telegram's limits for a group hold.
    telegram_limits: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StockChange {
    product_id: String,
    stock: Value,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum GroupChange {
    Moved { from: i64, to: i64 },
    Kicked(i64),
    Readmitted(i64),
}

/// Whether a path is the page or one of the steering calls.
pub(crate) fn is_admin_path(path: &str) -> bool {
    path == "/" || path == PREFIX || path.strip_prefix(PREFIX).is_some_and(|rest| rest.starts_with('/'))
}

/// Answers the page and the steering calls.
pub(crate) fn answer(shared: &Arc<Shared>, request: &Request) -> Reply {
    let call = request
        .path
        .strip_prefix(PREFIX)
        .map_or("page", |rest| rest.trim_matches('/'));
    match (&request.method, call) {
        (&Method::GET, "page" | "") => {
            let (ledger, variants) = {
                let world = shared.world();
                (world.ledger(), world.settings.variants)
            };
            Reply::html(200, page::render(&ledger, &variants, &shared.faults.rules()))
        }
        (&Method::GET, "ledger") => {
            let ledger = shared.world().ledger();
            let mut books = serde_json::to_value(&ledger).unwrap_or(Value::Null);
            books["peak_billz_calls_per_second"] = json!(ledger.peak_billz_calls(Duration::from_secs(1)));
            Reply::json(200, &books)
        }
        (&Method::GET, "faults") => Reply::json(200, &json!(shared.faults.rules())),
        (&Method::GET, "config") => Reply::json(200, &json!({"variants": shared.world().settings.variants})),
        (&Method::DELETE, "faults") => {
            shared.faults.clear();
            done()
        }
        (&Method::POST, "faults") => outcome(add_faults(shared, request)),
        (&Method::POST, "config") => outcome(change_config(shared, request)),
        (&Method::POST, "stock") => outcome(change_stock(shared, request)),
        (&Method::POST, "telegram") => outcome(change_group(shared, request)),
        (&Method::POST, "reset") => {
            shared.reset();
            done()
        }
        (&Method::POST, "revoke-tokens") => {
            shared.world().revoke_tokens();
            done()
        }
        _ => Reply::json(
            404,
            &json!({"error": "no such call; there are GET /, GET /__sandbox/ledger, GET|POST|DELETE /__sandbox/faults, \
                GET|POST /__sandbox/config, POST /__sandbox/stock, /telegram, /reset, /revoke-tokens"}),
        ),
    }
}

fn done() -> Reply {
    Reply::json(200, &json!({"ok": true}))
}

fn outcome(result: Result<(), String>) -> Reply {
    match result {
        Ok(()) => done(),
        Err(problem) => Reply::json(400, &json!({"error": problem})),
    }
}

fn body<T: for<'de> Deserialize<'de>>(request: &Request) -> Result<T, String> {
    serde_json::from_slice(&request.body).map_err(|error| error.to_string())
}

/// One rule or a list of them: all are set, or none.
fn add_faults(shared: &Arc<Shared>, request: &Request) -> Result<(), String> {
    let rules: Vec<FaultRule> = match body::<Value>(request)? {
        list @ Value::Array(_) => serde_json::from_value(list).map_err(|error| error.to_string())?,
        one => vec![serde_json::from_value(one).map_err(|error| error.to_string())?],
    };
    if let Some(problem) = rules.iter().find_map(FaultRule::problem) {
        return Err(problem);
    }
    rules.into_iter().try_for_each(|rule| shared.faults.add(rule))
}

fn change_config(shared: &Arc<Shared>, request: &Request) -> Result<(), String> {
    let change: ConfigChange = body(request)?;
    let mut world = shared.world();
    let mut variants = serde_json::to_value(world.settings.variants).map_err(|error| error.to_string())?;
    if let Some(known) = variants.as_object_mut() {
        known.extend(change.variants);
    }
    let variants: Variants = serde_json::from_value(variants).map_err(|error| error.to_string())?;
    world.settings.variants = variants;
    if let Some(per_second) = change.rate_limit {
        world.settings.rate_limit = (per_second > 0).then(|| RateLimit::per_second(per_second));
    }
    if let Some(forbidden) = change.forbidden {
        world.settings.forbidden = forbidden;
    }
    if let Some(any_product) = change.any_product {
        world.settings.any_product = any_product;
    }
    if let Some(seconds) = change.clock_offset_seconds {
        world.settings.clock_offset = chrono::TimeDelta::seconds(seconds.into());
    }
    if let Some(limits) = change.telegram_limits {
        world.settings.telegram.group_limit = limits.then(GroupLimit::default);
    }
    Ok(())
}

fn change_stock(shared: &Arc<Shared>, request: &Request) -> Result<(), String> {
    let change: StockChange = body(request)?;
    let stock = decimal(&change.stock)
        .filter(|stock| *stock >= Decimal::ZERO)
        .ok_or_else(|| format!("`stock` must be a number of 0 or more, not {}", change.stock))?;
    if shared.world().set_stock(&change.product_id, stock) {
        Ok(())
    } else {
        Err(format!("no product has the id `{}`", change.product_id))
    }
}

fn change_group(shared: &Arc<Shared>, request: &Request) -> Result<(), String> {
    let change: GroupChange = body(request)?;
    let mut world = shared.world();
    match change {
        GroupChange::Moved { from, to } => world.chats.move_group(from, to),
        GroupChange::Kicked(chat_id) => world.chats.set_kicked(chat_id, true),
        GroupChange::Readmitted(chat_id) => world.chats.set_kicked(chat_id, false),
    }
    Ok(())
}
