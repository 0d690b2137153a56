//! `sale_claims`: which operation made which sale in Billz. A draft that nobody claims, and that appeared just when an answer
//! was lost, is a stray one.

use std::time::Duration;

use billwright_domain::BillzOrderId;
use bson::doc;

use super::leases::{millis, upsert};
use crate::{Mongo, StoreError};

/// How long a claim is remembered: as long as the operation that made it.
const KEPT: Duration = Duration::from_hours(30 * 24);

/// The collection `sale_claims`.
#[derive(Debug, Clone)]
pub struct SaleClaims(Mongo);

impl SaleClaims {
    /// The collection in `mongo`.
    pub fn new(mongo: &Mongo) -> Self {
        Self(mongo.clone())
    }

    /// Claims a sale for `operation`. `false` where another operation has it.
    pub async fn claim(&self, sale: &BillzOrderId, operation: &str) -> Result<bool, StoreError> {
        let pipeline = vec![doc! { "$set": {
            "operation": { "$ifNull": ["$operation", { "$literal": operation }] },
            "createdAt": { "$ifNull": ["$createdAt", "$$NOW"] },
            "expiresAt": { "$ifNull": ["$expiresAt", { "$add": ["$$NOW", millis(KEPT)] }] },
        } }];
        let claimed = upsert(&self.0, "sale_claims", sale.as_str(), pipeline).await?;
        Ok(claimed.get_str("operation").ok() == Some(operation))
    }
}
