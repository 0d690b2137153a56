//! A wrong job fails at once, naming every wrong field, and Billz is told nothing.

use serde_json::{Value, json};

use crate::world::World;

/// Type, payload, and the fields that must be named.
fn wrong() -> Vec<(&'static str, Value, &'static [&'static str])> {
    vec![
        (
            "CREATE_CLIENT",
            json!({"clientPhone": "x", "clientFirstName": ""}),
            &["clientPhone", "clientFirstName"],
        ),
        ("CREATE_ORDER", json!({"shopId": {"$ne": 1}}), &["shopId"]),
        (
            "ADD_ITEM",
            json!({"qty": -1, "employeeID": []}),
            &["productId", "qty", "orderId", "employeeID"],
        ),
        ("ADD_CLIENT", json!({"customerId": " "}), &["customerId", "orderId"]),
        (
            "POSTPONE_ORDER",
            json!({"comment": {}, "time": "never"}),
            &["orderId", "comment", "time"],
        ),
        ("CANCEL_POSTPONE", json!({"orderId": ["a"]}), &["orderId"]),
        (
            "CREATE_DISCOUNT",
            json!({"orderId": "o", "amount": "all", "totalPrice": -5}),
            &["amount", "totalPrice"],
        ),
        (
            "MAKE_PAYMENT",
            json!({"totalPrice": 0}),
            &["orderId", "cardId", "totalPrice"],
        ),
        ("DELETE_ORDER", json!({}), &["orderId"]),
        ("GET_ORDER", json!({"orderId": null}), &["orderId"]),
        (
            "PLACE_ORDER",
            json!({"products": [{"qty": "some"}], "orderType": "teleport", "clientIdSys": "x", "totalPrice": true}),
            &[
                "orderID",
                "products[0].productID",
                "products[0].qty",
                "orderType",
                "clientIdSys",
            ],
        ),
        (
            "PLACE_ORDER",
            json!({"orderID": 1, "products": [], "mapData": 3}),
            &["products", "clientIdSys", "totalPrice", "mapData"],
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_wrong_field_is_named_and_nothing_is_sent() {
    let world = World::new().await;
    let worker = world.start();
    for (kind, payload, fields) in wrong() {
        let job = world.add(kind, payload).await;
        let reason = world.ended(&job).await.reason();
        for field in fields {
            assert!(
                reason.contains(&format!("`{field}`")),
                "{kind}: {field} is not in: {reason}"
            );
        }
        assert_eq!(
            world.field(&job, "atm").await.as_deref(),
            Some("1"),
            "{kind} was retried"
        );
    }
    assert_eq!(world.sandbox.ledger().calls.len(), 0);
    let errors = world
        .collection("logs")
        .count_documents(mongodb::bson::doc! { "section": "errors" })
        .await
        .unwrap();
    assert_eq!(errors, wrong().len() as u64);
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_job_fails_for_a_stated_reason() {
    let world = World::new().await;
    let worker = world.start();
    let deep = format!(
        r#"{{"type":"GET_ORDER","payload":{{"orderId":"o","x":{}{}}}}}"#,
        "[".repeat(200),
        "]".repeat(200)
    );
    for (data, expected) in [
        (
            r#"{"type":"PAY_EVERYTHING","payload":{}}"#,
            "expected one of CREATE_CLIENT, CREATE_ORDER",
        ),
        (r#"{"payload":{}}"#, "field `type`"),
        ("null", "found null"),
        ("[1,2]", "found a list"),
        (
            r#"{"type":"GET_ORDER","payload":"orderId"}"#,
            "field `payload`: found a text",
        ),
        ("{", "no JSON"),
        (&deep, "nested too deeply"),
    ] {
        let job = world.add_raw(data, r#"{"attempts":9}"#, true).await;
        let reason = world.ended(&job).await.reason();
        assert!(reason.contains(expected), "{data}: {reason}");
        assert_eq!(
            world.field(&job, "atm").await.as_deref(),
            Some("1"),
            "{data} was retried"
        );
    }
    worker.stop().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_emoji_does_not_cost_the_job() {
    let world = World::new().await;
    let worker = world.start();
    let data = r#"{"type":"CREATE_CLIENT","payload":{"clientPhone":"998901112233","clientFirstName":"Aziza \ud83d"},"correlationId":"c"}"#;
    let job = world.add_raw(data, "{}", true).await;
    assert_eq!(world.ended(&job).await.value()["created"], true);
    assert_eq!(world.sandbox.ledger().clients[0].first_name, "Aziza \u{fffd}");
    worker.stop().await;
    world.end().await;
}
