//! The documents and statements that a [`Unit`] comes down to.

use bson::{Bson, Document, RawBsonRef, RawDocumentBuf, cstr, doc, oid::ObjectId, rawdoc};
use chrono::{DateTime, Utc};

use super::{ApplyError, CustomerRecord, CustomerWrite, StoredUser, Unit, UserWrite};
use crate::{
    billing::{billings, counters::TakenNumbers, users},
    values,
};

#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) user_deletes: Vec<Document>,
    pub(super) user_inserts: Vec<RawDocumentBuf>,
    pub(super) user_updates: Vec<Document>,
    pub(super) billing_deletes: Vec<Document>,
    pub(super) billing_inserts: Vec<RawDocumentBuf>,
    pub(super) record_inserts: Vec<RawDocumentBuf>,
    pub(super) record_updates: Vec<RawDocumentBuf>,
    /// The `userId`s of the stored users that really change.
    pub(super) changed_users: Vec<String>,
}

impl Plan {
    pub(super) fn of(
        unit: &Unit<'_>,
        numbers: &mut Option<TakenNumbers>,
        now: DateTime<Utc>,
    ) -> Result<Self, ApplyError> {
        let mut plan = Self::default();
        let mut without_billings = Vec::new();
        for customer in &unit.customers {
            plan.write_user(customer, now);
            if customer.deletes_billings {
                without_billings.push(Bson::from(customer.user_id.as_str()));
            }
            if let Some(billing) = &customer.first_billing {
                let number = numbers.as_mut().and_then(Iterator::next).ok_or(ApplyError::TooLarge)?;
                plan.billing_inserts
                    .push(billings::document(billing, &number, ObjectId::new(), now));
            }
            plan.write_record(customer);
        }
        if !without_billings.is_empty() {
            plan.billing_deletes
                .push(doc! { "q": { "userId": { "$in": without_billings } }, "limit": 0 });
        }
        Ok(plan)
    }

    fn write_user(&mut self, customer: &CustomerWrite, now: DateTime<Utc>) {
        let stored = customer.before.user.as_ref();
        if let (UserWrite::Replace(_) | UserWrite::Delete, Some(stored)) = (&customer.user, stored) {
            self.user_deletes
                .push(doc! { "q": { "_id": stored.id.clone() }, "limit": 1 });
        }
        match (&customer.user, stored) {
            (UserWrite::Insert(user) | UserWrite::Replace(user), _) => {
                self.user_inserts.push(users::document(user, ObjectId::new(), now));
            }
            (UserWrite::Change(change), Some(stored)) => {
                let set = differing(stored, users::changed_fields(change, now));
                // `updatedAt` alone is no change: a repeated event leaves no trace.
                if set.len() > 1 {
                    self.user_updates
                        .push(doc! { "q": { "_id": stored.id.clone() }, "u": { "$set": set } });
                    self.changed_users.push(customer.user_id.as_str().to_owned());
                }
            }
            (UserWrite::Keep | UserWrite::Delete | UserWrite::Change(_), _) => {}
        }
    }

    fn write_record(&mut self, customer: &CustomerWrite) {
        let (before, after) = (customer.before.record, customer.record);
        let unchanged = CustomerRecord {
            revision: before.revision,
            ..after
        };
        if unchanged == before {
            return;
        }
        let id = customer.user_id.as_str();
        let mut fields = values::document_with_room(128);
        if before.revision == 0 {
            fields.append(cstr!("_id"), id);
        }
        fields.append(cstr!("billed"), after.billed);
        fields.append(cstr!("revision"), before.revision + 1);
        if let Some(stated) = after.last_stated {
            fields.append(cstr!("lastStated"), values::date_time(stated));
            fields.append(cstr!("lastDigest"), after.last_digest);
        }
        if before.revision == 0 {
            self.record_inserts.push(fields);
        } else {
            self.record_updates
                .push(rawdoc! { "q": { "_id": id, "revision": before.revision }, "u": { "$set": fields } });
        }
    }
}

/// The fields of `set` that `stored` does not have with the same value already, and `updatedAt`.
fn differing(stored: &StoredUser, set: Document) -> Document {
    set.into_iter()
        .filter(|(name, value)| name == "updatedAt" || !holds(stored, name, value))
        .collect()
}

fn holds(stored: &StoredUser, name: &str, value: &Bson) -> bool {
    let found = stored.fields.get(name).ok().flatten();
    found
        .and_then(|found: RawBsonRef<'_>| Bson::try_from(found).ok())
        .is_some_and(|found| found == *value)
}

#[cfg(test)]
mod tests {
    use billwright_domain::{UserId, user::UserChange};
    use bson::RawDocumentBuf;
    use serde_json::json;

    use super::*;
    use crate::billing::apply::CustomerSnapshot;

    fn changing(stored: &Document, change: &serde_json::Value) -> Plan {
        let user = StoredUser {
            id: Bson::Int32(1),
            fields: RawDocumentBuf::try_from(stored).unwrap(),
        };
        let customer = CustomerWrite {
            user_id: UserId::parse("c").unwrap(),
            before: CustomerSnapshot {
                user: Some(user),
                ..CustomerSnapshot::default()
            },
            user: UserWrite::Change(UserChange::from_json(change).unwrap()),
            deletes_billings: false,
            first_billing: None,
            record: CustomerRecord::default(),
            trace: None,
        };
        let unit = Unit {
            customers: vec![customer],
            ..Unit::default()
        };
        Plan::of(&unit, &mut None, DateTime::UNIX_EPOCH).unwrap()
    }

    #[test]
    fn writes_only_what_differs_from_the_stored_user() {
        let stored = doc! { "userId": "c", "isActive": true, "address": { "city": "Cali" } };
        let plan = changing(&stored, &json!({"isActive": false, "address": {"city": "Cali"}}));
        let set = plan.user_updates[0]
            .get_document("u")
            .unwrap()
            .get_document("$set")
            .unwrap();
        assert_eq!(set.keys().collect::<Vec<_>>(), ["isActive", "updatedAt"]);
    }

    #[test]
    fn a_change_that_changes_nothing_writes_nothing() {
        let stored = doc! { "userId": "c", "isActive": false };
        let plan = changing(&stored, &json!({"isActive": "false"}));
        assert!(plan.user_updates.is_empty() && plan.record_inserts.is_empty());
    }
}
