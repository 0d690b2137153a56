//! Users and billings as people look at them: single documents and parts of lists, read leniently, since a page must show
//! also what an older service wrote. Personal data is left out or masked here, so that no page can show it by mistake.

use billwright_domain::Phone;
use bson::{RawBsonRef, RawDocument};
use chrono::{DateTime, Utc};

use super::{
    billing_store::BillingStore,
    lists::{ListQuery, Position},
    version::Version,
};
use crate::{StoreError, json, values};

/// A customer.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomerRow {
    /// The `userId`.
    pub user_id: String,
    /// Whether new billings may be made.
    pub is_active: bool,
    /// The phone number, which shows itself masked.
    pub phone: Option<Phone>,
    /// The city of the address.
    pub city: Option<String>,
    /// The country of the address.
    pub country: Option<String>,
    /// Whether there is a street address, which is not shown.
    pub has_street: bool,
    /// When the document was made.
    pub created_at: Option<DateTime<Utc>>,
    /// When it was changed last.
    pub updated_at: Option<DateTime<Utc>>,
}

/// A billing.
#[derive(Debug, Clone, PartialEq)]
pub struct BillingRow {
    /// Its number.
    pub billing_id: String,
    /// Whose it is.
    pub user_id: String,
    /// When it was made out.
    pub generated_at: Option<DateTime<Utc>>,
    /// Until when it is to be paid.
    pub due_at: Option<DateTime<Utc>>,
    /// For which service.
    pub service_id: Option<String>,
    /// The amount as the API shows it.
    pub total: Option<String>,
    /// Whether it is paid.
    pub is_paid: bool,
    /// When it was paid.
    pub paid_at: Option<DateTime<Utc>>,
    /// The version of the document that this was read from.
    pub version: Version,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Part<T> {
    /// What it holds.
    pub rows: Vec<T>,
    /// The place of its last row, if others follow.
    pub end: Option<Position>,
}

impl CustomerRow {
    fn of(document: &RawDocument) -> Self {
        let address = document.get_document("address").ok();
        let part = |name| text(address?, name).filter(|part| !part.trim().is_empty());
        Self {
            user_id: text(document, "userId").unwrap_or_default(),
            is_active: document.get_bool("isActive").unwrap_or(true),
            phone: document.get_document("phone").ok().and_then(phone),
            city: part("city"),
            country: part("country"),
            has_street: part("address").is_some(),
            created_at: moment(document, "createdAt"),
            updated_at: moment(document, "updatedAt"),
        }
    }
}

impl BillingRow {
    fn of(document: &RawDocument) -> Self {
        Self {
            billing_id: text(document, "billingId").unwrap_or_default(),
            user_id: text(document, "userId").unwrap_or_default(),
            generated_at: moment(document, "generationDate"),
            due_at: moment(document, "dueDate"),
            service_id: text(document, "serviceId"),
            total: text(document, "totalInvoice"),
            is_paid: document.get_bool("isPaid").unwrap_or_default(),
            paid_at: moment(document, "paymentDate"),
            version: Version::of(document),
        }
    }

    /// Whether it should have been paid by `now`.
    pub fn is_overdue(&self, now: DateTime<Utc>) -> bool {
        !self.is_paid && self.due_at.is_some_and(|due| due < now)
    }
}

impl BillingStore {
    /// The customer whose `userId` or `_id` is `id`.
    pub async fn customer(&self, id: &str) -> Result<Option<CustomerRow>, StoreError> {
        Ok(self.user(id).await?.as_deref().map(CustomerRow::of))
    }

    /// The billing whose `billingId` or `_id` is `id`.
    pub async fn billing_row(&self, id: &str) -> Result<Option<BillingRow>, StoreError> {
        Ok(self.billing(id).await?.as_deref().map(BillingRow::of))
    }

    /// A part of a list of customers.
    pub async fn customers(&self, query: &ListQuery, limit: u32) -> Result<Part<CustomerRow>, StoreError> {
        self.part(query, limit, CustomerRow::of).await
    }

    /// A part of a list of billings.
    pub async fn billing_rows(&self, query: &ListQuery, limit: u32) -> Result<Part<BillingRow>, StoreError> {
        self.part(query, limit, BillingRow::of).await
    }

    async fn part<T>(
        &self,
        query: &ListQuery,
        limit: u32,
        read: impl Fn(&RawDocument) -> T,
    ) -> Result<Part<T>, StoreError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut batches = self.list(query, true).await?;
        let mut part = Part {
            rows: Vec::new(),
            end: None,
        };
        let mut last = None;
        while let Some(batch) = batches.next().await? {
            for document in batch.documents()? {
                let document = document?;
                if part.rows.len() == limit {
                    part.end = last;
                    return Ok(part);
                }
                part.rows.push(read(document));
                if part.rows.len() == limit {
                    last = query.position_of(document);
                }
            }
        }
        Ok(part)
    }
}

/// A field as text, whatever it was stored as.
fn text(document: &RawDocument, name: &str) -> Option<String> {
    match document.get(name).ok()?? {
        RawBsonRef::String(text) => Some(text.to_owned()),
        RawBsonRef::Int32(whole) => Some(whole.to_string()),
        RawBsonRef::Int64(whole) => Some(whole.to_string()),
        RawBsonRef::Double(double) => {
            let mut written = Vec::new();
            json::write_double(double, &mut written);
            String::from_utf8(written).ok()
        }
        RawBsonRef::Decimal128(decimal) => Some(decimal.to_string()),
        RawBsonRef::ObjectId(id) => Some(id.to_hex()),
        _ => None,
    }
}

fn moment(document: &RawDocument, name: &str) -> Option<DateTime<Utc>> {
    document.get_datetime(name).ok().map(values::moment)
}

fn phone(parts: &RawDocument) -> Option<Phone> {
    let number = text(parts, "phoneNumber")?;
    let code = text(parts, "codeNumber").unwrap_or_default();
    Phone::parse(&format!("{code}{number}"))
        .or_else(|_| Phone::parse(&number))
        .ok()
}

#[cfg(test)]
mod tests {
    use bson::{RawDocumentBuf, doc};

    use super::*;

    fn raw(document: &bson::Document) -> RawDocumentBuf {
        RawDocumentBuf::try_from(document).unwrap()
    }

    #[test]
    fn shows_what_older_services_wrote() {
        let row = CustomerRow::of(&raw(
            &doc! { "userId": "c", "phone": { "phoneNumber": 3_001_234_567_i64 } },
        ));
        assert!(row.is_active && row.city.is_none());
        assert_eq!(row.phone.unwrap().to_string(), "+******4567");
        let row = BillingRow::of(&raw(&doc! { "billingId": "bill-1727000000000", "totalInvoice": 1.5 }));
        assert_eq!((row.total.as_deref(), row.is_paid), (Some("1.5"), false));
    }

    #[test]
    fn neither_street_nor_whole_number_gets_out() {
        let user = doc! {
            "userId": "c", "phone": { "codeNumber": "+57", "phoneNumber": 3_001_234_567_i64 },
            "address": { "city": "Cali", "address": "Calle Secreta 5" },
        };
        let shown = format!("{:?}", CustomerRow::of(&raw(&user)));
        assert!(shown.contains("Cali") && !shown.contains("Secreta") && !shown.contains("300123"));
    }

    #[test]
    fn is_overdue_only_while_it_is_not_paid() {
        let mut row = BillingRow::of(&raw(
            &doc! { "dueDate": bson::DateTime::from_millis(0), "isPaid": false },
        ));
        let later = DateTime::from_timestamp_millis(1).unwrap();
        assert!(row.is_overdue(later) && !row.is_overdue(DateTime::UNIX_EPOCH));
        row.is_paid = true;
        assert!(!row.is_overdue(later));
    }
}
