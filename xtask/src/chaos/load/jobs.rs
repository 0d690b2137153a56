//! Jobs of all types, valid and not, once and several times, one after another and at once.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use billwright_worker::admin::EnqueueOptions;
use futures_util::future::join_all;
use rand::{Rng as _, rngs::StdRng, seq::IndexedRandom as _};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{
    World,
    orders::{Shop, price},
};
use crate::chaos::{
    book::{PutJob, lock},
    queue::Standing,
    stage::PRICES,
};

/// How many customers of the queue are busy at a time.
const AT_ONCE: usize = 24;
/// The pause between two new ones, in milliseconds.
const PAUSE_MS: std::ops::Range<u64> = 100..900;

/// Puts jobs until the world says that it is enough.
pub(super) async fn run(world: World, shop: Shop) -> Result<()> {
    let producer = Producer {
        shop,
        numbers: Arc::default(),
        clients: Arc::default(),
        world,
    };
    let mut chance = producer.world.chances("jobs", 0);
    let mut busy = JoinSet::new();
    for number in 1.. {
        if !producer.world.goes_on() {
            break;
        }
        while busy.len() >= AT_ONCE {
            if let Some(ended) = busy.join_next().await {
                ended?;
            }
        }
        busy.spawn(producer.clone().serve(number));
        tokio::time::sleep(Duration::from_millis(chance.random_range(PAUSE_MS))).await;
    }
    while let Some(ended) = busy.join_next().await {
        ended?;
    }
    Ok(())
}

#[derive(Clone)]
struct Producer {
    world: World,
    shop: Shop,
    /// The last number that was given to a job.
    numbers: Arc<AtomicU64>,
    /// Ids of clients in Billz.
    clients: Arc<Mutex<Vec<String>>>,
}

impl Producer {
    async fn serve(self, number: u64) {
        let mut chance = self.world.chances("customer", number);
        match chance.random_range(0..100) {
            0..50 => self.order_at_once(number, &mut chance).await,
            50..78 => self.order_step_by_step(&mut chance).await,
            78..90 => self.client(number, &mut chance).await,
            _ => self.wrong(&mut chance).await,
        }
    }

    /// `PLACE_ORDER`, and what may follow it.
    async fn order_at_once(&self, number: u64, chance: &mut StdRng) {
        let (order, payload) = self.shop.order(chance, format!("C{number}"));
        self.world.book.order(order.clone());
        let first = self.put(chance, "PLACE_ORDER", payload.clone()).await;
        let mut ids = vec![first.id.clone()];
        if chance.random_bool(0.25) {
            // The producer's own retry, and a second click of the same person.
            ids.push(self.put_again(chance, &first).await);
            ids.push(self.put(chance, "PLACE_ORDER", payload).await.id);
        }
        let ends = self.ends(&ids).await;
        let sale = ends.iter().find_map(|end| match end {
            Standing::Completed(value) => value["billzOrderId"].as_str().map(str::to_owned),
            _ => None,
        });
        let Some(sale) = sale else { return };
        for _ in 0..chance.random_range(0..3) {
            let ids = self.follow_up(&sale, order.total, chance).await;
            self.ends(&ids).await;
        }
    }

    /// Something that is done to a sale that is placed.
    async fn follow_up(&self, sale: &str, total: i64, chance: &mut StdRng) -> Vec<String> {
        let of_sale = json!({"orderId": sale});
        let card = self.shop.card(chance);
        let pay = |amount: i64| json!({"orderId": sale, "cardId": card, "totalPrice": amount});
        match chance.random_range(0..10) {
            0..4 => {
                let mut ids = Vec::new();
                for _ in 0..chance.random_range(1..=3) {
                    ids.push(self.put(chance, "MAKE_PAYMENT", pay(total)).await.id);
                }
                ids
            }
            4 => vec![self.put(chance, "MAKE_PAYMENT", pay(total + 7)).await.id],
            5 => vec![self.put(chance, "DELETE_ORDER", of_sale).await.id],
            6 => vec![self.put(chance, "CANCEL_POSTPONE", of_sale).await.id],
            7 => vec![
                self.put(chance, "POSTPONE_ORDER", json!({"orderId": sale, "comment": "later"}))
                    .await
                    .id,
            ],
            _ => vec![self.put(chance, "GET_ORDER", of_sale).await.id],
        }
    }

    /// An order made call by call, as the owners' older back end does it.
    async fn order_step_by_step(&self, chance: &mut StdRng) {
        let made = self.put(chance, "CREATE_ORDER", json!({})).await;
        let Some(sale) = self.value_of(&made.id, "orderId").await else {
            return;
        };
        let mut total = 0;
        let mut adds = Vec::new();
        for _ in 0..chance.random_range(1..=4) {
            let (product, _) = PRICES.choose(chance).unwrap_or(&PRICES[0]);
            let units = chance.random_range(1..=2_i64);
            total += price(product) * units;
            let payload = json!({"productId": product, "qty": units, "orderId": sale});
            let job = self.put(chance, "ADD_ITEM", payload).await;
            if chance.random_bool(0.2) {
                adds.push(self.put_again(chance, &job).await);
            }
            adds.push(job.id);
        }
        let ends = self.ends(&adds).await;
        let complete = ends.iter().all(|end| matches!(end, Standing::Completed(_)));
        let client = lock(&self.clients).choose(chance).cloned();
        if let Some(client) = client {
            let payload = json!({"orderId": sale, "customerId": client});
            let job = self.put(chance, "ADD_CLIENT", payload).await;
            self.ends(&[job.id]).await;
        }
        if !complete {
            return;
        }
        if chance.random_bool(0.4) {
            let payload = json!({"orderId": sale, "amount": 3, "totalPrice": total});
            let job = self.put(chance, "CREATE_DISCOUNT", payload).await;
            match self.ends(&[job.id]).await.first() {
                Some(Standing::Completed(_)) => total -= 3,
                _ => return,
            }
        }
        for _ in 0..chance.random_range(1..=3) {
            let ids = self.follow_up(&sale, total, chance).await;
            self.ends(&ids).await;
        }
    }

    /// One person, asked for by several jobs at once.
    async fn client(&self, number: u64, chance: &mut StdRng) {
        let digits = format!("99890{:07}", 2_000_000 + number);
        self.world.book.phone(digits.clone());
        let payload = json!({"clientPhone": format!("+{digits}"), "clientFirstName": "John", "clientLastName": "Doe"});
        let mut ids = Vec::new();
        for _ in 0..chance.random_range(1..=3) {
            let job = self.put(chance, "CREATE_CLIENT", payload.clone()).await;
            if chance.random_bool(0.3) {
                ids.push(self.put_again(chance, &job).await);
            }
            ids.push(job.id);
        }
        for end in self.ends(&ids).await {
            if let Standing::Completed(value) = end
                && let Some(id) = value["clientId"].as_str()
            {
                lock(&self.clients).push(id.to_owned());
            }
        }
    }

    /// A job that the worker must refuse.
    async fn wrong(&self, chance: &mut StdRng) {
        let wrong = [
            ("PAY_EVERYTHING", json!({})),
            ("MAKE_PAYMENT", json!({"orderId": "x"})),
            (
                "MAKE_PAYMENT",
                json!({"orderId": "x", "cardId": "card123", "totalPrice": -5}),
            ),
            ("ADD_ITEM", json!({"productId": "p", "qty": 0, "orderId": "x"})),
            (
                "CREATE_CLIENT",
                json!({"clientPhone": "call me", "clientFirstName": "J"}),
            ),
            ("CREATE_DISCOUNT", json!({"orderId": "x", "amount": 9, "totalPrice": 9})),
            ("PLACE_ORDER", json!({"orderID": "none", "products": []})),
            ("POSTPONE_ORDER", json!(["not", "an", "object"])),
            ("GET_ORDER", json!({"orderId": {"$gt": ""}})),
        ];
        if let Some((kind, payload)) = wrong.choose(chance) {
            let job = self.write_down(kind, payload.clone(), None, true);
            self.add(chance, &job).await;
            self.ends(&[job.id]).await;
        }
    }

    /// Puts a valid job and returns it.
    async fn put(&self, chance: &mut StdRng, kind: &str, payload: Value) -> PutJob {
        let job = self.write_down(kind, payload, None, false);
        self.add(chance, &job).await;
        job
    }

    /// Puts another job with the same envelope, as a producer does that lost an answer. Returns its id.
    async fn put_again(&self, chance: &mut StdRng, first: &PutJob) -> String {
        let correlation_id = Some(first.correlation_id.clone());
        let job = self.write_down(&first.kind, first.payload.clone(), correlation_id, false);
        self.add(chance, &job).await;
        job.id
    }

    fn write_down(&self, kind: &str, payload: Value, correlation_id: Option<String>, is_wrong: bool) -> PutJob {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed) + 1;
        let job = PutJob {
            id: format!("job-{number}"),
            kind: kind.to_owned(),
            payload,
            correlation_id: correlation_id.unwrap_or_else(|| format!("chaos-{}-{number}", self.world.seed)),
            is_wrong,
            accepted: false,
        };
        self.world.book.job(job.clone());
        job
    }

    async fn add(&self, chance: &mut StdRng, job: &PutJob) {
        let data = json!({
            "type": job.kind, "payload": job.payload, "correlationId": job.correlation_id, "timestamp": 1_795_960_800_000_u64,
        });
        let attempts = *[None, None, Some(1), Some(4), Some(6)].choose(chance).unwrap_or(&None);
        let options = EnqueueOptions {
            job_id: Some(job.id.clone()),
            attempts,
            backoff: attempts.map(|_| Duration::from_millis(300)),
            priority: chance.random_bool(0.1).then_some(5),
            delay: chance.random_bool(0.1).then_some(Duration::from_millis(500)),
            ..EnqueueOptions::default()
        };
        let world = &self.world;
        if world.queue.put(&job.kind, &data, &options, world.give_up()).await {
            world.book.accepted(&job.id);
        }
    }

    async fn ends(&self, ids: &[String]) -> Vec<Standing> {
        let world = &self.world;
        join_all(ids.iter().map(|id| world.queue.ended(id, world.give_up()))).await
    }

    async fn value_of(&self, id: &str, field: &str) -> Option<String> {
        match self.world.queue.ended(id, self.world.give_up()).await {
            Standing::Completed(value) => value[field].as_str().map(str::to_owned),
            _ => None,
        }
    }
}
