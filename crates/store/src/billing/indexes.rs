//! The indexes of the billing database. They are made in the background; one that is there already in another shape is
//! reported and left alone.

use std::time::Duration;

use bson::Document;
use mongodb::{Collection, IndexModel, error::ErrorKind, options::IndexOptions};

use super::{billing_store::BillingStore, billings, idempotency, users};
use crate::StoreError;

/// Index names are those that Mongoose would choose, so that its own `ensureIndexes` finds them.
struct Wanted {
    collection: &'static str,
    keys: &'static [(&'static str, i32)],
    unique: bool,
    /// Documents vanish at the time in the field.
    expires: bool,
}

const fn plain(collection: &'static str, keys: &'static [(&'static str, i32)]) -> Wanted {
    Wanted {
        collection,
        keys,
        unique: false,
        expires: false,
    }
}

const WANTED: [Wanted; 10] = [
    Wanted {
        unique: true,
        ..plain(users::COLLECTION, &[("userId", 1)])
    },
    plain(users::COLLECTION, &[("isActive", 1), ("_id", 1)]),
    plain(users::COLLECTION, &[("address.city", 1), ("_id", 1)]),
    Wanted {
        unique: true,
        ..plain(billings::COLLECTION, &[("billingId", 1)])
    },
    plain(billings::COLLECTION, &[("userId", 1)]),
    plain(
        billings::COLLECTION,
        &[("userId", 1), ("generationDate", -1), ("_id", -1)],
    ),
    plain(billings::COLLECTION, &[("generationDate", 1), ("_id", 1)]),
    plain(billings::COLLECTION, &[("dueDate", 1), ("_id", 1)]),
    plain(billings::COLLECTION, &[("isPaid", 1), ("dueDate", 1), ("_id", 1)]),
    Wanted {
        expires: true,
        ..plain(idempotency::COLLECTION, &[("expiresAt", 1)])
    },
];

/// The server's codes for an index that is there already with other options, or under another name.
const INDEX_OPTIONS_CONFLICT: i32 = 85;
const INDEX_KEY_SPECS_CONFLICT: i32 = 86;

/// Makes the indexes that are missing. The answer names each one that could not be made because of what is there, with
/// what to do about it.
pub async fn ensure(store: &BillingStore) -> Result<Vec<String>, StoreError> {
    make(store, |_| true).await
}

/// Makes only those of the indexes that applying customer events needs: the unique ones, and that of the billings of a
/// user.
pub async fn ensure_for_events(store: &BillingStore) -> Result<Vec<String>, StoreError> {
    make(store, Wanted::is_for_events).await
}

/// The indexes that are wanted, or only those that [`ensure_for_events`] makes.
pub(crate) fn wanted(for_events: bool) -> Vec<(&'static str, IndexModel)> {
    let wanted = WANTED.iter().filter(|wanted| !for_events || wanted.is_for_events());
    wanted.map(|wanted| (wanted.collection, wanted.model())).collect()
}

async fn make(store: &BillingStore, is_wanted: fn(&Wanted) -> bool) -> Result<Vec<String>, StoreError> {
    let mut complaints = Vec::new();
    let mut unique_in_place = true;
    for wanted in WANTED.iter().filter(|wanted| is_wanted(wanted)) {
        let collection: Collection<Document> = store.mongo().collection(wanted.collection);
        let name = wanted.name();
        match collection.create_index(wanted.model()).await {
            Ok(_) => {}
            Err(error) => {
                let place = format!("index `{name}` of `{}`", wanted.collection);
                complaints.push(match (&*error.kind, StoreError::from(error.clone())) {
                    (_, StoreError::Duplicate { .. }) => format!(
                        "{place} cannot be made unique: documents with the same key exist; remove all but one and restart"
                    ),
                    (ErrorKind::Command(command), _)
                        if [INDEX_OPTIONS_CONFLICT, INDEX_KEY_SPECS_CONFLICT].contains(&command.code) =>
                    {
                        format!("{place} exists in another shape and was left alone; drop it to have it made as wanted")
                    }
                    (_, failed) => return Err(failed),
                });
                unique_in_place &= !wanted.unique;
            }
        }
    }
    if unique_in_place {
        store.unique_indexes_are_in_place();
    }
    Ok(complaints)
}

impl Wanted {
    fn is_for_events(&self) -> bool {
        self.unique || self.name() == "userId_1"
    }

    fn name(&self) -> String {
        let parts: Vec<_> = self
            .keys
            .iter()
            .map(|(field, direction)| format!("{field}_{direction}"))
            .collect();
        parts.join("_")
    }

    fn model(&self) -> IndexModel {
        let keys: Document = self
            .keys
            .iter()
            .map(|(field, direction)| ((*field).to_owned(), (*direction).into()))
            .collect();
        let mut options = IndexOptions::default();
        options.name = Some(self.name());
        options.unique = self.unique.then_some(true);
        options.expire_after = self.expires.then_some(Duration::ZERO);
        IndexModel::builder().keys(keys).options(options).build()
    }
}
