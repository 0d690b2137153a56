//! Writes stored documents as JSON text straight from their bytes, in the form in which the historical services answered
//! them: what `JSON.stringify` makes of a document that the Node driver read.

use base64::{Engine, prelude::BASE64_STANDARD};
use bson::{RawArray, RawBsonRef, RawDocument, error::Error as RawError};
use chrono::{DateTime, Datelike, Timelike, Utc};

/// Appends `document` to `out` as JSON: fields in stored order, an `ObjectId` as its hexadecimal digits, a date in ISO 8601 form
/// with milliseconds and `Z`, numbers as JavaScript prints them (not a number and infinite ones as `null`).
pub fn write_document(document: &RawDocument, out: &mut Vec<u8>) -> Result<(), RawError> {
    out.push(b'{');
    let mut first = true;
    for element in document.iter_elements() {
        let element = element?;
        let value = element.value()?;
        if matches!(value, RawBsonRef::Undefined) {
            continue; // as `JSON.stringify` leaves it out
        }
        if !first {
            out.push(b',');
        }
        first = false;
        write_text(element.key().as_str(), out);
        out.push(b':');
        write_value(value, out)?;
    }
    out.push(b'}');
    Ok(())
}

/// Appends one value to `out` as JSON.
pub fn write_value(value: RawBsonRef<'_>, out: &mut Vec<u8>) -> Result<(), RawError> {
    match value {
        RawBsonRef::Double(double) => write_double(double, out),
        RawBsonRef::String(text) | RawBsonRef::Symbol(text) | RawBsonRef::JavaScriptCode(text) => write_text(text, out),
        RawBsonRef::Array(items) => write_array(items, out)?,
        RawBsonRef::Document(nested) => write_document(nested, out)?,
        RawBsonRef::Boolean(true) => out.extend_from_slice(b"true"),
        RawBsonRef::Boolean(false) => out.extend_from_slice(b"false"),
        RawBsonRef::Null | RawBsonRef::Undefined => out.extend_from_slice(b"null"),
        RawBsonRef::Int32(whole) => out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes()),
        RawBsonRef::Int64(whole) => out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes()),
        RawBsonRef::ObjectId(id) => {
            let mut digits = [0; 24];
            // Twelve bytes always make 24 digits.
            let _ = hex::encode_to_slice(id.bytes(), &mut digits);
            out.push(b'"');
            out.extend_from_slice(&digits);
            out.push(b'"');
        }
        RawBsonRef::DateTime(date) => match DateTime::from_timestamp_millis(date.timestamp_millis()) {
            Some(moment) => {
                out.push(b'"');
                write_date(moment, out);
                out.push(b'"');
            }
            None => out.extend_from_slice(b"null"),
        },
        RawBsonRef::Binary(binary) => write_text(&BASE64_STANDARD.encode(binary.bytes), out),
        RawBsonRef::RegularExpression(regex) => {
            write_text(&format!("/{}/{}", regex.pattern.as_str(), regex.options.as_str()), out);
        }
        RawBsonRef::Decimal128(decimal) => write_extended("$numberDecimal", &decimal.to_string(), out),
        RawBsonRef::Timestamp(stamp) => {
            let whole = (u64::from(stamp.time) << 32) | u64::from(stamp.increment);
            write_extended("$timestamp", &whole.to_string(), out);
        }
        RawBsonRef::JavaScriptCodeWithScope(code) => write_text(code.code, out),
        RawBsonRef::MaxKey => write_extended("$maxKey", "1", out),
        RawBsonRef::MinKey => write_extended("$minKey", "1", out),
        RawBsonRef::DbPointer(_) => write_extended("$dbPointer", "", out),
    }
    Ok(())
}

/// Appends a moment as JavaScript's `toISOString` writes it.
pub fn write_date(moment: DateTime<Utc>, out: &mut Vec<u8>) {
    let year = moment.year();
    match u32::try_from(year) {
        Ok(year) if year <= 9999 => write_digits(year, 4, out),
        _ => {
            out.push(if year < 0 { b'-' } else { b'+' });
            write_digits(year.unsigned_abs(), 6, out);
        }
    }
    for (before, part) in [(b'-', moment.month()), (b'-', moment.day()), (b'T', moment.hour())] {
        out.push(before);
        write_digits(part, 2, out);
    }
    for part in [moment.minute(), moment.second()] {
        out.push(b':');
        write_digits(part, 2, out);
    }
    out.push(b'.');
    write_digits(moment.timestamp_subsec_millis(), 3, out);
    out.push(b'Z');
}

/// Appends a double as JavaScript prints it, and as `null` what JSON cannot express.
pub fn write_double(double: f64, out: &mut Vec<u8>) {
    if double.is_finite() {
        out.extend_from_slice(ryu_js::Buffer::new().format_finite(double).as_bytes());
    } else {
        out.extend_from_slice(b"null");
    }
}

/// Appends text in quotation marks, escaped.
pub fn write_text(text: &str, out: &mut Vec<u8>) {
    // Writing text into memory cannot fail.
    let _ = serde_json::to_writer(out, text);
}

fn write_array(items: &RawArray, out: &mut Vec<u8>) -> Result<(), RawError> {
    out.push(b'[');
    for (position, item) in items.into_iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        write_value(item?, out)?;
    }
    out.push(b']');
    Ok(())
}

fn write_extended(kind: &str, text: &str, out: &mut Vec<u8>) {
    out.push(b'{');
    write_text(kind, out);
    out.push(b':');
    write_text(text, out);
    out.push(b'}');
}

fn write_digits(number: u32, width: u32, out: &mut Vec<u8>) {
    for position in (0..width).rev() {
        let digit = number / 10_u32.pow(position) % 10;
        out.push(b'0' + u8::try_from(digit).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use bson::{Bson, Decimal128, RawDocumentBuf, doc, oid::ObjectId};

    use super::*;

    fn json(document: &bson::Document) -> String {
        let raw = RawDocumentBuf::try_from(document).unwrap();
        let mut out = Vec::new();
        write_document(&raw, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn writes_a_billing_as_express_answered_it() {
        let billing = doc! {
            "_id": ObjectId::parse_str("68dda9dfb24aa93e5f012862").unwrap(),
            "userId": "11211232-eferfef-1233424",
            "dueDate": bson::DateTime::from_millis(1_760_486_400_000),
            "totalInvoice": 125_000.0, "isPaid": false, "paymentDate": Bson::Null, "__v": 0,
        };
        assert_eq!(
            json(&billing),
            r#"{"_id":"68dda9dfb24aa93e5f012862","userId":"11211232-eferfef-1233424","dueDate":"2025-10-15T00:00:00.000Z","totalInvoice":125000,"isPaid":false,"paymentDate":null,"__v":0}"#
        );
    }

    #[test]
    fn prints_numbers_as_javascript_does() {
        let numbers = doc! { "a": [0.5, 1e21, 1e-7, -0.0, 3e9, f64::NAN, f64::INFINITY, 5_000_000_000_i64] };
        assert_eq!(
            json(&numbers),
            r#"{"a":[0.5,1e+21,1e-7,0,3000000000,null,null,5000000000]}"#
        );
    }

    #[test]
    fn escapes_text_and_nests() {
        let nested = doc! { "a\"b": { "c": "line\nend\u{1}", "d": [] }, "e": Bson::Undefined };
        assert_eq!(json(&nested), r#"{"a\"b":{"c":"line\nend\u0001","d":[]}}"#);
    }

    #[test]
    fn writes_dates_of_every_age() {
        let dates = doc! { "a": [
            bson::DateTime::from_millis(0), bson::DateTime::from_millis(-1), bson::DateTime::from_millis(253_402_300_800_000),
            bson::DateTime::from_millis(-62_198_755_200_000), bson::DateTime::from_millis(i64::MAX)
        ] };
        assert_eq!(
            json(&dates),
            r#"{"a":["1970-01-01T00:00:00.000Z","1969-12-31T23:59:59.999Z","+010000-01-01T00:00:00.000Z","-000001-01-01T00:00:00.000Z",null]}"#
        );
    }

    #[test]
    fn writes_rare_types_so_that_they_can_be_told() {
        let rare = doc! { "d": "1.5".parse::<Decimal128>().unwrap(), "b": bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: vec![1, 2] } };
        assert_eq!(json(&rare), r#"{"d":{"$numberDecimal":"1.5"},"b":"AQI="}"#);
    }
}
