//! Billz: login, shop, cash box and payment types. Reads only, within the budget that all workers share.

use std::sync::Arc;

use billwright_connectors::billz::{BillzCalls, BillzError, CallContext};
use billwright_domain::{Clock, CorrelationId, SystemClock};
use billwright_store::Mongo;
use uuid::Uuid;

use super::Finding;
use crate::{config::WorkerConfig, roles};

const NAME: &str = "Billz";

/// Tries it.
pub(super) async fn check(config: &WorkerConfig) -> Vec<Finding> {
    let clock: Arc<dyn Clock> = SystemClock::shared();
    let prepared = async {
        let mongo = Mongo::open(&config.mongo).await?;
        roles::worker::connect(config, &mongo, clock).await
    };
    let billz = match prepared.await {
        Ok(billz) => billz,
        Err(error) => {
            return vec![Finding::failed(
                format!("{NAME}: credentials"),
                format!("{error:#}"),
                "set `BILLZ_TOKEN` and `BILLZ_SHOP_ID`, or keep an active `integrations` document of type `billz`",
            )];
        }
    };
    let Ok(id) = CorrelationId::parse(&format!("check-{}", Uuid::now_v7())) else {
        return Vec::new();
    };
    let calls = billz.calls(CallContext::ordinary(id));
    let shop = billz.settings().shop_id.clone();
    let shops = match calls.shops().await {
        Ok(shops) => shops,
        Err(error) => return vec![failed("login", &error)],
    };
    let mut findings = vec![Finding::ok(format!("{NAME}: login"), "taken")];
    let check = format!("{NAME}: shop");
    findings.push(match shops.iter().find(|found| found.id == shop) {
        Some(found) => Finding::ok(check, format!("`{}`", found.name)),
        None => Finding::failed(
            check,
            format!("none of the {} shops has the id of the configuration", shops.len()),
            format!(
                "set `BILLZ_SHOP_ID` to one of: {}",
                ids(shops.iter().map(|shop| shop.id.as_str()))
            ),
        ),
    });
    findings.push(cashbox(&calls, config, &shop).await);
    let check = format!("{NAME}: payment types");
    findings.push(match calls.payment_types().await {
        Ok(types) if types.is_empty() => Finding::warning(
            check,
            "none",
            "make payment types in Billz: without one no order can be paid",
        ),
        Ok(types) => Finding::ok(check, format!("{}", types.len())),
        Err(error) => failed("payment types", &error),
    });
    findings
}

async fn cashbox(calls: &BillzCalls, config: &WorkerConfig, shop: &billwright_domain::ShopId) -> Finding {
    let check = format!("{NAME}: cash box");
    let boxes = match calls.cashboxes().await {
        Ok(boxes) => boxes,
        Err(error) => return failed("cash box", &error),
    };
    let of_shop = || {
        boxes
            .iter()
            .filter(|found| found.shop.as_ref().is_none_or(|of| of == shop))
    };
    let wanted = config.billz.cashbox_id.as_ref();
    let found = match wanted {
        Some(wanted) => boxes.iter().find(|found| found.id == *wanted),
        None => of_shop().next(),
    };
    match (found, wanted) {
        (Some(found), _) => Finding::ok(check, format!("`{}`", found.name)),
        (None, Some(_)) => Finding::failed(
            check,
            "none has the id of the configuration",
            format!(
                "set `BILLZ_CASHBOX_ID` to one of: {}",
                ids(of_shop().map(|found| found.id.as_str()))
            ),
        ),
        (None, None) => Finding::failed(
            check,
            "the shop has none",
            "make a cash box for the shop in Billz: without one no sale can be made",
        ),
    }
}

fn ids<'a>(ids: impl Iterator<Item = &'a str>) -> String {
    ids.take(10).collect::<Vec<_>>().join(", ")
}

fn failed(what: &str, error: &BillzError) -> Finding {
    let what_to_do = match error {
        BillzError::Unauthorized { .. } => {
            "set `BILLZ_TOKEN` to a secret token that Billz takes: make a new one in its settings"
        }
        BillzError::Forbidden { .. } => "give the integration of this token the rights for shops, cash boxes and sales",
        BillzError::RateLimited { .. } => {
            "wait a minute and try again; see that `BILLZ_RATE_LIMIT` is not above what Billz allows"
        }
        _ => "see that this machine reaches `BILLZ_BASE_URL`, and whether Billz itself works",
    };
    Finding::failed(format!("{NAME}: {what}"), error.to_string(), what_to_do)
}
