//! Jobs for the order worker: a mix of all that is asked for most, the documents that they are about, and the queue.

use anyhow::{Context as _, Result};
use billwright_services::progress;
use bson::{Document, doc, oid::ObjectId};
use bullmq::{BulkJob, JobOptions, Queue, QueueOptions, options::RedisConnectionOptions};
use chrono::{DateTime, Utc};
use mongodb::Database;
use serde_json::{Value, json};

use super::{
    billz::{PRICE, sale},
    ground::Ground,
};

pub(super) const QUEUE: &str = "billz-operations";
/// Jobs that are added in one go.
const AT_ONCE: usize = 1_000;
const ATTEMPTS: u32 = 3;
const UNIT_PRICE: u32 = 100;
const PRODUCTS: u32 = 3;

/// A job's type and payload.
pub(super) type Job = (&'static str, Value);

/// Jobs, and what must be there before them.
#[derive(Debug, Clone, Default)]
pub(super) struct Mix {
    pub(super) jobs: Vec<Job>,
    orders: Vec<Document>,
    clients: Vec<Document>,
    /// Sales that must be in Billz.
    pub(super) sales: usize,
    /// So many of them, the first ones, must be such that they can be paid.
    pub(super) payable: usize,
}

impl Mix {
    /// Of every ten jobs, eight are light ones (a sale read, a line added, a client made), one is a payment, every
    /// twentieth of them asked for twice, and one places an order of three products, two orders for each client.
    pub(super) fn of(total: usize) -> Self {
        let tens = total.div_ceil(10);
        let mut mix = Self {
            payable: tens,
            sales: tens,
            ..Self::default()
        };
        let mut payments = 0;
        for ten in 0..tens {
            for _ in 0..4 {
                mix.light();
            }
            if ten % 20 != 19 {
                payments += 1;
            }
            mix.pay(payments - 1);
            for _ in 0..4 {
                mix.light();
            }
            mix.place();
        }
        mix
    }

    fn light(&mut self) {
        let number = self.sales;
        self.sales += 1;
        let order = sale(number);
        self.jobs.push(match number % 3 {
            0 => ("GET_ORDER", json!({"orderId": order})),
            1 => (
                "ADD_ITEM",
                json!({"productId": format!("product-{number}"), "qty": 2, "orderId": order, "employeeID": "emp123"}),
            ),
            _ => (
                "CREATE_CLIENT",
                json!({
                    "clientPhone": format!("+99891{number:07}"), "clientFirstName": "John", "clientLastName": "Doe",
                }),
            ),
        });
    }

    /// Pays the sale of a number, which must be one of the first.
    pub(super) fn pay(&mut self, number: usize) {
        self.jobs.push(payment(number));
    }

    /// Places an order of three products.
    pub(super) fn place(&mut self) {
        let number = self.orders.len();
        if number / 2 >= self.clients.len() {
            let phone = 998_900_000_000_i64 + i64::try_from(number).unwrap_or_default();
            self.clients.push(doc! {
                "_id": ObjectId::new(), "phone": phone, "firstName": format!("First{number}"), "lastName": "Last",
                "createdAt": bson::DateTime::now(), "updatedAt": bson::DateTime::now(), "__v": 0,
            });
        }
        let client = self.clients[number / 2].get_object_id("_id").unwrap_or_default();
        let id = ObjectId::new();
        let payload = order(id, number, client);
        let mut stored = bson::serialize_to_document(&payload).unwrap_or_default();
        stored.extend(doc! {
            "_id": id, "orderID": (100_000 + number).to_string(), "clientIdSys": client,
            "createdAt": bson::DateTime::now(),
            "updatedAt": bson::DateTime::now(), "__v": 0,
        });
        self.orders.push(stored);
        self.jobs.push(("PLACE_ORDER", payload));
    }

    /// Stores the documents that the jobs are about.
    pub(super) async fn store(&self, database: &Database) -> Result<()> {
        for (collection, documents) in [("clients", &self.clients), ("orders", &self.orders)] {
            if !documents.is_empty() {
                database
                    .collection::<Document>(collection)
                    .insert_many(documents)
                    .await?;
            }
        }
        Ok(())
    }
}

/// The payment of the sale of a number.
pub(super) fn payment(number: usize) -> Job {
    (
        "MAKE_PAYMENT",
        json!({"orderId": sale(number), "cardId": "card123", "totalPrice": PRICE}),
    )
}

fn order(id: ObjectId, number: usize, client: ObjectId) -> Value {
    let products: Vec<Value> = (0..PRODUCTS)
        .map(|line| {
            json!({
                "productID": format!("prod-{number}-{line}"), "qty": 1, "name": {"en": "Product", "uz": "Mahsulot"},
                "sku": format!("SKU{line}"), "barCode": "1234567890123", "imageUrl": "https://example.com/image.jpg",
                "subTotalPrice": UNIT_PRICE, "totalPrice": UNIT_PRICE, "discountAmount": 0,
            })
        })
        .collect();
    let total = PRODUCTS * UNIT_PRICE;
    json!({
        "_id": id.to_hex(), "orderID": 100_000 + number, "clientIdSys": client.to_hex(),
        "isPostPonement": false, "isPaid": false, "deliveryStatus": "pending", "storeId": "store123",
        "storeExternalID": "ext_store_123", "paymentMethod": "online", "regionId": ObjectId::new().to_hex(),
        "paidAmount": 0,
        "deliveryAddress": {
            "street": "Main Street 123", "city": "Tashkent", "apartment": "5A", "floor": "2", "entrance": "A",
        },
        "coordinates": {"latitude": 41.2995, "longitude": 69.2401, "accuracy": 10},
        "products": products, "subTotalPrice": total, "discountAmount": 0, "totalPrice": total,
        "deliverySubTotalPrice": 20,
        "createdBy": ObjectId::new().to_hex(), "region": "Tashkent", "store": "Main Store", "employeeName": "John Doe",
        "userId": ObjectId::new().to_hex(),
    })
}

/// The queue, as its producer has it.
pub(super) struct JobQueue(Queue);

impl JobQueue {
    /// An empty queue: Redis forgets everything else.
    pub(super) async fn empty(ground: &Ground) -> Result<Self> {
        let client = redis::Client::open(ground.servers().redis.url())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        redis::cmd("FLUSHALL").query_async::<()>(&mut connection).await?;
        let options = QueueOptions {
            connection: connection_options(ground),
            ..QueueOptions::default()
        };
        Ok(Self(Queue::with_options(QUEUE, options).await?))
    }

    /// Adds jobs, each with an envelope of its own, and returns their ids.
    pub(super) async fn add(&self, jobs: &[Job]) -> Result<Vec<String>> {
        let mut ids = Vec::with_capacity(jobs.len());
        for some in jobs.chunks(AT_ONCE) {
            let some = some.iter().map(|(kind, payload)| {
                let data = json!({
                    "type": kind, "payload": payload, "correlationId": uuid::Uuid::now_v7().to_string(),
                    "timestamp": 1_795_960_800_000_u64,
                });
                let options = JobOptions {
                    attempts: Some(ATTEMPTS),
                    ..JobOptions::default()
                };
                BulkJob::with_options(*kind, data, options)
            });
            let added = self.0.add_bulk(some.collect()).await?;
            ids.extend(added.iter().map(|job| job.id().to_owned()));
        }
        Ok(ids)
    }

    /// When a job was added, and when a worker took it, if one has.
    pub(super) async fn times(&self, id: &str) -> Result<(DateTime<Utc>, Option<DateTime<Utc>>)> {
        let job = self.0.get_job(id).await?.context("the job is gone")?;
        let time = |millis: u64| DateTime::from_timestamp_millis(i64::try_from(millis).unwrap_or(i64::MAX));
        let added = time(job.timestamp()).context("a job was added at no time that there is")?;
        Ok((added, job.processed_on().and_then(time)))
    }

    /// Jobs that nobody has begun.
    pub(super) async fn waiting(&self) -> Result<u64> {
        Ok(self.0.get_job_counts().await?.waiting)
    }

    /// Jobs that have not ended.
    pub(super) async fn left(&self) -> Result<u64> {
        let counts = self.0.get_job_counts().await?;
        Ok(counts.waiting + counts.active + counts.delayed + counts.prioritized)
    }

    /// Jobs that failed for good. Tells why one of them did, which nobody expects.
    pub(super) async fn failed(&self) -> Result<u64> {
        let failed = self.0.get_job_counts().await?.failed;
        if let Some(job) = self.0.get_failed(0, 0).await?.first() {
            progress::tell(&format!(
                "{failed} jobs failed; a {}: {}",
                job.name(),
                job.failed_reason()
            ));
        }
        Ok(failed)
    }
}

/// How the library reaches the run's Redis.
pub(super) fn connection_options(ground: &Ground) -> RedisConnectionOptions {
    RedisConnectionOptions::new().url(ground.servers().redis.url())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixes_jobs_in_fixed_shares() {
        let mix = Mix::of(1_000);
        let of = |wanted: &str| mix.jobs.iter().filter(|(kind, _)| *kind == wanted).count();
        assert_eq!(
            (mix.jobs.len(), of("MAKE_PAYMENT"), of("PLACE_ORDER")),
            (1_000, 100, 100)
        );
        assert_eq!(of("GET_ORDER") + of("ADD_ITEM") + of("CREATE_CLIENT"), 800);
        assert_eq!((mix.orders.len(), mix.clients.len()), (100, 50));
    }

    #[test]
    fn asks_for_some_payments_twice() {
        let mix = Mix::of(1_000);
        let mut paid: Vec<&str> = mix
            .jobs
            .iter()
            .filter(|(kind, _)| *kind == "MAKE_PAYMENT")
            .filter_map(|(_, payload)| payload["orderId"].as_str())
            .collect();
        let all = paid.len();
        paid.sort_unstable();
        paid.dedup();
        assert_eq!(all - paid.len(), 5);
        assert!(paid.len() <= mix.payable);
    }
}
