//! A worker dies at every boundary between two steps, and another one goes on: one order, one payment, no stray draft.
//!
//! A worker's death is its runtime's: nothing of it runs any more, and nothing is cleaned up, as after `SIGKILL`. All
//! deaths happen in one database and one Billz, so that what one leaves behind would show in the others.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use billwright_sandbox::{Decimal, OrderState, PRODUCT_ID};
use billwright_worker::{Checkpoint, WorkerSettings};
use serde_json::{Value, json};
use tokio::{runtime::Runtime, sync::Notify};

use crate::world::{Ended, World, order};

/// A runtime that may be dropped anywhere.
struct Doomed(Option<Runtime>);

impl Doomed {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        Self(Some(runtime))
    }
}

impl Drop for Doomed {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Runs one job on a worker that dies at its boundary number `at`, and then on one that lives. Says whether the first one
/// came so far.
async fn crash_at(world: &World, at: usize, kind: &str, payload: Value) -> (Ended, bool) {
    let reached = Arc::new(Notify::new());
    let settings = dying_at(world.settings(), at, reached.clone());
    let doomed = Doomed::new();
    // Everything that the worker uses dies with it: the clients too.
    let worker = doomed.0.as_ref().map(|runtime| {
        let _inside = runtime.enter();
        world.start_with(settings, world.billz(), None)
    });
    let job = world.add(kind, payload).await;
    let crashed = tokio::select! {
        () = reached.notified() => true,
        _ = world.ended(&job) => false,
    };
    drop((doomed, worker));
    world.let_locks_run_out(&job).await;
    let next = world.start();
    let ended = world.ended(&job).await;
    next.stop().await;
    (ended, crashed)
}

fn dying_at(mut settings: WorkerSettings, at: usize, reached: Arc<Notify>) -> WorkerSettings {
    let passed = AtomicUsize::new(0);
    settings.checkpoint = Some(Checkpoint::new(move |_| {
        let here = passed.fetch_add(1, Ordering::SeqCst) == at;
        let reached = reached.clone();
        Box::pin(async move {
            if here {
                reached.notify_one();
                std::future::pending::<()>().await;
            }
        })
    }));
    settings
}

/// How many workers die at a time.
const AT_ONCE: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_survives_a_crash_at_every_boundary() {
    let world = World::new().await;
    let mut boundary = 0;
    loop {
        let batch: Vec<_> = (boundary..boundary + AT_ONCE)
            .map(|at| tokio::spawn(place_with_crash(world.with_queue(&at.to_string()), at)))
            .collect();
        let mut all = true;
        for task in batch {
            all &= task.await.unwrap();
        }
        boundary += AT_ONCE;
        if !all {
            break;
        }
    }
    assert!(boundary >= 24, "only {boundary} boundaries were found");
    let ledger = world.sandbox.ledger();
    assert_eq!(ledger.live_orders().len(), boundary, "a stray sale");
    let orders = world
        .collection("orders")
        .count_documents(mongodb::bson::doc! { "isPaid": true })
        .await
        .unwrap();
    assert_eq!(usize::try_from(orders).unwrap(), boundary);
    world.end().await;
}

async fn place_with_crash(world: World, at: usize) -> bool {
    let phone = 998_900_000_000 + u64::try_from(at).unwrap();
    let client = world.client(phone.to_string().parse().unwrap(), None).await;
    let mut payload = order(&format!("crash-{at}"), client);
    payload["discountAmount"] = json!(25);
    payload["totalPrice"] = json!(200);
    payload["isPaid"] = json!(true);
    payload["cardId"] = json!("card123");
    let (ended, crashed) = crash_at(&world, at, "PLACE_ORDER", payload).await;
    let placed = ended.value();
    assert_eq!(
        (&placed["paid"], &placed["alreadyPlaced"]),
        (&json!(true), &json!(false)),
        "boundary {at}: {placed}"
    );
    let ledger = world.sandbox.ledger();
    let sale = ledger.order(placed["billzOrderId"].as_str().unwrap()).unwrap();
    assert_eq!(
        (sale.state, sale.total),
        (OrderState::Paid, Decimal::from(200)),
        "boundary {at}"
    );
    assert_eq!(ledger.times_paid(&sale.id), 1, "boundary {at}");
    assert_eq!(ledger.client_count(&phone.to_string()), 1, "boundary {at}");
    crashed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_survives_a_crash_at_every_boundary() {
    let world = World::new().await;
    let worker = world.start();
    let mut sales = Vec::new();
    for _ in 0..8 {
        let sale = world.run("CREATE_ORDER", json!({})).await.value()["orderId"]
            .as_str()
            .unwrap()
            .to_owned();
        world
            .run("ADD_ITEM", json!({"productId": PRODUCT_ID, "qty": 1, "orderId": sale}))
            .await
            .value();
        sales.push(sale);
    }
    worker.stop().await;
    let batch: Vec<_> = (0..)
        .zip(sales)
        .map(|(at, sale)| tokio::spawn(pay_with_crash(world.with_queue(&at.to_string()), at, sale)))
        .collect();
    let mut reached = 0;
    for task in batch {
        reached += u32::from(task.await.unwrap());
    }
    assert!((5..8).contains(&reached), "{reached} boundaries were found");
    world.end().await;
}

async fn pay_with_crash(world: World, at: usize, sale: String) -> bool {
    let payment = json!({"orderId": sale, "cardId": "card123", "totalPrice": 50});
    let (ended, crashed) = crash_at(&world, at, "MAKE_PAYMENT", payment).await;
    assert_eq!(ended.value()["paid"], true, "boundary {at}");
    assert_eq!(world.sandbox.ledger().times_paid(&sale), 1, "boundary {at}");
    crashed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn taking_an_order_back_survives_a_crash_at_every_boundary() {
    let world = World::new().await;
    let mut boundary = 0;
    loop {
        let batch: Vec<_> = (boundary..boundary + AT_ONCE)
            .map(|at| tokio::spawn(fail_with_crash(world.with_queue(&at.to_string()), at)))
            .collect();
        let mut all = true;
        for task in batch {
            all &= task.await.unwrap();
        }
        boundary += AT_ONCE;
        if !all {
            break;
        }
    }
    let ledger = world.sandbox.ledger();
    assert!(
        ledger.live_orders().is_empty(),
        "left in Billz: {:?}",
        ledger.live_orders()
    );
    let why = mongodb::bson::doc! { "billzError": { "$regex": "20016" } };
    let told = world.collection("orders").count_documents(why).await.unwrap();
    assert_eq!(usize::try_from(told).unwrap(), boundary);
    world.end().await;
}

async fn fail_with_crash(world: World, at: usize) -> bool {
    let client = world.client(998_900_000_000.0, None).await;
    let mut payload = order(&format!("fail-{at}"), client);
    payload["products"][1]["productID"] = json!(billwright_sandbox::SCARCE_PRODUCT_ID);
    payload["products"][1]["qty"] = json!(2);
    let (ended, crashed) = crash_at(&world, at, "PLACE_ORDER", payload).await;
    let reason = ended.reason();
    assert!(reason.contains("20016"), "boundary {at}: {reason}");
    crashed
}
