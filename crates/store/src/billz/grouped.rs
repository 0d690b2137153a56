//! Writes of many jobs at the same moment, sent as one command.
//!
//! What a write costs MongoDB is mostly the command around it: to be parsed, to be made durable, to be answered. A group is
//! whatever was asked for while the last group was under way, so that nobody waits for company, and a lone write goes out at
//! once. Nobody is answered before what they asked for is stored with the promised concern, and whoever did not fare well in a
//! group is tried alone, so that each gets the answer that it would have had alone.
//!
//! The driver repeats a command of its own after a lost connection, and the server then knows the repetition. A group has no
//! such protection: one that was thought lost may still be carried out, beside its repetition and even after later writes.
//! So whoever writes through a group sees to it that a write does no harm twice, and none late.

use std::{
    collections::{HashMap, HashSet},
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bson::{Bson, Document, RawArrayBuf, RawDocumentBuf, cstr, doc, rawdoc};
use futures_util::{TryStreamExt, future::join_all};
use mongodb::{
    Collection,
    error::{Error, ErrorKind},
    options::{CollectionOptions, ReadConcern, ReadPreference, SelectionCriteria, WriteConcern},
};
use tokio::sync::oneshot;

use super::{leases::upsert, whole};
use crate::{Mongo, StoreError};

/// How many writes share a command at most.
const MOST_IN_ONE: usize = 128;

/// How many bytes of writes share a command at most; a larger one goes alone. The server takes 16 MiB.
const MOST_BYTES: usize = 4 << 20;

/// Writes of one kind to one collection.
pub(super) trait Together: Send + Sync + 'static {
    /// One write.
    type Write: Send + Sync;
    /// What came of it.
    type Answer: Send;

    /// How many bytes it takes.
    fn size(write: &Self::Write) -> usize;

    /// Carries out all of them. As many answers as writes, in their order.
    fn write(&self, writes: &[Self::Write]) -> impl Future<Output = Vec<Result<Self::Answer, StoreError>>> + Send;
}

/// Writes that are sent together. Its clones share their commands.
#[derive(Debug)]
pub(super) struct Grouped<T: Together>(Arc<Shared<T>>);

#[derive(Debug)]
struct Shared<T: Together> {
    kind: T,
    queue: Mutex<Queue<T>>,
}

struct Queue<T: Together> {
    waiting: Vec<Waiting<T>>,
    /// Whether a task is at work that will look at `waiting` again.
    served: bool,
}

struct Waiting<T: Together> {
    write: T::Write,
    reply: oneshot::Sender<Result<T::Answer, StoreError>>,
}

impl<T: Together> std::fmt::Debug for Queue<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Queue")
            .field("waiting", &self.waiting.len())
            .field("served", &self.served)
            .finish()
    }
}

impl<T: Together> Clone for Grouped<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Together> Grouped<T> {
    pub(super) fn new(kind: T) -> Self {
        Self(Arc::new(Shared {
            kind,
            queue: Mutex::new(Queue {
                waiting: Vec::new(),
                served: false,
            }),
        }))
    }

    /// Carries out `write` together with those of others. Whoever stops waiting before its group is sent takes its write back.
    pub(super) async fn write(&self, write: T::Write) -> Result<T::Answer, StoreError> {
        let (reply, answer) = oneshot::channel();
        let was_served = {
            let mut queue = self.0.queue();
            queue.waiting.push(Waiting { write, reply });
            std::mem::replace(&mut queue.served, true)
        };
        if !was_served {
            let shared = self.0.clone();
            tokio::spawn(serve(Serving { shared, done: false }));
        }
        answer
            .await
            .unwrap_or_else(|_| Err(StoreError::Unavailable(Error::custom(Ended))))
    }
}

/// The task that writes is gone before it answered: the process is ending.
#[derive(Debug, thiserror::Error)]
#[error("the process is ending")]
struct Ended;

impl<T: Together> Shared<T> {
    fn queue(&self) -> MutexGuard<'_, Queue<T>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next group; `None` where nobody waits, and then nobody is served any more.
    fn next(&self) -> Option<Vec<Waiting<T>>> {
        let mut queue = self.queue();
        queue.waiting.retain(|waiting| !waiting.reply.is_closed());
        if queue.waiting.is_empty() {
            queue.served = false;
            return None;
        }
        let mut bytes = 0;
        let fits = |waiting: &&Waiting<T>| {
            bytes += T::size(&waiting.write);
            bytes <= MOST_BYTES
        };
        let count = queue.waiting.iter().take(MOST_IN_ONE).take_while(fits).count().max(1);
        Some(queue.waiting.drain(..count).collect())
    }
}

/// Serves for as long as somebody waits. Where it ends in any other way, those who wait are told, and the next write is
/// served by another.
struct Serving<T: Together> {
    shared: Arc<Shared<T>>,
    done: bool,
}

impl<T: Together> Drop for Serving<T> {
    fn drop(&mut self) {
        if !self.done {
            let mut queue = self.shared.queue();
            queue.waiting.clear();
            queue.served = false;
        }
    }
}

async fn serve<T: Together>(mut serving: Serving<T>) {
    while let Some(group) = serving.shared.next() {
        let (writes, replies): (Vec<_>, Vec<_>) = group.into_iter().map(|one| (one.write, one.reply)).unzip();
        let answers = serving.shared.kind.write(&writes).await;
        for (answer, reply) in answers.into_iter().zip(replies) {
            let _ = reply.send(answer); // whoever asked may be gone; the write is made all the same
        }
    }
    serving.done = true;
}

/// A document as it is sent.
pub(super) fn raw(document: &Document) -> Result<RawDocumentBuf, StoreError> {
    Ok(RawDocumentBuf::try_from(document).map_err(Error::from)?)
}

fn collection_with<T: Send + Sync>(mongo: &Mongo, name: &str, concern: Option<WriteConcern>) -> Collection<T> {
    let mut options = CollectionOptions::default();
    options.write_concern = concern;
    mongo.database().collection_with_options(name, options)
}

/// New documents for a collection, each with an `_id`.
#[derive(Debug)]
pub(super) struct Inserts(Collection<RawDocumentBuf>);

impl Inserts {
    /// Into `collection`, with `concern` where it is not the database's own.
    pub(super) fn into(mongo: &Mongo, collection: &str, concern: Option<WriteConcern>) -> Grouped<Self> {
        Grouped::new(Self(collection_with(mongo, collection, concern)))
    }
}

impl Together for Inserts {
    type Write = RawDocumentBuf;
    type Answer = ();

    fn size(document: &RawDocumentBuf) -> usize {
        document.as_bytes().len()
    }

    async fn write(&self, documents: &[RawDocumentBuf]) -> Vec<Result<(), StoreError>> {
        let Err(error) = self.0.insert_many(documents).ordered(false).await else {
            return documents.iter().map(|_| Ok(())).collect();
        };
        let failed: Option<Vec<usize>> = match &*error.kind {
            // Unordered: the others are stored.
            ErrorKind::InsertMany(failure) if failure.write_concern_error.is_none() => {
                let failed = failure.write_errors.iter().flatten();
                Some(failed.map(|failed| failed.index).collect())
            }
            _ => None,
        };
        let error = StoreError::from(error);
        let is_stored = |index| failed.as_ref().is_some_and(|failed| !failed.contains(&index));
        join_all(documents.iter().enumerate().map(async |(index, document)| {
            if is_stored(index) {
                Ok(())
            } else if failed.is_some() {
                Ok(self.0.insert_one(document).await.map(|_| ())?)
            } else {
                Err(error.clone())
            }
        }))
        .await
    }
}

/// What becomes of a document.
#[derive(Debug, Clone)]
pub(super) enum Change {
    /// Update operators, which are the cheapest.
    Operators(Document),
    /// An aggregation pipeline.
    Pipeline(Vec<Document>),
    /// Another document.
    Replacement(Document),
}

impl Change {
    fn statement(&self) -> Bson {
        match self {
            Self::Operators(document) | Self::Replacement(document) => Bson::from(document),
            Self::Pipeline(stages) => Bson::from(stages),
        }
    }
}

/// A change of the document that a filter finds, which names it by its `_id`.
#[derive(Debug)]
pub(super) struct Update {
    filter: Document,
    change: Change,
    statement: RawDocumentBuf,
}

impl Update {
    pub(super) fn new(filter: Document, change: Change) -> Result<Self, StoreError> {
        Ok(Self {
            statement: raw(&doc! { "q": &filter, "u": change.statement() })?,
            filter,
            change,
        })
    }
}

/// Changes of single documents that are there. The answer says whether the filter found one.
#[derive(Debug)]
pub(super) struct Updates(Commands);

impl Updates {
    /// Of `collection`, with `concern` where it is not the database's own.
    pub(super) fn of(mongo: &Mongo, collection: &'static str, concern: Option<WriteConcern>) -> Grouped<Self> {
        Grouped::new(Self(Commands::new(mongo, collection, concern)))
    }

    async fn alone(&self, update: &Update) -> Result<bool, StoreError> {
        let (collection, filter) = (&self.0.collection, update.filter.clone());
        let changed = match update.change.clone() {
            Change::Operators(operators) => collection.update_one(filter, operators).await?,
            Change::Pipeline(stages) => collection.update_one(filter, stages).await?,
            Change::Replacement(document) => collection.replace_one(filter, document).await?,
        };
        Ok(changed.matched_count == 1)
    }
}

impl Together for Updates {
    type Write = Update;
    type Answer = bool;

    fn size(update: &Update) -> usize {
        update.statement.as_bytes().len()
    }

    async fn write(&self, updates: &[Update]) -> Vec<Result<bool, StoreError>> {
        if let [update] = updates {
            return vec![self.alone(update).await];
        }
        let reply = match self.0.send(updates.iter().map(|update| &update.statement)).await {
            Ok(reply) => reply,
            Err(error) if error.is_transient() => return updates.iter().map(|_| Err(error.clone())).collect(),
            Err(_) => Reply::nothing_is_known(updates.len()),
        };
        // The reply says how many documents were found, not which ones.
        let all_found = reply.found + reply.failed.len() == updates.len();
        join_all(updates.iter().enumerate().map(async |(index, update)| {
            if all_found && !reply.failed.contains(&index) {
                Ok(true)
            } else {
                self.alone(update).await
            }
        }))
        .await
    }
}

/// A change of the document with this `_id`, which is made where it is not there.
#[derive(Debug)]
pub(super) struct Upsert {
    key: Bson,
    pipeline: Vec<Document>,
    statement: RawDocumentBuf,
}

impl Upsert {
    pub(super) fn new(key: impl Into<Bson>, pipeline: Vec<Document>) -> Result<Self, StoreError> {
        let key = key.into();
        let statement = doc! { "q": { "_id": &key }, "u": &pipeline, "upsert": true };
        Ok(Self {
            statement: raw(&statement)?,
            key,
            pipeline,
        })
    }
}

/// Changes of single documents, which are made where they are not there. The answer is the document as it is afterwards, maybe
/// with what others have done to it since.
#[derive(Debug)]
pub(super) struct Upserts(Commands);

impl Upserts {
    /// Of `collection`, with the database's own write concern.
    pub(super) fn of(mongo: &Mongo, collection: &'static str) -> Grouped<Self> {
        Grouped::new(Self(Commands::new(mongo, collection, None)))
    }

    async fn alone(&self, change: &Upsert) -> Result<Document, StoreError> {
        upsert(&self.0.mongo, self.0.name, change.key.clone(), change.pipeline.clone()).await
    }

    /// The documents from the primary, which has what it just acknowledged.
    async fn read(&self, keys: Vec<Bson>) -> Result<HashMap<String, Document>, StoreError> {
        let found = self
            .0
            .collection
            .find(doc! { "_id": { "$in": keys } })
            .selection_criteria(SelectionCriteria::ReadPreference(ReadPreference::Primary))
            .read_concern(ReadConcern::local())
            .await?;
        let found: Vec<Document> = found.try_collect().await?;
        Ok(found
            .into_iter()
            .filter_map(|document| Some((document.get("_id")?.to_string(), document)))
            .collect())
    }
}

impl Together for Upserts {
    type Write = Upsert;
    type Answer = Document;

    fn size(change: &Upsert) -> usize {
        change.statement.as_bytes().len()
    }

    async fn write(&self, changes: &[Upsert]) -> Vec<Result<Document, StoreError>> {
        if let [change] = changes {
            return vec![self.alone(change).await];
        }
        let written = async {
            let reply = match self.0.send(changes.iter().map(|change| &change.statement)).await {
                Err(error) if !error.is_transient() => Reply::nothing_is_known(changes.len()),
                reply => reply?,
            };
            let written = changes
                .iter()
                .enumerate()
                .filter(|(index, _)| !reply.failed.contains(index));
            self.read(written.map(|(_, change)| change.key.clone()).collect()).await
        };
        match written.await {
            Err(error) => changes.iter().map(|_| Err(error.clone())).collect(),
            Ok(found) => {
                join_all(
                    changes
                        .iter()
                        .map(async |change| match found.get(&change.key.to_string()) {
                            Some(document) => Ok(document.clone()),
                            None => self.alone(change).await,
                        }),
                )
                .await
            }
        }
    }
}

/// Sends `update` commands with many statements.
#[derive(Debug)]
struct Commands {
    mongo: Mongo,
    name: &'static str,
    collection: Collection<Document>,
}

impl Commands {
    fn new(mongo: &Mongo, name: &'static str, concern: Option<WriteConcern>) -> Self {
        Self {
            mongo: mongo.clone(),
            name,
            collection: collection_with(mongo, name, concern),
        }
    }

    /// Sends the statements, and once more where it is not known what came of that or where it may work now.
    async fn send(&self, statements: impl Iterator<Item = &RawDocumentBuf>) -> Result<Reply, StoreError> {
        let mut list = RawArrayBuf::new();
        for statement in statements {
            list.push(statement.as_ref());
        }
        let mut command = rawdoc! { "update": self.name, "ordered": false };
        command.append(cstr!("updates"), list);
        // A generic command takes no notice of the concern in the connection string.
        let concern = self.collection.write_concern();
        let concern = concern.map(bson::serialize_to_raw_document_buf).transpose();
        let concern = concern
            .map_err(Error::from)?
            .unwrap_or_else(|| rawdoc! { "w": "majority" });
        command.append(cstr!("writeConcern"), concern);
        match self.send_once(command.clone()).await {
            Err(error) if error.is_transient() => {
                tracing::debug!(%error, collection = self.name, "writes are sent once more");
                self.send_once(command).await
            }
            sent => sent,
        }
    }

    async fn send_once(&self, command: RawDocumentBuf) -> Result<Reply, StoreError> {
        let reply = self.mongo.database().run_raw_command(command).await?;
        match StoreError::of_write_concern(&reply) {
            Some(error) => Err(error),
            None => Ok(Reply::read(&reply)),
        }
    }
}

/// The reply to a command of many statements.
struct Reply {
    /// How many documents were found, or made.
    found: usize,
    /// The statements that were refused.
    failed: HashSet<usize>,
}

impl Reply {
    fn read(reply: &Document) -> Self {
        let errors = reply.get_array("writeErrors").map(Vec::as_slice).unwrap_or_default();
        let count = |value| usize::try_from(whole(value)).unwrap_or_default();
        Self {
            found: count(reply.get("n")),
            failed: errors
                .iter()
                .filter_map(Bson::as_document)
                .map(|error| count(error.get("index")))
                .collect(),
        }
    }

    /// The command was refused as a whole: alone, each statement finds its own end.
    fn nothing_is_known(statements: usize) -> Self {
        Self {
            found: 0,
            failed: (0..statements).collect(),
        }
    }
}
