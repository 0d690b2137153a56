//! Customer events: what is produced, what must come of it, and how it gets to the broker.

use anyhow::{Context as _, Result, anyhow, ensure};
use bson::{Document, doc};
use futures_util::future::try_join_all;
use mongodb::Database;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use rdkafka::{
    ClientConfig,
    admin::{AdminOptions, NewTopic, TopicReplication},
    producer::{FutureProducer, FutureRecord},
    util::Timeout,
};
use serde_json::json;

use super::ground::Ground;
use crate::test_bed;

/// How many messages are on their way to the broker at a time.
const AT_ONCE: usize = 1_000;
/// The last one of each partition.
const LAST: &str = "last-";
const HOME: &str = "Cali";

/// What an event says of a customer, who is a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    Created,
    /// Has moved to a city.
    Updated(String),
    Suspended,
    Reactivated,
}

/// Events in the order of their making.
#[derive(Debug, Clone)]
pub(super) struct Events {
    /// What the customers' ids begin with, so that they are told from others in the database.
    prefix: String,
    pub(super) list: Vec<(usize, Said)>,
    users: u64,
    inactive: u64,
    moved: u64,
}

/// A topic of its own.
#[derive(Clone)]
pub(super) struct Topic {
    name: String,
    partitions: usize,
    producer: FutureProducer,
}

impl Events {
    /// 70 % created, 20 % updated, 5 % suspended, 5 % reactivated; always the same for the same number. `tag`
    /// tells their customers from those of other events.
    pub(super) fn mixed(number: u64, tag: &str) -> Self {
        let mut chance = StdRng::seed_from_u64(42);
        let mut list = Vec::new();
        let mut active = Vec::new();
        let mut moved = Vec::new();
        for index in 0..number {
            let kind = index % 20;
            if kind < 14 {
                list.push((active.len(), Said::Created));
                active.push(true);
                moved.push(false);
                continue;
            }
            let user = chance.random_range(0..active.len());
            let said = match kind {
                14..18 => {
                    moved[user] = true;
                    Said::Updated(format!("City {index}"))
                }
                18 => {
                    active[user] = false;
                    Said::Suspended
                }
                _ => {
                    active[user] = true;
                    Said::Reactivated
                }
            };
            list.push((user, said));
        }
        let of = |flags: &[bool], wanted| flags.iter().filter(|flag| **flag == wanted).map(|_| 1).sum();
        Self {
            prefix: format!("c{tag}-"),
            list,
            users: of(&active, true) + of(&active, false),
            inactive: of(&active, false),
            moved: of(&moved, true),
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        u64::try_from(self.list.len()).unwrap_or(u64::MAX)
    }

    /// How the customer of a number is called.
    pub(super) fn customer(&self, number: usize) -> String {
        format!("{}{number}", self.prefix)
    }

    /// Whether anything has come of them yet.
    pub(super) async fn have_begun(&self, database: &Database) -> Result<bool> {
        let filter = doc! { "userId": { "$regex": format!("^{}", self.prefix) } };
        let found = database.collection::<Document>("users").find_one(filter).await?;
        Ok(found.is_some())
    }

    /// Fails unless the database holds exactly what these events lead to, with one billing for each user.
    pub(super) async fn check(&self, database: &Database) -> Result<()> {
        let ours = || doc! { "$regex": format!("^{}", self.prefix) };
        let users = database.collection::<Document>("users");
        let billings = database.collection::<Document>("billings");
        let distinct = billings.distinct("userId", doc! { "userId": ours() });
        let found = (
            users.count_documents(doc! { "userId": ours() }).await?,
            users
                .count_documents(doc! { "userId": ours(), "isActive": false })
                .await?,
            users
                .count_documents(doc! { "userId": ours(), "address.city": { "$ne": HOME } })
                .await?,
            billings.count_documents(doc! { "userId": ours() }).await?,
            u64::try_from(distinct.await?.len())?,
        );
        let expected = (self.users, self.inactive, self.moved, self.users, self.users);
        ensure!(
            found == expected,
            "users, inactive ones, moved ones, billings, users with billings: {found:?}, expected {expected:?}"
        );
        Ok(())
    }
}

impl Topic {
    /// Makes an empty one.
    pub(super) async fn make(ground: &Ground, partitions: usize) -> Result<Self> {
        let brokers = ground.servers().kafka.brokers();
        let name = format!("customers-{}", uuid::Uuid::new_v4().simple());
        let new = NewTopic::new(&name, i32::try_from(partitions)?, TopicReplication::Fixed(1));
        for outcome in test_bed::admin(&brokers)?
            .create_topics([&new], &AdminOptions::new())
            .await?
        {
            outcome.map_err(|(topic, code)| anyhow!("the topic {topic} was not made: {code}"))?;
        }
        Ok(Self {
            producer: ClientConfig::new()
                .set("bootstrap.servers", &brokers)
                .set("linger.ms", "0")
                .create()?,
            name,
            partitions,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn partitions(&self) -> usize {
        self.partitions
    }

    /// Whether an id is that of the user who tells that a partition is drained.
    pub(super) fn is_last(user: &str) -> bool {
        user.starts_with(LAST)
    }

    /// Sends all events, and then to each partition the creation of one user, who tells that the partition is drained.
    pub(super) async fn produce(&self, events: &Events) -> Result<()> {
        for some in events.list.chunks(AT_ONCE) {
            let sent = some
                .iter()
                .map(|(user, said)| self.send(events.customer(*user), said, user % self.partitions));
            try_join_all(sent).await?;
        }
        let last = (0..self.partitions).map(async |partition| {
            let user = format!("{LAST}{}-{partition}", self.name);
            self.send(user, &Said::Created, partition).await
        });
        try_join_all(last).await?;
        Ok(())
    }

    /// Sends one event and waits until the broker has it.
    pub(super) async fn send(&self, user: String, said: &Said, partition: usize) -> Result<()> {
        let value = message(&user, said);
        let record = FutureRecord::to(&self.name)
            .key(&user)
            .payload(&value)
            .partition(i32::try_from(partition)?);
        let sent = self.producer.send(record, Timeout::Never).await;
        sent.map(drop)
            .map_err(|(error, _)| error)
            .context("an event was not taken")
    }

    /// Whether every partition is drained into `database`.
    pub(super) async fn is_drained(&self, database: &Database) -> Result<bool> {
        let last = doc! { "userId": { "$regex": format!("^{LAST}{}-", self.name) } };
        let there = database
            .collection::<Document>("billings")
            .count_documents(last)
            .await?;
        Ok(there == u64::try_from(self.partitions)?)
    }
}

fn message(user: &str, said: &Said) -> String {
    let address =
        |city: &str| json!({"city": city, "country": "Colombia", "zipCode": "760001", "address": "Calle 13 #64-40"});
    let (kind, payload) = match said {
        Said::Created => ("Customer.Created", json!({"userId": user, "address": address(HOME)})),
        Said::Updated(city) => ("Customer.Updated", json!({"userId": user, "address": address(city)})),
        Said::Suspended => ("Customer.Suspended", json!({"userId": user})),
        Said::Reactivated => ("Customer.Reactivated", json!({"userId": user})),
    };
    json!({"type": kind, "payload": payload}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixes_events_in_fixed_shares() {
        let events = Events::mixed(1_000, "");
        let of = |wanted: fn(&Said) -> bool| events.list.iter().filter(|(_, said)| wanted(said)).count();
        assert_eq!(of(|said| *said == Said::Created), 700);
        assert_eq!(of(|said| matches!(said, Said::Updated(_))), 200);
        assert_eq!(of(|said| *said == Said::Suspended), 50);
        assert_eq!(of(|said| *said == Said::Reactivated), 50);
        assert_eq!(events.users, 700);
        assert!(events.inactive > 0 && events.moved > 100);
        assert_eq!(events.list, Events::mixed(1_000, "").list);
    }

    #[test]
    fn names_nobody_who_was_not_created() {
        let mut known = 0;
        for (user, said) in Events::mixed(5_000, "").list {
            if said == Said::Created {
                assert_eq!(user, known);
                known += 1;
            }
            assert!(user < known);
        }
    }
}
