//! The pages with 100,000 jobs in Redis and 1,000,000 operations in the ledger. It takes some minutes, so that it is run by
//! hand: `cargo test -p billwright-dashboard --test it -- --ignored volume --nocapture`

use std::time::{Duration, Instant};

use mongodb::bson::{DateTime, Document, doc, oid::ObjectId};
use redis::aio::MultiplexedConnection;
use reqwest::StatusCode;

use crate::shop::Shop;

const JOBS: u32 = 100_000;
const OPERATIONS: u32 = 1_000_000;
const ORDERS: u32 = 200_000;
/// The goal for each page.
const GOAL: Duration = Duration::from_millis(200);
const TYPES: [&str; 5] = ["PLACE_ORDER", "MAKE_PAYMENT", "ADD_ITEM", "GET_ORDER", "DELETE_ORDER"];
const BEGAN_MS: i64 = 1_793_000_000_000;

fn kind(number: u32) -> &'static str {
    TYPES[number as usize % TYPES.len()]
}

/// Jobs of every state, as BullMQ keeps them; half of them wait.
async fn fill_queue(redis: &mut MultiplexedConnection, prefix: &str) {
    let key = |name: &str| format!("{prefix}:billz-operations:{name}");
    for first in (1..=JOBS).step_by(2_000) {
        let mut pipe = redis::pipe();
        for number in first..(first + 2_000).min(JOBS + 1) {
            let at = BEGAN_MS + i64::from(number) * 1_000;
            let data = format!(
                r#"{{"type":"{}","payload":{{"orderId":"sale-{number}","comment":"{}"}},"correlationId":"c-{number}","timestamp":{at}}}"#,
                kind(number),
                "x".repeat(200)
            );
            let id = number.to_string();
            let fields = [
                ("name", "job"),
                ("data", &data),
                ("opts", "{}"),
                ("delay", "0"),
                ("priority", "0"),
            ];
            pipe.hset_multiple(key(&id), &fields).ignore();
            pipe.hset(key(&id), "timestamp", at).ignore();
            match number % 10 {
                0 | 1 => {
                    pipe.hset_multiple(key(&id), &[("failedReason", "Billz answered 503"), ("atm", "5")])
                        .ignore();
                    pipe.hset(key(&id), "finishedOn", at + 500).ignore();
                    pipe.zadd(key("failed"), &id, at + 500).ignore();
                }
                2 | 3 => {
                    pipe.hset(key(&id), "finishedOn", at + 500).ignore();
                    pipe.zadd(key("completed"), &id, at + 500).ignore();
                }
                4 => {
                    pipe.zadd(key("delayed"), &id, (at + 86_400_000) * 4096).ignore();
                }
                _ => {
                    pipe.lpush(key("wait"), &id).ignore();
                }
            }
        }
        pipe.query_async::<()>(redis).await.unwrap();
    }
    redis::cmd("SET")
        .arg(key("id"))
        .arg(JOBS)
        .query_async::<()>(redis)
        .await
        .unwrap();
}

/// What [`fill_queue`] made, in pieces.
async fn empty_queue(redis: &mut MultiplexedConnection, prefix: &str) {
    for first in (1..=JOBS).step_by(2_000) {
        let mut unlink = redis::cmd("UNLINK");
        for number in first..(first + 2_000).min(JOBS + 1) {
            unlink.arg(format!("{prefix}:billz-operations:{number}"));
        }
        unlink.query_async::<()>(redis).await.unwrap();
    }
}

async fn fill(shop: &Shop, collection: &str, count: u32, document: impl Fn(u32) -> Document) {
    let collection = shop.dashboard.database.collection::<Document>(collection);
    for first in (1..=count).step_by(5_000) {
        let documents = (first..(first + 5_000).min(count + 1)).map(&document);
        collection.insert_many(documents).ordered(false).await.unwrap();
    }
}

fn operation(number: u32) -> Document {
    let at = DateTime::from_millis(BEGAN_MS + i64::from(number) * 1_000);
    let state = if number.is_multiple_of(20) {
        "failed"
    } else {
        "completed"
    };
    doc! {
        "_id": format!("{number:064x}"), "type": kind(number), "state": state, "jobId": number.to_string(),
        "correlationId": format!("c-{number}"), "orderId": format!("sale-{}", number % ORDERS),
        "payload": format!(r#"{{"orderId":"sale-{number}","comment":"{}"}}"#, "x".repeat(60)),
        "result": "{}", "attempts": 1, "createdAt": at, "updatedAt": at, "finishedAt": at,
    }
}

fn order(number: u32) -> Document {
    let at = DateTime::from_millis(BEGAN_MS + i64::from(number) * 1_000);
    let mut order = doc! {
        "_id": ObjectId::new(), "orderID": format!("N-{number}"), "totalPrice": 225, "isPaid": number.is_multiple_of(3),
        "createdAt": at, "updatedAt": at, "products": [{ "productID": "p", "qty": 1, "totalPrice": 225 }],
    };
    match number % 50 {
        0 => drop(order.insert("billzError", "out of stock")),
        1 => {}
        _ => drop(order.insert("billzId", format!("sale-{number}"))),
    }
    order
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes some minutes: see the head of the file"]
async fn volume() {
    let shop = Shop::open().await;
    let url = billwright_services::shared::redis_url().await.unwrap();
    let mut redis = redis::Client::open(url)
        .unwrap()
        .get_multiplexed_async_connection()
        .await
        .unwrap();
    let began = Instant::now();
    fill_queue(&mut redis, &shop.dashboard.queue.prefix).await;
    println!("{JOBS} jobs in {:.1} s", began.elapsed().as_secs_f32());
    let began = Instant::now();
    fill(&shop, "operations", OPERATIONS, operation).await;
    fill(&shop, "orders", ORDERS, order).await;
    println!(
        "{OPERATIONS} operations and {ORDERS} orders in {:.1} s",
        began.elapsed().as_secs_f32()
    );

    let id = shop.order("N-7").await.get_object_id("_id").unwrap().to_hex();
    let mut browser = shop.dashboard.signed_in("anna").await;
    let mut paths: Vec<String> = [
        "/dashboard",
        "/dashboard/jobs?state=waiting",
        "/dashboard/jobs?state=waiting&at=30000",
        "/dashboard/jobs?state=waiting&type=MAKE_PAYMENT",
        "/dashboard/jobs?state=waiting&type=CREATE_CLIENT",
        "/dashboard/jobs?state=failed",
        "/dashboard/jobs?state=failed&at=19900",
        "/dashboard/jobs?state=failed&type=PLACE_ORDER&from=2026-10-27&to=2026-10-28",
        "/dashboard/jobs?state=delayed",
        "/dashboard/jobs/search?q=77777",
        "/dashboard/jobs/search?q=c-77777",
        "/dashboard/jobs/search?q=sale-777",
        "/dashboard/jobs/search?q=nothing",
        "/dashboard/jobs/bulk?do=retry&state=failed",
        "/dashboard/jobs/bulk?do=retry&state=failed&type=PLACE_ORDER",
        "/dashboard/jobs/history",
        "/dashboard/jobs/history?type=MAKE_PAYMENT&state=failed",
        "/dashboard/jobs/history?state=failed",
        "/dashboard/jobs/history?type=ADD_ITEM&from=2026-10-28&to=2026-10-29",
        "/dashboard/jobs/history?offset=5000",
        "/dashboard/jobs/history?offset=100000",
        "/dashboard/job/50005",
        "/dashboard/job/999999",
        "/dashboard/orders",
        "/dashboard/orders?state=paid",
        "/dashboard/orders?state=parked",
        "/dashboard/orders?state=refused",
        "/dashboard/orders?state=unplaced",
        "/dashboard/orders?offset=100000",
        "/dashboard/orders?q=N-777",
    ]
    .map(str::to_owned)
    .to_vec();
    paths.push(format!("/dashboard/order/{id}"));
    let mut slow = Vec::new();
    for path in paths {
        let mut times = Vec::new();
        for _ in 0..5 {
            let began = Instant::now();
            let answer = browser.get(&path).await;
            times.push(began.elapsed());
            assert_eq!(answer.status, StatusCode::OK, "{path}");
            answer.hides(&["class=\"trouble\""]);
        }
        times.sort_unstable();
        println!(
            "{:>6.1} ms median, {:>6.1} ms longest  {path}",
            times[2].as_secs_f32() * 1e3,
            times[4].as_secs_f32() * 1e3
        );
        if times[2] > GOAL {
            slow.push(path);
        }
    }
    empty_queue(&mut redis, &shop.dashboard.queue.prefix).await;
    shop.close().await;
    assert!(slow.is_empty(), "over {GOAL:?}: {slow:?}");
}
