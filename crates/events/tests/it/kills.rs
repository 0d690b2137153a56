//! Consumers that are killed while they work, as processes of their own.

use std::{
    collections::BTreeSet,
    io::Read,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use billwright_domain::{HealthBoard, SystemClock};
use billwright_events::{EventsSettings, dead_letters::headers};
use tokio_util::sync::CancellationToken;

use crate::{
    bed::{Bed, eventually, header, open_mongo},
    model::Load,
};

/// The variable that makes [`consumer_process`] consume: brokers, topic, MongoDB, database and, for a static member of the
/// group, its name, separated by spaces.
const ORDERS: &str = "BILLWRIGHT_TEST_CONSUMER";

/// The variable that tells [`as_many_events_as_it_is_told_end_as_a_model_says`] how many events, and which seed.
const LARGE: &str = "BILLWRIGHT_TEST_KILLS";

/// Consumes for whoever started this process; as a test of its own it does nothing.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "started as a process of its own by the tests below"]
#[expect(
    clippy::disallowed_methods,
    reason = "a test's own process gets its orders by a variable"
)]
async fn consumer_process() {
    let Ok(orders) = std::env::var(ORDERS) else {
        return;
    };
    std::thread::spawn(end_with_the_parent);
    let orders: Vec<&str> = orders.split(' ').collect();
    let mut settings = EventsSettings::new(orders[0]);
    settings.topics = vec![orders[1].to_owned()];
    settings.group_id = orders[1].to_owned();
    settings.group_instance_id = orders.get(4).map(|name| (*name).to_owned());
    settings.session_timeout = Duration::from_secs(6);
    settings.batch.events = 100;
    // A tenth of what the model puts there is bad on purpose.
    settings.bad_messages.pause_share = 1.0;
    let mongo = open_mongo(orders[2], orders[3]).await;
    let consumer = billwright_events::start(
        settings,
        mongo,
        SystemClock::shared(),
        HealthBoard::default(),
        CancellationToken::new(),
    );
    consumer.finished().await;
}

/// The pipe from the parent closes when the parent ends, however that is.
#[expect(clippy::exit, reason = "nobody is left to whom anything could be reported")]
fn end_with_the_parent() {
    let _ = std::io::stdin().read(&mut [0]);
    std::process::exit(1);
}

/// A consumer's process, which does not outlive the test.
struct Consumer(Child);

impl Consumer {
    fn spawn(bed: &Bed, name: Option<&str>) -> Self {
        let mut orders = [&bed.brokers, &bed.topic, &bed.mongodb_uri, bed.database.name()].join(" ");
        if let Some(name) = name {
            orders = format!("{orders} {name}");
        }
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--ignored", "--exact", "kills::consumer_process"])
            .env(ORDERS, orders)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Three consumers drain a random load while they are killed and started again in turn.
struct Slaughter {
    events: usize,
    seed: u64,
    /// How long a consumer is let live after its predecessor was killed.
    every: Duration,
    /// How often one is killed at most; killing ends when there is nothing left to apply.
    kills: usize,
    /// Whether those that start again are the members that were killed, rather than new ones. The group waits for a
    /// member that went silent for its session's time-out, and not at all for one that is back.
    same_members: bool,
}

impl Slaughter {
    /// Fails the test unless everything ends as the model says. Gives the number of kills.
    async fn run(self) -> usize {
        let bed = Bed::new().await;
        let load = Load::random(self.seed, self.events, self.events / 9).with_bad_messages();
        let consumer = |number: usize| {
            let name = format!("consumer-{number}");
            Consumer::spawn(&bed, self.same_members.then_some(name.as_str()))
        };
        load.put(&bed).await;
        let mut consumers: Vec<Consumer> = (0..3).map(consumer).collect();
        let total = i64::try_from(load.messages()).unwrap();
        let applied = async || {
            let positions = bed.find("event_positions", bson::doc! {}).await;
            let next = positions.iter().map(|position| position.get_i64("next").unwrap());
            next.sum::<i64>()
        };
        let mut kills = 0;
        while kills < self.kills {
            let before = applied().await;
            eventually("work goes on", async || applied().await > before || before == total).await;
            if before == total {
                break;
            }
            let victim = kills % 3;
            drop(consumers.remove(victim));
            consumers.insert(victim, consumer(victim));
            kills += 1;
            tokio::time::sleep(self.every).await;
        }
        bed.drained().await;
        load.verify(&bed).await;
        verify_dead_letters(&bed, &load);
        drop(consumers);
        bed.clear().await;
        kills
    }
}

/// Every bad message lies in the dead letters, and nothing else does. One may lie there twice, whose consumer was killed
/// between writing it and noting that.
fn verify_dead_letters(bed: &Bed, load: &Load) {
    let letters = bed.read_all(&format!("{}.dlq", bed.topic));
    let place = |letter| {
        (
            header(letter, headers::PARTITION).unwrap(),
            header(letter, headers::OFFSET).unwrap(),
        )
    };
    let places: BTreeSet<_> = letters.iter().map(place).collect();
    assert_eq!(places.len(), load.bad_messages());
}

#[tokio::test(flavor = "multi_thread")]
async fn three_consumers_of_which_one_after_another_is_killed_end_as_a_model_says() {
    let slaughter = Slaughter {
        events: 5_000,
        seed: 31,
        every: Duration::from_millis(700),
        kills: 4,
        same_members: false,
    };
    assert!(slaughter.run().await > 0, "nobody was killed");
}

#[tokio::test(flavor = "multi_thread")]
async fn static_members_that_are_killed_and_come_back_end_as_a_model_says() {
    let slaughter = Slaughter {
        events: 5_000,
        seed: 32,
        every: Duration::from_millis(700),
        kills: 6,
        same_members: true,
    };
    assert!(slaughter.run().await > 0, "nobody was killed");
}

/// The same at any size, by hand:
/// `BILLWRIGHT_TEST_KILLS='100000 1' cargo test --release -p billwright-events --test it -- --ignored --nocapture as_many_events`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes"]
#[expect(clippy::disallowed_methods, reason = "a test that is run by hand")]
async fn as_many_events_as_it_is_told_end_as_a_model_says() {
    let told = std::env::var(LARGE).unwrap_or_else(|_| "100000 1".to_owned());
    let mut numbers = told.split(' ').map(|number| number.parse::<u64>().unwrap());
    let (events, seed) = (numbers.next().unwrap(), numbers.next().unwrap_or(1));
    let began = Instant::now();
    let slaughter = Slaughter {
        events: usize::try_from(events).unwrap(),
        seed,
        every: Duration::from_secs(2),
        kills: usize::MAX,
        same_members: true,
    };
    let kills = slaughter.run().await;
    println!(
        "{events} events, seed {seed}: as the model says after {kills} kills, {:.0?}",
        began.elapsed()
    );
}
