//! What a `PLACE_ORDER` job says about an order: the parts that Billz is told, and the fields of the local document.

mod fields;

use serde_json::Value;

pub use fields::{OrderField, OrderValue};

use crate::{
    identifiers::{BillzProductId, CardId},
    input::{FieldProblem, Fields, Problems, boolean, excerpt, text},
    money::Money,
    quantity::Quantity,
};

/// A reference to a document: the 24 hexadecimal digits of an `ObjectId`, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DocumentId(Box<str>);

impl DocumentId {
    /// Reads a reference; `None` where the text is not 24 hexadecimal digits.
    pub fn parse(candidate: &str) -> Option<Self> {
        let candidate = candidate.trim();
        (candidate.len() == 24 && candidate.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .then(|| Self(candidate.to_ascii_lowercase().into()))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for DocumentId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Which local order document is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderReference {
    /// The document's `_id`, if the payload names it.
    pub id: Option<DocumentId>,
    /// The shop's own order number, `orderID`.
    pub number: Option<String>,
}

/// One product of an order as Billz is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderLine {
    /// The product in Billz: `products[].ID`, else `productID`.
    pub product: BillzProductId,
    /// How much of it.
    pub quantity: Quantity,
}

/// An order to be placed.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderDraft {
    /// The local document.
    pub reference: OrderReference,
    /// The document in `clients` of the person who ordered.
    pub client: DocumentId,
    /// The document in `users` of the seller, if any.
    pub created_by: Option<DocumentId>,
    /// What was ordered; never empty. The same product named twice is one line here, because what Billz makes of a
    /// product that is added twice is not known.
    pub lines: Vec<OrderLine>,
    /// The sum before the discount.
    pub sub_total: Money,
    /// What is taken off.
    pub discount: Money,
    /// What the client is to pay, by our own reckoning.
    pub total: Money,
    /// Whether the client has paid.
    pub is_paid: bool,
    /// Whether the order is to be parked even though it is paid.
    pub is_postponement: bool,
    /// What it was paid with.
    pub card: Option<CardId>,
    /// Where it goes, for the comment in Billz.
    pub region: Option<String>,
    /// The fields of the local document, in the order of the contract.
    pub fields: Vec<OrderField>,
    /// What was left out of the document and why.
    pub warnings: Vec<String>,
}

impl OrderDraft {
    /// Reads the payload of `PLACE_ORDER`.
    pub fn from_json(payload: &Value) -> Result<Self, Problems> {
        let mut fields = Fields::of(payload)?;
        let mut warnings = Vec::new();
        let id = optional_reference(&mut fields, "_id", &mut warnings);
        let number = fields.optional("orderID", text).map(|number| number.trim().to_owned());
        let number = number.filter(|number| !number.is_empty());
        if id.is_none() && number.is_none() {
            fields.refuse("orderID", "the order's number (or its document's id in `_id`)");
        }
        let client = required_reference(&mut fields, "clientIdSys");
        let lines = lines(&mut fields);
        let total = fields.required("totalPrice", Money::from_json);
        let discount = fields
            .optional("discountAmount", Money::from_json)
            .unwrap_or(Money::ZERO);
        let sub_total = fields.optional("subTotalPrice", Money::from_json);
        if sub_total.is_none() && !discount.is_zero() && fields.raw("subTotalPrice").is_none() {
            fields.refuse("subTotalPrice", "an amount, since a discount is taken off it");
        }
        if sub_total.is_some_and(|sub_total| sub_total < discount) {
            fields.refuse("discountAmount", "no more than subTotalPrice");
        }
        let is_paid = fields.optional("isPaid", boolean).unwrap_or(false);
        let is_postponement = fields.optional("isPostPonement", boolean).unwrap_or(false);
        let card = fields.optional("cardId", CardId::from_json);
        let region = fields.optional("region", text);
        let mut created_by = None;
        let document = fields::read(&mut fields, &mut warnings, &mut created_by);
        fields.finish()?;
        let (Some(client), Some(lines), Some(total)) = (client, lines, total) else {
            return Err(Problems::unread());
        };
        Ok(Self {
            reference: OrderReference { id, number },
            client,
            created_by,
            lines,
            sub_total: sub_total.unwrap_or(total),
            discount,
            total,
            is_paid,
            is_postponement,
            card,
            region,
            fields: document,
            warnings,
        })
    }

    /// Whether the order is to be paid in Billz rather than parked.
    pub fn pays(&self) -> Option<&CardId> {
        self.card.as_ref().filter(|_| self.is_paid && !self.is_postponement)
    }

    /// The comment by which the sale is found again in Billz. `fallback` stands in where the payload names no number.
    pub fn comment(&self, fallback: &str) -> String {
        let number = self.reference.number.as_deref().unwrap_or(fallback);
        format!("Order {number} - {}", self.region.as_deref().unwrap_or_default())
    }
}

fn lines(fields: &mut Fields<'_>) -> Option<Vec<OrderLine>> {
    let listed = fields.list("products", |product| {
        let id = if product.raw("ID").is_some_and(|id| !id.is_null()) {
            product.required("ID", BillzProductId::from_json)
        } else {
            product.required("productID", BillzProductId::from_json)
        };
        let quantity = product.required("qty", Quantity::from_json);
        Some(OrderLine {
            product: id?,
            quantity: quantity?,
        })
    });
    if listed.as_ref().is_none_or(Vec::is_empty)
        && fields.raw("products").is_none_or(|raw| raw.is_array() || raw.is_null())
    {
        fields.refuse("products", "a list of at least one product");
    }
    let mut merged: Vec<OrderLine> = Vec::new();
    for line in listed?.into_iter().flatten() {
        let Some(known) = merged.iter_mut().find(|known| known.product == line.product) else {
            merged.push(line);
            continue;
        };
        match Quantity::new(known.quantity.amount().saturating_add(line.quantity.amount())) {
            Ok(sum) => known.quantity = sum,
            Err(mismatch) => fields.refuse(
                "products",
                format!(
                    "quantities of `{}` that add up to {}",
                    excerpt(line.product.as_str()),
                    mismatch.expected
                ),
            ),
        }
    }
    Some(merged)
}

/// Reads a reference that may be missing; one that is no `ObjectId` is left out with a warning.
fn optional_reference(fields: &mut Fields<'_>, name: &str, warnings: &mut Vec<String>) -> Option<DocumentId> {
    let written = fields.optional(name, text)?;
    if written.trim().is_empty() {
        return None;
    }
    let found = DocumentId::parse(&written);
    if found.is_none() {
        warnings.push(format!(
            "field `{name}` was left out of the order document: found a text of {} characters, expected the 24 hexadecimal \
             digits of an ObjectId",
            written.chars().count()
        ));
    }
    found
}

fn required_reference(fields: &mut Fields<'_>, name: &str) -> Option<DocumentId> {
    fields.required(name, |value| {
        text(value)?
            .map(|written| {
                DocumentId::parse(&written).ok_or_else(|| {
                    crate::input::Mismatch::expected("the id of a document in `clients` (24 hexadecimal digits)")
                })
            })
            .transpose()
    })
}

/// A problem that was found only after the reading, such as a reference to a document that does not exist.
pub fn problem(field: &str, found: impl Into<String>, expected: impl Into<String>) -> FieldProblem {
    FieldProblem {
        field: field.to_owned(),
        found: found.into(),
        expected: expected.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn seed() -> Value {
        json!({
            "isPostPonement": false, "isPaid": false, "deliveryStatus": "pending", "storeId": "store123",
            "storeExternalID": "ext_store_123", "paymentMethod": "online", "regionId": "64a7b8c9d5e6f7890abcdef1",
            "paidAmount": 0,
            "deliveryAddress": {"street": "Main Street 123", "city": "Tashkent", "apartment": "5A", "floor": "2", "entrance": "A"},
            "coordinates": {"latitude": 41.2995, "longitude": 69.2401, "accuracy": 10},
            "products": [{
                "productID": "prod123", "qty": 2, "name": {"en": "Product Name", "uz": "Mahsulot nomi"}, "sku": "SKU123",
                "barCode": "1234567890123", "imageUrl": "https://example.com/image.jpg", "subTotalPrice": 100,
                "totalPrice": 100, "discountAmount": 0
            }],
            "subTotalPrice": 100, "discountAmount": 0, "totalPrice": 100, "deliverySubTotalPrice": 20,
            "clientIdSys": "64a7b8c9d5e6f7890abcdef2", "createdBy": "64a7b8c9d5e6f7890abcdef3", "region": "Tashkent",
            "store": "Main Store", "orderID": 12345, "employeeName": "John Doe", "userId": "64a7b8c9d5e6f7890abcdef4"
        })
    }

    #[test]
    fn reads_the_documented_example() {
        let order = OrderDraft::from_json(&seed()).unwrap();
        assert_eq!(order.reference.number.as_deref(), Some("12345"));
        assert_eq!(order.comment("?"), "Order 12345 - Tashkent");
        assert_eq!(order.lines[0].product.as_str(), "prod123");
        assert_eq!(order.warnings.len(), 1, "{:?}", order.warnings);
        assert!(order.warnings[0].contains("`storeId`"));
        assert_eq!(order.created_by.as_ref().unwrap().as_str(), "64a7b8c9d5e6f7890abcdef3");
        assert!(order.pays().is_none());
        let names: Vec<_> = order.fields.iter().map(|field| &*field.name).collect();
        assert!(!names.contains(&"storeId") && !names.contains(&"employeeName"));
        let number = order.fields.iter().find(|field| field.name == "orderID").unwrap();
        assert_eq!(number.value, OrderValue::Text("12345".to_owned()));
    }

    #[test]
    fn names_every_wrong_field() {
        let mut body = seed();
        body["products"] = json!([{"productID": "a", "qty": 0}, {"qty": 1}]);
        body["clientIdSys"] = json!("nobody");
        body["totalPrice"] = json!("much");
        body["deliveryStatus"] = json!("lost");
        body["discountAmount"] = json!(101);
        let problems = OrderDraft::from_json(&body).unwrap_err();
        let named: Vec<_> = problems.listed().iter().map(|problem| &*problem.field).collect();
        for field in [
            "products[0].qty",
            "products[1].productID",
            "clientIdSys",
            "totalPrice",
            "deliveryStatus",
            "discountAmount",
        ] {
            assert!(named.contains(&field), "{field} is not in {named:?}");
        }
        assert!(OrderDraft::from_json(&json!({})).is_err());
        assert!(OrderDraft::from_json(&json!([])).is_err());
    }

    #[test]
    fn names_wrong_amounts_of_a_product() {
        let mut body = seed();
        for field in ["subTotalPrice", "totalPrice", "discountAmount"] {
            body["products"][0][field] = json!("much");
        }
        let problems = OrderDraft::from_json(&body).unwrap_err();
        let named: Vec<_> = problems.listed().iter().map(|problem| &*problem.field).collect();
        assert_eq!(
            named,
            [
                "products[0].subTotalPrice",
                "products[0].discountAmount",
                "products[0].totalPrice"
            ]
        );
    }

    #[test]
    fn one_product_named_twice_is_one_line() {
        let mut body = seed();
        body["products"] =
            json!([{"ID": "x", "productID": "a", "qty": 1}, {"ID": "x", "productID": "b", "qty": "1.5"}]);
        let order = OrderDraft::from_json(&body).unwrap();
        assert_eq!(order.lines.len(), 1);
        assert_eq!(order.lines[0].quantity.to_string(), "2.5");
    }

    #[test]
    fn pays_only_what_is_paid_by_card_and_not_postponed() {
        let mut body = seed();
        body["isPaid"] = json!(true);
        assert!(OrderDraft::from_json(&body).unwrap().pays().is_none());
        body["cardId"] = json!("card123");
        assert!(OrderDraft::from_json(&body).unwrap().pays().is_some());
        body["isPostPonement"] = json!("true");
        assert!(OrderDraft::from_json(&body).unwrap().pays().is_none());
    }
}
