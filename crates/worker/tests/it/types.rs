//! Each job type does what the contract's table says, returns what it says, and leaves the documents that it says.

use billwright_sandbox::{CASH_PAYMENT_TYPE_ID, Decimal, OrderState, PAYMENT_TYPE_ID, PRODUCT_ID, SELLER_ID};
use mongodb::bson::{doc, oid::ObjectId};
use serde_json::json;

use crate::world::{World, order};

async fn draft(world: &World) -> String {
    let made = world.run("CREATE_ORDER", json!({})).await.value();
    made["orderId"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_type_does_its_work_on_one_sale() {
    let world = World::new().await;
    let worker = world.start();

    let client = json!({"clientPhone": "+998901112233", "clientFirstName": "John", "clientLastName": "Doe"});
    let created = world.run("CREATE_CLIENT", client.clone()).await.value();
    assert_eq!(created["created"], true);
    let again = world.run("CREATE_CLIENT", client).await.value();
    assert_eq!(again, json!({"clientId": created["clientId"], "created": false}));
    assert_eq!(world.sandbox.ledger().client_count("998901112233"), 1);

    let sale = draft(&world).await;
    let item = json!({"productId": PRODUCT_ID, "qty": 2, "orderId": sale, "employeeID": SELLER_ID});
    let added = world.run("ADD_ITEM", item).await.value();
    assert_eq!(
        added,
        json!({"orderId": sale, "productId": PRODUCT_ID, "qty": 2, "total": 100})
    );

    let attach = json!({"customerId": created["clientId"], "orderId": sale});
    let attached = world.run("ADD_CLIENT", attach).await.value();
    assert_eq!(attached, json!({"orderId": sale, "customerId": created["clientId"]}));

    let discount = world
        .run(
            "CREATE_DISCOUNT",
            json!({"orderId": sale, "amount": 10, "totalPrice": 100}),
        )
        .await
        .value();
    assert_eq!(discount, json!({"orderId": sale, "total": 90}));

    let parked = world
        .run(
            "POSTPONE_ORDER",
            json!({"orderId": sale, "comment": "Later", "time": "2099-01-02 10:00:00"}),
        )
        .await;
    assert_eq!(parked.value(), json!({"orderId": sale, "until": "2099-01-02 10:00:00"}));
    let returned = world.run("CANCEL_POSTPONE", json!({"orderId": sale})).await.value();
    assert_eq!(returned, json!({"orderId": sale}));

    let payment = json!({"orderId": sale, "cardId": PAYMENT_TYPE_ID, "totalPrice": 90});
    let paid = world.run("MAKE_PAYMENT", payment.clone()).await.value();
    assert_eq!(paid, json!({"orderId": sale, "paid": true, "alreadyPaid": false}));
    let again = world.run("MAKE_PAYMENT", payment).await.value();
    assert_eq!(again, json!({"orderId": sale, "paid": true, "alreadyPaid": true}));

    let read = world.run("GET_ORDER", json!({"orderId": sale})).await.value();
    assert_eq!(read["id"], json!(sale));
    assert_eq!(read["order_detail"]["total_price"], json!(90));

    let ledger = world.sandbox.ledger();
    let record = ledger.order(&sale).unwrap();
    assert_eq!((record.state, record.total), (OrderState::Paid, Decimal::from(90)));
    assert_eq!(record.lines[0].seller_ids, [SELLER_ID]);
    assert_eq!(record.customer_id.as_deref(), created["clientId"].as_str());
    assert_eq!(ledger.times_paid(&sale), 1);
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletes_drafts_and_parked_sales_but_no_paid_one() {
    let world = World::new().await;
    let worker = world.start();
    let (plain, parked, paid) = (draft(&world).await, draft(&world).await, draft(&world).await);
    for sale in [&parked, &paid] {
        world
            .run("ADD_ITEM", json!({"productId": PRODUCT_ID, "qty": 1, "orderId": sale}))
            .await
            .value();
    }
    world.run("POSTPONE_ORDER", json!({"orderId": parked})).await.value();
    world
        .run(
            "MAKE_PAYMENT",
            json!({"orderId": paid, "cardId": CASH_PAYMENT_TYPE_ID, "totalPrice": 50}),
        )
        .await
        .value();

    for sale in [&plain, &parked, &plain] {
        assert_eq!(
            world.run("DELETE_ORDER", json!({"orderId": sale})).await.value(),
            json!({"orderId": sale})
        );
        assert!(world.sandbox.ledger().order(sale).unwrap().deleted);
    }
    let reason = world.run("DELETE_ORDER", json!({"orderId": paid})).await.reason();
    assert!(reason.contains("paid"), "{reason}");
    assert!(!world.sandbox.ledger().order(&paid).unwrap().deleted);
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_parked_with_everything_that_belongs_to_it() {
    let world = World::new().await;
    let worker = world.start();
    let client = world.client(998_901_112_233.0, None).await;
    let seller = ObjectId::new();
    world
        .collection("users")
        .insert_one(doc! { "_id": seller, "externalID": SELLER_ID })
        .await
        .unwrap();
    let mut payload = order("1042", client);
    payload["discountAmount"] = json!(25);
    payload["totalPrice"] = json!(200);
    payload["createdBy"] = json!(seller.to_hex());

    let placed = world.run("PLACE_ORDER", payload.clone()).await.value();
    assert_eq!(placed["orderId"], "1042");
    assert_eq!(placed["parked"], true);
    assert_eq!(placed["paid"], false);
    assert_eq!(placed["alreadyPlaced"], false);
    assert_eq!(
        placed["items"],
        json!([{"productId": "prod123", "qty": 3}, {"productId": "product123", "qty": 1}])
    );
    let warnings = placed["warnings"].as_array().unwrap();
    assert!(
        warnings.len() == 1 && warnings[0].as_str().unwrap().contains("`storeId`"),
        "{warnings:?}"
    );

    let ledger = world.sandbox.ledger();
    let sale = ledger.order(placed["billzOrderId"].as_str().unwrap()).unwrap();
    assert_eq!((sale.state, sale.total), (OrderState::Parked, Decimal::from(200)));
    assert_eq!(sale.comment, "Order 1042 - Tashkent");
    assert_eq!(sale.customer_id.as_deref(), placed["billzClientId"].as_str());
    assert!(sale.lines.iter().all(|line| line.seller_ids == [SELLER_ID]));
    // Draft, client found, client created, attached, two lines, discount, parked; login and cash box once in a lifetime.
    let calls: Vec<_> = ledger
        .calls
        .iter()
        .map(|call| call.name)
        .filter(|name| *name != "login")
        .collect();
    assert_eq!(calls.len(), 9, "an avoidable call was made: {calls:?}");

    let document = world
        .collection("orders")
        .find_one(doc! { "orderID": "1042" })
        .await
        .unwrap()
        .unwrap();
    assert_eq!(document.get_str("billzId").unwrap(), sale.id);
    assert_eq!(document.get_i32("billzAmount").unwrap(), 200);
    assert_eq!(document.get_object_id("clientIdSys").unwrap(), client);
    assert_eq!(document.get_i32("__v").unwrap(), 0);
    assert!(document.get_datetime("createdAt").is_ok() && !document.contains_key("storeId"));
    assert!(!document.contains_key("unknownField"));
    let client = world
        .collection("clients")
        .find_one(doc! { "_id": client })
        .await
        .unwrap()
        .unwrap();
    assert_eq!(client.get_str("billzId").ok(), placed["billzClientId"].as_str());

    // Another job of the same order: one read, and nothing else is sent.
    let before = world.sandbox.ledger().calls.len();
    let again = world.run("PLACE_ORDER", payload).await.value();
    assert_eq!(again["alreadyPlaced"], true);
    assert_eq!(again["billzOrderId"], placed["billzOrderId"]);
    let sent: Vec<_> = world.sandbox.ledger().calls[before..]
        .iter()
        .map(|call| call.name)
        .collect();
    assert_eq!(sent, ["get_order"]);
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paid_order_is_paid_and_one_with_another_total_is_only_parked() {
    let world = World::new().await;
    let worker = world.start();
    let client = world.client(998_901_112_233.0, Some("known-client")).await;
    let card = ObjectId::new();
    world
        .collection("cards")
        .insert_one(doc! { "_id": card, "name": "Terminal", "externalID": CASH_PAYMENT_TYPE_ID })
        .await
        .unwrap();
    let known = world
        .run(
            "CREATE_CLIENT",
            json!({"clientPhone": "998901112233", "clientFirstName": "A"}),
        )
        .await
        .value();
    let known = known["clientId"].as_str().unwrap();
    world
        .collection("clients")
        .update_one(doc! { "_id": client }, doc! { "$set": { "billzId": known } })
        .await
        .unwrap();

    let mut payload = order("7", client);
    payload["isPaid"] = json!(true);
    payload["cardId"] = json!(card.to_hex());
    let placed = world.run("PLACE_ORDER", payload.clone()).await.value();
    assert_eq!((&placed["paid"], &placed["parked"]), (&json!(true), &json!(false)));
    let ledger = world.sandbox.ledger();
    let sale = placed["billzOrderId"].as_str().unwrap();
    assert_eq!(ledger.times_paid(sale), 1);
    assert_eq!(ledger.payments_of(sale)[0].payment_type_id, CASH_PAYMENT_TYPE_ID);
    let document = world
        .collection("orders")
        .find_one(doc! { "orderID": "7" })
        .await
        .unwrap()
        .unwrap();
    assert!(document.get_bool("isPaid").unwrap());
    assert_eq!(document.get_i32("paidAmount").unwrap(), 225);
    assert!(document.get_datetime("datePaid").is_ok());

    payload["orderID"] = json!("8");
    payload["totalPrice"] = json!(224);
    let placed = world.run("PLACE_ORDER", payload).await.value();
    assert_eq!((&placed["paid"], &placed["parked"]), (&json!(false), &json!(true)));
    assert!(placed["warnings"].to_string().contains("225"), "{placed}");
    assert_eq!(
        world
            .sandbox
            .ledger()
            .times_paid(placed["billzOrderId"].as_str().unwrap()),
        0
    );
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lines_of_a_new_draft_are_added_without_reading_it() {
    let world = World::new().await;
    let worker = world.start();
    let sale = world.run("CREATE_ORDER", json!({})).await.value()["orderId"].clone();
    for quantity in [1, 2] {
        let item = json!({"productId": PRODUCT_ID, "qty": quantity, "orderId": sale});
        world.run("ADD_ITEM", item).await.value();
    }
    assert!(world.sandbox.ledger().calls_named("get_order").is_empty());
    worker.stop().await;
    world.end().await;
}
