//! A worker dies at every boundary between two steps, and another one goes on: one order, one payment, no stray draft.
//!
//! A worker's death is its runtime's: nothing of it runs any more, and nothing is cleaned up, as after `SIGKILL`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use billwright_sandbox::{Decimal, OrderState, PRODUCT_ID};
use billwright_worker::{Checkpoint, WorkerSettings};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::world::{Ended, World, order};

/// Runs one job on a worker that dies at its boundary number `at`, and then on one that lives. Says whether the first one
/// came so far.
async fn crash_at(world: &World, at: usize, kind: &str, payload: Value) -> (Ended, bool) {
    let reached = Arc::new(Notify::new());
    let settings = dying_at(world.settings(), at, reached.clone());
    let doomed = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let worker = {
        let _inside = doomed.enter();
        world.start_with(settings, world.billz(), None)
    };
    let job = world.add(kind, payload).await;
    let crashed = tokio::select! {
        () = reached.notified() => true,
        _ = world.ended(&job) => false,
    };
    doomed.shutdown_background();
    drop(worker);
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

/// Quick locks: a dead worker's job comes back within a few seconds.
fn quick(world: &mut World) {
    world.lock = Duration::from_millis(1_500);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_survives_a_crash_at_every_boundary() {
    let mut boundary = 0;
    loop {
        // Several worlds at a time: most of each one's time is waiting for a dead worker's lock.
        let mut batch = Vec::new();
        for at in boundary..boundary + 8 {
            batch.push(tokio::spawn(place_with_crash(at)));
        }
        let mut all = true;
        for task in batch {
            all &= task.await.unwrap();
        }
        if !all {
            assert!(boundary + 8 > 30, "only {boundary} boundaries were found");
            return;
        }
        boundary += 8;
    }
}

async fn place_with_crash(at: usize) -> bool {
    let mut world = World::new().await;
    quick(&mut world);
    let client = world.client(998_901_112_233.0, None).await;
    let mut payload = order("1", client);
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
    assert_eq!(ledger.live_orders().len(), 1, "boundary {at}: a stray sale");
    assert_eq!(ledger.client_count("998901112233"), 1, "boundary {at}");
    world.end().await;
    crashed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_survives_a_crash_at_every_boundary() {
    let mut batch = Vec::new();
    for at in 0..8 {
        batch.push(tokio::spawn(pay_with_crash(at)));
    }
    let mut reached = 0;
    for task in batch {
        reached += u32::from(task.await.unwrap());
    }
    assert!((5..8).contains(&reached), "{reached} boundaries were found");
}

async fn pay_with_crash(at: usize) -> bool {
    let mut world = World::new().await;
    quick(&mut world);
    let worker = world.start();
    world
        .run(
            "ADD_ITEM",
            json!({"productId": PRODUCT_ID, "qty": 1, "orderId": "order123"}),
        )
        .await
        .value();
    worker.stop().await;
    let payment = json!({"orderId": "order123", "cardId": "card123", "totalPrice": 50});
    let (ended, crashed) = crash_at(&world, at, "MAKE_PAYMENT", payment).await;
    assert_eq!(ended.value()["paid"], true, "boundary {at}");
    assert_eq!(
        world
            .sandbox
            .ledger()
            .calls_named("pay")
            .iter()
            .filter(|call| call.effect)
            .count(),
        1,
        "boundary {at}"
    );
    world.end().await;
    crashed
}
