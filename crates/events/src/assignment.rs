//! Which partitions this process has: a worker for each starts when the group assigns it and stops when it is revoked.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use rdkafka::{
    ClientContext, Offset, Statistics, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance},
    error::{KafkaError, KafkaResult},
};
use tokio::{
    runtime::Handle,
    sync::{Mutex as AsyncMutex, Notify},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{
    dead_letters::DeadLetters, kafka, messages::PartitionMessages, partition::Worker, runtime::Runtime, status::Place,
};

/// The member of the group.
pub(crate) type Member = BaseConsumer<Assignment>;

/// How long a revoked partition's batch may still take before others get the partition. If it takes longer, its
/// transaction fails as soon as the new owner has moved the position.
const FINISH_WITHIN: Duration = Duration::from_secs(3);

/// The partitions of this process. librdkafka calls it, in the thread that polls the member.
pub(crate) struct Assignment {
    runtime: Arc<Runtime>,
    dead_letters: Arc<DeadLetters>,
    tasks: Handle,
    cancel: CancellationToken,
    member: OnceLock<Weak<Member>>,
    queues: Mutex<HashMap<Place, Arc<AsyncMutex<PartitionMessages>>>>,
    workers: Mutex<HashMap<Place, Running>>,
}

struct Running {
    cancel: CancellationToken,
    reposition: Arc<Notify>,
    positioned: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Assignment {
    /// An assignment whose workers stop at `cancel`, each after its batch.
    pub(crate) fn new(
        runtime: Arc<Runtime>,
        dead_letters: Arc<DeadLetters>,
        tasks: Handle,
        cancel: CancellationToken,
    ) -> Self {
        Self {
            runtime,
            dead_letters,
            tasks,
            cancel,
            member: OnceLock::new(),
            queues: Mutex::default(),
            workers: Mutex::default(),
        }
    }

    /// Tells which member this belongs to; to be called once, before it subscribes.
    pub(crate) fn belongs_to(&self, member: &Arc<Member>) {
        let _ = self.member.set(Arc::downgrade(member));
    }

    /// Has the workers of all partitions of `topic` find their positions anew.
    pub(crate) fn reposition_topic(&self, topic: &str) {
        for (_, running) in self.workers().iter().filter(|((found, _), _)| found == topic) {
            running.reposition.notify_one();
        }
    }

    /// Commits what is in MongoDB and the broker does not know of yet, of `only` these partitions or of all.
    pub(crate) fn commit(&self, member: &Member, only: Option<&[Place]>, mode: CommitMode) {
        let positions = self.runtime.status.to_commit(only);
        if positions.is_empty() {
            return;
        }
        let mut list = TopicPartitionList::with_capacity(positions.len());
        for ((topic, partition), position) in positions {
            let _ = list.add_partition_offset(&topic, partition, Offset::Offset(position));
        }
        if let Err(error) = member.commit(&list, mode) {
            self.runtime.status.commit_failed();
            tracing::debug!("offsets are not committed yet: {error}");
        }
    }

    /// Stops all workers, each after its batch, and lets go of the queues. Not to be called from within an async task.
    pub(crate) fn stop(&self) {
        let places: Vec<_> = self.workers().keys().cloned().collect();
        self.stop_workers(&places);
        self.queues().clear();
    }

    /// Starts a partition over with a new queue, since a message of it came elsewhere. Until the worker has found its
    /// position that does not matter: it fetches from there whatever came before. To be called by the thread that polls.
    pub(crate) fn start_over(&self, place: &Place) {
        let member = self.member.get().and_then(Weak::upgrade);
        let positioned = self
            .workers()
            .get(place)
            .map(|running| running.positioned.load(Ordering::Acquire));
        let (Some(member), Some(true)) = (member, positioned) else {
            return;
        };
        self.stop_workers(std::slice::from_ref(place));
        self.start_worker(&member, place.clone());
    }

    /// The partition's queue. librdkafka may have made a new one since the partition was here last, as it does when a
    /// topic vanishes from the metadata for a moment; so the old one is given up as soon as nobody reads from it.
    fn queue(&self, member: &Arc<Member>, place: &Place) -> Option<Arc<AsyncMutex<PartitionMessages>>> {
        let mut queues = self.queues();
        if let Some(queue) = queues.get(place)
            && Arc::strong_count(queue) > 1
        {
            return Some(Arc::clone(queue));
        }
        // Dropped before the new one is made: it would otherwise unhook the wake-up of what may be the same queue.
        drop(queues.remove(place));
        let queue = PartitionMessages::new(member.split_partition_queue(&place.0, place.1)?);
        let queue = Arc::new(AsyncMutex::new(queue));
        queues.insert(place.clone(), Arc::clone(&queue));
        Some(queue)
    }

    fn start_worker(&self, member: &Arc<Member>, place: Place) {
        let Some(queue) = self.queue(member, &place) else {
            tracing::error!(
                kafka.topic = place.0,
                kafka.partition = place.1,
                "the partition has no queue"
            );
            return;
        };
        self.runtime.status.assigned(&place);
        let (cancel, reposition) = (self.cancel.child_token(), Arc::new(Notify::new()));
        let positioned = Arc::new(AtomicBool::new(false));
        let worker = Worker::new(
            Arc::clone(&self.runtime),
            Arc::clone(&self.dead_letters),
            Arc::clone(member),
            place.clone(),
            cancel.clone(),
            Arc::clone(&reposition),
            Arc::clone(&positioned),
        );
        let task = self.tasks.spawn(async move { worker.run(queue).await });
        let running = Running {
            cancel,
            reposition,
            positioned,
            task,
        };
        if let Some(before) = self.workers().insert(place, running) {
            before.cancel.cancel();
        }
    }

    fn stop_workers(&self, places: &[Place]) {
        let stopping: Vec<_> = {
            let mut workers = self.workers();
            places.iter().filter_map(|place| workers.remove(place)).collect()
        };
        for running in &stopping {
            running.cancel.cancel();
        }
        let ended = join_all(stopping.into_iter().map(|running| running.task));
        if self
            .tasks
            .block_on(async { tokio::time::timeout(FINISH_WITHIN, ended).await })
            .is_err()
        {
            tracing::warn!("a batch takes longer than {FINISH_WITHIN:?}; its partition is handed over nevertheless");
        }
    }

    fn workers(&self) -> MutexGuard<'_, HashMap<Place, Running>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<Place, Arc<AsyncMutex<PartitionMessages>>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Assignment {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        kafka::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!("Kafka: {error}: {reason}");
    }

    fn stats(&self, statistics: Statistics) {
        let status = &self.runtime.status;
        // Negative ids are the addresses to start from and the like.
        let mut brokers = statistics.brokers.values().filter(|broker| broker.nodeid >= 0);
        status.broker_connected(brokers.any(|broker| broker.state == "UP"));
        for topic in statistics.topics.values() {
            for (number, partition) in topic.partitions.iter().filter(|(number, _)| **number >= 0) {
                if partition.hi_offset >= 0 {
                    status.ends_at(&(topic.topic.clone(), *number), partition.hi_offset);
                }
            }
        }
    }
}

impl ConsumerContext for Assignment {
    fn pre_rebalance(&self, member: &Member, rebalance: &Rebalance<'_>) {
        match rebalance {
            // The queues are split off before the partitions are really assigned, so that no message goes elsewhere.
            Rebalance::Assign(partitions) => {
                let Some(member) = self.member.get().and_then(Weak::upgrade) else {
                    return;
                };
                let places = places(partitions);
                tracing::info!(
                    kafka.partitions = places.len(),
                    "partitions were assigned: {}",
                    shown(&places)
                );
                for place in places {
                    self.start_worker(&member, place);
                }
            }
            Rebalance::Revoke(partitions) => {
                let places = places(partitions);
                tracing::info!(
                    kafka.partitions = places.len(),
                    "partitions were revoked: {}",
                    shown(&places)
                );
                self.stop_workers(&places);
                if !member.assignment_lost() {
                    self.commit(member, Some(&places), CommitMode::Async);
                }
                for place in &places {
                    self.runtime.status.revoked(place);
                }
            }
            Rebalance::Error(error) => tracing::warn!("rebalancing failed: {error}"),
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        if let Err(error) = result {
            self.runtime.status.commit_failed();
            tracing::debug!("the broker did not take the offsets: {error}");
        }
    }
}

fn places(partitions: &TopicPartitionList) -> Vec<Place> {
    partitions
        .elements()
        .iter()
        .map(|element| (element.topic().to_owned(), element.partition()))
        .collect()
}

fn shown(places: &[Place]) -> String {
    let shown: Vec<_> = places
        .iter()
        .map(|(topic, partition)| format!("{topic}/{partition}"))
        .collect();
    shown.join(", ")
}
