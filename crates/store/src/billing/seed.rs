//! Fills a database with believable users and billings, for trying the product and for measuring it.

use std::time::Duration;

use billwright_domain::{
    BillingId, Money, UserId,
    billing::NewBilling,
    money::StoredNumber,
    user::{Address, NewUser, UserPhone},
};
use bson::{oid::ObjectId, raw::RawDocumentBuf};
use chrono::{DateTime, TimeDelta, Utc};
use mongodb::Collection;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use super::{billings, counters, users};
use crate::{Mongo, StoreError};

/// What was put into the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seeded {
    /// How many users.
    pub users: u64,
    /// How many billings.
    pub billings: u64,
}

/// How many documents are sent at a time.
const BATCH: u64 = 2000;

/// City and postal code of its centre.
const CITIES: [(&str, &str); 8] = [
    ("Bogotá", "110111"),
    ("Medellín", "050021"),
    ("Cali", "760001"),
    ("Barranquilla", "080001"),
    ("Cartagena", "130001"),
    ("Bucaramanga", "680001"),
    ("Pereira", "660001"),
    ("Manizales", "170001"),
];

const STREETS: [&str; 5] = ["Calle", "Carrera", "Avenida", "Diagonal", "Transversal"];

/// Monthly fees, in pesos.
const FEES: [u32; 7] = [45_900, 59_900, 74_900, 89_900, 100_000, 125_000, 184_900];

/// Adds `count` users, and `billings` billings spread over them, made out during the year before `now`. The same `seed`
/// makes the same data, except for ids and numbers: those are new, so that it can be done again on the same database.
/// `progress` is told how many documents are written.
pub async fn seed(
    mongo: &Mongo,
    count: u64,
    billings: u64,
    seed: u64,
    now: DateTime<Utc>,
    mut progress: impl FnMut(u64),
) -> Result<Seeded, StoreError> {
    let mut chance = StdRng::seed_from_u64(seed);
    let mut user_ids = Vec::new();
    let collection = mongo.database().collection(users::COLLECTION);
    let mut written = 0;
    for batch in batches(count) {
        let mut documents = Vec::new();
        while (documents.len() as u64) < batch {
            let id = ObjectId::new();
            let Some(user) = a_user(&mut chance, id) else {
                continue; // an id that cannot be one, which digits and hyphens never are
            };
            user_ids.push((user.user_id.clone(), user.is_active));
            let made = now - TimeDelta::days(365) - days(&mut chance, 365);
            documents.push(users::document(&user, id, made));
        }
        written += insert(&collection, &documents).await?;
        progress(written);
    }
    // On a database that was restored without its counter the numbers would be in use.
    counters::repair(mongo, false).await?;
    let collection = mongo.database().collection(billings::COLLECTION);
    for batch in batches(if user_ids.is_empty() { 0 } else { billings }) {
        let numbers = counters::take_numbers(mongo, None, u16::try_from(batch).unwrap_or(u16::MAX)).await?;
        let mut documents = Vec::new();
        for number in numbers {
            if let Some((user_id, active)) = user_ids.choose(&mut chance) {
                documents.push(a_billing(&mut chance, user_id, *active, &number, now));
            }
        }
        written += insert(&collection, &documents).await?;
        progress(written);
    }
    Ok(Seeded {
        users: count,
        billings: written - count,
    })
}

fn batches(count: u64) -> impl Iterator<Item = u64> {
    (0..count.div_ceil(BATCH)).map(move |batch| BATCH.min(count - batch * BATCH))
}

/// Inserts all documents, and tries again what MongoDB asks to try again.
async fn insert(collection: &Collection<RawDocumentBuf>, documents: &[RawDocumentBuf]) -> Result<u64, StoreError> {
    let mut tries = 0;
    loop {
        let inserted = collection.insert_many(documents).ordered(false).await;
        match inserted.map_err(StoreError::from) {
            Ok(_) => return Ok(documents.len() as u64),
            // An earlier try wrote all of them.
            Err(StoreError::Duplicate { index, .. }) if tries > 0 && index == "_id_" => {
                return Ok(documents.len() as u64);
            }
            Err(error) if error.is_transient() && tries < 5 => {
                tries += 1;
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

fn days(chance: &mut StdRng, most: i64) -> TimeDelta {
    TimeDelta::minutes(chance.random_range(0..most * 24 * 60))
}

/// A user whose `userId` has the form of the historical ones, and is as unique as `id`.
fn a_user(chance: &mut StdRng, id: ObjectId) -> Option<NewUser> {
    let (city, zip_code) = CITIES[chance.random_range(0..CITIES.len())];
    let digits = id.to_hex();
    let address = format!(
        "{} {} #{}-{}",
        STREETS[chance.random_range(0..STREETS.len())],
        chance.random_range(1..150),
        chance.random_range(1..120),
        chance.random_range(1..99),
    );
    let mobile = chance.random_range(3_000_000_000_u32..3_230_000_000);
    Some(NewUser {
        user_id: UserId::parse(&format!("{}-{}-{}", &digits[..8], &digits[8..18], &digits[18..])).ok()?,
        address: Some(Address {
            city: Some(city.to_owned()),
            country: Some("Colombia".to_owned()),
            zip_code: Some(zip_code.to_owned()),
            address: Some(address),
        }),
        phone: Some(UserPhone {
            code_number: "+57".to_owned(),
            phone_number: Some(StoredNumber::Double(f64::from(mobile))),
        }),
        is_active: chance.random_bool(0.93),
    })
}

fn a_billing(
    chance: &mut StdRng,
    user_id: &UserId,
    active: bool,
    number: &BillingId,
    now: DateTime<Utc>,
) -> RawDocumentBuf {
    let generation_date = now - days(chance, 365);
    let due_date = generation_date + TimeDelta::days(14);
    // Who is suspended has usually not paid.
    let is_paid = chance.random_bool(match (active, due_date < now) {
        (true, true) => 0.96,
        (true, false) => 0.5,
        (false, _) => 0.35,
    });
    let paid_after = days(chance, 20).min(now - generation_date);
    let billing = NewBilling {
        user_id: user_id.clone(),
        generation_date,
        due_date,
        service_id: Some(chance.random_range(1..=4).to_string()),
        total_invoice: FEES.choose(chance).copied().map(Money::whole),
        is_paid,
        payment_date: is_paid.then_some(generation_date + paid_after),
        phone: None,
    };
    billings::document(&billing, number, ObjectId::new(), generation_date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_add_up() {
        assert_eq!(batches(4500).collect::<Vec<_>>(), [2000, 2000, 500]);
        assert_eq!(batches(0).count(), 0);
    }

    #[test]
    fn the_same_seed_makes_the_same_user() {
        let id = ObjectId::new();
        let one = a_user(&mut StdRng::seed_from_u64(7), id);
        assert_eq!(one, a_user(&mut StdRng::seed_from_u64(7), id));
        assert_ne!(one, a_user(&mut StdRng::seed_from_u64(8), id));
    }
}
