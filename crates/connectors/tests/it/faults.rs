//! Every write with its answer cut before, cut after, slow, broken or half: the client never claims to know what it cannot
//! know, and a look finds out what happened.

use std::time::Duration;

use billwright_connectors::billz::{
    Billz, BillzError, Line, NewClient, OrderQuery, RefusalCode,
    look::{self, Looked},
};
use billwright_domain::{BillzClientId, BillzOrderId, Money, Quantity};
use billwright_sandbox::{
    DraftComment, Fault, PAYMENT_TYPE_ID, PRODUCT_ID, SCARCE_PRODUCT_ID, Sandbox, SandboxSettings,
};
use chrono::{NaiveDate, TimeDelta};
use rust_decimal::Decimal;

use crate::{calls, client, id, settings};

/// The faults that leave the caller without an answer, and whether the call took effect.
fn lost_answers() -> Vec<(Fault, bool)> {
    vec![
        (Fault::CutBefore, false),
        (Fault::CutAfter, true),
        (Fault::TruncatedBody, true),
        (Fault::EmptyBody, true),
        (Fault::status(500), false),
        (Fault::status_after_effect(502), true),
        (Fault::bad_gateway_page(), false),
        (Fault::broken_json(), true),
        (Fault::html_page(), false),
        (Fault::SlowDrip { bytes: 1, every_ms: 30 }, true),
        (Fault::Hang, false),
        (Fault::HangAfter, true),
    ]
}

async fn world() -> (Sandbox, Billz) {
    let mut options = SandboxSettings::default();
    options.variants.draft_comment = DraftComment::Stored;
    let sandbox = Sandbox::start(options).await.unwrap();
    let mut settings = settings(&sandbox.billz_url());
    settings.request_timeout = Duration::from_millis(120);
    let billz = client(settings);
    // Logged in and looked up, so that every call from here on is one exchange.
    calls(&billz).shops().await.unwrap();
    (sandbox, billz)
}

fn line() -> Line {
    Line {
        product: id(PRODUCT_ID),
        quantity: quantity(2),
        seller: None,
    }
}

fn quantity(amount: u32) -> Quantity {
    Quantity::new(amount.into()).unwrap()
}

fn days_ahead() -> chrono::NaiveDateTime {
    today().and_hms_opt(12, 0, 0).unwrap() + TimeDelta::days(30)
}

/// Some day around today by the sandbox's clock, which is the machine's.
fn today() -> NaiveDate {
    let now = billwright_domain::Clock::now(&billwright_domain::SystemClock);
    now.date_naive()
}

async fn draft(billz: &Billz) -> BillzOrderId {
    calls(billz)
        .create_order(&id(billwright_sandbox::SHOP_ID), "")
        .await
        .unwrap()
        .id
}

async fn filled(billz: &Billz) -> BillzOrderId {
    let order = draft(billz).await;
    calls(billz).add_item(&order, &line()).await.unwrap();
    order
}

fn assert_unknown<T: std::fmt::Debug>(outcome: Result<T, BillzError>, fault: &Fault) {
    let error = outcome.unwrap_err();
    assert_eq!(error.outcome(), "outcome_unknown", "{fault:?}: {error}");
}

fn expected(effect: bool) -> Looked {
    if effect { Looked::Done } else { Looked::NotDone }
}

#[tokio::test]
async fn a_lost_line() {
    let (sandbox, billz) = world().await;
    for (fault, effect) in lost_answers() {
        let order = filled(&billz).await;
        sandbox.faults().next("add_product", fault.clone());
        assert_unknown(calls(&billz).add_item(&order, &line()).await, &fault);
        let sale = calls(&billz).order(&order).await.unwrap();
        assert_eq!(
            look::line(&sale, &line(), Decimal::from(2)),
            expected(effect),
            "{fault:?}"
        );
        let missing = look::lines(&sale, &[line(), line()]).unwrap();
        assert_eq!(missing.len(), usize::from(!effect), "{fault:?}");
    }
}

#[tokio::test]
async fn a_lost_draft() {
    let (sandbox, billz) = world().await;
    for (index, (fault, effect)) in lost_answers().into_iter().enumerate() {
        let comment = format!("order {index}");
        sandbox.faults().next("create_order", fault.clone());
        assert_unknown(
            calls(&billz)
                .create_order(&id(billwright_sandbox::SHOP_ID), &comment)
                .await,
            &fault,
        );
        let query = OrderQuery {
            shop: id(billwright_sandbox::SHOP_ID),
            from: today() - TimeDelta::days(1),
            to: today() + TimeDelta::days(1),
            comment: Some(comment.clone()),
        };
        let found = calls(&billz).find_orders(&query).await.unwrap();
        assert_eq!(look::draft(&found, &comment).is_some(), effect, "{fault:?}");
    }
}

#[tokio::test]
async fn a_lost_client() {
    let (sandbox, billz) = world().await;
    for (index, (fault, effect)) in lost_answers().into_iter().enumerate() {
        let client = NewClient {
            first_name: "Aziza".to_owned(),
            last_name: None,
            phone: id(&format!("9989011122{index:02}")),
        };
        sandbox.faults().next("create_client", fault.clone());
        assert_unknown(calls(&billz).create_client(&client).await, &fault);
        let found = calls(&billz).find_client(&client.phone).await.unwrap();
        assert_eq!(found.is_some(), effect, "{fault:?}");
    }
}

async fn new_client(billz: &Billz) -> BillzClientId {
    let client = NewClient {
        first_name: "Aziza".to_owned(),
        last_name: None,
        phone: id("998901112233"),
    };
    calls(billz).create_client(&client).await.unwrap()
}

#[tokio::test]
async fn a_lost_attachment_and_a_lost_discount() {
    let (sandbox, billz) = world().await;
    let client = new_client(&billz).await;
    for (fault, effect) in lost_answers() {
        let order = filled(&billz).await;
        sandbox.faults().next("attach_customer", fault.clone());
        assert_unknown(calls(&billz).attach_client(&order, &client).await, &fault);
        let sale = calls(&billz).order(&order).await.unwrap();
        assert_eq!(look::client(&sale, &client), expected(effect), "{fault:?}");

        sandbox.faults().next("discount", fault.clone());
        assert_unknown(calls(&billz).discount(&order, Money::whole(90)).await, &fault);
        let sale = calls(&billz).order(&order).await.unwrap();
        assert_eq!(look::total(&sale, Money::whole(90)), expected(effect), "{fault:?}");
    }
}

#[tokio::test]
async fn a_lost_parking_and_a_lost_return() {
    let (sandbox, billz) = world().await;
    for (fault, effect) in lost_answers() {
        let order = filled(&billz).await;
        sandbox.faults().next("park", fault.clone());
        assert_unknown(calls(&billz).park(&order, "Order 1", days_ahead()).await, &fault);
        let sale = calls(&billz).order(&order).await.unwrap();
        assert_eq!(look::parked(&sale), expected(effect), "{fault:?}");

        if !effect {
            calls(&billz).park(&order, "Order 1", days_ahead()).await.unwrap();
        }
        sandbox.faults().next("unpark", fault.clone());
        assert_unknown(calls(&billz).return_from_park(&order).await, &fault);
        let sale = calls(&billz).order(&order).await.unwrap();
        assert_eq!(look::returned(&sale), expected(effect), "{fault:?}");
    }
}

#[tokio::test]
async fn a_lost_payment_is_never_made_twice() {
    let (sandbox, billz) = world().await;
    for (fault, effect) in lost_answers() {
        let (order, amount) = (filled(&billz).await, Money::whole(100));
        sandbox.faults().next("pay", fault.clone());
        assert_unknown(
            calls(&billz).pay(&order, &id(PAYMENT_TYPE_ID), amount, "Order 1").await,
            &fault,
        );
        let sale = calls(&billz).order(&order).await.unwrap();
        assert_eq!(look::payment(&sale, amount), expected(effect), "{fault:?}");
        if !effect {
            assert!(matches!(look::payment(&sale, Money::whole(99)), Looked::Conflicting(_)));
            calls(&billz)
                .pay(&order, &id(PAYMENT_TYPE_ID), amount, "Order 1")
                .await
                .unwrap();
        }
        assert_eq!(sandbox.ledger().times_paid(order.as_str()), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_lost_deletion() {
    let (sandbox, billz) = world().await;
    for (fault, effect) in lost_answers() {
        let order = filled(&billz).await;
        sandbox.faults().next("delete_order", fault.clone());
        assert_unknown(calls(&billz).delete_order(&order).await, &fault);
        let read = calls(&billz).order(&order).await;
        assert_eq!(look::deleted(&read).unwrap(), expected(effect), "{fault:?}");
    }
}

#[tokio::test]
async fn a_write_is_sent_once_whatever_happens_to_its_answer() {
    let (sandbox, billz) = world().await;
    let order = filled(&billz).await;
    for (fault, _) in lost_answers() {
        sandbox.faults().next("delete_order", fault);
        let before = sandbox.ledger().calls_named("delete_order").len();
        let _lost = calls(&billz).delete_order(&order).await;
        assert_eq!(sandbox.ledger().calls_named("delete_order").len(), before + 1);
    }
}

#[tokio::test]
async fn a_read_survives_one_lost_answer() {
    let (sandbox, billz) = world().await;
    let order = filled(&billz).await;
    for fault in [
        Fault::CutBefore,
        Fault::CutAfter,
        Fault::TruncatedBody,
        Fault::status(503),
        Fault::Hang,
    ] {
        sandbox.faults().next("get_order", fault);
        calls(&billz).order(&order).await.unwrap();
        sandbox.faults().next("find_clients", Fault::CutAfter);
        calls(&billz).find_client(&id("998901112233")).await.unwrap();
    }
}

#[tokio::test]
async fn a_token_that_is_revoked_under_a_write_costs_one_login_and_no_second_effect() {
    let (sandbox, billz) = world().await;
    let order = draft(&billz).await;
    sandbox.faults().next("add_product", Fault::TokenRevoked);
    calls(&billz).add_item(&order, &line()).await.unwrap();
    let sale = calls(&billz).order(&order).await.unwrap();
    assert!(sale.shows_line(&line()));
    assert_eq!(sandbox.ledger().calls_named("login").len(), 2);
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let (sandbox, billz) = world().await;
    let order = draft(&billz).await;
    let scarce = Line {
        product: id(SCARCE_PRODUCT_ID),
        quantity: quantity(2),
        seller: None,
    };
    let refused = |error: BillzError| match error {
        BillzError::Refused { code, .. } => code,
        other => panic!("{other}"),
    };
    let error = calls(&billz).add_item(&order, &scarce).await.unwrap_err();
    assert_eq!(refused(error), Some(RefusalCode::InsufficientStock));
    calls(&billz).add_item(&order, &line()).await.unwrap();
    let error = calls(&billz)
        .pay(&order, &id(PAYMENT_TYPE_ID), Money::whole(99), "")
        .await
        .unwrap_err();
    assert_eq!(refused(error), Some(RefusalCode::WrongAmount));
    calls(&billz).park(&order, "", days_ahead()).await.unwrap();
    let error = calls(&billz).delete_order(&order).await.unwrap_err();
    assert!(error.to_string().contains("failed to validate delete order"), "{error}");

    sandbox.forbid(&[billwright_sandbox::Endpoint::Pay]);
    let error = calls(&billz)
        .pay(&order, &id(PAYMENT_TYPE_ID), Money::whole(100), "")
        .await
        .unwrap_err();
    assert_eq!(error, BillzError::Forbidden { call: "pay" });
    sandbox.forbid(&[]);
    let in_envelope = |status_code| Fault::EnvelopeError {
        status_code,
        code: "SOMETHING".to_owned(),
        message: "no".to_owned(),
    };
    sandbox.faults().next("pay", in_envelope(422));
    let error = calls(&billz)
        .pay(&order, &id(PAYMENT_TYPE_ID), Money::whole(100), "")
        .await
        .unwrap_err();
    assert_eq!(refused(error), Some(RefusalCode::Other("SOMETHING".to_owned())));
    // An envelope that tells of a fault inside Billz is believed no more than a 500 is.
    sandbox.faults().next("pay", in_envelope(500));
    let error = calls(&billz)
        .pay(&order, &id(PAYMENT_TYPE_ID), Money::whole(100), "")
        .await
        .unwrap_err();
    assert_eq!(error.outcome(), "outcome_unknown");
}
