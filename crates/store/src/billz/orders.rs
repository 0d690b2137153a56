//! `orders`: the local order documents. A document that exists is never rewritten; only what the worker learns from Billz
//! is set on it, so that fields which Billwright does not know survive.

use billwright_domain::{
    BillzOrderId, DocumentId, Money, OrderDraft,
    order::{OrderField, OrderValue},
};
use bson::{Bson, Document, doc, oid::ObjectId};
use chrono::{DateTime, Utc};
use mongodb::options::{ReturnDocument, UpdateModifications};

use super::bson_of_json;
use crate::{
    Mongo, StoreError,
    values::{date, money, number, object_id},
};

/// What the worker needs to know of an order document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRecord {
    /// The document's `_id`.
    pub id: DocumentId,
    /// The shop's own number, `orderID`.
    pub number: Option<String>,
    /// The sale in Billz, if it has one.
    pub billz_id: Option<BillzOrderId>,
}

/// The collection `orders`.
#[derive(Debug, Clone)]
pub struct Orders(Mongo);

impl Orders {
    /// The collection in `mongo`.
    pub fn new(mongo: &Mongo) -> Self {
        Self(mongo.clone())
    }

    /// Finds the document that `draft` refers to (`_id`, else `orderID`), or makes it from the draft's fields.
    ///
    /// Two jobs of one order must not run this at the same time: hold the order's lease.
    pub async fn find_or_create(&self, draft: &OrderDraft, now: DateTime<Utc>) -> Result<OrderRecord, StoreError> {
        let reference = &draft.reference;
        let filter = match (
            reference.id.as_ref().and_then(|id| object_id(id.as_str())),
            &reference.number,
        ) {
            (Some(id), _) => doc! { "_id": id },
            (None, Some(number)) => doc! { "orderID": number },
            // The draft was refused without either.
            (None, None) => doc! { "_id": ObjectId::new() },
        };
        if let Some(found) = self.find_one(filter.clone()).await? {
            return Ok(found);
        }
        let mut fresh = document_of(&draft.fields);
        // An equality in the filter becomes a field of the new document by itself, and may not be set twice.
        for name in filter.keys() {
            fresh.remove(name);
        }
        for name in ["subTotalPrice", "totalPrice"] {
            if !fresh.contains_key(name) {
                fresh.insert(
                    name,
                    money(if name == "totalPrice" {
                        draft.total
                    } else {
                        draft.sub_total
                    }),
                );
            }
        }
        fresh.insert("createdAt", date(now));
        fresh.insert("updatedAt", date(now));
        fresh.insert("__v", 0);
        let made = match self.insert(&filter, &fresh).await {
            Err(StoreError::Refused(error)) if is_geo_refusal(&error) && fresh.remove("coordinates").is_some() => {
                tracing::warn!(
                    "an order was stored without its coordinates: the historical 2dsphere index on `orders.coordinates` \
                     takes the latitude for a longitude and refuses them; drop that index"
                );
                self.insert(&filter, &fresh).await?
            }
            other => other?,
        };
        made.as_ref().and_then(record).ok_or_else(|| StoreError::Corrupt {
            collection: "orders",
            id: filter.to_string(),
            problem: "its `_id` is no ObjectId".to_owned(),
        })
    }

    async fn insert(&self, filter: &Document, fresh: &Document) -> Result<Option<Document>, StoreError> {
        let made = self
            .0
            .collection("orders")
            .find_one_and_update(filter.clone(), doc! { "$setOnInsert": fresh.clone() })
            .upsert(true)
            .return_document(ReturnDocument::After)
            .projection(projection())
            .await?;
        Ok(made)
    }

    /// The order whose sale in Billz is `sale`, if any.
    pub async fn find_by_sale(&self, sale: &BillzOrderId) -> Result<Option<OrderRecord>, StoreError> {
        self.find_one(doc! { "billzId": sale.as_str() }).await
    }

    async fn find_one(&self, filter: Document) -> Result<Option<OrderRecord>, StoreError> {
        let found = self
            .0
            .collection("orders")
            .find_one(filter)
            .projection(projection())
            .await?;
        Ok(found.as_ref().and_then(record))
    }

    /// Stores the order's sale in Billz.
    pub async fn set_sale(&self, id: &DocumentId, sale: &BillzOrderId, now: DateTime<Utc>) -> Result<(), StoreError> {
        let change = doc! {
            "$set": { "billzId": sale.as_str(), "updatedAt": date(now) },
            "$unset": { "billzError": "" },
        };
        self.update(doc! { "_id": object_id(id.as_str()) }, change).await
    }

    /// Writes down that the order is placed in Billz: parked, or paid if `paid` says so. Of payments the first date stays.
    pub async fn mark_placed(
        &self,
        id: &DocumentId,
        sale: &BillzOrderId,
        amount: Money,
        paid: bool,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut set = doc! {
            "billzId": { "$literal": sale.as_str() }, "billzAmount": money(amount), "updatedAt": date(now),
        };
        if paid {
            set.insert("isPaid", true);
            set.insert("paidAmount", money(amount));
            set.insert("datePaid", first_paid(now));
        }
        let pipeline = vec![doc! { "$set": set }, doc! { "$unset": "billzError" }];
        self.update(doc! { "_id": object_id(id.as_str()) }, pipeline).await
    }

    /// Writes down why the order could not be placed, and that it has no sale.
    pub async fn mark_refused(&self, id: &DocumentId, reason: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
        let change = doc! {
            "$set": { "billzError": reason, "updatedAt": date(now) },
            "$unset": { "billzId": "" },
        };
        self.update(doc! { "_id": object_id(id.as_str()) }, change).await
    }

    /// Writes down that the sale was paid, on whichever order it belongs to. The first date stays.
    pub async fn mark_sale_paid(
        &self,
        sale: &BillzOrderId,
        amount: Money,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let pipeline = vec![doc! { "$set": {
            "isPaid": true, "paidAmount": money(amount), "billzAmount": money(amount), "datePaid": first_paid(now),
            "updatedAt": date(now),
        } }];
        self.update(doc! { "billzId": sale.as_str() }, pipeline).await
    }

    /// Writes down that the sale is gone, on whichever order it belonged to.
    pub async fn mark_sale_deleted(&self, sale: &BillzOrderId, now: DateTime<Utc>) -> Result<(), StoreError> {
        let change = doc! { "$unset": { "billzId": "" }, "$set": { "updatedAt": date(now) } };
        self.update(doc! { "billzId": sale.as_str() }, change).await
    }

    async fn update(&self, filter: Document, change: impl Into<UpdateModifications>) -> Result<(), StoreError> {
        self.0.collection("orders").update_one(filter, change).await?;
        Ok(())
    }
}

/// When an order was paid, for a pipeline: a job that comes late, or again, does not move the date.
fn first_paid(now: DateTime<Utc>) -> Document {
    doc! { "$ifNull": ["$datePaid", date(now)] }
}

/// The server's code for a place that a geographical index cannot hold.
const GEO_REFUSED: i32 = 16_755;

fn is_geo_refusal(error: &mongodb::error::Error) -> bool {
    matches!(&*error.kind, mongodb::error::ErrorKind::Command(command) if command.code == GEO_REFUSED)
}

fn projection() -> Document {
    doc! { "orderID": 1, "billzId": 1 }
}

fn record(order: &Document) -> Option<OrderRecord> {
    Some(OrderRecord {
        id: DocumentId::parse(&order.get_object_id("_id").ok()?.to_hex())?,
        number: match order.get("orderID") {
            Some(Bson::String(number)) if !number.is_empty() => Some(number.clone()),
            // Documents from before the field was a text.
            Some(Bson::Int32(number)) => Some(number.to_string()),
            Some(Bson::Double(number)) => Some(number.to_string()),
            _ => None,
        },
        billz_id: order
            .get_str("billzId")
            .ok()
            .and_then(|id| BillzOrderId::parse(id).ok()),
    })
}

/// The fields of an order as they lie in its document.
fn document_of(fields: &[OrderField]) -> Document {
    fields
        .iter()
        .map(|field| (field.name.to_string(), value_of(&field.value)))
        .collect()
}

fn value_of(value: &OrderValue) -> Bson {
    match value {
        OrderValue::Text(text) => Bson::String(text.clone()),
        OrderValue::Number(stored) => number(*stored),
        OrderValue::Boolean(boolean) => Bson::Boolean(*boolean),
        OrderValue::Date(moment) => date(*moment),
        OrderValue::Reference(id) => object_id(id.as_str()).map_or(Bson::Null, Bson::ObjectId),
        OrderValue::Object(fields) => Bson::Document(document_of(fields)),
        OrderValue::List(items) => Bson::Array(items.iter().map(|item| Bson::Document(document_of(item))).collect()),
        OrderValue::Mixed(json) => bson_of_json(json),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_documented_example_becomes_the_golden_document() {
        let draft = OrderDraft::from_json(&json!({
            "isPaid": false, "storeId": "store123", "regionId": "64a7b8c9d5e6f7890abcdef1", "paidAmount": 0,
            "deliveryAddress": {"street": "Main Street 123", "floor": 2},
            "coordinates": {"latitude": 41.2995, "longitude": -169, "accuracy": 10},
            "products": [{"productID": "prod123", "qty": 2.5, "name": {"en": "Product Name", "uz": null}, "sku": 5, "ID": "x"}],
            "subTotalPrice": 100, "totalPrice": "99.5", "clientIdSys": "64A7B8C9D5E6F7890ABCDEF2", "orderID": 12345,
            "deliveryTime": "between 3 and 5", "datePaid": "2026-11-29T10:00:00Z", "images": ["a", "b"], "paid": true
        }))
        .unwrap();
        let paid_at = "2026-11-29T10:00:00Z".parse::<DateTime<Utc>>().unwrap();
        let expected = doc! {
            "datePaid": date(paid_at), "paidAmount": 0, "orderID": "12345", "isPaid": false,
            "deliveryTime": "between 3 and 5", "subTotalPrice": 100, "totalPrice": 99.5,
            "products": [{ "productID": "prod123", "name": { "en": "Product Name" }, "sku": "5", "qty": 2.5 }],
            "regionId": ObjectId::parse_str("64a7b8c9d5e6f7890abcdef1").unwrap(), "images": ["a", "b"],
            "clientIdSys": ObjectId::parse_str("64a7b8c9d5e6f7890abcdef2").unwrap(),
            "deliveryAddress": { "street": "Main Street 123", "floor": "2" },
            "coordinates": { "latitude": 41.2995, "longitude": -169, "accuracy": 10 },
            "deliveryStatus": "pending", "paymentMethod": "online", "orderType": "delivery",
        };
        assert_eq!(document_of(&draft.fields), expected);
    }
}
