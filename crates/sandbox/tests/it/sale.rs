//! The life of a sale.

use billwright_sandbox::{OrderState, PRODUCT_ID};
use serde_json::json;

use crate::client::Shop;

#[tokio::test]
async fn a_sale_is_opened_filled_parked_and_paid_once() {
    let shop = Shop::open().await;
    let order = shop.filled().await;
    let (status, parked) = shop.park(&order).await;
    assert_eq!(status, 200, "{parked}");
    assert_eq!(parked["park_status"], "active");
    assert_eq!(parked["future_time"], "2099-12-20 23:59:59");
    assert_eq!(parked["order_detail"]["total_price"], 100);
    assert_eq!(parked["order_detail"]["comment"], "Order 1042");

    let (status, paid) = shop.pay(&order, json!(100)).await;
    assert_eq!(
        (status.as_u16(), paid),
        (200, json!({"order_type": "SALE", "should_print_cheque": true}))
    );

    let ledger = shop.sandbox.ledger();
    assert_eq!(ledger.times_paid(&order), 1);
    assert_eq!(ledger.order(&order).unwrap().state, OrderState::Paid);
    let stock = ledger
        .stock
        .iter()
        .find(|stock| stock.product_id == PRODUCT_ID)
        .unwrap();
    assert_eq!((stock.stock, stock.available), (999_998.into(), 999_998.into()));
}
