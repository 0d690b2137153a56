//! `cards`: our own payment cards, each of which stands for a payment type in Billz.

use billwright_domain::DocumentId;
use bson::doc;

use crate::{Mongo, StoreError, values::object_id};

/// A document in `cards`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// What people call it.
    pub name: String,
    /// The payment type in Billz, if the card has one.
    pub external_id: Option<String>,
    /// Whether it may be used.
    pub is_active: bool,
}

/// The collection `cards`.
#[derive(Debug, Clone)]
pub struct Cards(Mongo);

impl Cards {
    /// The collection in `mongo`.
    pub fn new(mongo: &Mongo) -> Self {
        Self(mongo.clone())
    }

    /// The card with the id `id`, if there is one.
    pub async fn find(&self, id: &DocumentId) -> Result<Option<Card>, StoreError> {
        let Some(id) = object_id(id.as_str()) else {
            return Ok(None);
        };
        let found = self
            .0
            .collection("cards")
            .find_one(doc! { "_id": id })
            .projection(doc! { "name": 1, "externalID": 1, "isActive": 1 })
            .await?;
        Ok(found.map(|card| Card {
            name: card.get_str("name").unwrap_or_default().to_owned(),
            external_id: card
                .get_str("externalID")
                .ok()
                .filter(|id| !id.is_empty())
                .map(str::to_owned),
            is_active: card.get_bool("isActive").unwrap_or(true),
        }))
    }
}
