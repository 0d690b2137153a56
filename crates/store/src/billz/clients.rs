//! `clients`: the people who order, with their id in Billz once it is known.

use billwright_domain::{DocumentId, Phone};
use bson::{Bson, Document, doc};
use chrono::{DateTime, Utc};

use crate::{
    Mongo, StoreError,
    values::{date, object_id},
};

/// A document in `clients`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The phone number; `None` where what lies there is no phone number.
    pub phone: Option<Phone>,
    /// The client in Billz, if known.
    pub billz_id: Option<String>,
    /// The first name.
    pub first_name: String,
    /// The last name.
    pub last_name: Option<String>,
}

/// The collection `clients`.
#[derive(Debug, Clone)]
pub struct Clients(Mongo);

impl Clients {
    /// The collection in `mongo`.
    pub fn new(mongo: &Mongo) -> Self {
        Self(mongo.clone())
    }

    /// The client with the id `id`, if there is one.
    pub async fn find(&self, id: &DocumentId) -> Result<Option<Client>, StoreError> {
        let Some(id) = object_id(id.as_str()) else {
            return Ok(None);
        };
        let found = self
            .0
            .collection("clients")
            .find_one(doc! { "_id": id })
            .projection(doc! { "phone": 1, "billzId": 1, "firstName": 1, "lastName": 1 })
            .await?;
        Ok(found.as_ref().map(read))
    }

    /// Stores the client's id in Billz.
    pub async fn set_billz_id(&self, id: &DocumentId, billz_id: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
        if let Some(id) = object_id(id.as_str()) {
            let change = doc! { "$set": { "billzId": billz_id, "updatedAt": date(now) } };
            self.0
                .collection("clients")
                .update_one(doc! { "_id": id }, change)
                .await?;
        }
        Ok(())
    }
}

fn read(client: &Document) -> Client {
    let phone = match client.get("phone") {
        Some(Bson::String(text)) => Phone::parse(text).ok(),
        Some(Bson::Int32(number)) => Phone::parse(&number.to_string()).ok(),
        Some(Bson::Int64(number)) => Phone::parse(&number.to_string()).ok(),
        // Mongoose stores a phone number as a double, which holds 15 digits exactly.
        Some(Bson::Double(number)) => Phone::parse(&number.to_string()).ok(),
        _ => None,
    };
    let text = |name| {
        client
            .get_str(name)
            .ok()
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    Client {
        phone,
        billz_id: text("billzId"),
        first_name: text("firstName").unwrap_or_default(),
        last_name: text("lastName"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_phone_however_it_was_stored() {
        for phone in [
            Bson::Double(998_901_112_233.0),
            Bson::Int64(998_901_112_233),
            Bson::String("+998 90 111-22-33".to_owned()),
        ] {
            let client = read(&doc! { "phone": phone, "firstName": "A", "billzId": "" });
            assert_eq!(client.phone.unwrap().digits(), "998901112233");
            assert_eq!(client.billz_id, None);
        }
    }
}
