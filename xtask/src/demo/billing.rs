//! The billing product's part of the demo: users and billings over HTTP, customer events from the topic.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bson::{Bson, Document, doc};
use rdkafka::{
    ClientConfig, Message as _,
    consumer::{Consumer as _, StreamConsumer},
    message::Headers as _,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    screen::Effects,
    stage::{Stage, documented, live, until, whole},
};

/// The `userId` of the documented example, and those of the customers of the events.
const USER_ID: &str = "12122121-eefwedf-1121333";
const CUSTOMER: &str = "customer-1";
const OTHER_CUSTOMER: &str = "customer-2";

/// The documented user and billing, `totalInvoice` as text included.
pub(super) async fn user_and_billing(stage: &Stage) -> Result<Effects> {
    let address = json!({"city": "Cali", "country": "Colombia", "zipCode": "760001", "address": "Calle 13 #64-40"});
    let body = json!({"_id": "68ddaa4dcba130bb01c826d4", "userId": USER_ID, "address": address, "isActive": true});
    let user = stage.create("/api/users", &body).await?;
    ensure!(user["address"] == address, "another address: {user}");
    let read = stage.read(&format!("/api/users/{USER_ID}")).await?;
    ensure!(read == user, "read back differently: {read}");

    let body = json!({
        "_id": "68dda9dfb24aa93e5f012862", "userId": USER_ID, "billingId": "000011232",
        "generationDate": "2025-10-01T09:15:00", "dueDate": "2025-10-15", "serviceId": "1", "totalInvoice": "125000",
        "isPaid": false, "paymentDate": null
    });
    let billing = stage.create("/api/billings", &body).await?;
    ensure!(billing["totalInvoice"] == 125_000, "another amount: {billing}");
    let number = text(&billing, "billingId")?;
    let billings = stage.billing.collection::<Document>("billings");
    let stored = stage.document(&billings, doc! {"billingId": number}).await?;
    ensure!(
        stored.get("totalInvoice") == Some(&Bson::Int32(125_000)),
        "stored as {:?}",
        stored.get("totalInvoice")
    );
    ensure!(whole(&stored, "__v") == Some(0), "not as Mongoose stores it: {stored}");
    Ok(vec![
        format!("POST /api/users made {USER_ID}, and GET reads it back unchanged"),
        format!("POST /api/billings made {number}; its totalInvoice \"125000\" is the number 125000 in MongoDB"),
    ])
}

/// A suspended user gets no billing, and the refusal uses up no number.
pub(super) async fn suspended_user(stage: &Stage) -> Result<Effects> {
    stage
        .create("/api/users", &json!({"userId": "suspended-1", "isActive": false}))
        .await?;
    let before = stage.numbers_given().await?;
    let body = json!({"userId": "suspended-1", "dueDate": "2026-12-31"});
    let (status, answer) = stage.call(Method::POST, "/api/billings", Some(&body)).await?;
    ensure!(
        status == 400 && answer["error"] == "User is not active",
        "answered with {status}: {answer}"
    );
    let after = stage.numbers_given().await?;
    ensure!(before == after, "the refusal used up a number: {before}, then {after}");
    let billings = stage.read("/api/billings/user/suspended-1").await?;
    ensure!(billings == json!([]), "there is a billing: {billings}");
    Ok(vec![format!(
        "400 \"User is not active\"; no billing was made and the next number is still {}",
        after + 1
    )])
}

/// Paying a billing sets its date; deleting it removes it.
pub(super) async fn pay_and_delete(stage: &Stage) -> Result<Effects> {
    let billing = stage
        .create("/api/billings", &json!({"userId": USER_ID, "dueDate": "2026-12-31"}))
        .await?;
    let path = format!("/api/billings/{}", text(&billing, "billingId")?);
    let (_, paid) = stage.call(Method::PUT, &path, Some(&json!({"isPaid": true}))).await?;
    ensure!(
        paid["isPaid"] == true && paid["paymentDate"].is_string(),
        "not paid: {paid}"
    );
    let (_, deleted) = stage.call(Method::DELETE, &path, None).await?;
    ensure!(deleted == json!({"message": "Deleted"}), "not deleted: {deleted}");
    let (status, gone) = stage.call(Method::GET, &path, None).await?;
    ensure!(
        status == 404 && gone["error"] == "Billing not found",
        "answered with {status}: {gone}"
    );
    Ok(vec![format!(
        "PUT paid it on {}, DELETE removed it, GET says \"Billing not found\"",
        paid["paymentDate"]
    )])
}

/// `Customer.Created` in both envelopes makes a user and a first billing.
pub(super) async fn created(stage: &Stage) -> Result<Effects> {
    let address = json!({"city": "Cali", "country": "Colombia"});
    stage
        .event(
            CUSTOMER,
            &documented("Customer.Created", &json!({"userId": CUSTOMER, "address": address})),
        )
        .await?;
    stage
        .event(
            OTHER_CUSTOMER,
            &live(
                "Customer.Created",
                &json!({"userId": OTHER_CUSTOMER, "totalInvoice": "125000"}),
            ),
        )
        .await?;
    let billings = stage.billing.collection::<Document>("billings");
    let mut effects = Effects::new();
    for (customer, envelope, total) in [
        (CUSTOMER, "{type, payload}", 100_000),
        (OTHER_CUSTOMER, "{event, data, timestamp}", 125_000),
    ] {
        let billing = stage.document(&billings, doc! {"userId": customer}).await?;
        ensure!(
            whole(&billing, "totalInvoice") == Some(total),
            "another amount: {billing}"
        );
        let user = stage.read(&format!("/api/users/{customer}")).await?;
        ensure!(user["isActive"] == true, "not active: {user}");
        effects.push(format!(
            "{envelope}: user {customer} and the first billing {} over {total}",
            billing.get_str("billingId")?
        ));
    }
    Ok(effects)
}

/// The same event again makes no second billing.
pub(super) async fn created_twice(stage: &Stage) -> Result<Effects> {
    let before = stage.numbers_given().await?;
    stage
        .event(CUSTOMER, &documented("Customer.Created", &json!({"userId": CUSTOMER})))
        .await?;
    // Events of one customer apply in order: once this one has its effect, the duplicate has been dealt with.
    let change = json!({"userId": CUSTOMER, "address": {"city": "Bogotá"}});
    stage.event(CUSTOMER, &documented("Customer.Updated", &change)).await?;
    let users = stage.billing.collection::<Document>("users");
    stage
        .document(&users, doc! {"userId": CUSTOMER, "address.city": "Bogotá"})
        .await?;
    let billings = stage.read(&format!("/api/billings/user/{CUSTOMER}")).await?;
    let count = billings.as_array().map_or(0, Vec::len);
    ensure!(count == 1, "{CUSTOMER} has {count} billings");
    ensure!(stage.numbers_given().await? == before, "the duplicate used up a number");
    Ok(vec![format!(
        "{CUSTOMER} moved to Bogotá after that, and still has one billing"
    )])
}

/// A suspended customer is refused a billing until the reactivation.
pub(super) async fn suspended(stage: &Stage) -> Result<Effects> {
    let users = stage.billing.collection::<Document>("users");
    let body = json!({"userId": CUSTOMER, "dueDate": "2026-12-31"});
    stage
        .event(
            CUSTOMER,
            &documented("Customer.Suspended", &json!({"userId": CUSTOMER})),
        )
        .await?;
    stage
        .document(&users, doc! {"userId": CUSTOMER, "isActive": false})
        .await?;
    let (status, refused) = stage.call(Method::POST, "/api/billings", Some(&body)).await?;
    ensure!(
        status == 400 && refused["error"] == "User is not active",
        "answered with {status}: {refused}"
    );
    stage
        .event(CUSTOMER, &live("Customer.Reactivated", &json!({"userId": CUSTOMER})))
        .await?;
    stage
        .document(&users, doc! {"userId": CUSTOMER, "isActive": true})
        .await?;
    let billing = stage.create("/api/billings", &body).await?;
    Ok(vec![format!(
        "suspended: POST /api/billings refused; reactivated: it made {}",
        text(&billing, "billingId")?
    )])
}

/// What can never be applied goes to the dead letters, and the consumer goes on.
pub(super) async fn poison(stage: &Stage) -> Result<Effects> {
    let broken = r#"{"type": "Customer.Created", "payload": "#;
    let (partition, offset) = stage.event("poison", broken).await?;
    stage
        .event("poison", &documented("Customer.Created", &json!({"userId": "poison"})))
        .await?;
    let users = stage.billing.collection::<Document>("users");
    stage.document(&users, doc! {"userId": "poison"}).await?;

    let topic = format!("{}.dlq", stage.bed.places.kafka_topic);
    let consumer: StreamConsumer = ClientConfig::new()
        .set("bootstrap.servers", &stage.bed.places.kafka_brokers)
        .set("group.id", format!("{topic}-demo"))
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .create()?;
    consumer.subscribe(&[&topic])?;
    let letter = until("the dead letter", async || {
        // A pause of the topic is no end of it.
        let Ok(message) = tokio::time::timeout(Duration::from_secs(1), consumer.recv()).await else {
            return Ok(None);
        };
        let message = message?;
        Ok((message.payload() == Some(broken.as_bytes())).then(|| message.detach()))
    })
    .await?;
    let headers = letter.headers().context("the dead letter has no headers")?;
    let header = |name: &str| {
        let key = format!("x-dead-letter-{name}");
        let found = headers.iter().find(|header| header.key == key);
        let value = found
            .and_then(|header| header.value)
            .with_context(|| format!("the dead letter has no {key}"))?;
        Ok::<_, anyhow::Error>(String::from_utf8_lossy(value).into_owned())
    };
    let source = (header("partition")?, header("offset")?);
    ensure!(
        source == (partition.to_string(), offset.to_string()),
        "the source is given as {source:?}"
    );
    Ok(vec![
        format!(
            "{topic}: the same bytes, from partition {partition} offset {offset}: {}",
            header("reason")?
        ),
        "the event behind it in the same partition was applied".to_owned(),
    ])
}

fn text<'a>(answer: &'a Value, field: &str) -> Result<&'a str> {
    answer[field]
        .as_str()
        .with_context(|| format!("no `{field}` in {answer}"))
}
