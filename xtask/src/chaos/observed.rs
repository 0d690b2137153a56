//! What is there in the end: in Redis, MongoDB, the topics, Billz and the logs.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use billwright_sandbox::{BOT_TOKEN, Ledger, SECRET_TOKEN};
use bson::{Document, doc};
use futures_util::TryStreamExt as _;
use mongodb::Database;
use rdkafka::{
    Message as _, Offset, TopicPartitionList, consumer::Consumer as _, error::KafkaError, message::Headers as _,
};

use super::{
    book::{ApiBook, Complaint, EventBook, PlacedOrder, PutJob, lock},
    faults::Injected,
    fleet::Usage,
    load::World,
    queue::Standing,
    quiet,
    stage::DEAD_LETTERS,
};

/// What was put in, and what is there. Invariants compare the two.
#[derive(Debug, Clone)]
pub(super) struct Observed {
    /// Every job with how it stands.
    pub(super) jobs: Vec<(PutJob, Standing)>,
    pub(super) placed: Vec<PlacedOrder>,
    pub(super) api: ApiBook,
    pub(super) events: EventBook,
    pub(super) complaints: Vec<Complaint>,
    /// Digits of phone numbers that nobody may read anywhere.
    pub(super) phones: BTreeSet<String>,
    /// Texts that nobody may read anywhere.
    pub(super) secrets: Vec<String>,
    /// Billz and Telegram.
    pub(super) ledger: Ledger,
    /// The worker's database.
    pub(super) orders: Vec<Document>,
    pub(super) sagas: Vec<Document>,
    pub(super) notifications: Vec<Document>,
    /// The billing database.
    pub(super) users: Vec<Document>,
    pub(super) billings: Vec<Document>,
    pub(super) set_aside: Vec<Document>,
    /// The last number that was given to a billing.
    pub(super) last_number: i64,
    /// Where the dead letters come from, and the reasons that they tell.
    pub(super) dead_letters: Vec<((i32, i64), String)>,
    /// Texts that people or other systems see, by where they stand.
    pub(super) outputs: Vec<(String, String)>,
    /// The most that each process took of the machine.
    pub(super) most: BTreeMap<String, Usage>,
    /// Whether Redis forgot the queue in between.
    pub(super) queue_lost: bool,
    /// Whether a clock jumped in between.
    pub(super) clocks_jumped: bool,
}

impl Observed {
    /// Looks everywhere.
    pub(super) async fn look(world: &World, injected: &Injected) -> Result<Self> {
        let (stage, book) = (&*world.stage, &world.book);
        let put = book.jobs();
        let ids: Vec<String> = put.iter().map(|job| job.id.clone()).collect();
        let standing = world.queue.standing(&ids).await?;
        let ledger = stage.sandbox.ledger_without_calls();
        let mut outputs = stage.fleet.logs();
        outputs.extend(
            ledger
                .messages
                .iter()
                .map(|message| ("Telegram".to_owned(), message.text.clone())),
        );
        outputs.extend(put.iter().zip(&standing).filter_map(|(job, standing)| match standing {
            Standing::Failed(reason) => Some((format!("failedReason of {}", job.id), reason.clone())),
            _ => None,
        }));
        let dead_letters = dead_letters(world)?;
        outputs.extend(
            dead_letters
                .iter()
                .map(|(_, reason)| ("reason of a dead letter".to_owned(), reason.clone())),
        );
        let (api, events) = (lock(&book.api).clone(), lock(&book.events).clone());
        let counter = stage.billing.collection::<Document>("counters");
        let counter = counter.find_one(doc! { "_id": "billingId" }).await?;
        let most = stage
            .fleet
            .members
            .iter()
            .map(|member| (member.name.clone(), member.most()));
        Ok(Self {
            jobs: put.into_iter().zip(standing).collect(),
            placed: book.orders(),
            api,
            events,
            complaints: book.complaints(),
            phones: book.phones(),
            secrets: vec![SECRET_TOKEN.to_owned(), BOT_TOKEN.to_owned()],
            orders: all(&stage.billz, "orders").await?,
            sagas: all(&stage.billz, "order_sagas").await?,
            notifications: all(&stage.billz, "notifications").await?,
            users: all(&stage.billing, "users").await?,
            billings: all(&stage.billing, "billings").await?,
            set_aside: all(&stage.billing, "event_set_aside").await?,
            last_number: counter.as_ref().and_then(|counter| whole(counter, "seq")).unwrap_or(0),
            dead_letters,
            outputs,
            most: most.collect(),
            queue_lost: injected.queue_lost,
            clocks_jumped: injected.clocks_jumped,
            ledger,
        })
    }
}

async fn all(database: &Database, collection: &str) -> Result<Vec<Document>> {
    let found = database.collection(collection).find(doc! {}).await?;
    found
        .try_collect()
        .await
        .with_context(|| format!("`{collection}` cannot be read"))
}

/// A text of a document.
pub(super) fn text<'a>(document: &'a Document, field: &str) -> Option<&'a str> {
    document.get_str(field).ok()
}

/// A number of a document, however wide it is stored.
pub(super) fn whole(document: &Document, field: &str) -> Option<i64> {
    let value = document.get(field)?;
    value.as_i32().map(i64::from).or_else(|| value.as_i64()).or_else(|| {
        let double = value.as_f64().filter(|double| double.fract() == 0.0)?;
        format!("{double}").parse().ok()
    })
}

/// Where every dead letter comes from, and the reason that it tells.
fn dead_letters(world: &World) -> Result<Vec<((i32, i64), String)>> {
    let consumer = quiet::consumer(&world.stage)?;
    let patience = Duration::from_secs(5);
    let metadata = consumer.fetch_metadata(Some(DEAD_LETTERS), patience)?;
    let partitions: Vec<i32> = metadata
        .topics()
        .iter()
        .flat_map(|topic| topic.partitions().iter().map(rdkafka::metadata::MetadataPartition::id))
        .collect();
    let mut assignment = TopicPartitionList::new();
    for partition in &partitions {
        assignment.add_partition_offset(DEAD_LETTERS, *partition, Offset::Beginning)?;
    }
    consumer.assign(&assignment)?;
    let mut letters = Vec::new();
    let mut ended = BTreeSet::new();
    let begun = Instant::now();
    while ended.len() < partitions.len() {
        anyhow::ensure!(
            begun.elapsed() < Duration::from_secs(30),
            "the dead letters cannot be read to their end"
        );
        match consumer.poll(Duration::from_secs(1)) {
            None => {}
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                ended.insert(partition);
            }
            Some(Err(error)) => return Err(error).context("the dead letters cannot be read"),
            Some(Ok(message)) => {
                let header = |name: &str| {
                    let headers = message.headers()?;
                    let found = headers.iter().find(|header| header.key == name)?;
                    Some(String::from_utf8_lossy(found.value?).into_owned())
                };
                let partition = header("x-dead-letter-partition").and_then(|text| text.parse().ok());
                let offset = header("x-dead-letter-offset").and_then(|text| text.parse().ok());
                let place = (partition.unwrap_or(-1), offset.unwrap_or(-1));
                letters.push((place, header("x-dead-letter-reason").unwrap_or_default()));
            }
        }
    }
    Ok(letters)
}
