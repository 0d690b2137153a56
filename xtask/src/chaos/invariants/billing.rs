//! Users, billings and their numbers, and the events.

use std::collections::{BTreeMap, BTreeSet};

use crate::chaos::{
    book::{ExpectedBilling, ExpectedUser},
    observed::{Observed, text, whole},
};

/// The entries in which two maps differ.
fn differences<V: PartialEq + std::fmt::Debug>(
    what: &str,
    found: &BTreeMap<String, V>,
    expected: &BTreeMap<String, V>,
) -> Vec<String> {
    let keys: BTreeSet<&String> = found.keys().chain(expected.keys()).collect();
    keys.into_iter()
        .filter(|key| found.get(*key) != expected.get(*key))
        .map(|key| format!("{what} {key} is {:?}, expected {:?}", found.get(key), expected.get(key)))
        .collect()
}

/// The users are those of the answered writes and the events, each as it was last told; nobody is there twice.
pub(super) fn users_equal_the_model(observed: &Observed) -> Vec<String> {
    let mut expected = observed.api.users.clone();
    expected.extend(observed.events.users.clone());
    let mut found = BTreeMap::new();
    let mut wrong = Vec::new();
    for user in &observed.users {
        let id = text(user, "userId").unwrap_or_default().to_owned();
        let city = user
            .get_document("address")
            .ok()
            .and_then(|address| text(address, "city"));
        let seen = ExpectedUser {
            city: city.map(str::to_owned),
            active: user.get_bool("isActive").unwrap_or(true),
        };
        if found.insert(id.clone(), seen).is_some() {
            wrong.push(format!("user {id} is there twice"));
        }
    }
    wrong.extend(differences("user", &found, &expected));
    wrong
}

/// The billings of the API are those of the answered writes, and every customer of the events has exactly one.
pub(super) fn billings_equal_the_model(observed: &Observed) -> Vec<String> {
    let mut found = BTreeMap::new();
    let mut first: BTreeMap<String, u32> = BTreeMap::new();
    for billing in &observed.billings {
        let user_id = text(billing, "userId").unwrap_or_default().to_owned();
        if user_id.starts_with("event-") {
            *first.entry(user_id).or_default() += 1;
            continue;
        }
        let seen = ExpectedBilling {
            user_id,
            total: whole(billing, "totalInvoice").unwrap_or(-1),
            paid: billing.get_bool("isPaid").unwrap_or(false),
        };
        found.insert(text(billing, "billingId").unwrap_or_default().to_owned(), seen);
    }
    let expected_first = observed.events.users.keys().map(|user| (user.clone(), 1)).collect();
    let mut wrong = differences("billing", &found, &observed.api.billings);
    wrong.extend(differences("the number of first billings of", &first, &expected_first));
    wrong
}

/// Every number from 1 to the counter's was given to one billing, whether it is still there or not.
pub(super) fn numbers_are_unique_and_gapless(observed: &Observed) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut numbers = BTreeSet::new();
    for billing in &observed.billings {
        let id = text(billing, "billingId").unwrap_or_default();
        if !numbers.insert(id.to_owned()) || observed.api.deleted.contains(id) {
            wrong.push(format!("number {id} was given twice"));
        }
        if id
            .parse::<i64>()
            .map_or(true, |number| number < 1 || number > observed.last_number)
        {
            wrong.push(format!(
                "number {id} is not between 1 and the counter's {}",
                observed.last_number
            ));
        }
    }
    let by_api = observed.api.billings.len() + observed.api.deleted.len();
    let given = i64::try_from(by_api).unwrap_or(i64::MAX) + i64::try_from(observed.events.first_billings).unwrap_or(0);
    if given != observed.last_number {
        wrong.push(format!(
            "the counter is at {}, and {by_api} billings were made through the API and {} by events",
            observed.last_number, observed.events.first_billings
        ));
    }
    wrong
}

/// What cannot be applied is in the dead letters, each with its place and a reason, and nothing else is.
pub(super) fn the_dead_letters_are_the_poison(observed: &Observed) -> Vec<String> {
    let places: BTreeSet<(i32, i64)> = observed.dead_letters.iter().map(|(place, _)| *place).collect();
    let missing = observed.events.poison.difference(&places);
    let missing =
        missing.map(|(partition, offset)| format!("partition {partition} offset {offset} is in no dead letter"));
    let surplus = places.difference(&observed.events.poison);
    let surplus = surplus.map(|(partition, offset)| {
        format!("partition {partition} offset {offset} could be applied and is a dead letter")
    });
    let silent = observed.dead_letters.iter().filter(|(_, reason)| reason.is_empty());
    let silent = silent.map(|(place, _)| format!("the dead letter of {place:?} tells no reason"));
    missing.chain(surplus).chain(silent).collect()
}

/// Exactly those events wait whose customer does not exist.
pub(super) fn what_waits_has_no_customer(observed: &Observed) -> Vec<String> {
    let mut waiting: BTreeMap<String, usize> = BTreeMap::new();
    for event in &observed.set_aside {
        *waiting
            .entry(text(event, "userId").unwrap_or_default().to_owned())
            .or_default() += 1;
    }
    differences("the number of waiting events of", &waiting, &observed.events.waiting)
}
