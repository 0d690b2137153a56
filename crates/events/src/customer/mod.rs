//! The customer events, one file each, and what they do to a customer in memory. Nothing here reads or writes anything.

mod created;
mod deleted;
mod reactivated;
mod suspended;
mod updated;

use billwright_domain::{
    Given, UserId,
    billing::{FirstBillingDefaults, NewBilling},
    input::{Fields, Problems, excerpt},
    user::{NewUser, UserChange},
};
use billwright_store::billing::apply::{CustomerSnapshot, UserWrite};
use chrono::{DateTime, Utc};
use serde_json::Value;

pub use self::{created::Created, deleted::Deleted, reactivated::Reactivated, suspended::Suspended, updated::Updated};
use crate::invalid::{Invalid, InvalidCode};

/// The types of all events; a test compares them with the files of this folder.
pub const TYPES: [&str; 5] = [
    Created::TYPE,
    Updated::TYPE,
    Suspended::TYPE,
    Reactivated::TYPE,
    Deleted::TYPE,
];

/// An event that can be applied.
#[derive(Debug, Clone, PartialEq)]
pub enum CustomerEvent {
    /// `Customer.Created`.
    Created(Box<Created>),
    /// `Customer.Updated`.
    Updated(Updated),
    /// `Customer.Suspended`.
    Suspended(Suspended),
    /// `Customer.Reactivated`.
    Reactivated(Reactivated),
    /// `Customer.Deleted`.
    Deleted(Deleted),
}

/// What an event did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It was applied, whether or not that changed anything.
    Applied,
    /// There is no such customer yet, and the event cannot be applied before there is.
    CustomerUnknown,
}

impl CustomerEvent {
    /// Reads the payload of an event of type `kind`. `now` dates the first billing of a customer.
    pub fn decode(
        kind: &str,
        payload: &Value,
        first_billing: &FirstBillingDefaults,
        now: DateTime<Utc>,
    ) -> Result<Self, Invalid> {
        Ok(match kind {
            Created::TYPE => Self::Created(Box::new(Created::decode(payload, first_billing, now)?)),
            Updated::TYPE => Self::Updated(Updated::decode(payload)?),
            Suspended::TYPE => Self::Suspended(Suspended::decode(payload)?),
            Reactivated::TYPE => Self::Reactivated(Reactivated::decode(payload)?),
            Deleted::TYPE => Self::Deleted(Deleted::decode(payload)?),
            unknown => {
                let reason = format!(
                    "the type `{}` is not known; known are {}",
                    excerpt(unknown),
                    TYPES.join(", ")
                );
                return Err(Invalid::new(InvalidCode::UnknownType, reason));
            }
        })
    }

    /// The customer whom it is about.
    pub fn user_id(&self) -> &UserId {
        match self {
            Self::Created(event) => event.user_id(),
            Self::Updated(event) => &event.user_id,
            Self::Suspended(event) => &event.user_id,
            Self::Reactivated(event) => &event.user_id,
            Self::Deleted(event) => &event.user_id,
        }
    }

    /// Its type.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Created(_) => Created::TYPE,
            Self::Updated(_) => Updated::TYPE,
            Self::Suspended(_) => Suspended::TYPE,
            Self::Reactivated(_) => Reactivated::TYPE,
            Self::Deleted(_) => Deleted::TYPE,
        }
    }

    /// Whether it can make out a first billing.
    pub fn creates(&self) -> bool {
        matches!(self, Self::Created(_))
    }

    /// Applies it to `customer`.
    pub fn apply(&self, customer: &mut Customer) -> Effect {
        match self {
            Self::Created(event) => event.apply(customer),
            Self::Updated(event) => event.apply(customer),
            Self::Suspended(_) => Suspended::apply(customer),
            Self::Reactivated(_) => Reactivated::apply(customer),
            Self::Deleted(_) => Deleted::apply(customer),
        }
    }
}

/// A customer in the course of a batch: as stored before it, and what the events so far change.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and all combinations occur"
)]
#[derive(Debug, Clone, PartialEq)]
pub struct Customer {
    known: bool,
    has_billing: bool,
    /// Whether the first billing was made, be it in this batch.
    pub billed: bool,
    /// What happens to the user.
    pub user: UserWrite,
    /// Whether the billings that were there before the batch are deleted.
    pub deletes_billings: bool,
    /// The first billing, if this batch makes it.
    pub first_billing: Option<NewBilling>,
}

impl Customer {
    /// The customer as read before the batch.
    pub fn stored(snapshot: &CustomerSnapshot) -> Self {
        Self {
            known: snapshot.user.is_some(),
            has_billing: snapshot.has_billing,
            billed: snapshot.record.billed,
            user: UserWrite::Keep,
            deletes_billings: false,
            first_billing: None,
        }
    }

    /// Whether the user exists at this point of the batch.
    pub fn is_known(&self) -> bool {
        self.known
    }

    /// Makes the user.
    pub fn create(&mut self, user: &NewUser) {
        self.known = true;
        self.user = match self.user {
            UserWrite::Delete | UserWrite::Replace(_) => UserWrite::Replace(user.clone()),
            UserWrite::Keep | UserWrite::Insert(_) | UserWrite::Change(_) => UserWrite::Insert(user.clone()),
        };
    }

    /// Sets the fields that `change` names.
    pub fn change(&mut self, change: &UserChange) {
        match &mut self.user {
            UserWrite::Keep => self.user = UserWrite::Change(change.clone()),
            UserWrite::Change(earlier) => {
                override_with(&mut earlier.address, &change.address);
                override_with(&mut earlier.phone, &change.phone);
                override_with(&mut earlier.is_active, &change.is_active);
            }
            UserWrite::Insert(user) | UserWrite::Replace(user) => {
                if let Given::Value(address) = &change.address {
                    user.address = Some(address.clone());
                }
                if let Given::Value(phone) = &change.phone {
                    user.phone = Some(phone.clone());
                }
                if let Given::Value(active) = change.is_active {
                    user.is_active = active;
                }
            }
            UserWrite::Delete => {}
        }
    }

    /// Makes out the first billing, unless the customer had one.
    pub fn bill_first(&mut self, billing: &NewBilling) {
        let has_billing = self.has_billing && !self.deletes_billings;
        if !self.billed && !has_billing {
            self.first_billing = Some(billing.clone());
        }
        self.billed = true;
    }

    /// Deletes the user and all billings. Whoever is created under this id afterwards is another customer.
    pub fn delete(&mut self) {
        self.user = match self.user {
            // A user that this batch made leaves nothing behind.
            UserWrite::Insert(_) => UserWrite::Keep,
            UserWrite::Keep if !self.known => UserWrite::Keep,
            _ => UserWrite::Delete,
        };
        self.known = false;
        self.billed = false;
        self.first_billing = None;
        self.deletes_billings = true;
    }
}

fn override_with<T: Clone>(earlier: &mut Given<T>, later: &Given<T>) {
    if !later.is_absent() {
        earlier.clone_from(later);
    }
}

/// The fields that an event gives. Producers write `null` for what they do not know, and the historical consumer passed
/// over it; so a field that is `null` is not given.
fn given_fields(payload: &Value) -> Result<UserChange, Problems> {
    fn drop_null<T>(given: &mut Given<T>) {
        if matches!(given, Given::Null) {
            *given = Given::Absent;
        }
    }
    let mut change = UserChange::from_json(payload)?;
    drop_null(&mut change.address);
    drop_null(&mut change.phone);
    drop_null(&mut change.is_active);
    Ok(change)
}

/// The `userId` of a payload that needs nothing else.
fn user_id(payload: &Value) -> Result<UserId, Invalid> {
    let mut fields = Fields::of(payload)?;
    let user_id = fields.required("userId", UserId::from_json);
    fields.finish()?;
    user_id.ok_or_else(|| {
        Invalid::new(
            InvalidCode::InvalidPayload,
            "field `userId`: found nothing, expected a value",
        )
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    pub(super) fn decode(kind: &str, payload: &Value) -> Result<CustomerEvent, Invalid> {
        CustomerEvent::decode(kind, payload, &FirstBillingDefaults::default(), DateTime::UNIX_EPOCH)
    }

    /// Applies events to a customer of whom nothing is stored.
    pub(super) fn after(events: &[(&str, Value)]) -> (Customer, Vec<Effect>) {
        let mut customer = Customer::stored(&CustomerSnapshot::default());
        let effects = events
            .iter()
            .map(|(kind, payload)| decode(kind, payload).unwrap().apply(&mut customer))
            .collect();
        (customer, effects)
    }

    #[test]
    fn every_file_of_this_folder_is_a_registered_event() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/customer");
        let files: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter_map(|name| name.strip_suffix(".rs").map(str::to_owned))
            .filter(|name| name != "mod")
            .collect();
        let registered = TYPES
            .iter()
            .map(|kind| kind.strip_prefix("Customer.").unwrap().to_lowercase());
        assert_eq!(files, registered.collect());
        for kind in TYPES {
            assert_eq!(decode(kind, &json!({"userId": "c"})).unwrap().kind(), kind);
        }
    }

    #[test]
    fn an_unknown_type_is_refused_with_the_known_ones() {
        let error = decode("Customer.Married", &json!({"userId": "c"})).unwrap_err();
        assert_eq!(error.code, InvalidCode::UnknownType);
        assert!(error.reason.contains("Customer.Married") && error.reason.contains("Customer.Reactivated"));
    }

    #[test]
    fn every_event_needs_a_user_id() {
        for kind in TYPES {
            for payload in [
                json!({}),
                json!({"userId": null}),
                json!({"userId": ""}),
                json!([]),
                json!("c"),
            ] {
                assert_eq!(
                    decode(kind, &payload).unwrap_err().code,
                    InvalidCode::InvalidPayload,
                    "{kind} {payload}"
                );
            }
        }
    }

    #[test]
    fn a_customer_deleted_and_created_again_is_another_customer() {
        let (customer, _) = after(&[
            (Created::TYPE, json!({"userId": "c", "totalInvoice": 1})),
            (Deleted::TYPE, json!({"userId": "c"})),
            (Created::TYPE, json!({"userId": "c", "totalInvoice": 2})),
        ]);
        let billing = customer.first_billing.unwrap();
        assert_eq!(billing.total_invoice, Some(billwright_domain::Money::whole(2)));
        assert!(customer.deletes_billings && matches!(customer.user, UserWrite::Insert(_)));
    }
}
