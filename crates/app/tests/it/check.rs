//! `billwright check` and `billwright status` on real services.

use billwright_sandbox::ORDER_ID;
use serde_json::{Value, json};

use crate::world::{World, until};

fn finding<'a>(answer: &'a Value, check: &str) -> &'a Value {
    let findings = answer["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["check"] == check);
    found.unwrap_or_else(|| panic!("`{check}` is not among {findings:#?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_there_is_fine() {
    let world = World::new().await;
    world.publish("{}", &[]).await;
    let (status, answer, log) = world.command(&["check", "--json"]).await;
    let answer: Value = serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{answer}\n{log}"));
    assert_eq!(status, 0, "{answer:#}");
    for check in [
        "MongoDB of the worker: writing",
        "MongoDB of the worker: transactions",
        "MongoDB of the billing service: clock",
        "Redis: eviction",
        "Redis: version",
        "Billz: login",
        "Billz: shop",
        "Billz: cash box",
        "Billz: payment types",
        "Kafka",
        "Telegram",
        "port 0",
        &format!("Kafka: topic `{}`", world.topic),
        &format!("Kafka: dead letters of `{}`", world.topic),
        &format!("Kafka: group `{}`", world.topic),
    ] {
        assert_eq!(finding(&answer, check)["result"], "ok", "{check}: {answer:#}");
    }
    let ledger = world.sandbox.ledger();
    assert!(
        ledger.messages.is_empty() && ledger.orders.is_empty(),
        "something was written"
    );
    let (status, table, _) = world.command(&["check"]).await;
    assert!(status == 0 && table.contains("0 failed"), "{table}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_failure_says_what_to_do_and_shows_no_secret() {
    let mut world = World::new().await;
    world.set("BILLZ_TOKEN", "wrong-geheim");
    world.set("REDIS_URL", "redis://user:geheim@127.0.0.1:9");
    world.set("BILLING_MONGODB_URI", "mongodb://user:geheim@127.0.0.1:9/billing");
    world.set("KAFKA_BROKERS", "127.0.0.1:9");
    world.set("TELEGRAM_GROUP_ID", "-1");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    world.set("PORT", port);
    let (status, answer, log) = world.command(&["check", "--json"]).await;
    let parsed: Value = serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{answer}\n{log}"));
    assert_eq!(status, 1, "{parsed:#}");
    for check in [
        "Billz: login",
        "Redis",
        "MongoDB of the billing service",
        "Kafka",
        "Telegram",
        &format!("port {port}"),
    ] {
        let found = finding(&parsed, check);
        assert_eq!(found["result"], "failed", "{found}");
        assert!(
            found["whatToDo"].as_str().is_some_and(|text| text.len() > 20),
            "{found}"
        );
    }
    assert!(!answer.contains("geheim") && !log.contains("geheim"), "{answer}\n{log}");
    let settings = parsed["settings"].as_array().unwrap();
    let redis = settings.iter().find(|setting| setting["name"] == "REDIS_URL").unwrap();
    assert_eq!(
        (&redis["shownValue"], &redis["origin"]),
        (&json!("redis://***@127.0.0.1:9"), &json!("environment"))
    );
    world.set("PORT", "http");
    let (status, _, report) = world.command(&["check"]).await;
    assert_eq!(status, 78, "{report}");
    // The other world's databases were never made; the first one's are dropped.
    world.set("BILLING_MONGODB_URI", world.environment["BILLZ_MONGODB_URI"].clone());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn status_shows_what_waits_and_check_what_is_in_place() {
    let mut world = World::new().await;
    world.publish("no json", &[]).await;
    world.add("GET_ORDER", json!({ "orderId": ORDER_ID }), None).await;
    let (status, answer, _) = world.command(&["status", "--json", "--port", "9"]).await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(status, 1, "no process answers: {answer:#}");
    assert!(answer["process"]["error"].is_string());
    assert_eq!(answer["queue"]["counts"]["waiting"], 1, "{answer:#}");
    assert_eq!(answer["queue"]["workers"], 0);
    assert_eq!(answer["events"]["lag"], 1);
    assert_eq!(answer["orders"]["notificationsWaiting"], 0);
    assert_eq!(answer["alerts"]["firing"], json!([]));

    let port = billwright_services::free_port().unwrap();
    world.set("PORT", port);
    let process = world.start(&[]).await;
    process.ready().await;
    let (status, answer) = until("the worker to be there", async || {
        let (status, answer, _) = world.command(&["status"]).await;
        answer.contains("workers: 1").then_some((status, answer))
    })
    .await;
    assert_eq!(status, 0, "{answer}");
    assert!(
        answer.contains("status: up") && answer.contains("workers: 1"),
        "{answer}"
    );
    let (_, table, _) = world.command(&["check"]).await;
    assert!(table.contains("runs there already"), "{table}");
    process.stop().await;
    for (database, variable, collection, keys) in [
        ("MongoDB of the worker", "BILLZ_MONGODB_URI", "orders", "billzId"),
        (
            "MongoDB of the billing service",
            "BILLING_MONGODB_URI",
            "billings",
            "billingId",
        ),
    ] {
        let check = format!("{database}: indexes");
        let (_, answer, _) = world.command(&["check", "--json"]).await;
        let found = finding(&serde_json::from_str(&answer).unwrap(), &check).clone();
        assert_eq!(found["result"], "ok", "{found}");
        let client = mongodb::Client::with_uri_str(&world.environment[variable])
            .await
            .unwrap();
        let collection = client
            .default_database()
            .unwrap()
            .collection::<mongodb::bson::Document>(collection);
        collection.drop_index(format!("{keys}_1")).await.unwrap();
        let (_, answer, _) = world.command(&["check", "--json"]).await;
        let found = finding(&serde_json::from_str(&answer).unwrap(), &check).clone();
        assert_eq!(found["result"], "warning", "{found}");
        assert!(found["found"].as_str().unwrap().contains(keys), "{found}");
    }
    world.end().await;
}
