//! The users of the billing product, and what may be written to them.

use serde_json::Value;

use crate::{
    identifiers::UserId,
    input::{Fields, Given, Mismatch, Problems, boolean, decimal, text},
    money::StoredNumber,
};

/// A postal address. Every part may be missing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Address {
    /// The city.
    pub city: Option<String>,
    /// The country.
    pub country: Option<String>,
    /// The postal code.
    pub zip_code: Option<String>,
    /// Street, house and what else finds the door.
    pub address: Option<String>,
}

/// A user's phone as the billing product keeps it: country code and number apart.
#[derive(Debug, Clone, PartialEq)]
pub struct UserPhone {
    /// The country code with its `+`.
    pub code_number: String,
    /// The number within the country, as the historical service stored it.
    pub phone_number: Option<StoredNumber>,
}

/// The country code of a phone that names none.
pub const DEFAULT_CODE_NUMBER: &str = "+57";

/// A user to be created.
#[derive(Debug, Clone, PartialEq)]
pub struct NewUser {
    /// The application's own id; unique.
    pub user_id: UserId,
    /// Where the user lives, if told.
    pub address: Option<Address>,
    /// How to call the user, if told.
    pub phone: Option<UserPhone>,
    /// Whether billings may be made out to the user.
    pub is_active: bool,
}

/// What an update says about a user. The fields that it names replace the stored ones as a whole.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UserChange {
    /// The new address.
    pub address: Given<Address>,
    /// The new phone.
    pub phone: Given<UserPhone>,
    /// Whether the user is active from now on.
    pub is_active: Given<bool>,
    /// Set only if the update names a `userId`. It is checked and never written: a user's `userId` does not change.
    pub user_id: Given<UserId>,
}

impl NewUser {
    /// Reads the body of `POST /api/users` or the payload of `Customer.Created`.
    pub fn from_json(body: &Value) -> Result<Self, Problems> {
        let mut fields = Fields::of(body)?;
        let user_id = fields.required("userId", UserId::from_json);
        let address = fields.object("address", address);
        let phone = fields.object("phone", phone);
        let is_active = fields.optional("isActive", boolean).unwrap_or(true);
        fields.finish()?;
        Ok(Self {
            user_id: present(user_id)?,
            address,
            phone,
            is_active,
        })
    }
}

impl UserChange {
    /// Reads the body of `PUT /api/users/:id` or the payload of `Customer.Updated`.
    pub fn from_json(body: &Value) -> Result<Self, Problems> {
        let mut fields = Fields::of(body)?;
        let change = Self {
            address: nested(&mut fields, "address", address),
            phone: nested(&mut fields, "phone", phone),
            is_active: fields.given("isActive", boolean),
            user_id: fields.given("userId", UserId::from_json),
        };
        if change.user_id == Given::Null {
            fields.refuse("userId", "the stored userId, or no such field");
        }
        fields.finish()?;
        Ok(change)
    }

    /// Whether the update names no field that could change.
    pub fn is_empty(&self) -> bool {
        self.address.is_absent() && self.phone.is_absent() && self.is_active.is_absent()
    }
}

fn nested<T>(fields: &mut Fields<'_>, name: &str, read: impl FnOnce(&mut Fields<'_>) -> T) -> Given<T> {
    match fields.raw(name) {
        None => Given::Absent,
        Some(Value::Null) => Given::Null,
        Some(_) => fields.object(name, read).map_or(Given::Absent, Given::Value),
    }
}

fn address(fields: &mut Fields<'_>) -> Address {
    Address {
        city: fields.optional("city", text),
        country: fields.optional("country", text),
        zip_code: fields.optional("zipCode", text),
        address: fields.optional_private("address", text),
    }
}

pub(crate) fn phone(fields: &mut Fields<'_>) -> UserPhone {
    UserPhone {
        code_number: fields
            .optional("codeNumber", text)
            .unwrap_or_else(|| DEFAULT_CODE_NUMBER.to_owned()),
        phone_number: fields.optional_private("phoneNumber", stored_number),
    }
}

fn stored_number(value: &Value) -> Result<Option<StoredNumber>, Mismatch> {
    decimal(value)?
        .map(|number| crate::Money::new(number).map(crate::Money::stored))
        .transpose()
}

/// The value of a required field that was read; [`Fields::finish`] has reported it if it was missing.
pub(crate) fn present<T>(field: Option<T>) -> Result<T, Problems> {
    field.ok_or_else(Problems::unread)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_the_documented_example() {
        let user = NewUser::from_json(&json!({
            "_id": "68ddaa4dcba130bb01c826d4", "userId": "12122121-eefwedf-1121333", "isActive": true,
            "address": {"city": "Cali", "country": "Colombia", "zipCode": 760_001, "address": "Calle 13 #64-40"}
        }))
        .unwrap();
        assert_eq!(user.user_id.as_str(), "12122121-eefwedf-1121333");
        assert_eq!(user.address.unwrap().zip_code.as_deref(), Some("760001"));
        assert!(user.is_active && user.phone.is_none());
    }

    #[test]
    fn fills_in_the_country_code() {
        let user = NewUser::from_json(&json!({"userId": "c", "phone": {"phoneNumber": "3001234567"}})).unwrap();
        let phone = user.phone.unwrap();
        assert_eq!(
            (phone.code_number.as_str(), phone.phone_number),
            ("+57", Some(StoredNumber::Double(3_001_234_567.0)))
        );
    }

    #[test]
    fn reports_all_that_is_wrong() {
        let problems = NewUser::from_json(&json!({"address": 3, "isActive": "perhaps"})).unwrap_err();
        let fields: Vec<_> = problems.listed().iter().map(|problem| &*problem.field).collect();
        assert_eq!(fields, ["userId", "address", "isActive"]);
    }

    #[test]
    fn an_update_names_only_what_it_names() {
        let change = UserChange::from_json(&json!({"address": null, "other": 1})).unwrap();
        assert_eq!((change.address, change.is_active), (Given::Null, Given::Absent));
        assert!(UserChange::from_json(&json!({"other": 1})).unwrap().is_empty());
        assert!(UserChange::from_json(&json!({"userId": null})).is_err());
    }
}
