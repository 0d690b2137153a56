//! `orders` as people look through them, and what they may bring into one: never more than what Billz says of the sale.

use billwright_domain::{BillzOrderId, DocumentId, Money, Phone, Quantity, input::decimal};
use bson::{Bson, DateTime as BsonDate, Document, RawDocumentBuf, doc, oid::ObjectId};
use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use rust_decimal::Decimal;
use serde_json::Value;

use super::{bson_of_json, operation_log::redacted};
use crate::{
    Mongo, StoreError, json,
    values::{date, moment, money, money_of, object_id},
};

/// Where an order stands by its own document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderState {
    /// It is paid.
    Paid,
    /// It has a sale in Billz and is not paid.
    Parked,
    /// It could not be placed.
    Refused,
    /// It has no sale in Billz, and nothing says why.
    Unplaced,
}

impl OrderState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Paid, Self::Parked, Self::Refused, Self::Unplaced];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Parked => "parked",
            Self::Refused => "refused",
            Self::Unplaced => "unplaced",
        }
    }
}

/// A row of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRow {
    /// The document's `_id`.
    pub id: DocumentId,
    /// The shop's own number, `orderID`.
    pub number: Option<String>,
    /// The sale in Billz.
    pub billz_id: Option<BillzOrderId>,
    /// What the client is to pay.
    pub total: Option<Money>,
    /// Whether it is paid.
    pub is_paid: bool,
    /// Why it could not be placed.
    pub error: Option<String>,
    /// Where the delivery stands.
    pub delivery: Option<String>,
    /// When it was made.
    pub created_at: Option<DateTime<Utc>>,
    /// When it last changed.
    pub updated_at: Option<DateTime<Utc>>,
}

impl OrderRow {
    /// Where it stands.
    pub fn state(&self) -> OrderState {
        match (&self.billz_id, &self.error) {
            _ if self.is_paid => OrderState::Paid,
            (Some(_), _) => OrderState::Parked,
            (None, Some(_)) => OrderState::Refused,
            (None, None) => OrderState::Unplaced,
        }
    }
}

/// A product of an order document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderProduct {
    /// `productID`.
    pub id: String,
    /// Its name in whichever language comes first.
    pub name: Option<String>,
    /// The stock keeping unit.
    pub sku: Option<String>,
    /// The bar code.
    pub bar_code: Option<String>,
    /// How much of it.
    pub quantity: Option<Decimal>,
    /// What it costs altogether.
    pub total: Option<Money>,
}

/// One order's document.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderDocument {
    /// What the list says of it.
    pub row: OrderRow,
    /// The sum before the discount.
    pub sub_total: Option<Money>,
    /// What is taken off.
    pub discount: Option<Money>,
    /// What was paid.
    pub paid_amount: Option<Money>,
    /// What the sale in Billz came to.
    pub billz_amount: Option<Money>,
    /// When it was paid.
    pub paid_at: Option<DateTime<Utc>>,
    /// The client's document.
    pub client: Option<DocumentId>,
    /// The products, in their order.
    pub products: Vec<OrderProduct>,
    /// The whole document without personal data.
    pub json: Value,
}

/// What is to be brought into an order document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrderChanges {
    /// The sale is gone: the document is to name none.
    pub forget_sale: bool,
    /// The sale's total, into `billzAmount`.
    pub billz_amount: Option<Money>,
    /// The sale is paid with this amount.
    pub paid: Option<Money>,
    /// Into `totalPrice`.
    pub total: Option<Money>,
    /// Into `discountAmount`.
    pub discount: Option<Money>,
    /// Products by their place in the document, with `productID`, quantity, and total where Billz tells it.
    pub products: Vec<(usize, String, Quantity, Option<Money>)>,
}

impl OrderChanges {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The collection `orders`, to look at.
#[derive(Debug, Clone)]
pub struct OrderDocuments(Mongo);

impl OrderDocuments {
    /// The collection in `mongo`.
    pub fn new(mongo: &Mongo) -> Self {
        Self(mongo.clone())
    }

    /// Orders in one state, or all, from `offset` on, newest first, at most `limit`.
    pub async fn list(&self, state: Option<OrderState>, offset: u32, limit: u32) -> Result<Vec<OrderRow>, StoreError> {
        let unpaid = doc! { "$in": [false, Bson::Null] };
        let query = match state {
            None => doc! {},
            Some(OrderState::Paid) => doc! { "isPaid": true },
            Some(OrderState::Parked) => doc! { "isPaid": unpaid, "billzId": { "$gt": "" } },
            Some(OrderState::Refused) => doc! { "billzError": { "$gt": "" }, "billzId": Bson::Null, "isPaid": unpaid },
            Some(OrderState::Unplaced) => {
                doc! { "billzId": Bson::Null, "billzError": Bson::Null, "isPaid": unpaid }
            }
        };
        self.rows(query, offset, limit).await
    }

    /// Orders by any of their names: `orderID`, `_id`, `billzId`, `order_number`.
    pub async fn named(&self, name: &str, limit: u32) -> Result<Vec<OrderRow>, StoreError> {
        let mut names = vec![doc! { "orderID": name }, doc! { "billzId": name }];
        if let Some(id) = object_id(name) {
            names.push(doc! { "_id": id });
        }
        if let Ok(number) = name.parse::<i64>() {
            names.push(doc! { "order_number": number });
            names.push(doc! { "order_number": name });
            // Documents from before the field was a text.
            names.push(doc! { "orderID": number });
        }
        self.rows(doc! { "$or": names }, 0, limit).await
    }

    /// The clients with this phone number.
    pub async fn clients_of_phone(&self, phone: &Phone) -> Result<Vec<DocumentId>, StoreError> {
        let Ok(digits) = phone.digits().parse::<i64>() else {
            return Ok(Vec::new());
        };
        let clients: Vec<Document> = self
            .0
            .collection("clients")
            .find(doc! { "phone": digits })
            .projection(doc! { "_id": 1 })
            .limit(20)
            .await?
            .try_collect()
            .await?;
        let ids = clients.iter().filter_map(|client| client.get_object_id("_id").ok());
        Ok(ids.filter_map(|id| DocumentId::parse(&id.to_hex())).collect())
    }

    /// Orders of these clients, newest first.
    pub async fn of_clients(&self, clients: &[DocumentId], limit: u32) -> Result<Vec<OrderRow>, StoreError> {
        let ids: Vec<Bson> = clients
            .iter()
            .filter_map(|id| object_id(id.as_str()))
            .map(Bson::ObjectId)
            .collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        self.rows(doc! { "clientIdSys": { "$in": ids } }, 0, limit).await
    }

    async fn rows(&self, query: Document, offset: u32, limit: u32) -> Result<Vec<OrderRow>, StoreError> {
        let fields = doc! {
            "orderID": 1, "billzId": 1, "totalPrice": 1, "isPaid": 1, "billzError": 1, "deliveryStatus": 1, "createdAt": 1,
            "updatedAt": 1,
        };
        let found: Vec<Document> = self
            .0
            .collection("orders")
            .find(query)
            .projection(fields)
            .sort(doc! { "createdAt": -1 })
            .skip(offset.into())
            .limit(i64::from(limit))
            .await?
            .try_collect()
            .await?;
        Ok(found.iter().filter_map(row).collect())
    }

    /// One order's document.
    pub async fn get(&self, id: &DocumentId) -> Result<Option<OrderDocument>, StoreError> {
        let Some(id) = object_id(id.as_str()) else {
            return Ok(None);
        };
        let found = self.0.collection("orders").find_one(doc! { "_id": id }).await?;
        Ok(found.as_ref().and_then(whole_document))
    }

    /// The order whose sale in Billz is this one, or whose number or id this is.
    pub async fn id_of(&self, name: &str) -> Result<Option<DocumentId>, StoreError> {
        Ok(self.named(name, 1).await?.pop().map(|row| row.id))
    }

    /// Brings `changes` into the document, unless it was changed after `seen`. Says whether it did.
    pub async fn bring_in(
        &self,
        id: &DocumentId,
        seen: Option<DateTime<Utc>>,
        changes: &OrderChanges,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let seen = seen.map_or(Bson::Null, date);
        let mut filter = doc! { "_id": object_id(id.as_str()), "updatedAt": seen };
        let mut set = doc! { "updatedAt": date(now) };
        let mut unset = Document::new();
        if changes.forget_sale {
            unset.insert("billzId", "");
        } else if changes.paid.is_some() {
            unset.insert("billzError", "");
        }
        let amounts = [
            ("billzAmount", changes.billz_amount),
            ("paidAmount", changes.paid),
            ("totalPrice", changes.total),
            ("discountAmount", changes.discount),
        ];
        for (name, amount) in amounts {
            if let Some(amount) = amount {
                set.insert(name, money(amount));
            }
        }
        if changes.paid.is_some() {
            set.insert("isPaid", true);
            set.insert("datePaid", date(now));
        }
        for (place, product, quantity, total) in &changes.products {
            filter.insert(format!("products.{place}.productID"), product);
            set.insert(
                format!("products.{place}.qty"),
                bson_of_json(&quantity.to_json().into()),
            );
            if let Some(total) = total {
                set.insert(format!("products.{place}.totalPrice"), money(*total));
            }
        }
        let mut change = doc! { "$set": set };
        if !unset.is_empty() {
            change.insert("$unset", unset);
        }
        Ok(self
            .0
            .collection("orders")
            .update_one(filter, change)
            .await?
            .matched_count
            == 1)
    }
}

fn text(document: &Document, name: &str) -> Option<String> {
    match document.get(name)? {
        Bson::String(text) if !text.is_empty() => Some(text.clone()),
        Bson::Int32(number) => Some(number.to_string()),
        Bson::Int64(number) => Some(number.to_string()),
        Bson::Double(number) => Some(number.to_string()),
        Bson::ObjectId(id) => Some(id.to_hex()),
        _ => None,
    }
}

fn at(document: &Document, name: &str) -> Option<DateTime<Utc>> {
    document.get_datetime(name).ok().copied().map(|at: BsonDate| moment(at))
}

fn amount(document: &Document, name: &str) -> Option<Money> {
    let raw = RawDocumentBuf::try_from(&doc! { "it": document.get(name)? }).ok()?;
    money_of(raw.get("it").ok()??)
}

fn row(document: &Document) -> Option<OrderRow> {
    Some(OrderRow {
        id: DocumentId::parse(&document.get_object_id("_id").ok()?.to_hex())?,
        number: text(document, "orderID"),
        billz_id: text(document, "billzId").and_then(|id| BillzOrderId::parse(&id).ok()),
        total: amount(document, "totalPrice"),
        is_paid: document.get_bool("isPaid").unwrap_or(false),
        error: text(document, "billzError"),
        delivery: text(document, "deliveryStatus"),
        created_at: at(document, "createdAt"),
        updated_at: at(document, "updatedAt"),
    })
}

fn whole_document(document: &Document) -> Option<OrderDocument> {
    let products = document.get_array("products").map(Vec::as_slice).unwrap_or_default();
    Some(OrderDocument {
        row: row(document)?,
        sub_total: amount(document, "subTotalPrice"),
        discount: amount(document, "discountAmount"),
        paid_amount: amount(document, "paidAmount"),
        billz_amount: amount(document, "billzAmount"),
        paid_at: at(document, "datePaid"),
        client: document
            .get_object_id("clientIdSys")
            .ok()
            .and_then(|id: ObjectId| DocumentId::parse(&id.to_hex())),
        products: products.iter().map(product).collect(),
        json: redacted(&json_of(document)),
    })
}

fn product(value: &Bson) -> OrderProduct {
    let empty = Document::new();
    let product = value.as_document().unwrap_or(&empty);
    let name = match product.get("name") {
        Some(Bson::Document(names)) => names.values().find_map(|name| name.as_str().map(str::to_owned)),
        _ => text(product, "name"),
    };
    OrderProduct {
        id: text(product, "productID").unwrap_or_default(),
        name,
        sku: text(product, "sku"),
        bar_code: text(product, "barCode"),
        quantity: decimal(&json_of(product)["qty"]).ok().flatten(),
        total: amount(product, "totalPrice"),
    }
}

fn json_of(document: &Document) -> Value {
    let mut out = Vec::new();
    let written = RawDocumentBuf::try_from(document).map(|raw| json::write_document(&raw, &mut out));
    match written {
        Ok(Ok(())) => serde_json::from_slice(&out).unwrap_or_default(),
        _ => Value::Null,
    }
}
