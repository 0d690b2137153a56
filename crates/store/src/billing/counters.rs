//! `counters`: where the numbers of billings come from, and how a counter that fell behind its data is put right.

use billwright_domain::BillingId;
use bson::{Bson, Document, RawDocumentBuf, doc};
use futures_util::TryStreamExt;
use mongodb::{ClientSession, Collection, options::ReturnDocument};

use super::billings;
use crate::{Mongo, StoreError};

/// The collection's name.
pub const COLLECTION: &str = "counters";

/// The `_id` of the counter of billings, as the historical service named it.
const BILLING_SEQUENCE: &str = "billingId";

/// From here on a number is no longer the counter's but something else that consists of digits, such as a time in
/// milliseconds: the counter is never moved there.
const FIRST_IMPOSSIBLE: u64 = 1_000_000_000_000;

/// The first number that needs a tenth digit.
const FIRST_OF_TEN_DIGITS: u64 = 1_000_000_000;

/// Consecutive numbers that were taken from the counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenNumbers {
    next: u64,
    end: u64,
}

impl Iterator for TakenNumbers {
    type Item = BillingId;

    fn next(&mut self) -> Option<BillingId> {
        (self.next < self.end).then(|| {
            self.next += 1;
            BillingId::from_sequence(self.next - 1)
        })
    }
}

/// What was found when the counter was compared with the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CounterState {
    /// Every number in the data had been taken from the counter.
    Right,
    /// The data was ahead, and the counter was moved.
    Repaired {
        /// Where the counter stood.
        from: u64,
        /// Where it stands now.
        to: u64,
    },
}

/// Takes the next `count` numbers. Within a transaction they are given back if it is rolled back, which is what makes
/// numbers gapless; without one (`session` is `None`) a number that is not used afterwards is lost. Nothing is sent for zero
/// numbers.
pub async fn take_numbers(
    mongo: &Mongo,
    session: Option<&mut ClientSession>,
    count: u16,
) -> Result<TakenNumbers, StoreError> {
    if count == 0 {
        return Ok(TakenNumbers { next: 0, end: 0 });
    }
    let counters = mongo.collection(COLLECTION);
    let action = counters
        .find_one_and_update(
            doc! { "_id": BILLING_SEQUENCE },
            doc! { "$inc": { "seq": Bson::Int32(count.into()) } },
        )
        .upsert(true)
        .return_document(ReturnDocument::After);
    let counter = match session {
        Some(session) => action.session(session).await?,
        None => action.await?,
    };
    let end = sequence_of(counter.as_ref())? + 1;
    Ok(TakenNumbers {
        next: end.saturating_sub(count.into()),
        end,
    })
}

/// Compares the counter with the highest number in `billings` and moves it there if it is behind, as it is when documents
/// were restored or imported without it. Safe to run at any time, by any number of processes.
///
/// Numbers of more than nine digits are searched only where the counter is near them or `thorough` is set, since that
/// search reads the whole index.
pub async fn repair(mongo: &Mongo, thorough: bool) -> Result<CounterState, StoreError> {
    let counters = mongo.collection(COLLECTION);
    let counter = counters.find_one(doc! { "_id": BILLING_SEQUENCE }).await?;
    let from = sequence_of(counter.as_ref())?;
    let mut highest = highest_of_nine_digits(mongo).await?;
    if thorough || counter.is_none() || highest.max(from) >= FIRST_OF_TEN_DIGITS / 10 * 9 {
        highest = highest.max(highest_of_more_digits(mongo).await?);
    }
    if counter.is_some() && highest <= from {
        return Ok(CounterState::Right);
    }
    // The counter may have moved on while the data was searched, and is compared once more as it is raised.
    let before = counters
        .find_one_and_update(
            doc! { "_id": BILLING_SEQUENCE },
            doc! { "$max": { "seq": number(highest) } },
        )
        .upsert(true)
        .return_document(ReturnDocument::Before)
        .await?;
    let from = sequence_of(before.as_ref())?;
    Ok(if highest > from {
        CounterState::Repaired { from, to: highest }
    } else {
        CounterState::Right
    })
}

pub(super) fn too_few_numbers() -> StoreError {
    StoreError::Corrupt {
        collection: COLLECTION,
        id: BILLING_SEQUENCE.to_owned(),
        problem: "`seq` stands below the numbers that were just taken from it".to_owned(),
    }
}

/// A counter's value as JavaScript would store it where it fits 32 bits; past that, as the server's own `$inc` would.
fn number(sequence: u64) -> Bson {
    i32::try_from(sequence).map_or_else(
        |_| Bson::Int64(i64::try_from(sequence).unwrap_or(i64::MAX)),
        Bson::Int32,
    )
}

fn sequence_of(counter: Option<&Document>) -> Result<u64, StoreError> {
    let Some(sequence) = counter.and_then(|counter| counter.get("seq")) else {
        return Ok(0);
    };
    let whole = match sequence {
        Bson::Int32(whole) => u64::try_from(*whole).ok(),
        Bson::Int64(whole) => u64::try_from(*whole).ok(),
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the guard leaves whole numbers that fit exactly"
        )]
        Bson::Double(double) if double.fract() == 0.0 && (0.0..9e15).contains(double) => Some(*double as u64),
        _ => None,
    };
    whole.ok_or_else(|| StoreError::Corrupt {
        collection: COLLECTION,
        id: BILLING_SEQUENCE.to_owned(),
        problem: "`seq` is not a whole number of zero or more".to_owned(),
    })
}

/// In text order the highest nine-digit number is the last one, so that the index is read from its end to the first hit.
async fn highest_of_nine_digits(mongo: &Mongo) -> Result<u64, StoreError> {
    let billings: Collection<Document> = mongo.collection(billings::COLLECTION);
    let last = billings
        .find_one(doc! { "billingId": { "$gte": "0", "$lt": ":", "$regex": "^[0-9]{9}$" } })
        .sort(doc! { "billingId": -1 })
        .projection(doc! { "_id": 0, "billingId": 1 })
        .await?;
    Ok(last
        .and_then(|billing| BillingId::parse(billing.get_str("billingId").ok()?).ok()?.sequence())
        .unwrap_or_default())
}

/// Longer numbers lie between the shorter ones in text order, so all of them are looked at, in the index alone.
async fn highest_of_more_digits(mongo: &Mongo) -> Result<u64, StoreError> {
    let billings = mongo.database().collection::<RawDocumentBuf>(billings::COLLECTION);
    let mut longer = billings
        .find(doc! { "billingId": { "$gte": "1", "$lt": ":", "$regex": "^[1-9][0-9]{9,11}$" } })
        .projection(doc! { "_id": 0, "billingId": 1 })
        .await?;
    let mut highest = 0;
    while let Some(billing) = longer.try_next().await? {
        let sequence = billing
            .get_str("billingId")
            .ok()
            .and_then(|id| BillingId::parse(id).ok()?.sequence());
        highest = highest.max(sequence.filter(|found| *found < FIRST_IMPOSSIBLE).unwrap_or_default());
    }
    Ok(highest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hands_out_its_numbers_in_order() {
        let taken: Vec<_> = TakenNumbers { next: 9, end: 12 }.map(|id| id.to_string()).collect();
        assert_eq!(taken, ["000000009", "000000010", "000000011"]);
    }

    #[test]
    fn reads_a_counter_in_every_form_of_number() {
        for seq in [Bson::Int32(7), Bson::Int64(7), Bson::Double(7.0)] {
            assert_eq!(sequence_of(Some(&doc! { "seq": seq })).unwrap(), 7);
        }
        assert_eq!(sequence_of(None).unwrap(), 0);
        for bad in [Bson::Int32(-1), Bson::Double(0.5), Bson::String("7".into())] {
            assert!(sequence_of(Some(&doc! { "seq": bad })).is_err());
        }
    }
}
