//! Lists of users and billings: which documents, in which order, and from where on.
//!
//! Every filter and every order is served by an index (see [`super::indexes`]). Documents come in the server's own
//! batches, as raw bytes, so that a list of any length takes constant memory.

use std::time::Duration;

use bson::{Bson, Document, RawBsonRef, RawDocument, RawDocumentBuf, doc};
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt};
use mongodb::{
    Collection,
    raw_batch_cursor::{RawBatch, RawBatchCursor},
};

use super::{billing_store::BillingStore, billings, users};
use crate::{StoreError, values};

/// What is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    /// Users.
    Users,
    /// Billings.
    Billings,
}

/// One condition on the listed documents; all of them must hold.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// The user, or the billings of the user, with this `userId`.
    UserId(String),
    /// Billings that are paid or not.
    IsPaid(bool),
    /// Users that are active or not.
    IsActive(bool),
    /// Users who live in this city.
    City(String),
    /// Billings that are due before this moment.
    DueBefore(DateTime<Utc>),
    /// Billings that are due after this moment.
    DueAfter(DateTime<Utc>),
    /// Documents whose `userId` or `billingId` begins with this.
    Prefix(String),
}

/// An order: a field and a direction. Where documents can be equal in the field, those are ordered by `_id` in the same
/// direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    field: &'static str,
    descending: bool,
}

/// A place in an ordered list: that of the last document that was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Position {
    order: Order,
    value: Bson,
    id: Bson,
}

/// Which part of the list is wanted.
#[derive(Debug, Clone, PartialEq)]
pub enum Window {
    /// All of it. Without an order that was asked for, documents come in the order in which the server finds them.
    Whole,
    /// `limit` documents after the first `skip`.
    Page {
        /// How many.
        limit: u32,
        /// After how many.
        skip: u64,
    },
    /// `limit` documents after a position.
    After {
        /// How many.
        limit: u32,
        /// Where to go on.
        position: Box<Position>,
    },
}

/// A list that is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct ListQuery {
    /// Of what.
    pub listed: Listed,
    /// Which ones.
    pub conditions: Vec<Condition>,
    /// In which order, if one was asked for.
    pub order: Option<Order>,
    /// Which part.
    pub window: Window,
}

impl Listed {
    /// The fields by which lists can be ordered.
    pub fn orders(self) -> &'static [&'static str] {
        match self {
            Self::Users => &["_id", "userId"],
            Self::Billings => &["_id", "billingId", "generationDate", "dueDate"],
        }
    }

    pub(super) fn collection_name(self) -> &'static str {
        match self {
            Self::Users => users::COLLECTION,
            Self::Billings => billings::COLLECTION,
        }
    }
}

impl Order {
    /// Reads `field` or `-field`, if `listed` can be ordered so.
    pub fn parse(listed: Listed, text: &str) -> Option<Self> {
        let (field, descending) = match text.strip_prefix('-') {
            Some(field) => (field, true),
            None => (text, false),
        };
        let field = listed.orders().iter().find(|known| **known == field)?;
        Some(Self { field, descending })
    }

    /// Newest billing first.
    pub const NEWEST_FIRST: Self = Self {
        field: "generationDate",
        descending: true,
    };

    fn sort(self) -> Document {
        let direction = if self.descending { -1 } else { 1 };
        if self.is_by_unique_field() {
            doc! { self.field: direction }
        } else {
            doc! { self.field: direction, "_id": direction }
        }
    }

    /// Whether no two documents are equal in the field. `userId` is among the orders of users only.
    fn is_by_unique_field(self) -> bool {
        matches!(self.field, "_id" | "userId" | "billingId")
    }
}

impl ListQuery {
    /// The order of a part of the list: what was asked for, else the one that the index of the filter is in.
    fn order_of_part(&self) -> Order {
        let ascending = |field| Order {
            field,
            descending: false,
        };
        self.order.unwrap_or_else(|| {
            let has = |wanted: fn(&Condition) -> bool| self.conditions.iter().any(wanted);
            match self.listed {
                Listed::Billings if has(|condition| matches!(condition, Condition::UserId(_))) => Order::NEWEST_FIRST,
                Listed::Billings
                    if has(|condition| {
                        matches!(
                            condition,
                            Condition::IsPaid(_) | Condition::DueBefore(_) | Condition::DueAfter(_)
                        )
                    }) =>
                {
                    ascending("dueDate")
                }
                Listed::Users if has(|condition| matches!(condition, Condition::UserId(_) | Condition::Prefix(_))) => {
                    ascending("userId")
                }
                Listed::Users | Listed::Billings => ascending("_id"),
            }
        })
    }

    fn filter(&self) -> Document {
        let mut all: Vec<Document> = self.conditions.iter().map(|one| one.filter(self.listed)).collect();
        if let Window::After { position, .. } = &self.window {
            all.push(position.filter());
        }
        match all.len() {
            0 => Document::new(),
            1 => all.swap_remove(0),
            _ => doc! { "$and": all },
        }
    }

    /// The sort of the query, if it needs one.
    fn sort(&self) -> Option<Document> {
        match self.window {
            Window::Whole => self.order.map(Order::sort),
            Window::Page { .. } | Window::After { .. } => Some(self.order_of_part().sort()),
        }
    }

    /// The position of `document` in this list.
    pub fn position_of(&self, document: &RawDocument) -> Option<Position> {
        let order = self.order_of_part();
        let value = |field| {
            let found = document.get(field).ok()?;
            found.map_or(Some(Bson::Null), |value| Bson::try_from(value).ok())
        };
        Some(Position {
            order,
            value: value(order.field)?,
            id: value("_id")?,
        })
    }

    /// Whether `position` is one of this list's.
    pub fn is_place_of(&self, position: &Position) -> bool {
        position.order == self.order_of_part()
    }
}

impl Condition {
    fn filter(&self, listed: Listed) -> Document {
        match self {
            Self::UserId(id) => doc! { "userId": id },
            Self::IsPaid(paid) => doc! { "isPaid": paid },
            Self::IsActive(active) => doc! { "isActive": active },
            Self::City(city) => doc! { "address.city": city },
            Self::DueBefore(moment) => doc! { "dueDate": { "$lt": values::date(*moment) } },
            Self::DueAfter(moment) => doc! { "dueDate": { "$gt": values::date(*moment) } },
            Self::Prefix(prefix) => {
                // A range instead of a pattern: nothing in the text can mean anything but itself.
                let range = doc! { "$gte": prefix, "$lt": format!("{prefix}{}", char::MAX) };
                match listed {
                    Listed::Users => doc! { "userId": range },
                    Listed::Billings => doc! { "$or": [{ "billingId": range.clone() }, { "userId": range }] },
                }
            }
        }
    }
}

impl Position {
    /// The documents after this place. The first part bounds the scan of the index, the second cuts it exactly.
    fn filter(&self) -> Document {
        let (field, id) = (self.order.field, &self.id);
        let beyond = if self.order.descending { "$lt" } else { "$gt" };
        if self.order.is_by_unique_field() {
            return doc! { field: { beyond: &self.value } };
        }
        let tied = doc! { field: &self.value, "_id": { beyond: id } };
        // MongoDB compares values of one type only and orders what is missing before everything else, so that a missing
        // value is after every other one in descending order and before it in ascending order.
        match (&self.value, self.order.descending) {
            (Bson::Null, true) => tied,
            (Bson::Null, false) => doc! { "$or": [tied, { field: { "$ne": Bson::Null } }] },
            (value, false) => doc! { field: { "$gte": value }, "$or": [{ field: { "$gt": value } }, tied] },
            (value, true) => doc! {
                field: { "$not": { "$gt": value } },
                "$or": [{ field: { "$not": { "$gte": value } } }, tied],
            },
        }
    }

    /// The place as bytes, to be handed to a client and back.
    pub fn to_bytes(&self) -> Vec<u8> {
        let place = doc! {
            "f": self.order.field, "d": self.order.descending, "v": &self.value, "i": &self.id,
        };
        place.to_vec().unwrap_or_default()
    }

    /// Reads what [`Position::to_bytes`] wrote; `None` for anything else.
    pub fn from_bytes(listed: Listed, bytes: &[u8]) -> Option<Self> {
        let place = Document::from_reader(bytes).ok()?;
        let field = place.get_str("f").ok()?;
        let order = Order {
            field: listed.orders().iter().find(|known| **known == field)?,
            descending: place.get_bool("d").ok()?,
        };
        let plain = |key| {
            let value = place.get(key)?;
            // Whoever made the bytes up could put an operator here.
            let plain = matches!(
                value,
                Bson::String(_)
                    | Bson::DateTime(_)
                    | Bson::ObjectId(_)
                    | Bson::Null
                    | Bson::Boolean(_)
                    | Bson::Int32(_)
                    | Bson::Int64(_)
                    | Bson::Double(_)
            );
            plain.then(|| value.clone())
        };
        Some(Self {
            order,
            value: plain("v")?,
            id: plain("i")?,
        })
    }
}

/// How many documents a batch holds. Large enough that the round trips do not count, small enough that many lists at a time
/// fit into little memory.
const BATCH: u32 = 1001;

/// How long the server may take for a batch before it gives up.
const LONGEST_QUERY: Duration = Duration::from_secs(30);

/// A list under way.
pub struct DocumentBatches {
    cursor: RawBatchCursor,
    collection: &'static str,
}

/// Some documents of a list.
pub struct DocumentBatch {
    batch: RawBatch,
    collection: &'static str,
}

impl DocumentBatches {
    /// The next documents; `None` after the last ones.
    pub async fn next(&mut self) -> Result<Option<DocumentBatch>, StoreError> {
        let batch = self.cursor.next().await.transpose()?;
        Ok(batch.map(|batch| DocumentBatch {
            batch,
            collection: self.collection,
        }))
    }
}

impl DocumentBatch {
    /// The documents.
    pub fn documents(&self) -> Result<impl Iterator<Item = Result<&RawDocument, StoreError>>, StoreError> {
        let corrupt = |problem: String| StoreError::Corrupt {
            collection: self.collection,
            id: "unknown".to_owned(),
            problem,
        };
        let documents = self.batch.doc_slices()?;
        Ok(documents.into_iter().map(move |document| match document {
            Ok(RawBsonRef::Document(document)) => Ok(document),
            Ok(_) => Err(corrupt(
                "an answer of the server holds something else than documents".to_owned(),
            )),
            Err(error) => Err(corrupt(error.to_string())),
        }))
    }

    /// Whether the server says that no documents follow.
    pub fn is_last(&self) -> bool {
        let reply = self.batch.as_raw_document();
        let id = reply.get_document("cursor").and_then(|cursor| cursor.get_i64("id"));
        matches!(id, Ok(0))
    }
}

impl BillingStore {
    /// Begins a list. One document more than the limit is asked for where `one_more` is set, which tells whether the list
    /// goes on.
    pub async fn list(&self, query: &ListQuery, one_more: bool) -> Result<DocumentBatches, StoreError> {
        let documents = self.listed(query.listed);
        let mut find = documents.find(query.filter()).batch_size(BATCH).max_time(LONGEST_QUERY);
        if let Some(sort) = query.sort() {
            find = find.sort(sort);
        }
        match query.window {
            Window::Whole => {}
            Window::Page { limit, skip } => find = find.skip(skip).limit((limit + u32::from(one_more)).into()),
            Window::After { limit, .. } => find = find.limit((limit + u32::from(one_more)).into()),
        }
        Ok(DocumentBatches {
            cursor: find.batch().await?,
            collection: query.listed.collection_name(),
        })
    }

    /// The position of the last document of this part of the list, if others follow. Read from the index where it can be.
    pub async fn end_of_part(&self, query: &ListQuery) -> Result<Option<Position>, StoreError> {
        let (limit, skip) = match query.window {
            Window::Whole => return Ok(None),
            Window::Page { limit, skip } => (limit, skip),
            Window::After { limit, .. } => (limit, 0),
        };
        let order = query.order_of_part();
        let documents = self.listed(query.listed);
        let ends = documents
            .find(query.filter())
            .sort(order.sort())
            .skip(skip + u64::from(limit.saturating_sub(1)))
            .limit(2)
            .projection(doc! { order.field: 1 })
            .max_time(LONGEST_QUERY)
            .await?
            .try_collect::<Vec<_>>()
            .await?;
        Ok(match &ends[..] {
            [last, _] => query.position_of(last),
            _ => None,
        })
    }

    /// How many documents the list has, whatever part of it is wanted.
    pub async fn count(&self, query: &ListQuery) -> Result<u64, StoreError> {
        let documents = self.listed(query.listed);
        let whole = ListQuery {
            window: Window::Whole,
            ..query.clone()
        };
        Ok(if query.conditions.is_empty() {
            documents.estimated_document_count().await?
        } else {
            documents
                .count_documents(whole.filter())
                .max_time(LONGEST_QUERY)
                .await?
        })
    }

    /// How the server carries out the list: the winning plan of `explain`.
    pub async fn explain(&self, query: &ListQuery) -> Result<Document, StoreError> {
        let mut find = doc! { "find": query.listed.collection_name(), "filter": query.filter() };
        if let Some(sort) = query.sort() {
            find.insert("sort", sort);
        }
        match query.window {
            Window::Whole => {}
            Window::Page { limit, skip } => {
                find.insert("limit", i64::from(limit));
                find.insert("skip", i64::try_from(skip).unwrap_or(i64::MAX));
            }
            Window::After { limit, .. } => {
                find.insert("limit", i64::from(limit));
            }
        }
        let explained = self
            .mongo()
            .database()
            .run_command(doc! { "explain": find, "verbosity": "queryPlanner" })
            .await?;
        let plan = explained.get_document("queryPlanner").ok();
        Ok(plan
            .and_then(|plan| plan.get_document("winningPlan").ok())
            .cloned()
            .unwrap_or_default())
    }

    fn listed(&self, listed: Listed) -> &Collection<RawDocumentBuf> {
        match listed {
            Listed::Users => self.users(),
            Listed::Billings => self.billings(),
        }
    }
}

#[cfg(test)]
mod tests {
    use bson::oid::ObjectId;

    use super::*;

    #[test]
    fn orders_only_by_fields_that_have_an_index() {
        assert!(Order::parse(Listed::Billings, "-dueDate").is_some_and(|order| order.descending));
        for bad in ["", "-", "totalInvoice", "--dueDate", "$where", "dueDate,userId"] {
            assert_eq!(Order::parse(Listed::Billings, bad), None, "{bad} was taken");
        }
        assert_eq!(Order::parse(Listed::Users, "dueDate"), None);
    }

    #[test]
    fn a_position_survives_being_handed_out_and_cannot_carry_operators() {
        let position = Position {
            order: Order::NEWEST_FIRST,
            value: Bson::DateTime(bson::DateTime::from_millis(5)),
            id: ObjectId::new().into(),
        };
        let bytes = position.to_bytes();
        assert_eq!(Position::from_bytes(Listed::Billings, &bytes), Some(position.clone()));
        assert_eq!(Position::from_bytes(Listed::Users, &bytes), None);
        let forged = Position {
            value: doc! { "$gt": "" }.into(),
            ..position
        };
        assert_eq!(Position::from_bytes(Listed::Billings, &forged.to_bytes()), None);
        for length in 0..bytes.len() {
            assert_eq!(Position::from_bytes(Listed::Billings, &bytes[..length]), None);
        }
    }
}
