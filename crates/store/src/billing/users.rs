//! `users`: the shape of the billing product's users, and how changes to them are written.

use billwright_domain::{
    Given,
    user::{Address, NewUser, UserChange, UserPhone},
};
use bson::{
    Bson, Document, cstr, doc,
    oid::ObjectId,
    raw::{CStr, RawDocumentBuf},
};
use chrono::{DateTime, Utc};

use crate::values;

/// The collection's name.
pub const COLLECTION: &str = "users";

/// What most documents fit into, in bytes.
const USUAL_SIZE: usize = 384;

/// A new user's document, as the historical service's model would have written it at `now`.
pub fn document(user: &NewUser, id: ObjectId, now: DateTime<Utc>) -> RawDocumentBuf {
    let mut document = values::document_with_room(USUAL_SIZE);
    document.append(cstr!("_id"), id);
    document.append(cstr!("userId"), user.user_id.as_str());
    if let Some(parts) = &user.address {
        let mut address = values::document_with_room(USUAL_SIZE);
        for (name, part) in address_parts(parts) {
            address.append(name, part);
        }
        if !address.is_empty() {
            document.append(cstr!("address"), address);
        }
    }
    if let Some(parts) = &user.phone {
        document.append(cstr!("phone"), raw_phone(parts));
    }
    document.append(cstr!("isActive"), user.is_active);
    document.append(cstr!("createdAt"), values::date_time(now));
    document.append(cstr!("updatedAt"), values::date_time(now));
    document.append(cstr!("__v"), 0);
    document
}

/// What a change sets: the fields that it names, each as a whole, and `updatedAt`. All else in the document stays.
pub fn changed_fields(change: &UserChange, now: DateTime<Utc>) -> Document {
    let mut set = Document::new();
    put(&mut set, "address", &change.address, |parts| address(parts).into());
    put(&mut set, "phone", &change.phone, |parts| phone(parts).into());
    put(&mut set, "isActive", &change.is_active, |active| Bson::Boolean(*active));
    set.insert("updatedAt", values::date(now));
    set
}

/// Notes a field of a change: its value, or `null` where the change empties it.
pub(super) fn put<T>(set: &mut Document, field: &str, given: &Given<T>, write: impl FnOnce(&T) -> Bson) {
    match given {
        Given::Absent => {}
        Given::Null => {
            set.insert(field, Bson::Null);
        }
        Given::Value(value) => {
            set.insert(field, write(value));
        }
    }
}

fn address(address: &Address) -> Document {
    address_parts(address)
        .map(|(name, part)| (name.as_str().to_owned(), Bson::from(part)))
        .collect()
}

fn address_parts(address: &Address) -> impl Iterator<Item = (&'static CStr, &str)> {
    let parts = [
        (cstr!("city"), &address.city),
        (cstr!("country"), &address.country),
        (cstr!("zipCode"), &address.zip_code),
        (cstr!("address"), &address.address),
    ];
    parts
        .into_iter()
        .filter_map(|(name, part)| Some((name, part.as_deref()?)))
}

/// A phone as it is stored with a user, and with a billing where it has this form.
pub(super) fn phone(phone: &UserPhone) -> Document {
    let mut parts = doc! { "codeNumber": phone.code_number.as_str() };
    if let Some(number) = phone.phone_number {
        parts.insert("phoneNumber", values::number(number));
    }
    parts
}

/// The same for a document that is written as it is built.
pub(super) fn raw_phone(phone: &UserPhone) -> RawDocumentBuf {
    let mut parts = RawDocumentBuf::new();
    parts.append(cstr!("codeNumber"), phone.code_number.as_str());
    if let Some(number) = phone.phone_number {
        parts.append(cstr!("phoneNumber"), values::raw_number(number));
    }
    parts
}

#[cfg(test)]
mod tests {
    use billwright_domain::MockClock;
    use serde_json::json;

    use super::*;

    fn now() -> DateTime<Utc> {
        use billwright_domain::Clock;
        MockClock::at(DateTime::UNIX_EPOCH).now()
    }

    #[test]
    fn leaves_out_what_is_not_given_and_empty_objects_as_mongoose_does() {
        let user = NewUser::from_json(&json!({"userId": "c", "address": {}})).unwrap();
        let written = Document::try_from(&*document(&user, ObjectId::new(), now())).unwrap();
        let names: Vec<_> = written.keys().map(String::as_str).collect();
        assert_eq!(names, ["_id", "userId", "isActive", "createdAt", "updatedAt", "__v"]);
        assert_eq!(written.get("__v"), Some(&Bson::Int32(0)));
    }

    #[test]
    fn a_change_replaces_an_object_as_a_whole_and_never_the_user_id() {
        let change = UserChange::from_json(&json!({"userId": "other", "address": {"city": "Cali"}, "phone": null}));
        let set = changed_fields(&change.unwrap(), now());
        assert_eq!(set.get_document("address").unwrap(), &doc! { "city": "Cali" });
        assert_eq!(set.get("phone"), Some(&Bson::Null));
        assert!(!set.contains_key("userId") && set.contains_key("updatedAt"));
    }
}
