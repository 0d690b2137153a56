//! Every write with its answer cut before, cut after, slow, broken or half: the client never claims to know what it cannot
//! know, and a look finds out what happened.

use std::{fmt::Debug, sync::Arc, time::Duration};

use billwright_connectors::{
    billz::{
        Billz, BillzCalls, BillzError, Line, NewClient, OrderQuery, RefusalCode, TokenStore,
        look::{self, Looked},
    },
    budget::Budget,
};
use billwright_domain::{BillzOrderId, Money, Quantity, SystemClock};
use billwright_sandbox::{
    DraftComment, Fault, PAYMENT_TYPE_ID, PRODUCT_ID, SCARCE_PRODUCT_ID, Sandbox, SandboxSettings,
};
use chrono::{NaiveDate, TimeDelta};
use rust_decimal::Decimal;
use tokio::time::Instant;

use crate::{Shelf, calls, client_with, id, settings};

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
        (
            Fault::SlowDrip {
                bytes: 1,
                every_ms: 2000,
            },
            true,
        ),
        (Fault::Hang, false),
        (Fault::HangAfter, true),
    ]
}

struct World {
    sandbox: Sandbox,
    billz: Billz,
    /// Waits for an answer only for a moment, and has the same token.
    hasty: Billz,
}

impl World {
    /// The calls of a client that does not wait for ever for what this fault never answers.
    fn facing(&self, call: &str, fault: &Fault) -> BillzCalls {
        self.sandbox.faults().next(call, fault.clone());
        let is_slow = matches!(fault, Fault::SlowDrip { .. } | Fault::Hang | Fault::HangAfter);
        calls(if is_slow { &self.hasty } else { &self.billz })
    }

    /// Makes a call whose answer is lost, and returns when the call has had its effect, if it has one.
    async fn lose<T: Debug>(
        &self,
        call: &str,
        (fault, effect): &(Fault, bool),
        act: impl AsyncFnOnce(BillzCalls) -> Result<T, BillzError>,
    ) {
        let before = self.sandbox.ledger().calls_named(call).len();
        let error = act(self.facing(call, fault)).await.unwrap_err();
        assert_eq!(error.outcome(), "outcome_unknown", "{fault:?}: {error}");
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let ledger = self.sandbox.ledger();
            match ledger.calls_named(call)[before..] {
                [lost] if lost.effect || !effect => return assert_eq!(lost.effect, *effect, "{fault:?}"),
                [] | [_] => {}
                [..] => panic!("{fault:?}: sent more than once"),
            }
            assert!(Instant::now() < deadline, "{fault:?}: no effect");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn world() -> World {
    let mut options = SandboxSettings::default();
    options.variants.draft_comment = DraftComment::Stored;
    let sandbox = Sandbox::start(options).await.unwrap();
    let shelf = Arc::new(Shelf::default());
    let client = |request_timeout| {
        let mut settings = settings(&sandbox.billz_url());
        settings.request_timeout = request_timeout;
        settings.cashbox_id = Some(id(billwright_sandbox::CASHBOX_ID));
        let shelf = Arc::clone(&shelf) as Arc<dyn TokenStore>;
        client_with(settings, Budget::unlimited(), SystemClock::shared(), Some(shelf))
    };
    let (billz, hasty) = (client(Duration::from_secs(20)), client(Duration::from_millis(300)));
    // Logged in, so that every call from here on is one exchange.
    calls(&billz).shops().await.unwrap();
    World { sandbox, billz, hasty }
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

fn expected(effect: bool) -> Looked {
    if effect { Looked::Done } else { Looked::NotDone }
}

#[tokio::test]
async fn a_lost_line() {
    let world = world().await;
    for lost in lost_answers() {
        let order = filled(&world.billz).await;
        world
            .lose("add_product", &lost, async |calls| {
                calls.add_item(&order, &line()).await
            })
            .await;
        let sale = calls(&world.billz).order(&order).await.unwrap();
        assert_eq!(
            look::line(&sale, &line(), Decimal::from(2)),
            expected(lost.1),
            "{lost:?}"
        );
        let missing = look::lines(&sale, &[line(), line()]).unwrap();
        assert_eq!(missing.len(), usize::from(!lost.1), "{lost:?}");
    }
}

#[tokio::test]
async fn a_lost_draft() {
    let world = world().await;
    let shop = id(billwright_sandbox::SHOP_ID);
    for (index, lost) in lost_answers().into_iter().enumerate() {
        let comment = format!("order {index}");
        world
            .lose("create_order", &lost, async |calls| {
                calls.create_order(&shop, &comment).await
            })
            .await;
        let query = OrderQuery {
            shop: shop.clone(),
            from: today() - TimeDelta::days(1),
            to: today() + TimeDelta::days(1),
            comment: Some(comment.clone()),
        };
        let found = calls(&world.billz).find_orders(&query).await.unwrap();
        assert_eq!(look::draft(&found, &comment).is_some(), lost.1, "{lost:?}");
    }
}

#[tokio::test]
async fn a_lost_client() {
    let world = world().await;
    for (index, lost) in lost_answers().into_iter().enumerate() {
        let client = aziza(&format!("9989011122{index:02}"));
        world
            .lose("create_client", &lost, async |calls| calls.create_client(&client).await)
            .await;
        let found = calls(&world.billz).find_client(&client.phone).await.unwrap();
        assert_eq!(found.is_some(), lost.1, "{lost:?}");
    }
}

fn aziza(phone: &str) -> NewClient {
    NewClient {
        first_name: "Aziza".to_owned(),
        last_name: None,
        phone: id(phone),
    }
}

#[tokio::test]
async fn a_lost_attachment_and_a_lost_discount() {
    let world = world().await;
    let client = calls(&world.billz).create_client(&aziza("998901112233")).await.unwrap();
    let total = Money::whole(90);
    for lost in lost_answers() {
        let order = filled(&world.billz).await;
        world
            .lose("attach_customer", &lost, async |calls| {
                calls.attach_client(&order, &client).await
            })
            .await;
        let sale = calls(&world.billz).order(&order).await.unwrap();
        assert_eq!(look::client(&sale, &client), expected(lost.1), "{lost:?}");

        world
            .lose("discount", &lost, async |calls| calls.discount(&order, total).await)
            .await;
        let sale = calls(&world.billz).order(&order).await.unwrap();
        assert_eq!(look::total(&sale, total), expected(lost.1), "{lost:?}");
    }
}

#[tokio::test]
async fn a_lost_parking_and_a_lost_return() {
    let world = world().await;
    for lost in lost_answers() {
        let order = filled(&world.billz).await;
        world
            .lose("park", &lost, async |calls| {
                calls.park(&order, "Order 1", days_ahead()).await
            })
            .await;
        let sale = calls(&world.billz).order(&order).await.unwrap();
        assert_eq!(look::parked(&sale), expected(lost.1), "{lost:?}");

        if !lost.1 {
            calls(&world.billz).park(&order, "Order 1", days_ahead()).await.unwrap();
        }
        world
            .lose("unpark", &lost, async |calls| calls.return_from_park(&order).await)
            .await;
        let sale = calls(&world.billz).order(&order).await.unwrap();
        assert_eq!(look::returned(&sale), expected(lost.1), "{lost:?}");
    }
}

#[tokio::test]
async fn a_lost_payment_is_never_made_twice() {
    let world = world().await;
    let (card, amount) = (id(PAYMENT_TYPE_ID), Money::whole(100));
    for lost in lost_answers() {
        let order = filled(&world.billz).await;
        world
            .lose("pay", &lost, async |calls| {
                calls.pay(&order, &card, amount, "Order 1").await
            })
            .await;
        let sale = calls(&world.billz).order(&order).await.unwrap();
        assert_eq!(look::payment(&sale, amount), expected(lost.1), "{lost:?}");
        if !lost.1 {
            assert!(matches!(look::payment(&sale, Money::whole(99)), Looked::Conflicting(_)));
            calls(&world.billz).pay(&order, &card, amount, "Order 1").await.unwrap();
        }
        assert_eq!(world.sandbox.ledger().times_paid(order.as_str()), 1, "{lost:?}");
    }
}

#[tokio::test]
async fn a_lost_deletion() {
    let world = world().await;
    for lost in lost_answers() {
        let order = filled(&world.billz).await;
        world
            .lose("delete_order", &lost, async |calls| calls.delete_order(&order).await)
            .await;
        let read = calls(&world.billz).order(&order).await;
        assert_eq!(look::deleted(&read).unwrap(), expected(lost.1), "{lost:?}");
    }
}

#[tokio::test]
async fn a_read_survives_one_lost_answer() {
    let world = world().await;
    let order = filled(&world.billz).await;
    for fault in [
        Fault::CutBefore,
        Fault::CutAfter,
        Fault::TruncatedBody,
        Fault::status(503),
        Fault::Hang,
    ] {
        world.facing("get_order", &fault).order(&order).await.unwrap();
        world
            .facing("find_clients", &fault)
            .find_client(&id("998901112233"))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_token_that_is_revoked_under_a_write_costs_one_login_and_no_second_effect() {
    let world = world().await;
    let World { sandbox, billz, .. } = &world;
    let order = draft(billz).await;
    sandbox.faults().next("add_product", Fault::TokenRevoked);
    calls(billz).add_item(&order, &line()).await.unwrap();
    let sale = calls(billz).order(&order).await.unwrap();
    assert!(sale.shows_line(&line()));
    assert_eq!(sandbox.ledger().calls_named("login").len(), 2);
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let world = world().await;
    let World { sandbox, billz, .. } = &world;
    let order = draft(billz).await;
    let scarce = Line {
        product: id(SCARCE_PRODUCT_ID),
        quantity: quantity(2),
        seller: None,
    };
    let refused = |error: BillzError| match error {
        BillzError::Refused { code, .. } => code,
        other => panic!("{other}"),
    };
    let error = calls(billz).add_item(&order, &scarce).await.unwrap_err();
    assert_eq!(refused(error), Some(RefusalCode::InsufficientStock));
    calls(billz).add_item(&order, &line()).await.unwrap();
    let error = calls(billz)
        .pay(&order, &id(PAYMENT_TYPE_ID), Money::whole(99), "")
        .await
        .unwrap_err();
    assert_eq!(refused(error), Some(RefusalCode::WrongAmount));
    calls(billz).park(&order, "", days_ahead()).await.unwrap();
    let error = calls(billz).delete_order(&order).await.unwrap_err();
    assert!(error.to_string().contains("failed to validate delete order"), "{error}");

    sandbox.forbid(&[billwright_sandbox::Endpoint::Pay]);
    let error = calls(billz)
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
    let error = calls(billz)
        .pay(&order, &id(PAYMENT_TYPE_ID), Money::whole(100), "")
        .await
        .unwrap_err();
    assert_eq!(refused(error), Some(RefusalCode::Other("SOMETHING".to_owned())));
    // An envelope that tells of a fault inside Billz is believed no more than a 500 is.
    sandbox.faults().next("pay", in_envelope(500));
    let error = calls(billz)
        .pay(&order, &id(PAYMENT_TYPE_ID), Money::whole(100), "")
        .await
        .unwrap_err();
    assert_eq!(error.outcome(), "outcome_unknown");
}
