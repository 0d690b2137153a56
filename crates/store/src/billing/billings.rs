//! `billings`: the shape of billings, and how changes to them are written.

use billwright_domain::{
    BillingId,
    billing::{BillingChange, BillingPhone, NewBilling},
};
use bson::{
    Bson, Document, cstr, doc,
    oid::ObjectId,
    raw::{RawBson, RawDocumentBuf},
};
use chrono::{DateTime, Utc};
use mongodb::options::UpdateModifications;

use super::users::{phone, put, raw_phone};
use crate::values;

/// The collection's name.
pub const COLLECTION: &str = "billings";

/// What most documents fit into, in bytes.
const USUAL_SIZE: usize = 384;

/// A new billing's document, as the historical service's model would have written it at `now`.
pub fn document(billing: &NewBilling, number: &BillingId, id: ObjectId, now: DateTime<Utc>) -> RawDocumentBuf {
    let mut document = values::document_with_room(USUAL_SIZE);
    document.append(cstr!("_id"), id);
    document.append(cstr!("userId"), billing.user_id.as_str());
    document.append(cstr!("billingId"), number.as_str());
    document.append(cstr!("generationDate"), values::date_time(billing.generation_date));
    document.append(cstr!("dueDate"), values::date_time(billing.due_date));
    if let Some(service) = &billing.service_id {
        document.append(cstr!("serviceId"), service.as_str());
    }
    if let Some(total) = billing.total_invoice {
        document.append(cstr!("totalInvoice"), values::raw_number(total.stored()));
    }
    document.append(cstr!("isPaid"), billing.is_paid);
    let paid = billing.payment_date.map(values::date_time);
    document.append(cstr!("paymentDate"), paid.map_or(RawBson::Null, RawBson::DateTime));
    match &billing.phone {
        Some(BillingPhone::Text(text)) => document.append(cstr!("phone"), text.as_str()),
        Some(BillingPhone::Parts(parts)) => document.append(cstr!("phone"), raw_phone(parts)),
        None => {}
    }
    document.append(cstr!("createdAt"), values::date_time(now));
    document.append(cstr!("updatedAt"), values::date_time(now));
    document.append(cstr!("__v"), 0);
    document
}

/// What a change sets: the fields that it names, each as a whole, and `updatedAt`. All else in the document stays. The date
/// that follows from [`BillingChange::paid_at_the_latest`] is not among them, since it depends on the stored document.
fn changed_fields(change: &BillingChange, now: DateTime<Utc>) -> Document {
    let mut set = Document::new();
    put(&mut set, "dueDate", &change.due_date, |due| values::date(*due));
    put(&mut set, "serviceId", &change.service_id, |service| {
        Bson::from(service.as_str())
    });
    put(&mut set, "totalInvoice", &change.total_invoice, |total| {
        values::money(*total)
    });
    put(&mut set, "isPaid", &change.is_paid, |paid| Bson::Boolean(*paid));
    put(&mut set, "paymentDate", &change.payment_date, |paid| {
        values::date(*paid)
    });
    put(&mut set, "phone", &change.phone, billing_phone);
    set.insert("updatedAt", values::date(now));
    set
}

/// The update that makes a change.
pub(super) fn update(change: &BillingChange, now: DateTime<Utc>) -> UpdateModifications {
    let set = changed_fields(change, now);
    let Some(paid_at) = change.paid_at_the_latest else {
        return UpdateModifications::Document(doc! { "$set": set });
    };
    // Only the server sees whether a payment date is there already, hence a pipeline; `$literal` keeps values values.
    let mut assignments: Document = set
        .into_iter()
        .map(|(field, value)| (field, Bson::from(doc! { "$literal": value })))
        .collect();
    let was_paid = doc! { "$and": [
        { "$eq": ["$isPaid", true] },
        { "$ne": [{ "$ifNull": ["$paymentDate", Bson::Null] }, Bson::Null] },
    ] };
    assignments.insert(
        "paymentDate",
        doc! { "$cond": [was_paid, "$paymentDate", values::date(paid_at)] },
    );
    UpdateModifications::Pipeline(vec![doc! { "$set": assignments }])
}

fn billing_phone(given: &BillingPhone) -> Bson {
    match given {
        BillingPhone::Text(text) => Bson::from(text.as_str()),
        BillingPhone::Parts(parts) => phone(parts).into(),
    }
}

#[cfg(test)]
mod tests {
    use billwright_domain::billing::{BillingDraft, UserStanding};
    use serde_json::json;

    use super::*;

    #[test]
    fn is_written_as_mongoose_would() {
        let draft = BillingDraft::from_json(&json!({"userId": "c", "dueDate": "2025-10-15", "totalInvoice": "125000"}));
        let now = DateTime::UNIX_EPOCH;
        let billing = NewBilling::open(UserStanding::Active, draft.unwrap(), now).unwrap();
        let written = document(&billing, &BillingId::from_sequence(7), ObjectId::new(), now);
        let written = Document::try_from(&*written).unwrap();
        let names: Vec<_> = written.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "_id",
                "userId",
                "billingId",
                "generationDate",
                "dueDate",
                "totalInvoice",
                "isPaid",
                "paymentDate",
                "createdAt",
                "updatedAt",
                "__v"
            ]
        );
        assert_eq!(written.get("billingId"), Some(&Bson::from("000000007")));
        assert_eq!(written.get("totalInvoice"), Some(&Bson::Int32(125_000)));
        assert_eq!(written.get("paymentDate"), Some(&Bson::Null));
    }
}
