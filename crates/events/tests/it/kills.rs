//! Consumers that are killed while they work, as processes of their own.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use billwright_domain::{HealthBoard, SystemClock};
use billwright_events::EventsSettings;
use tokio_util::sync::CancellationToken;

use crate::{
    bed::{Bed, PATIENCE, eventually, open_mongo},
    model::Load,
};

/// The variable that makes [`consumer_process`] consume: brokers, topic, MongoDB and database, separated by spaces.
const ORDERS: &str = "BILLWRIGHT_TEST_CONSUMER";

/// Consumes for whoever started this process; as a test of its own it does nothing.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "started as a process of its own by the test below"]
#[expect(
    clippy::disallowed_methods,
    reason = "a test's own process gets its orders by a variable"
)]
async fn consumer_process() {
    let Ok(orders) = std::env::var(ORDERS) else {
        return;
    };
    let orders: Vec<&str> = orders.split(' ').collect();
    let mut settings = EventsSettings::new(orders[0]);
    settings.topics = vec![orders[1].to_owned()];
    settings.group_id = orders[1].to_owned();
    settings.session_timeout = Duration::from_secs(6);
    settings.batch.events = 100;
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

/// A consumer's process, which does not outlive the test.
struct Consumer(Child);

impl Consumer {
    fn spawn(bed: &Bed) -> Self {
        let orders = [&bed.brokers, &bed.topic, &bed.mongodb_uri, bed.database.name()].join(" ");
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--ignored", "--exact", "kills::consumer_process"])
            .env(ORDERS, orders)
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

#[tokio::test(flavor = "multi_thread")]
async fn three_consumers_of_which_one_after_another_is_killed_end_as_a_model_says() {
    let bed = Bed::new().await;
    let load = Load::random(31, 5_000, 600);
    let mut consumers: Vec<Consumer> = (0..3).map(|_| Consumer::spawn(&bed)).collect();
    load.put(&bed).await;
    let applied = async || {
        let positions = bed.find("event_positions", bson::doc! {}).await;
        positions
            .iter()
            .map(|position| position.get_i64("next").unwrap())
            .sum::<i64>()
    };
    for victim in 0..4 {
        let before = applied().await;
        let total = i64::try_from(load.len()).unwrap();
        eventually("work goes on", async || applied().await > before || before == total).await;
        // What is overwritten is dropped, and so killed.
        consumers[victim % 3] = Consumer::spawn(&bed);
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    tokio::time::timeout(PATIENCE, bed.drained()).await.unwrap();
    load.verify(&bed).await;
    drop(consumers);
    bed.clear().await;
}
