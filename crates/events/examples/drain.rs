//! Drains a topic of customer events into a database of its own and tells how fast that was.
//!
//! `cargo run --release -p billwright-events --example drain -- BROKERS MONGODB_URI [EVENTS] [PARTITIONS]`
//!
//! The load is that of everyday: of 20 events 14 create a customer, 4 update one, one suspends and one reactivates one.

#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use std::time::{Duration, Instant};

use anyhow::Context;
use billwright_domain::{HealthBoard, SystemClock};
use billwright_events::EventsSettings;
use billwright_store::{Mongo, MongoSettings};
use bson::{Document, doc};
use futures_util::future::join_all;
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    producer::{FutureProducer, FutureRecord},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [brokers, uri, rest @ ..] = arguments.as_slice() else {
        anyhow::bail!("give the brokers and the connection string of MongoDB");
    };
    let events: usize = rest.first().map_or(Ok(100_000), |count| count.parse())?;
    let partitions: i32 = rest.get(1).map_or(Ok(6), |count| count.parse())?;
    let name = format!("drain-{}", uuid::Uuid::new_v4().simple());

    produce(brokers, &name, events, partitions).await?;
    let database = mongodb::Client::with_uri_str(uri).await?.database(&name);
    let mut settings = EventsSettings::new(brokers);
    settings.topics = vec![name.clone()];
    settings.group_id.clone_from(&name);
    let mongo = Mongo::open(&MongoSettings {
        uri: uri.as_str().into(),
        database: name.clone(),
        server_selection_timeout: Duration::from_secs(5),
        max_pool_size: 20,
    })
    .await?;
    let cancel = CancellationToken::new();
    let processor = processor_seconds()?;
    let handle = billwright_events::start(
        settings,
        mongo,
        SystemClock::shared(),
        HealthBoard::default(),
        cancel.clone(),
    );
    let total = i64::try_from(events)?;
    let mut began = None;
    loop {
        let applied: i64 = handle
            .state()
            .partitions
            .iter()
            .filter_map(|found| found.position)
            .sum();
        if applied > 0 && began.is_none() {
            began = Some(Instant::now());
        }
        if applied >= total {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let seconds = began.map_or(0.0, |began| began.elapsed().as_secs_f64());
    let processor = processor_seconds()? - processor;
    #[expect(clippy::cast_precision_loss, reason = "nobody drains 2^52 events")]
    let count = events as f64;
    println!(
        "{events} events in {seconds:.2} s: {:.0} events/s; processor {processor:.2} s, {:.1} µs an event",
        count / seconds,
        processor * 1e6 / count
    );
    for collection in ["users", "billings"] {
        let found = database
            .collection::<Document>(collection)
            .count_documents(doc! {})
            .await?;
        println!("{collection}: {found}");
    }
    cancel.cancel();
    handle.finished().await;
    database.drop().await?;
    Ok(())
}

async fn produce(brokers: &str, topic: &str, events: usize, partitions: i32) -> anyhow::Result<()> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("enable.idempotence", "true");
    let admin: AdminClient<DefaultClientContext> = config.create()?;
    let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    admin.create_topics([&new], &AdminOptions::new()).await?;
    let producer: FutureProducer = config.create()?;
    let mut under_way = Vec::new();
    for (user, event) in load(events) {
        let (key, value) = (format!("c-{user}"), event.to_string());
        let partition = i32::try_from(user)? % partitions;
        let record = FutureRecord::to(topic).key(&key).payload(&value).partition(partition);
        under_way.push(producer.send_result(record).map_err(|(error, _)| error)?);
        if under_way.len() == 5_000 {
            for delivered in join_all(under_way.drain(..)).await {
                delivered?.map_err(|(error, _)| error)?;
            }
        }
    }
    for delivered in join_all(under_way).await {
        delivered?.map_err(|(error, _)| error)?;
    }
    Ok(())
}

fn load(events: usize) -> impl Iterator<Item = (usize, Value)> {
    let mut users = 0;
    let mut seed: u32 = 42;
    (0..events).map(move |number| {
        let address = |city: &str| json!({"city": city, "country": "Colombia", "zipCode": "760001", "address": "Calle 13 #64-40"});
        let kind = number % 20;
        if kind < 14 {
            users += 1;
            let payload = json!({"userId": format!("c-{}", users - 1), "address": address("Cali")});
            return (users - 1, json!({"type": "Customer.Created", "payload": payload}));
        }
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let user = seed as usize % users;
        let id = format!("c-{user}");
        let event = match kind {
            18 => json!({"type": "Customer.Suspended", "payload": {"userId": id}}),
            19 => json!({"type": "Customer.Reactivated", "payload": {"userId": id}}),
            _ => {
                let payload = json!({"userId": id, "address": address(&format!("City {number}"))});
                json!({"type": "Customer.Updated", "payload": payload})
            }
        };
        (user, event)
    })
}

/// The processor time that this process has used.
fn processor_seconds() -> anyhow::Result<f64> {
    let line = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = line.rsplit_once(')').context("unexpected form of /proc/self/stat")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    Ok(ticks / 100.0)
}
