//! `users` of the worker's database, read only: who made an order, and which seller in Billz that is.

use billwright_domain::DocumentId;
use bson::doc;

use crate::{Mongo, StoreError, values::object_id};

/// The collection `users`, of which only the sellers' ids in Billz matter here.
#[derive(Debug, Clone)]
pub struct Sellers(Mongo);

impl Sellers {
    /// The collection in `mongo`.
    pub fn new(mongo: &Mongo) -> Self {
        Self(mongo.clone())
    }

    /// The seller in Billz (`externalID`) of the user with the id `id`, if both exist.
    pub async fn external_id(&self, id: &DocumentId) -> Result<Option<String>, StoreError> {
        let Some(id) = object_id(id.as_str()) else {
            return Ok(None);
        };
        let found = self
            .0
            .collection("users")
            .find_one(doc! { "_id": id })
            .projection(doc! { "externalID": 1 })
            .await?;
        Ok(found.and_then(|user| {
            user.get_str("externalID")
                .ok()
                .map(str::trim)
                .filter(|id| !id.is_empty())
                .map(str::to_owned)
        }))
    }
}
