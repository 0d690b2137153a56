//! Every field of every payload, wrong in every way, one at a time: the job fails at once, names the field, and Billz is told
//! nothing.

use std::collections::BTreeMap;

use mongodb::bson::doc;
use serde_json::{Value, json};

use crate::world::World;

/// What a field holds, and so what it cannot hold.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// An id of whatever system.
    Id,
    /// The id of a document.
    DocumentId,
    /// A reference that is left out with a warning where it is no `ObjectId`.
    Reference,
    Text,
    Phone,
    /// An amount of zero or more.
    Money,
    /// An amount above zero.
    PositiveMoney,
    Quantity,
    Number,
    Boolean,
    Date,
    DateOrText,
    /// A time in the future, by the shop's local time.
    Future,
    OneOf,
    Object,
}

impl Kind {
    /// What is wrong whatever else the payload says.
    fn wrong(self) -> Vec<Value> {
        let no_number = [
            json!("all"),
            json!("NaN"),
            json!("Infinity"),
            json!("1_000"),
            json!([5]),
            json!({"$gt": 0}),
        ];
        let no_text = [json!([]), json!(["a"]), json!({"$ne": 1}), json!("a\0b")];
        match self {
            Self::Id => [&no_text[..], &[json!("a\nb"), json!("x".repeat(5_000))]].concat(),
            Self::DocumentId => [&no_text[..], &[json!("x"), json!(7), json!("64a7b8c9d5e6f7890abcdefg")]].concat(),
            Self::Reference | Self::Text | Self::DateOrText => no_text.to_vec(),
            Self::Phone => {
                let others = [
                    json!("x"),
                    json!("+"),
                    json!("1234"),
                    json!(12),
                    json!(true),
                    json!("1".repeat(16)),
                ];
                [&no_text[..], &others].concat()
            }
            Self::Money => {
                let others = [
                    json!(-1),
                    json!("-0.01"),
                    json!(1e300),
                    json!(9_007_199_254_740_993_u64),
                    json!("0.12345678901234567"),
                ];
                [&no_number[..], &others].concat()
            }
            Self::PositiveMoney => [Self::Money.wrong(), vec![json!(0), json!("0.00"), json!(false)]].concat(),
            Self::Quantity => {
                let others = [
                    json!(0),
                    json!(-1),
                    json!("-0.5"),
                    json!(1e300),
                    json!("0.12345678901234567"),
                    json!(false),
                ];
                [&no_number[..], &others].concat()
            }
            Self::Number => [&no_number[..], &[json!(1e300)]].concat(),
            Self::Boolean => vec![json!("perhaps"), json!(2), json!(-1), json!([]), json!({})],
            Self::Date => vec![
                json!("someday"),
                json!("2026-13-40"),
                json!(1e300),
                json!(true),
                json!([]),
                json!({}),
            ],
            Self::Future => {
                let past = [json!("2020-01-01"), json!("2020-01-01 10:00:00"), json!(1), json!(-1)];
                [
                    &[json!("someday"), json!(1e300), json!(1.5), json!([]), json!({})],
                    &past[..],
                ]
                .concat()
            }
            Self::OneOf => [&no_text[..], &[json!("teleport"), json!(1)]].concat(),
            Self::Object => vec![json!(3), json!("x"), json!(true), json!([]), json!([{}])],
        }
    }
}

/// One field: its JSON pointer, what it holds, and whether it must be there.
type Field = (&'static str, Kind, bool);

const R: bool = true;
const O: bool = false;

/// Each type with a payload that is right, and all its fields that can be wrong.
fn types() -> Vec<(&'static str, Value, Vec<Field>)> {
    use Kind::{Id, Money, Phone, PositiveMoney, Quantity, Text};
    let order_id: Field = ("/orderId", Id, R);
    vec![
        (
            "CREATE_CLIENT",
            json!({"clientPhone": "998901112233", "clientFirstName": "A"}),
            vec![
                ("/clientPhone", Phone, R),
                ("/clientFirstName", Text, R),
                ("/clientLastName", Text, O),
            ],
        ),
        ("CREATE_ORDER", json!({}), vec![("/shopId", Id, O)]),
        (
            "ADD_ITEM",
            json!({"productId": "prod123", "qty": 1, "orderId": "order123"}),
            vec![
                ("/productId", Id, R),
                ("/qty", Quantity, R),
                order_id,
                ("/employeeID", Id, O),
            ],
        ),
        (
            "ADD_CLIENT",
            json!({"customerId": "c", "orderId": "order123"}),
            vec![("/customerId", Id, R), order_id],
        ),
        (
            "POSTPONE_ORDER",
            json!({"orderId": "order123"}),
            vec![order_id, ("/comment", Text, O), ("/time", Kind::Future, O)],
        ),
        ("CANCEL_POSTPONE", json!({"orderId": "order123"}), vec![order_id]),
        (
            "CREATE_DISCOUNT",
            json!({"orderId": "order123", "amount": 1, "totalPrice": 5}),
            vec![order_id, ("/amount", Money, R), ("/totalPrice", PositiveMoney, R)],
        ),
        (
            "MAKE_PAYMENT",
            json!({"orderId": "order123", "cardId": "card123", "totalPrice": 50}),
            vec![order_id, ("/cardId", Id, R), ("/totalPrice", PositiveMoney, R)],
        ),
        ("DELETE_ORDER", json!({"orderId": "order123"}), vec![order_id]),
        ("GET_ORDER", json!({"orderId": "order123"}), vec![order_id]),
        ("PLACE_ORDER", placement(), placement_fields()),
    ]
}

fn placement() -> Value {
    json!({
        "orderID": "1", "clientIdSys": "64a7b8c9d5e6f7890abcdef1", "subTotalPrice": 50, "totalPrice": 50,
        "products": [{"productID": "prod123", "qty": 1}, {"ID": "product123", "productID": "p", "qty": 1}],
        "deliveryAddress": {}, "coordinates": {}, "mapData": {}, "deliveryInstructions": {},
    })
}

fn placement_fields() -> Vec<Field> {
    use Kind::{Boolean, Date, DateOrText, DocumentId, Id, Money, Number, Object, OneOf, Quantity, Reference, Text};
    let mut fields = vec![
        ("/orderID", Text, R),
        ("/_id", Reference, O),
        ("/clientIdSys", DocumentId, R),
        ("/totalPrice", Money, R),
        ("/cardId", Id, O),
        ("/products/0/productID", Id, R),
        ("/products/0/qty", Quantity, R),
        ("/products/1/ID", Id, O),
        ("/products/1/qty", Quantity, R),
        ("/deliveryStatus", OneOf, O),
        ("/orderType", OneOf, O),
        ("/mapData/mapProvider", OneOf, O),
        ("/deliveryTime", DateOrText, O),
    ];
    let mut add = |kind, names: &[&'static str]| fields.extend(names.iter().map(|name| (*name, kind, O)));
    add(Date, &["/datePaid", "/postPonementDate"]);
    add(Boolean, &["/isPaid", "/isPostPonement", "/isRefund"]);
    add(
        Money,
        &[
            "/subTotalPrice",
            "/discountAmount",
            "/deliverySubTotalPrice",
            "/paidAmount",
        ],
    );
    add(
        Money,
        &[
            "/products/0/subTotalPrice",
            "/products/0/discountAmount",
            "/products/1/totalPrice",
        ],
    );
    add(
        Number,
        &[
            "/coordinates/latitude",
            "/coordinates/longitude",
            "/coordinates/accuracy",
        ],
    );
    add(
        Reference,
        &[
            "/storeId",
            "/regionId",
            "/subRegionId",
            "/driverId",
            "/userId",
            "/createdBy",
        ],
    );
    add(
        Object,
        &["/deliveryAddress", "/coordinates", "/mapData", "/deliveryInstructions"],
    );
    add(
        Text,
        &[
            "/billzStoreID",
            "/comment",
            "/deliveryComment",
            "/store",
            "/utm_store_source",
            "/paymentMethod",
        ],
    );
    add(Text, &["/region", "/subRegion", "/employeeID"]);
    add(
        Text,
        &["/products/0/imageUrl", "/products/0/sku", "/products/1/barCode"],
    );
    add(
        Text,
        &[
            "/deliveryAddress/street",
            "/deliveryAddress/city",
            "/deliveryAddress/postalCode",
            "/deliveryAddress/fullAddress",
            "/deliveryAddress/apartment",
            "/deliveryAddress/floor",
            "/deliveryAddress/entrance",
            "/deliveryAddress/intercom",
            "/deliveryAddress/landmark",
            "/mapData/placeId",
            "/mapData/geocodedAddress",
            "/deliveryInstructions/specialInstructions",
            "/deliveryInstructions/preferredTime",
            "/deliveryInstructions/contactMethod",
        ],
    );
    fields
}

/// Wrong lists of products, each with what must be named.
fn wrong_lists() -> Vec<(Value, &'static str)> {
    let right = json!({"productID": "prod123", "qty": 1});
    vec![
        (Value::Null, "products"),
        (json!([]), "products"),
        (json!({}), "products"),
        (json!("prod123"), "products"),
        (json!(1), "products"),
        (json!([1]), "products[0]"),
        (json!([null]), "products[0]"),
        (json!(["prod123"]), "products[0]"),
        (json!([right, []]), "products[1]"),
        (json!([right, {}]), "products[1].productID"),
        (json!([right, {"ID": ""}]), "products[1].ID"),
    ]
}

/// A JSON pointer as errors name it: `/products/0/qty` is `products[0].qty`.
fn named(pointer: &str) -> String {
    pointer
        .split('/')
        .skip(1)
        .fold(String::new(), |name, part| match part.parse::<usize>() {
            Ok(position) => format!("{name}[{position}]"),
            Err(_) if name.is_empty() => part.to_owned(),
            Err(_) => format!("{name}.{part}"),
        })
}

/// The payload with one field changed, or without it.
fn changed(payload: &Value, pointer: &str, value: Option<Value>) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let mut payload = payload.clone();
    let fields = payload.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Some(value) => fields.insert(name.to_owned(), value),
        None => fields.remove(name),
    };
    payload
}

/// Every payload with one wrong field: type, payload, and the field.
fn cases() -> Vec<(&'static str, Value, String)> {
    let mut cases = Vec::new();
    for (kind, payload, fields) in types() {
        for (pointer, holds, required) in fields {
            let mut wrong: Vec<_> = holds.wrong().into_iter().map(Some).collect();
            if required {
                wrong.extend([None, Some(Value::Null), Some(json!("")), Some(json!(" "))]);
            }
            let wrong = wrong
                .into_iter()
                .map(|value| (kind, changed(&payload, pointer, value), named(pointer)));
            cases.extend(wrong);
        }
    }
    let lists = wrong_lists().into_iter();
    cases.extend(lists.map(|(list, field)| {
        (
            "PLACE_ORDER",
            changed(&placement(), "/products", Some(list)),
            field.to_owned(),
        )
    }));
    cases.push((
        "PLACE_ORDER",
        changed(&placement(), "/products", None),
        "products".to_owned(),
    ));
    cases.push((
        "PLACE_ORDER",
        changed(&placement(), "/discountAmount", Some(json!(51))),
        "discountAmount".to_owned(),
    ));
    let equal = json!({"orderId": "order123", "amount": 5, "totalPrice": 5});
    cases.push(("CREATE_DISCOUNT", equal, "totalPrice".to_owned()));
    for (kind, ..) in types() {
        for payload in [json!([]), json!("orderId"), json!(1), json!(true)] {
            cases.push((kind, payload, "payload".to_owned()));
        }
    }
    cases
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_wrong_field_by_itself_fails_its_job_at_once_and_billz_is_told_nothing() {
    let world = World::new().await;
    let cases = cases();
    let mut jobs = Vec::new();
    for (kind, payload, _) in &cases {
        jobs.push(world.add(kind, payload.clone()).await);
    }
    let worker = world.start();
    let (mut complaints, mut counts) = (Vec::new(), BTreeMap::<_, u32>::new());
    for (job, (kind, payload, field)) in jobs.iter().zip(&cases) {
        let ended = world.ended(job).await;
        let named = matches!(&ended, crate::world::Ended::Failed(reason) if reason.contains(&format!("`{field}`")));
        let attempts = world.field(job, "atm").await;
        if !named || attempts.as_deref() != Some("1") {
            complaints.push(format!("{kind} {payload}: `{field}`, {attempts:?} attempts, {ended:?}"));
        }
        *counts.entry(*kind).or_default() += 1;
    }
    println!("{} jobs with a wrong field: {counts:?}", cases.len());
    assert!(
        complaints.is_empty(),
        "{} of {}: {complaints:#?}",
        complaints.len(),
        cases.len()
    );
    assert_eq!(counts.len(), 11);
    assert_eq!(world.sandbox.ledger().calls.len(), 0, "Billz was told something");
    let (logs, failed) = (world.collection("logs"), doc! { "section": "errors", "success": false });
    assert_eq!(logs.count_documents(failed).await.unwrap(), cases.len() as u64);
    for untouched in ["orders", "clients", "operations", "order_sagas"] {
        let found = world.collection(untouched).count_documents(doc! {}).await.unwrap();
        assert_eq!(found, 0, "{untouched}");
    }
    worker.stop().await;
    world.end().await;
}
