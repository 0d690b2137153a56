use billwright_domain::{BillzOrderId, DocumentId};
use billwright_store::billz::order_documents::{OrderProduct, OrderRow};
use serde_json::json;

use super::*;

fn order() -> OrderDocument {
    let product = |id: &str, quantity: u32, total: u32| OrderProduct {
        id: id.to_owned(),
        name: None,
        sku: None,
        bar_code: None,
        quantity: Some(quantity.into()),
        total: Some(Money::whole(total)),
    };
    OrderDocument {
        row: OrderRow {
            id: DocumentId::parse("64a7b8c9d5e6f7890abcdef1").unwrap(),
            number: Some("7".to_owned()),
            billz_id: BillzOrderId::parse("sale-1").ok(),
            total: Some(Money::whole(225)),
            is_paid: false,
            error: None,
            delivery: None,
            created_at: None,
            updated_at: None,
        },
        sub_total: Some(Money::whole(225)),
        discount: Some(Money::ZERO),
        paid_amount: None,
        billz_amount: Some(Money::whole(225)),
        paid_at: None,
        client: None,
        products: vec![product("p-1", 3, 150), product("product123", 1, 75)],
        json: Value::Null,
    }
}

fn known() -> Known {
    Known {
        client: BillzClientId::parse("client-1").ok(),
        products: HashMap::from([("p-1".to_owned(), "prod123".to_owned())]),
    }
}

fn sale(park_status: &str, sold_at: &str, first_quantity: u32, total: u32) -> Sale {
    Sale::from_json(json!({
        "id": "sale-1", "park_status": park_status, "sold_at": sold_at, "customer_id": "client-1",
        "order_detail": {
            "total_price": total,
            "order_items": [
                {"product_id": "prod123", "measurement_value": first_quantity, "price": 50, "total_price": first_quantity * 50},
                {"product_id": "product123", "measurement_value": 1, "price": 75, "total_price": 75},
            ],
        },
    }))
    .unwrap()
}

fn takes(rows: &[Row]) -> Vec<&str> {
    rows.iter()
        .filter(|row| row.differs)
        .map(|row| row.take.as_deref().unwrap_or("-"))
        .collect()
}

#[test]
fn an_order_that_is_as_billz_says_shows_no_difference() {
    let rows = compare(&order(), Some(&sale("active", "", 3, 225)), &known());
    assert_eq!(takes(&rows), Vec::<&str>::new(), "{rows:?}");
    assert!(rows.len() > 8, "{rows:?}");
}

#[test]
fn every_difference_is_marked_and_only_what_was_chosen_is_brought_in() {
    let sold = sale("active", "2026-11-29T10:00:00Z", 4, 260);
    let rows = compare(&order(), Some(&sold), &known());
    let takes = takes(&rows);
    for expected in ["product-0", "discount", "total", "billz-amount", "paid"] {
        assert!(takes.contains(&expected), "{expected} in {takes:?}");
    }
    let chosen = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        changes(&order(), Some(&sold), &known(), &names)
    };
    let paid = chosen(&["paid"]);
    assert_eq!(
        (paid.paid, paid.billz_amount, paid.total),
        (Some(Money::whole(260)), Some(Money::whole(260)), None)
    );
    let product = chosen(&["product-0", "discount"]);
    assert_eq!(
        product.products,
        [(
            0,
            "p-1".to_owned(),
            Quantity::new(4.into()).unwrap(),
            Some(Money::whole(200))
        )]
    );
    assert_eq!(product.discount, Some(Money::whole(15)));
    assert!(chosen(&["product-1", "nothing", "sale-gone"]).is_empty());
}

#[test]
fn an_unpaid_sale_never_takes_a_payment_off_an_order() {
    let mut paid = order();
    paid.row.is_paid = true;
    let sold = sale("active", "", 3, 225);
    let rows = compare(&paid, Some(&sold), &known());
    let row = rows.iter().find(|row| row.what == Text::of("order-paid")).unwrap();
    assert!(row.differs && row.take.is_none());
    assert!(changes(&paid, Some(&sold), &known(), &["paid".to_owned()]).is_empty());
    assert!(changes(&paid, None, &known(), &["sale-gone".to_owned()]).is_empty());
}

#[test]
fn a_sale_that_is_gone_can_be_forgotten() {
    let rows = compare(&order(), None, &known());
    assert_eq!(takes(&rows), ["sale-gone"]);
    assert!(changes(&order(), None, &known(), &["sale-gone".to_owned()]).forget_sale);
}

#[test]
fn a_product_that_only_billz_has_is_shown() {
    let rows = compare(&order(), Some(&sale("active", "", 3, 225)), &Known::default());
    // Without what the job was told, the first product cannot be found in Billz.
    assert_eq!(
        rows.iter().filter(|row| row.differs && row.take.is_none()).count(),
        3,
        "{rows:?}"
    );
}
