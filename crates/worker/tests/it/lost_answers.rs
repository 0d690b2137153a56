//! The answer to each write is lost, before the effect and after it: the job completes, and the effect is there once.

use billwright_sandbox::{Decimal, DraftComment, Fault, OrderState, PRODUCT_ID, SandboxSettings, Variants};
use mongodb::bson::doc;
use serde_json::{Value, json};

use crate::world::{World, order, until};

/// What can become of an answer.
fn losses() -> [Fault; 4] {
    [
        Fault::CutBefore,
        Fault::CutAfter,
        Fault::TruncatedBody,
        Fault::status_after_effect(502),
    ]
}

async fn sale_with_line(world: &World) -> String {
    let sale = world.run("CREATE_ORDER", json!({})).await.value()["orderId"]
        .as_str()
        .unwrap()
        .to_owned();
    world
        .run("ADD_ITEM", json!({"productId": PRODUCT_ID, "qty": 2, "orderId": sale}))
        .await
        .value();
    sale
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_write_takes_effect_once_whatever_becomes_of_its_answer() {
    let world = World::new().await;
    let worker = world.start();
    let mut phone = 998_900_000_000_u64;
    for fault in losses() {
        let lose = |call: &str| world.sandbox.faults().next(call, fault.clone());
        phone += 1;
        lose("create_client");
        let client = world
            .run("CREATE_CLIENT", json!({"clientPhone": phone, "clientFirstName": "A"}))
            .await
            .value();
        assert_eq!(world.sandbox.ledger().client_count(&phone.to_string()), 1, "{fault:?}");

        lose("create_order");
        let sale = world.run("CREATE_ORDER", json!({})).await.value()["orderId"]
            .as_str()
            .unwrap()
            .to_owned();

        lose("add_product");
        let item = json!({"productId": PRODUCT_ID, "qty": 2, "orderId": sale});
        world.run("ADD_ITEM", item.clone()).await.value();
        lose("add_product");
        world.run("ADD_ITEM", item).await.value();
        assert_eq!(
            world.sandbox.ledger().order(&sale).unwrap().total,
            Decimal::from(200),
            "{fault:?}"
        );

        lose("attach_customer");
        world
            .run("ADD_CLIENT", json!({"customerId": client["clientId"], "orderId": sale}))
            .await
            .value();
        lose("discount");
        let discount = json!({"orderId": sale, "amount": 20, "totalPrice": 200});
        assert_eq!(world.run("CREATE_DISCOUNT", discount).await.value()["total"], 180);
        lose("park");
        world.run("POSTPONE_ORDER", json!({"orderId": sale})).await.value();
        lose("unpark");
        world.run("CANCEL_POSTPONE", json!({"orderId": sale})).await.value();
        lose("pay");
        let payment = json!({"orderId": sale, "cardId": "card123", "totalPrice": 180});
        assert_eq!(world.run("MAKE_PAYMENT", payment).await.value()["alreadyPaid"], false);
        let ledger = world.sandbox.ledger();
        let record = ledger.order(&sale).unwrap();
        assert_eq!(
            (record.state, record.total),
            (OrderState::Paid, Decimal::from(180)),
            "{fault:?}"
        );
        assert_eq!(ledger.times_paid(&sale), 1, "{fault:?}");

        let doomed = sale_with_line(&world).await;
        lose("delete_order");
        world.run("DELETE_ORDER", json!({"orderId": doomed})).await.value();
        assert!(world.sandbox.ledger().order(&doomed).unwrap().deleted, "{fault:?}");
        assert!(
            world.sandbox.faults().rules().iter().all(|rule| rule.times == Some(0)),
            "{:?}",
            world.sandbox.faults().rules()
        );
    }
    // Every draft that is left is one that a job returned.
    assert_eq!(world.sandbox.ledger().drafts().len(), 0, "stray drafts");
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_placed_once_whatever_becomes_of_any_answer() {
    let world = World::new().await;
    let calls = [
        "create_client",
        "create_order",
        "attach_customer",
        "add_product",
        "discount",
        "park",
        "pay",
    ];
    // Each call at the same time as the others, with a queue and a Billz of its own.
    let mut runs = Vec::new();
    for (number, call) in (0..).zip(calls) {
        let settings = SandboxSettings {
            seed: number + 1,
            ..SandboxSettings::default()
        };
        let world = world.beside(call, settings).await;
        runs.push(place_with_lost_answers(world, call, number * 10));
    }
    futures_util::future::join_all(runs).await;
    world.end().await;
}

async fn place_with_lost_answers(world: World, call: &'static str, mut number: u64) {
    let worker = world.start();
    for (placed_before, fault) in losses().into_iter().enumerate() {
        number += 1;
        let phone = 998_910_000_000 + number;
        let client = world.client(phone.to_string().parse().unwrap(), None).await;
        let mut payload = order(&number.to_string(), client);
        payload["discountAmount"] = json!(25);
        payload["totalPrice"] = json!(200);
        if call == "pay" {
            payload["isPaid"] = json!(true);
            payload["cardId"] = json!("card123");
        }
        world.sandbox.faults().next(call, fault.clone());
        let placed = world.run("PLACE_ORDER", payload).await.value();
        let ledger = world.sandbox.ledger();
        let sale = ledger.order(placed["billzOrderId"].as_str().unwrap()).unwrap();
        let expected = if call == "pay" {
            OrderState::Paid
        } else {
            OrderState::Parked
        };
        assert_eq!(
            (sale.state, sale.total),
            (expected, Decimal::from(200)),
            "{call} {fault:?}"
        );
        let quantity: Decimal = sale.lines.iter().map(|line| line.quantity).sum();
        assert_eq!(quantity, Decimal::from(4), "{call} {fault:?}");
        assert_eq!(
            ledger.live_orders().len(),
            placed_before + 1,
            "{call} {fault:?}: a stray sale"
        );
        assert_eq!(placed.get("alreadyPlaced"), Some(&Value::Bool(false)));
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_was_lost_twice_is_not_taken_for_an_equal_one_that_was_there_before() {
    let world = World::new().await;
    let worker = world.start();
    let sale = sale_with_line(&world).await;
    world.sandbox.faults().times("add_product", 2, Fault::CutBefore);
    let item = json!({"productId": PRODUCT_ID, "qty": 2, "orderId": sale});
    let added = world.run("ADD_ITEM", item).await.value();
    assert_eq!(added["total"], 200);
    let sale = world.sandbox.ledger().order(&sale).unwrap().clone();
    assert_eq!(sale.total, Decimal::from(200));
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parked_sale_is_deleted_although_its_deletion_was_put_off_once_it_was_out_of_the_park() {
    let world = World::new().await;
    let worker = world.start();
    for fault in [Fault::CutBefore, Fault::rate_limited(Some(1))] {
        let sale = sale_with_line(&world).await;
        world.run("POSTPONE_ORDER", json!({"orderId": sale})).await.value();
        // The first one is refused, since the sale is parked.
        world.sandbox.faults().after(1, "delete_order", fault.clone());
        world.run("DELETE_ORDER", json!({"orderId": sale})).await.value();
        assert!(world.sandbox.ledger().order(&sale).unwrap().deleted, "{fault:?}");
    }
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_of_a_product_waits_until_it_is_known_what_became_of_another_one() {
    let world = World::new().await;
    let worker = world.start();
    let item = |quantity: u32| json!({"productId": PRODUCT_ID, "qty": quantity, "orderId": "order123"});
    world.run("ADD_ITEM", item(1)).await.value();
    // It is added, its answer is lost, and nobody can look for a while.
    let faults = world.sandbox.faults();
    faults.next("add_product", Fault::CutAfter);
    faults.always("get_order", Fault::status(503));
    let data = |correlation| json!({"type": "ADD_ITEM", "payload": item(2), "correlationId": correlation}).to_string();
    let options = r#"{"attempts":9,"backoff":{"type":"fixed","delay":500}}"#;
    let first = world.add_raw(&data("one"), options, true).await;
    until("nobody knows of the first", || async {
        world
            .logs(&first)
            .await
            .iter()
            .any(|line| line.contains("attempt 1 failed"))
    })
    .await;
    // Its equal is not added at first. What the first one added is not taken for it.
    faults.next("add_product", Fault::CutBefore);
    let second = world.add_raw(&data("two"), options, true).await;
    until("the second had its turn", || async {
        world.logs(&second).await.len() > 1
    })
    .await;
    let left = faults.rules().into_iter().filter(|rule| rule.call != "get_order");
    let left: Vec<_> = left.collect();
    faults.clear();
    for rule in left {
        faults.add(rule).unwrap();
    }
    world.ended(&first).await.value();
    world.ended(&second).await.value();
    let sale = world.sandbox.ledger().order("order123").unwrap().clone();
    assert_eq!(
        sale.lines.iter().map(|line| line.quantity).sum::<Decimal>(),
        Decimal::from(5)
    );
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_done_stays_done_although_a_stray_draft_cannot_be_looked_for() {
    let world = World::with(SandboxSettings {
        variants: Variants {
            draft_comment: DraftComment::Dropped,
            ..Variants::default()
        },
        ..SandboxSettings::default()
    })
    .await;
    let worker = world.start();
    let client = world.client(998_901_112_233.0, None).await;
    for (kind, payload) in [("CREATE_ORDER", json!({})), ("PLACE_ORDER", order("5", client))] {
        world.sandbox.faults().next("create_order", Fault::CutAfter);
        // After the loss it is looked for once, before it is made again twice, and then what is left over.
        let refused = Fault::EnvelopeError {
            status_code: 400,
            code: "BAD_REQUEST".to_owned(),
            message: "no lists today".to_owned(),
        };
        world.sandbox.faults().after(3, "order_notes", refused);
        let done = world.run(kind, payload).await.value();
        assert!(done["orderId"].is_string() && done["parked"] != false, "{kind}: {done}");
        assert!(world.sandbox.faults().rules().is_empty(), "{kind}");
        let warned = doc! {
            "description.operation": kind.to_lowercase(),
            "description.warnings": { "$regex": "may be left in Billz.*no lists today" },
        };
        let warned = world.collection("logs").count_documents(warned).await.unwrap();
        assert_eq!(warned, 1, "{kind}");
    }
    assert_eq!(world.sandbox.ledger().drafts().len(), 3);
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_billz_never_makes_a_second_payment() {
    let world = World::new().await;
    let worker = world.start();
    let sale = sale_with_line(&world).await;
    world.sandbox.faults().next("pay", Fault::HangAfter);
    let payment = json!({"orderId": sale, "cardId": "card123", "totalPrice": 100});
    assert_eq!(world.run("MAKE_PAYMENT", payment).await.value()["paid"], true);
    assert_eq!(world.sandbox.ledger().times_paid(&sale), 1);
    assert_eq!(world.sandbox.ledger().calls_named("pay").len(), 1);
    worker.stop().await;
    world.end().await;
}
