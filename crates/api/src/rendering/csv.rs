//! Documents as lines of CSV (RFC 4180).

use billwright_store::{
    billing::lists::Listed,
    bson::{RawBsonRef, RawDocument, error::Error as BsonError},
    json,
};

/// The columns: paths of fields.
pub(super) fn columns(listed: Listed) -> &'static [&'static str] {
    match listed {
        Listed::Users => &[
            "_id",
            "userId",
            "address.city",
            "address.country",
            "address.zipCode",
            "address.address",
            "phone.codeNumber",
            "phone.phoneNumber",
            "isActive",
            "createdAt",
            "updatedAt",
        ],
        Listed::Billings => &[
            "_id",
            "userId",
            "billingId",
            "generationDate",
            "dueDate",
            "serviceId",
            "totalInvoice",
            "isPaid",
            "paymentDate",
            "phone",
            "createdAt",
            "updatedAt",
        ],
    }
}

/// Appends the line with the names of the columns.
pub(super) fn write_head(listed: Listed, out: &mut Vec<u8>) {
    let names = columns(listed).iter().map(|name| name.as_bytes());
    write_line(names, out);
}

/// Appends the line of one document. A missing field and `null` are empty; an object or a list is its JSON text.
pub(super) fn write_document(listed: Listed, document: &RawDocument, out: &mut Vec<u8>) -> Result<(), BsonError> {
    let mut fields = Vec::with_capacity(columns(listed).len());
    for path in columns(listed) {
        fields.push(match find(document, path)? {
            None => Vec::new(),
            Some(value) => text_of(value)?,
        });
    }
    write_line(fields.iter().map(Vec::as_slice), out);
    Ok(())
}

fn find<'a>(document: &'a RawDocument, path: &str) -> Result<Option<RawBsonRef<'a>>, BsonError> {
    match path.split_once('.') {
        None => document.get(path),
        Some((parent, child)) => match document.get(parent)? {
            Some(RawBsonRef::Document(nested)) => nested.get(child),
            _ => Ok(None),
        },
    }
}

fn text_of(value: RawBsonRef<'_>) -> Result<Vec<u8>, BsonError> {
    let mut text = Vec::new();
    match value {
        RawBsonRef::Null | RawBsonRef::Undefined => {}
        RawBsonRef::String(plain) => text.extend_from_slice(plain.as_bytes()),
        RawBsonRef::ObjectId(id) => text.extend_from_slice(id.to_hex().as_bytes()),
        RawBsonRef::DateTime(_) => {
            json::write_value(value, &mut text)?;
            text.retain(|byte| *byte != b'"');
        }
        other => json::write_value(other, &mut text)?,
    }
    Ok(text)
}

fn write_line<'a>(fields: impl Iterator<Item = &'a [u8]>, out: &mut Vec<u8>) {
    let mut line = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(out);
    // Writing into memory cannot fail, and every line has the same number of fields.
    let _ = line.write_record(fields).and_then(|()| Ok(line.flush()?));
}

#[cfg(test)]
mod tests {
    use billwright_store::bson::{Bson, DateTime, RawDocumentBuf, doc};

    use super::*;

    #[test]
    fn quotes_what_would_break_a_line() {
        let user = doc! { "userId": "a,\"b\"\n", "address": { "city": "Cali" }, "phone": { "codeNumber": "+57" }, "isActive": true };
        let raw = RawDocumentBuf::try_from(&user).unwrap();
        let mut out = Vec::new();
        write_document(Listed::Users, &raw, &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            ",\"a,\"\"b\"\"\n\",Cali,,,,+57,,true,,\r\n"
        );
    }

    #[test]
    fn writes_values_as_the_json_has_them() {
        let billing = doc! { "dueDate": DateTime::from_millis(0), "totalInvoice": 0.5, "paymentDate": Bson::Null, "phone": { "a": 1 } };
        let raw = RawDocumentBuf::try_from(&billing).unwrap();
        let mut out = Vec::new();
        write_document(Listed::Billings, &raw, &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            ",,,,1970-01-01T00:00:00.000Z,,0.5,,,\"{\"\"a\"\":1}\",,\r\n"
        );
    }
}
