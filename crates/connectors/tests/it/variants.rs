//! The client works whichever of the habits Billz has that nobody outside knows.

use billwright_connectors::{
    billz::{Billz, BillzError, Line, NewClient, SaleState, look},
    budget::Budget,
};
use billwright_domain::{BillzClientId, Money, Quantity, SystemClock};
use billwright_sandbox::{
    AccessToken, CashBoxKey, DeletedOrder, DraftComment, DuplicatePhone, EmptyList, ExpiredPark, ForbiddenList,
    ListCount, LoginRefusal, OTHER_PRODUCT_ID, OrderPayments, OrderShape, PAYMENT_TYPE_ID, PRODUCT_ID, PaidParkStatus,
    PhoneFilter, RetryAfter, SaleError, SameProduct, Sandbox, SandboxSettings, SecondDelete, SecondPayment,
    SecondPercentage, ShopCashBoxes, Variants,
};
use chrono::NaiveDate;

use crate::{calls, client_with, id, settings};

/// Every choice of every habit at least once, the others as they are by default; and all that are not the default at once.
fn all_variants() -> Vec<Variants> {
    let mut all = vec![Variants::default()];
    let mut last = Variants::default();
    macro_rules! vary {
        ($($field:ident: $kind:ident),+ $(,)?) => {
            $(for choice in &$kind::ALL[1..] {
                all.push(Variants { $field: *choice, ..Variants::default() });
                last.$field = *choice;
            })+
        };
    }
    vary! {
        duplicate_phone: DuplicatePhone, same_product: SameProduct, second_delete: SecondDelete,
        deleted_order: DeletedOrder, second_payment: SecondPayment, order_payments: OrderPayments,
        paid_park_status: PaidParkStatus, list_count: ListCount, draft_comment: DraftComment, order_shape: OrderShape,
        phone_filter: PhoneFilter, cash_box_key: CashBoxKey, shop_cash_boxes: ShopCashBoxes, empty_list: EmptyList,
        sale_error: SaleError, login_refusal: LoginRefusal, access_token: AccessToken, retry_after: RetryAfter,
        forbidden_list: ForbiddenList, expired_park: ExpiredPark, second_percentage: SecondPercentage,
    }
    all.push(last);
    all
}

fn line(product: &str, quantity: u32) -> Line {
    Line {
        product: id(product),
        quantity: Quantity::new(quantity.into()).unwrap(),
        seller: Some(id(billwright_sandbox::SELLER_ID)),
    }
}

async fn find_or_create(billz: &Billz, phone: &str) -> BillzClientId {
    let client = NewClient {
        first_name: "Aziza".to_owned(),
        last_name: Some("Karimova".to_owned()),
        phone: id(phone),
    };
    match calls(billz).find_client(&client.phone).await.unwrap() {
        Some(found) => found,
        None => calls(billz).create_client(&client).await.unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_lives_its_life_under_every_variant() {
    let lives = all_variants().into_iter().map(|variants| async move {
        let shown = format!("{variants:?}");
        tokio::spawn(live(variants))
            .await
            .unwrap_or_else(|error| panic!("{shown}: {error}"));
    });
    futures_util::future::join_all(lives).await;
}

async fn live(variants: Variants) {
    let sandbox = Sandbox::start(SandboxSettings {
        variants,
        ..SandboxSettings::default()
    })
    .await
    .unwrap();
    let mut options = settings(&sandbox.billz_url());
    options.request_timeout = std::time::Duration::from_secs(10);
    if variants.shop_cash_boxes == ShopCashBoxes::Counted {
        // Two shops whose cash boxes nobody tells apart: the configuration has to.
        options.cashbox_id = Some(id(billwright_sandbox::CASHBOX_ID));
    }
    let billz = client_with(options, Budget::unlimited(), SystemClock::shared(), None);

    let client = one_client_per_phone(&sandbox, &billz).await;
    parked_and_paid(&billz, &client).await;
    paid_from_a_draft(&billz).await;
    deleted(&billz).await;
    assert_eq!(sandbox.ledger().payments.len(), 2);
    assert_eq!(calls(&billz).payment_types().await.unwrap().len(), 2);

    let mut wrong = settings(&sandbox.billz_url());
    wrong.secret = "wrong".to_owned().into();
    let stranger = client_with(wrong, Budget::unlimited(), SystemClock::shared(), None);
    let error = calls(&stranger).shops().await.unwrap_err();
    assert!(matches!(error, BillzError::Unauthorized { .. }), "{error}");
}

async fn one_client_per_phone(sandbox: &Sandbox, billz: &Billz) -> BillzClientId {
    find_or_create(billz, "998901112234").await;
    let client = find_or_create(billz, "998901112233").await;
    assert_eq!(find_or_create(billz, "998901112233").await, client);
    assert_eq!(sandbox.ledger().client_count("998901112233"), 1);
    client
}

async fn parked_and_paid(billz: &Billz, client: &BillzClientId) {
    let order = calls(billz)
        .create_order(&id(billwright_sandbox::SHOP_ID), "1042")
        .await
        .unwrap()
        .id;
    calls(billz).attach_client(&order, client).await.unwrap();
    let wanted = [line(PRODUCT_ID, 1), line(OTHER_PRODUCT_ID, 2), line(PRODUCT_ID, 2)];
    let mut cart = None;
    for line in &wanted {
        cart = Some(calls(billz).add_item(&order, line).await.unwrap());
    }
    let cart = cart.unwrap();
    assert_eq!(
        (cart.quantity_of(&id(PRODUCT_ID)), cart.total),
        (Some(3.into()), Some(Money::whole(300)))
    );
    let sale = calls(billz).order(&order).await.unwrap();
    assert_eq!(
        (look::lines(&sale, &wanted), sale.customer.as_ref()),
        (Ok(Vec::new()), Some(client))
    );

    calls(billz).discount(&order, Money::whole(290)).await.unwrap();
    let until = NaiveDate::from_ymd_opt(2099, 1, 1)
        .unwrap()
        .and_hms_opt(0, 0, 0)
        .unwrap();
    let parked = calls(billz).park(&order, "Order 1042 - Tashkent", until).await.unwrap();
    assert_eq!(
        (parked.total, &*parked.comment),
        (Money::whole(290), "Order 1042 - Tashkent")
    );
    calls(billz).return_from_park(&order).await.unwrap();
    assert_eq!(
        look::returned(&calls(billz).order(&order).await.unwrap()),
        look::Looked::Done
    );
    calls(billz).park(&order, "Order 1042 - Tashkent", until).await.unwrap();
    let error = calls(billz)
        .pay(&order, &id(PAYMENT_TYPE_ID), Money::whole(300), "")
        .await
        .unwrap_err();
    assert!(matches!(error, BillzError::Refused { .. }), "{error}");
    calls(billz)
        .pay(&order, &id(PAYMENT_TYPE_ID), Money::whole(290), "Order 1042")
        .await
        .unwrap();
    assert_eq!(calls(billz).order(&order).await.unwrap().state, SaleState::Paid);
}

async fn paid_from_a_draft(billz: &Billz) {
    let quick = calls(billz)
        .create_order(&id(billwright_sandbox::SHOP_ID), "")
        .await
        .unwrap()
        .id;
    calls(billz).add_item(&quick, &line(PRODUCT_ID, 1)).await.unwrap();
    calls(billz)
        .pay(&quick, &id(PAYMENT_TYPE_ID), Money::whole(50), "")
        .await
        .unwrap();
    assert!(calls(billz).order(&quick).await.unwrap().is_paid());
}

async fn deleted(billz: &Billz) {
    let stray = calls(billz)
        .create_order(&id(billwright_sandbox::SHOP_ID), "")
        .await
        .unwrap()
        .id;
    calls(billz).delete_order(&stray).await.unwrap();
    let read = calls(billz).order(&stray).await;
    assert_eq!(look::deleted(&read).unwrap(), look::Looked::Done);
    match calls(billz).delete_order(&stray).await {
        Ok(()) | Err(BillzError::NotFound { .. }) => {}
        Err(error) => panic!("{error}"),
    }
    assert_eq!(
        calls(billz).order(&id("no-such-sale")).await.unwrap_err().outcome(),
        "not_found"
    );
}
