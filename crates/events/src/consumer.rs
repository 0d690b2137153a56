//! Connects to the brokers, joins the group, and keeps the member alive until it is told to stop.

use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use billwright_domain::{Clock, Condition};
use chrono::TimeDelta;
use rdkafka::{
    config::FromClientConfigAndContext,
    consumer::{BaseConsumer, CommitMode, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
};
use tokio::{runtime::Handle, sync::oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    assignment::{Assignment, Member},
    backoff::Backoff,
    dead_letters::DeadLetters,
    kafka::{self, ANSWER_WITHIN, Logging},
    position, publisher,
    runtime::{KAFKA, Runtime},
    status::{Phase, Status},
    waiting,
};

/// How often the group's member looks whether there is anything to do beside its messages.
const POLL: Duration = Duration::from_millis(100);

/// How often offsets are committed, and lags and conditions published.
const TICK: Duration = Duration::from_secs(1);

/// How often it is looked whether a topic was deleted and created again.
const LOOK_AT_TOPICS: Duration = Duration::from_secs(10);

/// How often it is looked whether the clock was set back.
const LOOK_AT_CLOCK: Duration = Duration::from_millis(500);

/// How many seconds in a row the member may give no sign of life, of which it gives one a second.
const DEAF_AFTER: u32 = 30;

/// How often MongoDB is looked at while no partition does.
const LOOK_AT_MONGODB: Duration = Duration::from_secs(3);

/// How long calls that still run are waited for before the group is left.
const LEAVE_WITHIN: Duration = Duration::from_secs(6);

/// How long finishing the batches and leaving the group may take in all.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// Consumes until `cancel`, or until it gives up at start.
///
/// librdkafka's threads wait for moments of the wall clock. Where that is set back by an hour, as a wrong clock is once it is
/// corrected, they sleep for an hour: nothing is consumed, delivered or answered. So all clients are then made anew; those that
/// sleep are left to themselves, and the group notices by their silence. A step back that is over before anybody looked shows by
/// a member that gives no sign of life any more, and that ends in the same way.
pub(crate) async fn run(runtime: Arc<Runtime>, cancel: CancellationToken) {
    while !cancel.is_cancelled() {
        let clients = cancel.child_token();
        let mut running = pin!(run_clients(&runtime, clients.clone()));
        tokio::select! {
            () = &mut running => {}
            by = set_back(&*runtime.clock) => {
                tracing::warn!("the clock was set back by {} s; the clients of Kafka are made anew", by.num_seconds());
                clients.cancel();
                running.await;
            }
            () = deaf(&runtime.status) => {
                tracing::warn!("the consumer gave no sign of life for {DEAF_AFTER} s; the clients of Kafka are made anew");
                clients.cancel();
                running.await;
            }
        }
    }
    runtime.status.enter(Phase::Stopped, None);
}

/// Waits until the clock is set back by more than a moment, and says by how much.
async fn set_back(clock: &dyn Clock) -> TimeDelta {
    let mut before = clock.now();
    loop {
        tokio::time::sleep(LOOK_AT_CLOCK).await;
        let now = clock.now();
        if before - now > TimeDelta::seconds(1) {
            return before - now;
        }
        before = now;
    }
}

/// Waits until the member has given no sign of life for too long. Looks are counted, and not time, so that a process that was
/// stopped for a while is not taken for a deaf one when it goes on.
async fn deaf(status: &Status) {
    let (mut before, mut silent) = (None, 0);
    while silent < DEAF_AFTER {
        tokio::time::sleep(TICK).await;
        let heard = status.heard();
        silent = if heard.is_some() && heard == before {
            silent + 1
        } else {
            0
        };
        before = heard;
    }
}

/// Looks at MongoDB while this process has no partition: what the last one saw when it was revoked would else be told for ever.
async fn look_at_mongodb(runtime: Arc<Runtime>, cancel: CancellationToken) {
    while cancel
        .run_until_cancelled(tokio::time::sleep(LOOK_AT_MONGODB))
        .await
        .is_some()
    {
        if runtime.status.has_partitions() {
            continue;
        }
        let answer = tokio::time::timeout(LOOK_AT_MONGODB, runtime.mongo.ping());
        match cancel.run_until_cancelled(answer).await {
            Some(Ok(Ok(()))) => runtime.mongodb_works(),
            Some(Ok(Err(error))) => runtime.mongodb_failed(&error),
            Some(Err(_)) => runtime.mongodb_silent(),
            None => return,
        }
    }
}

/// Makes the clients and consumes with them until `cancel`, or until it gives up at start.
async fn run_clients(runtime: &Arc<Runtime>, cancel: CancellationToken) {
    let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(10));
    let tasks = TaskTracker::new();
    tasks.spawn(look_at_mongodb(Arc::clone(runtime), cancel.clone()));
    if let Some(topic) = runtime.settings.events_out_topic.clone() {
        tasks.spawn(publisher::publish(Arc::clone(runtime), topic, cancel.clone()));
    }
    if connect(runtime, &cancel).await {
        match DeadLetters::new(Arc::clone(&runtime.settings)) {
            Ok(dead_letters) => {
                tasks.spawn(waiting::look_after(Arc::clone(runtime), dead_letters, cancel.clone()));
            }
            Err(error) => tracing::error!("events that wait are not looked after: {error}"),
        }
        loop {
            match consume(runtime, &cancel).await {
                Ok(()) => break,
                Err(error) => {
                    let explained = kafka::explain(&error);
                    runtime.health.post(KAFKA, Condition::Down, explained.clone());
                    runtime.status.enter(Phase::Connecting, Some(explained.clone()));
                    tracing::error!("the consumer failed and joins anew: {explained}");
                }
            }
            if !backoff.wait(&cancel).await {
                break;
            }
        }
    }
    // Also after giving up: whoever waits for the end of the consumer waits for the end of the process.
    cancel.cancelled().await;
    tasks.close();
    tasks.wait().await;
}

/// Looks for the brokers, as often as the settings say. Says whether they were found.
async fn connect(runtime: &Arc<Runtime>, cancel: &CancellationToken) -> bool {
    let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(10));
    for attempt in 1_u32.. {
        let asked = {
            let runtime = Arc::clone(runtime);
            tokio::task::spawn_blocking(move || look_for_brokers(&runtime))
        };
        let Some(answer) = cancel.run_until_cancelled(asked).await else {
            return false;
        };
        let Err(error) = answer.unwrap_or(Err(KafkaError::Canceled)) else {
            return true;
        };
        let explained = kafka::explain(&error);
        let limit = runtime.settings.max_retries;
        if limit > 0 && attempt >= limit {
            let detail = format!("gave up after {attempt} attempts: {explained}; restart to try again");
            tracing::error!("no customer events are consumed: {detail}");
            runtime.health.post(KAFKA, Condition::Down, detail.clone());
            runtime.status.enter(Phase::GaveUp, Some(detail));
            return false;
        }
        let of = if limit == 0 {
            String::new()
        } else {
            format!(" of {limit}")
        };
        tracing::warn!("attempt {attempt}{of} to reach Kafka failed: {explained}");
        runtime.health.post(
            KAFKA,
            Condition::Down,
            format!("attempt {attempt}{of} failed: {explained}"),
        );
        runtime.status.trouble(Some(explained));
        if !backoff.wait(cancel).await {
            return false;
        }
    }
    false
}

fn look_for_brokers(runtime: &Runtime) -> Result<(), KafkaError> {
    let probe: BaseConsumer<Logging> = kafka::client(&runtime.settings).create_with_context(Logging::default())?;
    let found = probe.fetch_metadata(None, ANSWER_WITHIN);
    found.map(|_| ()).map_err(|error| kafka::cause(&probe, error))
}

/// Joins the group and consumes until `cancel`; an error means that the member cannot go on.
async fn consume(runtime: &Arc<Runtime>, cancel: &CancellationToken) -> Result<(), KafkaError> {
    let dead_letters = Arc::new(DeadLetters::new(Arc::clone(&runtime.settings))?);
    let assignment = Assignment::new(Arc::clone(runtime), dead_letters, Handle::current(), cancel.clone());
    let member: Arc<Member> = Arc::new(BaseConsumer::from_config_and_context(
        &kafka::consumer(&runtime.settings),
        assignment,
    )?);
    member.client().context().belongs_to(&member);
    let topics: Vec<&str> = runtime.settings.topics.iter().map(String::as_str).collect();
    member.subscribe(&topics)?;
    runtime.status.enter(Phase::Consuming, None);

    let watching = tokio::spawn(watch_topics(Arc::clone(runtime), Arc::clone(&member)));
    let (ended, end) = oneshot::channel();
    let polling = Polling {
        runtime: Arc::clone(runtime),
        cancel: cancel.clone(),
        missing: Vec::new(),
        turned_away: None,
        looked_at_topics: None,
        ticked: Instant::now(),
    };
    // A thread of its own: librdkafka's calls block, and heart-beats must not wait for anything else.
    let thread = std::thread::Builder::new()
        .name("kafka-consumer".to_owned())
        .spawn(move || {
            let result = polling.run(&member);
            watching.abort();
            member.client().context().stop();
            member.client().context().commit(&member, None, CommitMode::Async);
            leave(member);
            let _ = ended.send(result);
        });
    if thread.is_err() {
        return Err(KafkaError::ClientCreation("no thread can be started".to_owned()));
    }
    // librdkafka closes a member only once its coordinator has answered, and waits for a broker that is gone for ever. The
    // thread is then left to itself, and the group notices by the member's silence.
    let overdue = async {
        cancel.cancelled().await;
        tokio::time::sleep(STOP_WITHIN).await;
    };
    tokio::select! {
        result = end => result.unwrap_or(Err(KafkaError::Canceled)),
        () = overdue => {
            tracing::warn!("no broker answers the goodbye of the consumer; stopping without it");
            Ok(())
        }
    }
}

/// Leaves the group. Calls that still run elsewhere are waited for, so that the member is closed here.
fn leave(mut member: Arc<Member>) {
    let began = Instant::now();
    loop {
        match Arc::try_unwrap(member) {
            Ok(last) => return drop(last),
            Err(shared) if began.elapsed() < LEAVE_WITHIN => member = shared,
            Err(_) => return,
        }
        member.poll(POLL);
    }
}

/// Notices when a topic is deleted and created again.
async fn watch_topics(runtime: Arc<Runtime>, member: Arc<Member>) {
    let mut known: Vec<Option<String>> = vec![None; runtime.settings.topics.len()];
    loop {
        for (topic, known) in runtime.settings.topics.iter().zip(&mut known) {
            if let Ok(Some(id)) = position::topic_id(&member, topic).await
                && let Some(before) = known.replace(id.clone())
                && before != id
            {
                tracing::warn!(kafka.topic = topic, "the topic was deleted and created again");
                member.client().context().reposition_topic(topic);
            }
        }
        tokio::time::sleep(LOOK_AT_TOPICS).await;
    }
}

struct Polling {
    runtime: Arc<Runtime>,
    cancel: CancellationToken,
    missing: Vec<String>,
    /// Why the brokers turned the member away last, since it lost them.
    turned_away: Option<RDKafkaErrorCode>,
    looked_at_topics: Option<Instant>,
    ticked: Instant,
}

impl Polling {
    fn run(mut self, member: &Member) -> Result<(), KafkaError> {
        while !self.cancel.is_cancelled() {
            match member.poll(POLL) {
                None => {}
                // Every partition has a queue of its own. What comes here slipped through before it had, and is fetched again.
                Some(Ok(message)) => {
                    use rdkafka::Message;
                    let place = (message.topic().to_owned(), message.partition());
                    member.client().context().start_over(&place);
                }
                Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                    return Err(KafkaError::MessageConsumptionFatal(code));
                }
                Some(Err(error)) => self.trouble(&error),
            }
            if self.ticked.elapsed() >= TICK {
                self.tick(member);
            }
        }
        Ok(())
    }

    fn trouble(&mut self, error: &KafkaError) {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                self.looked_at_topics = None;
            }
            // It reconnects by itself, and the condition is posted every second.
            Some(RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::AllBrokersDown) => {}
            Some(code) if kafka::turned_away(error).is_some() => self.turned_away = Some(code),
            _ => {
                let explained = kafka::explain(error);
                tracing::warn!("the consumer has trouble: {explained}");
                self.runtime.status.trouble(Some(explained));
            }
        }
    }

    fn tick(&mut self, member: &Member) {
        let seconds = self.ticked.elapsed().as_secs_f64();
        self.ticked = Instant::now();
        self.runtime.status.tick(seconds);
        let due = self.looked_at_topics.is_none() || !self.missing.is_empty();
        if due
            && self
                .looked_at_topics
                .is_none_or(|looked| looked.elapsed() > Duration::from_secs(3))
        {
            self.look_for_missing_topics(member);
        }
        member.client().context().commit(member, None, CommitMode::Async);
        self.post_condition();
    }

    fn look_for_missing_topics(&mut self, member: &Member) {
        let mut missing = Vec::new();
        for topic in &self.runtime.settings.topics {
            match member.fetch_metadata(Some(topic), Duration::from_secs(1)) {
                Ok(metadata) => {
                    let there = metadata
                        .topics()
                        .iter()
                        .any(|found| found.error().is_none() && !found.partitions().is_empty());
                    if !there {
                        missing.push(topic.clone());
                    }
                }
                Err(_) => return,
            }
        }
        for topic in missing.iter().filter(|topic| !self.missing.contains(topic)) {
            tracing::warn!(kafka.topic = topic, "the topic does not exist; it is waited for");
        }
        self.looked_at_topics = Some(Instant::now());
        self.runtime.status.topics_missing(missing.clone());
        self.missing = missing;
    }

    fn post_condition(&mut self) {
        let state = self.runtime.status.state();
        if state.broker_connected {
            self.turned_away = None;
        }
        let paused = state.partitions.iter().find_map(|partition| {
            let reason = partition.paused.as_ref()?;
            Some(format!("{}/{}: {reason}", partition.topic, partition.partition))
        });
        let alarmed = self.runtime.status.alarmed();
        let (condition, detail) = if !state.broker_connected {
            let reason = self.turned_away.unwrap_or(RDKafkaErrorCode::AllBrokersDown);
            (Condition::Down, kafka::explain(&KafkaError::Global(reason)))
        } else if !self.missing.is_empty() {
            (
                Condition::Degraded,
                format!("waiting for topics that do not exist: {}", self.missing.join(", ")),
            )
        } else if let Some(paused) = paused {
            (Condition::Degraded, paused)
        } else if let Some((topic, partition)) = alarmed.first() {
            (
                Condition::Degraded,
                format!("{topic}/{partition}: many messages are bad; look at the dead letters"),
            )
        } else {
            self.runtime.status.trouble(None);
            (Condition::Up, String::new())
        };
        if self.runtime.health.post(KAFKA, condition, detail.clone()) {
            match condition {
                Condition::Up => tracing::info!("customer events are consumed"),
                Condition::Degraded | Condition::Down => tracing::warn!("customer events: {detail}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use billwright_domain::MockClock;
    use chrono::{DateTime, Utc};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_back_is_noticed_and_one_that_stands_or_is_set_forward_is_not() {
        let clock = MockClock::at(DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(20_000));
        let mut noticed = pin!(set_back(&clock));
        for step in [TimeDelta::zero(), TimeDelta::hours(1), TimeDelta::milliseconds(-900)] {
            clock.advance(step);
            let looked = tokio::time::timeout(LOOK_AT_CLOCK * 3, &mut noticed).await;
            assert!(looked.is_err(), "{step}");
        }
        clock.advance(TimeDelta::hours(-1));
        assert_eq!(noticed.await, TimeDelta::hours(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_member_without_a_sign_of_life_is_deaf_and_one_that_gives_them_or_is_not_there_is_not() {
        let status = Status::default();
        let patience = TICK * DEAF_AFTER * 2;
        let noticed = tokio::time::timeout(patience, deaf(&status)).await;
        assert!(noticed.is_err(), "there is no member yet");
        status.enter(Phase::Consuming, None);
        let alive = async {
            loop {
                status.broker_connected(false);
                tokio::time::sleep(TICK).await;
            }
        };
        tokio::select! {
            noticed = tokio::time::timeout(patience, deaf(&status)) => assert!(noticed.is_err(), "it is alive"),
            () = alive => {}
        }
        assert!(tokio::time::timeout(patience, deaf(&status)).await.is_ok());
    }
}
