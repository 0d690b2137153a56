//! Many jobs of several types in two workers while one call in ten goes wrong: each job ends for a stated reason, and Billz
//! holds what MongoDB says.

use std::{collections::BTreeMap, time::Duration};

use billwright_sandbox::{Fault, OrderState, PRODUCT_ID, SandboxSettings};
use futures_util::TryStreamExt;
use mongodb::bson::{DateTime, Document, doc};
use serde_json::json;

use crate::world::{Ended, World, order, until};

const ORDERS: u32 = 40;
const CLIENTS: u32 = 40;
const DRAFTS: u32 = 20;
const PAYMENTS: usize = 10;

fn misbehave(world: &World) {
    let faults = world.sandbox.faults();
    for call in [
        "create_client",
        "find_clients",
        "create_order",
        "add_product",
        "attach_customer",
        "discount",
        "park",
        "unpark",
        "pay",
        "get_order",
        "order_notes",
        "delete_order",
    ] {
        for fault in [
            Fault::CutBefore,
            Fault::CutAfter,
            Fault::status(503),
            Fault::status_after_effect(504),
            Fault::TruncatedBody,
            Fault::html_page(),
        ] {
            faults.with_probability(call, 0.017, fault);
        }
    }
    faults.with_probability("pay", 0.02, Fault::latency(Duration::from_millis(300)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_billz_holds_is_what_mongodb_says_whatever_goes_wrong() {
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let world = World::with(SandboxSettings {
        seed,
        ..SandboxSettings::default()
    })
    .await;
    let (first, second) = (world.start(), world.start());
    let mut sales = Vec::new();
    for _ in 0..PAYMENTS {
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
    misbehave(&world);

    let mut jobs = BTreeMap::new();
    for number in 0..ORDERS {
        let client = world.client(998_900_000_000.0 + f64::from(number / 2), None).await;
        let mut payload = order(&format!("o-{number}"), client);
        if number % 2 == 0 {
            payload["isPaid"] = json!(true);
            payload["cardId"] = json!("card123");
        }
        jobs.insert(world.add("PLACE_ORDER", payload).await, Some(format!("o-{number}")));
    }
    for number in 0..CLIENTS {
        let payload = json!({"clientPhone": 998_910_000_000_u64 + u64::from(number / 4), "clientFirstName": "A"});
        jobs.insert(world.add("CREATE_CLIENT", payload).await, None);
    }
    let mut drafts = Vec::new();
    for _ in 0..DRAFTS {
        drafts.push(world.add("CREATE_ORDER", json!({})).await);
    }
    for sale in sales.iter().chain(&sales) {
        let payment = json!({"orderId": sale, "cardId": "card123", "totalPrice": 50});
        jobs.insert(world.add("MAKE_PAYMENT", payment).await, None);
    }

    let mut failed = 0;
    for (id, number) in &jobs {
        if let Ended::Failed(reason) = world.ended(id).await {
            failed += 1;
            assert!(!reason.is_empty(), "job {id} failed for no reason");
            println!("job {id} ({number:?}) failed: {reason}");
        }
    }
    let mut kept = Vec::new();
    for id in &drafts {
        if let Ended::Completed(value) = world.ended(id).await {
            kept.push(value["orderId"].as_str().unwrap().to_owned());
        }
    }
    assert!(failed < jobs.len() / 4, "{failed} of {} jobs failed", jobs.len());

    // Nothing goes wrong any more, and what is being taken back may go on at once.
    world.sandbox.faults().clear();
    until("nothing is being taken back any more", || async {
        let due = doc! { "$set": { "compensationDue": DateTime::MIN } };
        let open = doc! { "state": "compensating" };
        world
            .collection("order_sagas")
            .update_many(open.clone(), due)
            .await
            .unwrap();
        world.collection("order_sagas").count_documents(open).await.unwrap() == 0
    })
    .await;
    first.stop().await;
    second.stop().await;
    compare(&world, &sales, &kept).await;
    world.end().await;
}

async fn compare(world: &World, sales: &[String], drafts: &[String]) {
    let ledger = world.sandbox.ledger();
    let orders: Vec<Document> = world
        .collection("orders")
        .find(doc! {})
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    let mut expected = 0;
    for document in &orders {
        let number = document.get_str("orderID").unwrap();
        let Ok(sale) = document.get_str("billzId") else {
            assert!(
                document.get_str("billzError").is_ok(),
                "order {number} has no sale and does not say why"
            );
            continue;
        };
        expected += 1;
        let record = ledger.order(sale).unwrap();
        let paid = document.get_datetime("datePaid").is_ok();
        let state = if paid { OrderState::Paid } else { OrderState::Parked };
        assert_eq!(record.state, state, "order {number}");
        assert_eq!(record.total.to_string(), "225", "order {number}");
        assert!(
            ledger.times_paid(sale) == u32::from(paid),
            "order {number} was paid {} times",
            ledger.times_paid(sale)
        );
    }
    for sale in sales {
        assert!(
            ledger.times_paid(sale) <= 1,
            "sale {sale} was paid {} times",
            ledger.times_paid(sale)
        );
    }
    let known: Vec<_> = ledger.live_orders().iter().map(|order| order.id.clone()).collect();
    let stray: Vec<_> = ledger
        .drafts()
        .into_iter()
        .filter(|draft| !drafts.contains(&draft.id) && !sales.contains(&draft.id))
        .collect();
    assert!(stray.is_empty(), "stray drafts: {stray:?}");
    assert_eq!(known.len(), expected + drafts.len() + sales.len(), "{known:?}");
    let mut phones: Vec<_> = ledger
        .clients
        .iter()
        .map(|client| client.phone_number.clone())
        .collect();
    let all = phones.len();
    phones.sort();
    phones.dedup();
    assert_eq!(phones.len(), all, "a client was created twice");
}
