//! Finds single documents by either of the ids that a client may know them by.

use bson::{Document, RawDocumentBuf, doc};

use super::billing_store::BillingStore;
use crate::{StoreError, values};

/// How a user is looked for, in this order: `_id`, then `userId`.
pub(super) fn user(id: &str) -> Vec<Document> {
    let by_user_id = doc! { "userId": id };
    match values::object_id(id) {
        Some(object_id) => vec![doc! { "_id": object_id }, by_user_id],
        None => vec![by_user_id],
    }
}

/// How a billing is looked for, in this order: `billingId`, then `_id`.
pub(super) fn billing(id: &str) -> Vec<Document> {
    let mut lookups = vec![doc! { "billingId": id }];
    lookups.extend(values::object_id(id).map(|object_id| doc! { "_id": object_id }));
    lookups
}

impl BillingStore {
    /// The user whose `_id` or `userId` is `id`.
    pub async fn user(&self, id: &str) -> Result<Option<RawDocumentBuf>, StoreError> {
        for filter in user(id) {
            if let Some(found) = self.users().find_one(filter).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The billing whose `billingId` or `_id` is `id`.
    pub async fn billing(&self, id: &str) -> Result<Option<RawDocumentBuf>, StoreError> {
        for filter in billing(id) {
            if let Some(found) = self.billings().find_one(filter).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}
