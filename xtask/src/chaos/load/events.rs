//! Customer events in all their forms, once and several times, in order and too early, and messages that are none.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Result;
use bson::{Document, doc};
use rand::{Rng as _, rngs::StdRng, seq::IndexedRandom as _};
use rdkafka::{
    ClientConfig,
    producer::{FutureProducer, FutureRecord},
};
use serde_json::{Value, json};

use super::World;
use crate::chaos::{
    book::{ExpectedUser, lock},
    stage::TOPIC,
};

/// How many produce at a time, each about customers of its own.
pub(super) const PRODUCERS: u64 = 4;
/// Customers of one producer at a time; one in a while is new.
const CUSTOMERS: u64 = 12;
/// The pause between two messages, in milliseconds.
const PAUSE_MS: std::ops::Range<u64> = 20..250;

/// How long a message may wait until the broker has it, which on a busy machine may take minutes to start.
const PATIENCE: Duration = Duration::from_mins(15);

/// What an event says.
#[derive(Debug, Clone, PartialEq)]
enum Said {
    Created(String),
    Updated(String),
    Suspended,
    Reactivated,
    Deleted,
}

/// An event as it was sent, which may be sent again.
#[derive(Debug, Clone)]
struct Event {
    said: Said,
    /// When it says that it happened.
    stated: Option<u64>,
    value: String,
}

/// What the model knows of a customer.
#[derive(Debug, Default)]
struct Customer {
    user: Option<ExpectedUser>,
    waiting: Vec<Event>,
    first_billings: u64,
    /// Where the last `Customer.Created` lies.
    created: Option<(i32, i64)>,
    /// The latest event that was applied, where events state their times.
    last: Option<(u64, String)>,
    sent: Vec<Event>,
}

/// Produces until the world says that it is enough, and then writes down what must come of it.
pub(super) async fn run(world: World, number: u64) -> Result<()> {
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", world.stage.kafka.brokers())
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("message.timeout.ms", PATIENCE.as_millis().to_string())
        .set("reconnect.backoff.max.ms", "500")
        .create()?;
    let mut chance = world.chances("events", number);
    let mut customers: BTreeMap<String, Customer> = BTreeMap::new();
    let mut newest = CUSTOMERS;
    while world.goes_on() {
        if chance.random_bool(0.05) {
            newest += 1;
        }
        if chance.random_bool(0.03) {
            poison(&world, &producer, &mut chance).await?;
        }
        let place = chance.random_range(newest - CUSTOMERS..newest);
        let user_id = format!("event-{number}-{place}");
        let customer = customers.entry(user_id.clone()).or_default();
        let may_go = is_applied(&world, customer.created).await;
        let event = customer.next_event(&user_id, place % 2 == 0, may_go, &mut chance);
        for _ in 0..if chance.random_bool(0.1) { 2 } else { 1 } {
            let place = send(&world, &producer, &user_id, &event.value).await?;
            if matches!(event.said, Said::Created(_)) {
                customer.created = Some(place);
            }
            customer.take(event.clone());
        }
        customer.sent.push(event);
        tokio::time::sleep(Duration::from_millis(chance.random_range(PAUSE_MS))).await;
    }
    let mut book = lock(&world.book.events);
    for (user_id, customer) in customers {
        book.first_billings += customer.first_billings;
        if !customer.waiting.is_empty() {
            book.waiting.insert(user_id.clone(), customer.waiting.len());
        }
        if let Some(user) = customer.user {
            book.users.insert(user_id, user);
        }
    }
    Ok(())
}

/// Sends a message and returns where it lies, once every replica has it.
async fn send(world: &World, producer: &FutureProducer, key: &str, value: &str) -> Result<(i32, i64)> {
    let record = FutureRecord::to(TOPIC).key(key).payload(value);
    let written = producer.send(record, PATIENCE).await;
    let written = written.map_err(|(error, _)| error)?;
    lock(&world.book.events).produced += 1;
    Ok((written.partition, written.offset))
}

/// Whether the message at a place took effect. A customer who is created and deleted in one batch takes up no number, so
/// that only by waiting for this it is known how many numbers there must be.
async fn is_applied(world: &World, place: Option<(i32, i64)>) -> bool {
    let Some((partition, offset)) = place else { return true };
    let positions = world.stage.billing.collection::<Document>("event_positions");
    let position = positions.find_one(doc! { "_id.partition": partition }).await;
    position
        .is_ok_and(|position| position.is_some_and(|position| position.get_i64("next").is_ok_and(|next| next > offset)))
}

/// Sends what can never be applied.
async fn poison(world: &World, producer: &FutureProducer, chance: &mut StdRng) -> Result<()> {
    let values = [
        "",
        "{\"type\": \"Customer.Created\", ",
        "[1, 2, 3]",
        r#"{"type": "Customer.Promoted", "payload": {"userId": "nobody"}}"#,
        r#"{"type": "Customer.Created", "payload": {"address": {"city": "Nowhere"}}}"#,
        r#"{"event": "Customer.Updated", "data": {"userId": "nobody", "isActive": "perhaps"}, "timestamp": 1}"#,
    ];
    let value = values.choose(chance).unwrap_or(&"");
    let place = send(world, producer, "nobody", value).await?;
    lock(&world.book.events).poison.insert(place);
    Ok(())
}

impl Customer {
    /// The next thing that happens to the customer, or something that happened before.
    fn next_event(&self, user_id: &str, states_times: bool, may_go: bool, chance: &mut StdRng) -> Event {
        if states_times
            && chance.random_bool(0.1)
            && let Some(old) = self.sent.choose(chance)
        {
            return old.clone();
        }
        let city = format!("City {}", chance.random_range(0..1_000));
        let said = match chance.random_range(0..12) {
            0..4 => Said::Created(city),
            4..8 => Said::Updated(city),
            8 => Said::Suspended,
            9 => Said::Reactivated,
            10 if may_go => Said::Deleted,
            _ if self.user.is_none() => Said::Suspended,
            _ => Said::Updated(city),
        };
        // Strictly later than all that was stated before.
        let stated =
            states_times.then(|| now_ms().max(self.sent.iter().filter_map(|sent| sent.stated).max().unwrap_or(0) + 1));
        Event {
            value: said.written(user_id, stated, chance),
            said,
            stated,
        }
    }

    /// The rules of the contract, as simply as they can be said.
    fn take(&mut self, event: Event) {
        if let (Some(stated), Some((last, value))) = (event.stated, &self.last)
            && (stated < *last || (stated == *last && event.value == *value))
        {
            return;
        }
        match (&event.said, &mut self.user) {
            (Said::Created(city), user) => {
                let known = user.is_some();
                let user = user.get_or_insert(ExpectedUser {
                    city: None,
                    active: true,
                });
                user.city = Some(city.clone());
                self.note(&event);
                if !known {
                    self.first_billings += 1;
                    for waiting in std::mem::take(&mut self.waiting) {
                        self.apply(&waiting);
                    }
                }
            }
            (Said::Deleted, _) => {
                self.user = None;
                self.waiting.clear();
                self.note(&event);
            }
            (_, Some(_)) => self.apply(&event),
            (_, None) => self.waiting.push(event),
        }
    }

    fn apply(&mut self, event: &Event) {
        if let Some(user) = &mut self.user {
            match &event.said {
                Said::Created(city) | Said::Updated(city) => user.city = Some(city.clone()),
                Said::Suspended => user.active = false,
                Said::Reactivated => user.active = true,
                Said::Deleted => {}
            }
        }
        self.note(event);
    }

    fn note(&mut self, event: &Event) {
        if let Some(stated) = event.stated
            && self.last.as_ref().is_none_or(|(last, _)| stated >= *last)
        {
            self.last = Some((stated, event.value.clone()));
        }
    }
}

impl Said {
    /// The event in one of its forms.
    fn written(&self, user_id: &str, stated: Option<u64>, chance: &mut StdRng) -> String {
        let (kind, city) = match self {
            Self::Created(city) => ("Customer.Created", Some(city)),
            Self::Updated(city) => ("Customer.Updated", Some(city)),
            Self::Suspended => ("Customer.Suspended", None),
            Self::Reactivated => ("Customer.Reactivated", None),
            Self::Deleted => ("Customer.Deleted", None),
        };
        let mut payload = json!({"userId": user_id});
        if let Some(city) = city {
            payload["address"] = json!({"city": city});
        }
        let id: u64 = chance.random();
        let cloud_event = |payload: Value| json!({"specversion": "1.0", "id": id.to_string(), "source": "/customers", "type": kind, "data": payload});
        let event = match (stated, chance.random_bool(0.5)) {
            (Some(stated), true) => json!({"event": kind, "data": payload, "timestamp": stated}),
            (Some(stated), false) => {
                let mut event = cloud_event(payload);
                event["time"] = json!(rfc3339(stated));
                event
            }
            (None, true) => json!({"type": kind, "payload": payload, "id": id}),
            (None, false) => cloud_event(payload),
        };
        event.to_string()
    }
}

fn rfc3339(ms: u64) -> Option<String> {
    bson::DateTime::from_millis(i64::try_from(ms).ok()?)
        .try_to_rfc3339_string()
        .ok()
}

/// Producers have clocks of their own, which do not jump here.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(said: Said, stated: Option<u64>) -> Event {
        Event {
            value: format!("{said:?}"),
            said,
            stated,
        }
    }

    #[test]
    fn the_model_keeps_what_comes_too_early_and_ignores_what_comes_again() {
        let mut customer = Customer::default();
        customer.take(event(Said::Suspended, Some(1)));
        assert_eq!(customer.waiting.len(), 1);
        let created = event(Said::Created("Cali".to_owned()), Some(2));
        customer.take(created.clone());
        let user = ExpectedUser {
            city: Some("Cali".to_owned()),
            active: false,
        };
        assert_eq!(customer.user, Some(user.clone()));
        customer.take(event(Said::Deleted, Some(3)));
        customer.take(created);
        assert_eq!(
            (customer.user, customer.first_billings),
            (None, 1),
            "an old event came again"
        );
    }
}
