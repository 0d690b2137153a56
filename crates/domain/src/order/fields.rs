//! The fields of the `orders` document, as the owners' Mongoose model has them: one table, in the contract's order.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use rust_decimal::{Decimal, prelude::ToPrimitive};
use serde_json::Value;

use super::{DocumentId, optional_reference};
use crate::{
    input::{Fields, Mismatch, boolean, date, decimal, text},
    money::{Money, StoredNumber},
};

/// One field of the order document.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderField {
    /// The field's name in the document.
    pub name: Cow<'static, str>,
    /// What it holds.
    pub value: OrderValue,
}

/// What a field of the order document holds, by the type that Mongoose gives it.
#[derive(Debug, Clone, PartialEq)]
pub enum OrderValue {
    /// A text.
    Text(String),
    /// A number.
    Number(StoredNumber),
    /// A boolean.
    Boolean(bool),
    /// A moment.
    Date(DateTime<Utc>),
    /// A reference to another document.
    Reference(DocumentId),
    /// A nested object.
    Object(Vec<OrderField>),
    /// A list of objects.
    List(Vec<Vec<OrderField>>),
    /// Whatever the producer sent, kept as it is.
    Mixed(Value),
}

/// How a field is read.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    /// A text that may be a person's: an error tells only its length.
    PrivateText,
    Number,
    Money,
    Boolean,
    Date,
    /// A date where the text is one, else the text itself.
    DateOrText,
    Reference,
    OneOf(&'static [&'static str]),
    Mixed,
    Object(&'static [(&'static str, Kind)]),
    List(&'static [(&'static str, Kind)]),
}

const DELIVERY_STATUSES: &[&str] = &["pending", "packaging", "packaged", "delivering", "delivered"];
const ORDER_TYPES: &[&str] = &[
    "mytaxi",
    "mytaxi_paid",
    "uzpost",
    "point_of_sale",
    "delivery",
    "delivery_paid",
    "location",
    "Yandex",
    "Yandex_paid",
    "province",
    "province_paid",
    "emu",
    "bts",
];

const PRODUCT: &[(&str, Kind)] = &[
    ("productID", Kind::Text),
    ("name", Kind::Mixed),
    ("imageUrl", Kind::Text),
    ("COLOR", Kind::Mixed),
    ("SIZE", Kind::Mixed),
    ("sku", Kind::Text),
    ("barCode", Kind::Text),
    ("qty", Kind::Number),
    ("subTotalPrice", Kind::Money),
    ("discountAmount", Kind::Money),
    ("totalPrice", Kind::Money),
];
const DELIVERY_ADDRESS: &[(&str, Kind)] = &[
    ("street", Kind::PrivateText),
    ("city", Kind::Text),
    ("postalCode", Kind::Text),
    ("fullAddress", Kind::PrivateText),
    ("apartment", Kind::PrivateText),
    ("floor", Kind::PrivateText),
    ("entrance", Kind::PrivateText),
    ("intercom", Kind::PrivateText),
    ("landmark", Kind::PrivateText),
];
const COORDINATES: &[(&str, Kind)] = &[
    ("latitude", Kind::Number),
    ("longitude", Kind::Number),
    ("accuracy", Kind::Number),
];
const MAP_DATA: &[(&str, Kind)] = &[
    ("placeId", Kind::Text),
    ("geocodedAddress", Kind::PrivateText),
    ("mapProvider", Kind::OneOf(&["google", "yandex"])),
];
const DELIVERY_INSTRUCTIONS: &[(&str, Kind)] = &[
    ("specialInstructions", Kind::PrivateText),
    ("preferredTime", Kind::Text),
    ("contactMethod", Kind::Text),
];

/// Every field that the payload may set. `billzId`, `billzAmount` and the time-stamps are ours.
const ORDER: &[(&str, Kind)] = &[
    ("datePaid", Kind::Date),
    ("amoCrmId", Kind::Mixed),
    ("paidAmount", Kind::Money),
    ("orderID", Kind::Text),
    ("order_number", Kind::Mixed),
    ("tgMsgId", Kind::Mixed),
    ("orderAcceptedByManager", Kind::Mixed),
    ("instagram", Kind::Mixed),
    ("isRefund", Kind::Boolean),
    ("isPostPonement", Kind::Boolean),
    ("postPonementDate", Kind::Date),
    ("billzStoreID", Kind::Text),
    ("isPaid", Kind::Boolean),
    ("deliveryStatus", Kind::OneOf(DELIVERY_STATUSES)),
    ("comment", Kind::PrivateText),
    ("deliveryComment", Kind::PrivateText),
    ("deliveryTime", Kind::DateOrText),
    ("storeId", Kind::Reference),
    ("store", Kind::Text),
    ("utm_store_source", Kind::Text),
    ("paymentMethod", Kind::Text),
    ("orderType", Kind::OneOf(ORDER_TYPES)),
    ("subTotalPrice", Kind::Money),
    ("totalPrice", Kind::Money),
    ("discountAmount", Kind::Money),
    ("deliverySubTotalPrice", Kind::Money),
    ("products", Kind::List(PRODUCT)),
    ("closedPackager", Kind::Mixed),
    ("regionId", Kind::Reference),
    ("subRegionId", Kind::Reference),
    ("driverId", Kind::Reference),
    ("userId", Kind::Reference),
    ("images", Kind::Mixed),
    ("region", Kind::Text),
    ("subRegion", Kind::Text),
    ("employeeID", Kind::Text),
    ("acceptedManager", Kind::Mixed),
    ("createdBy", Kind::Reference),
    ("clientID", Kind::Mixed),
    ("clientInfo", Kind::Mixed),
    ("clientIdSys", Kind::Reference),
    ("deliveryAddress", Kind::Object(DELIVERY_ADDRESS)),
    ("coordinates", Kind::Object(COORDINATES)),
    ("mapData", Kind::Object(MAP_DATA)),
    ("deliveryInstructions", Kind::Object(DELIVERY_INSTRUCTIONS)),
];

/// What the model fills in where the payload says nothing.
const DEFAULTS: &[(&str, &str)] = &[
    ("deliveryStatus", "pending"),
    ("paymentMethod", "online"),
    ("orderType", "delivery"),
];

/// Reads the document's fields from the payload. A reference that is no `ObjectId` becomes a warning.
pub(super) fn read(
    fields: &mut Fields<'_>,
    warnings: &mut Vec<String>,
    created_by: &mut Option<DocumentId>,
) -> Vec<OrderField> {
    let mut document = read_table(fields, ORDER, &READ_ALREADY, warnings);
    for &(name, value) in DEFAULTS {
        if !document.iter().any(|field| field.name == name) {
            document.push(OrderField {
                name: name.into(),
                value: OrderValue::Text(value.to_owned()),
            });
        }
    }
    *created_by = document.iter().find_map(|field| match &field.value {
        OrderValue::Reference(id) if field.name == "createdBy" => Some(id.clone()),
        _ => None,
    });
    document
}

fn read_table(
    fields: &mut Fields<'_>,
    table: &'static [(&str, Kind)],
    read_already: &[&str],
    warnings: &mut Vec<String>,
) -> Vec<OrderField> {
    let mut found = Vec::new();
    for &(name, kind) in table {
        // Whether it can be read was said already; here it only is, or is not, part of the document.
        let value = if read_already.contains(&name) {
            fields.raw(name).and_then(|value| plain(value, kind).ok().flatten())
        } else {
            read_one(fields, name, kind, warnings)
        };
        if let Some(value) = value {
            found.push(OrderField {
                name: name.into(),
                value,
            });
        }
    }
    found
}

/// Fields of the order that [`super::OrderDraft`] reads too, and whose problems it reports.
const READ_ALREADY: [&str; 8] = [
    "orderID",
    "isPaid",
    "isPostPonement",
    "region",
    "subTotalPrice",
    "totalPrice",
    "discountAmount",
    "clientIdSys",
];
/// The same of its products. Their amounts are read here only.
const READ_ALREADY_OF_PRODUCT: [&str; 1] = ["qty"];

fn read_one(fields: &mut Fields<'_>, name: &'static str, kind: Kind, warnings: &mut Vec<String>) -> Option<OrderValue> {
    match kind {
        Kind::Reference => optional_reference(fields, name, warnings).map(OrderValue::Reference),
        Kind::PrivateText => fields.optional_private(name, |value| plain(value, kind)),
        Kind::Object(table) => fields
            .object(name, |nested| read_table(nested, table, &[], warnings))
            .filter(|nested| !nested.is_empty())
            .map(OrderValue::Object),
        Kind::List(table) => {
            let raw = fields.raw(name)?.as_array()?;
            if raw.iter().any(|item| !item.is_object()) {
                return None;
            }
            fields
                .list(name, |nested| {
                    read_table(nested, table, &READ_ALREADY_OF_PRODUCT, warnings)
                })
                .map(OrderValue::List)
        }
        _ => fields.optional(name, |value| plain(value, kind)),
    }
}

fn plain(value: &Value, kind: Kind) -> Result<Option<OrderValue>, Mismatch> {
    Ok(match kind {
        Kind::Text | Kind::PrivateText => text(value)?.map(OrderValue::Text),
        Kind::Number => decimal(value)?
            .map(|number| {
                // Unlike money, a number may be negative; what a double cannot carry is refused all the same.
                Money::new(number.abs())
                    .ok()
                    .and_then(|_| stored(number))
                    .ok_or_else(|| Mismatch::expected("a number that a double-precision number holds exactly"))
            })
            .transpose()?
            .map(OrderValue::Number),
        Kind::Money => Money::from_json(value)?.map(|amount| OrderValue::Number(amount.stored())),
        Kind::Boolean => boolean(value)?.map(OrderValue::Boolean),
        Kind::Date => date(value)?.map(OrderValue::Date),
        Kind::DateOrText => match date(value) {
            Ok(found) => found.map(OrderValue::Date),
            Err(_) => text(value)?.map(OrderValue::Text),
        },
        Kind::OneOf(known) => match text(value)? {
            None => None,
            Some(found) if found.is_empty() => None,
            Some(found) if known.contains(&&*found) => Some(OrderValue::Text(found)),
            Some(_) => return Err(Mismatch::expected(format!("one of {}", known.join(", ")))),
        },
        Kind::Reference => text(value)?
            .and_then(|written| DocumentId::parse(&written))
            .map(OrderValue::Reference),
        Kind::Mixed => (!value.is_null()).then(|| OrderValue::Mixed(value.clone())),
        Kind::Object(_) | Kind::List(_) => None,
    })
}

fn stored(number: Decimal) -> Option<StoredNumber> {
    match number.is_integer().then(|| number.to_i32()).flatten() {
        Some(whole) => Some(StoredNumber::Int32(whole)),
        None => number.to_f64().map(StoredNumber::Double),
    }
}
