//! How values are written so that JavaScript reads back what it would have written itself.

use billwright_domain::{Money, StoredNumber};
use bson::{
    Bson, DateTime, RawBsonRef,
    oid::ObjectId,
    raw::{RawBson, RawDocumentBuf},
};
use chrono::{TimeZone, Utc};

/// An empty document with room for so many bytes: one that grows as it is written is copied again and again.
pub fn document_with_room(bytes: usize) -> RawDocumentBuf {
    let mut data = Vec::with_capacity(bytes);
    data.extend_from_slice(RawDocumentBuf::new().as_bytes());
    RawDocumentBuf::from_bytes(data).unwrap_or_default()
}

/// A number as Mongoose stores it: a 32-bit integer where it fits, else a double.
pub fn number(number: StoredNumber) -> Bson {
    match number {
        StoredNumber::Int32(whole) => Bson::Int32(whole),
        StoredNumber::Double(double) => Bson::Double(double),
    }
}

/// An amount as Mongoose stores it.
pub fn money(amount: Money) -> Bson {
    number(amount.stored())
}

/// The same for a document that is written as it is built.
pub fn raw_number(number: StoredNumber) -> RawBson {
    match number {
        StoredNumber::Int32(whole) => RawBson::Int32(whole),
        StoredNumber::Double(double) => RawBson::Double(double),
    }
}

/// A moment as a BSON date, which keeps milliseconds.
pub fn date(moment: chrono::DateTime<Utc>) -> Bson {
    Bson::DateTime(date_time(moment))
}

/// The same for a document that is written as it is built.
pub fn date_time(moment: chrono::DateTime<Utc>) -> DateTime {
    DateTime::from_millis(moment.timestamp_millis())
}

/// A BSON date as a moment; one outside of the calendar that chrono knows becomes 1970.
pub fn moment(date: DateTime) -> chrono::DateTime<Utc> {
    Utc.timestamp_millis_opt(date.timestamp_millis())
        .single()
        .unwrap_or_default()
}

/// An amount as it lies in a document: int32, int64 or double, or text that holds a number.
pub fn money_of(value: RawBsonRef<'_>) -> Option<Money> {
    match value {
        RawBsonRef::Int32(whole) => Money::from_double(f64::from(whole)).ok(),
        RawBsonRef::Int64(whole) => Money::new(whole.into()).ok(),
        RawBsonRef::Double(double) => Money::from_double(double).ok(),
        RawBsonRef::String(text) => Money::from_json(&serde_json::Value::from(text)).ok().flatten(),
        _ => None,
    }
}

/// The `ObjectId` that a reference holds; `None` where the text is not 24 hexadecimal digits.
pub fn object_id(text: &str) -> Option<ObjectId> {
    ObjectId::parse_str(text).ok()
}
