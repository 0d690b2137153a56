//! A random load with a model of what it must lead to.

use std::collections::{BTreeMap, BTreeSet};

use bson::{Document, doc};
use futures_util::future::join_all;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use rdkafka::producer::FutureRecord;
use serde_json::{Value, json};

use crate::bed::{Bed, PATIENCE, city, is_active};

/// What the model knows of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expected {
    city: Option<String>,
    active: bool,
}

pub(crate) struct Load {
    events: Vec<(&'static str, Value)>,
    with_times: bool,
    with_bad_messages: bool,
}

/// One of so many messages is bad, where a load has bad ones.
const ONE_BAD_IN: usize = 10;

impl Load {
    /// `count` events about `users` customers, in an order that only keeps each customer's own.
    pub(crate) fn random(seed: u64, count: usize, users: usize) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let mut owners: Vec<usize> = (0..count).map(|number| number % users).collect();
        owners.shuffle(&mut random);
        let mut created = vec![false; users];
        let events = owners.into_iter().map(|owner| {
            let user = format!("c-{owner}");
            let place = json!({"city": format!("City {}", random.random_range(0..1000))});
            let kind = match random.random_range(0..10) {
                // Some events come before their customer.
                0..=1 => "Customer.Suspended",
                2 => "Customer.Reactivated",
                3..=5 if created[owner] => "Customer.Updated",
                6 if created[owner] => "Customer.Deleted",
                _ => "Customer.Created",
            };
            created[owner] = match kind {
                "Customer.Created" => true,
                "Customer.Deleted" => false,
                _ => created[owner],
            };
            let payload = match kind {
                "Customer.Created" | "Customer.Updated" => json!({"userId": user, "address": place}),
                _ => json!({"userId": user}),
            };
            (kind, payload)
        });
        Self {
            events: events.collect(),
            with_times: false,
            with_bad_messages: false,
        }
    }

    /// Bad messages between the events.
    pub(crate) fn with_bad_messages(mut self) -> Self {
        self.with_bad_messages = true;
        self
    }

    /// Events that state their times.
    pub(crate) fn with_times(mut self) -> Self {
        self.with_times = true;
        self
    }

    /// How many of its messages are bad.
    pub(crate) fn bad_messages(&self) -> usize {
        if self.with_bad_messages {
            self.events.len() / ONE_BAD_IN
        } else {
            0
        }
    }

    /// How many messages it has in all.
    pub(crate) fn messages(&self) -> usize {
        self.events.len() + self.bad_messages()
    }

    pub(crate) async fn put(&self, bed: &Bed) {
        for chunk in self.events.iter().enumerate().collect::<Vec<_>>().chunks(2_000) {
            let deliveries: Vec<_> = chunk
                .iter()
                .flat_map(|(number, (kind, payload))| {
                    let value = if self.with_times {
                        json!({"event": kind, "data": payload, "timestamp": 1_700_000_000_000_u64 + *number as u64})
                    } else {
                        json!({"type": kind, "payload": payload})
                    };
                    let (value, key) = (value.to_string(), payload["userId"].as_str().unwrap());
                    let bad = self.with_bad_messages && (number + 1) % ONE_BAD_IN == 0;
                    // Half an event is none.
                    let bad = bad.then(|| &value[..value.len() / 2]);
                    let values = [Some(value.as_str()), bad].into_iter().flatten();
                    let send = |value| {
                        let record = FutureRecord::to(&bed.topic).key(key).payload(value);
                        bed.producer.send_result(record).map_err(|(error, _)| error).unwrap()
                    };
                    values.map(send).collect::<Vec<_>>()
                })
                .collect();
            let delivered = tokio::time::timeout(PATIENCE, join_all(deliveries))
                .await
                .expect("the broker takes it");
            for delivery in delivered {
                delivery.unwrap().map_err(|(error, _)| error).unwrap();
            }
        }
    }

    /// What must be there in the end: the users, and how many events wait for each of the others.
    fn expected(&self) -> (BTreeMap<String, Expected>, BTreeMap<String, usize>) {
        let mut users: BTreeMap<String, Expected> = BTreeMap::new();
        let mut waiting: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
        for (kind, payload) in &self.events {
            let id = payload["userId"].as_str().unwrap().to_owned();
            let given = payload["address"]["city"].as_str().map(str::to_owned);
            match (*kind, users.get_mut(&id)) {
                ("Customer.Created", None) => {
                    let mut user = Expected {
                        city: given,
                        active: true,
                    };
                    for kind in waiting.remove(&id).unwrap_or_default() {
                        user.active = kind == "Customer.Reactivated";
                    }
                    users.insert(id, user);
                }
                ("Customer.Created" | "Customer.Updated", Some(user)) => user.city = given,
                ("Customer.Deleted", _) => {
                    users.remove(&id);
                    waiting.remove(&id);
                }
                (kind, Some(user)) => user.active = kind == "Customer.Reactivated",
                (kind, None) => waiting.entry(id).or_default().push(kind),
            }
        }
        let waiting = waiting.into_iter().map(|(id, kinds)| (id, kinds.len())).collect();
        (users, waiting)
    }

    /// How many first billings are made if no customer comes and goes within a batch.
    fn most_billings(&self) -> usize {
        let mut known = BTreeSet::new();
        let created = self.events.iter().filter(|(kind, payload)| {
            let user = payload["userId"].as_str().unwrap();
            match *kind {
                "Customer.Created" => known.insert(user),
                "Customer.Deleted" => {
                    known.remove(user);
                    false
                }
                _ => false,
            }
        });
        created.count()
    }

    /// Fails the test unless the database is exactly what the model says.
    pub(crate) async fn verify(&self, bed: &Bed) {
        let (expected, waiting) = self.expected();
        let found: BTreeMap<String, Expected> = bed
            .find("users", doc! {})
            .await
            .iter()
            .map(|user| {
                let state = Expected {
                    city: city(user).map(str::to_owned),
                    active: is_active(user),
                };
                (user.get_str("userId").unwrap().to_owned(), state)
            })
            .collect();
        assert_eq!(found, expected);
        let mut owners = owners(&bed.find("billings", doc! {}).await);
        assert!(
            owners.values().all(|count| *count == 1),
            "somebody was billed twice: {owners:?}"
        );
        owners.retain(|owner, _| !expected.contains_key(owner));
        assert!(owners.is_empty(), "billings of nobody: {owners:?}");
        let billed = bed.find("billings", doc! {}).await;
        assert_eq!(billed.len(), expected.len());
        let numbers: BTreeSet<_> = billed
            .iter()
            .map(|billing| billing.get_str("billingId").unwrap().to_owned())
            .collect();
        assert_eq!(numbers.len(), billed.len(), "a number was given twice");
        let counter = bed.find_one("counters", doc! { "_id": "billingId" }).await.unwrap();
        let given = usize::try_from(counter.get_i32("seq").unwrap()).unwrap();
        // Customers who were deleted took their numbers along, unless the same batch had made them.
        assert!(
            (billed.len()..=self.most_billings()).contains(&given),
            "{given} numbers were given"
        );
        let last = numbers.last().map_or(0, |last| last.parse().unwrap());
        assert!(last <= given, "{last} was given and only {given} were taken");
        assert_eq!(self::owners(&bed.find("event_set_aside", doc! {}).await), waiting);
    }
}

fn owners(documents: &[Document]) -> BTreeMap<String, usize> {
    let mut owners = BTreeMap::new();
    for document in documents {
        *owners
            .entry(document.get_str("userId").unwrap().to_owned())
            .or_default() += 1;
    }
    owners
}

#[tokio::test(flavor = "multi_thread")]
async fn interleaved_customers_on_six_partitions_end_as_a_model_says() {
    let bed = Bed::new().await;
    let load = Load::random(7, 6_000, 400);
    let consumer = bed.start().await;
    load.put(&bed).await;
    bed.drained().await;
    load.verify(&bed).await;
    consumer.stop().await;
    bed.clear().await;
}
