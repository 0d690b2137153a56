//! The circuit breaker, held still by a clock that moves only when told.

use std::{sync::Arc, time::Duration};

use billwright_connectors::{
    billz::{Billz, BillzError},
    breaker::{Breaker, BreakerSettings, BreakerState, HeldBack},
    budget::Budget,
};
use billwright_domain::{Clock, MockClock, Money, SystemClock};
use chrono::TimeDelta;
use serde_json::json;

use crate::{
    calls, id, settings,
    stub::{Say, Stub},
};

const PATH: &str = "/v2/order-payment/sale";

fn breaker() -> (Breaker, MockClock) {
    let clock = MockClock::at(SystemClock.now());
    (Breaker::new(BreakerSettings::default(), Arc::new(clock.clone())), clock)
}

fn fail(breaker: &Breaker) {
    breaker.permit().unwrap().failed();
}

fn open_for(breaker: &Breaker, clock: &MockClock) -> i64 {
    match breaker.state() {
        BreakerState::Open { until } => (until - clock.now()).num_seconds(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn opens_after_five_failures_in_a_row() {
    let (breaker, clock) = breaker();
    for _ in 0..4 {
        fail(&breaker);
    }
    breaker.permit().unwrap().succeeded();
    for _ in 0..4 {
        fail(&breaker);
    }
    assert_eq!(breaker.state(), BreakerState::Closed);
    fail(&breaker);
    assert_eq!(open_for(&breaker, &clock), 30);
    let until = clock.now() + TimeDelta::seconds(30);
    assert_eq!(breaker.permit().unwrap_err(), HeldBack { until });
}

#[test]
fn one_probe_decides_and_a_failed_one_doubles_the_time_up_to_five_minutes() {
    let (breaker, clock) = breaker();
    for _ in 0..5 {
        fail(&breaker);
    }
    for expected in [60, 120, 240, 300, 300] {
        clock.advance(TimeDelta::minutes(5));
        let probe = breaker.permit().unwrap();
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
        assert!(breaker.permit().is_err() && breaker.check().is_err(), "a second probe");
        probe.failed();
        assert_eq!(open_for(&breaker, &clock), expected);
    }
    clock.advance(TimeDelta::minutes(5));
    breaker.permit().unwrap().succeeded();
    assert_eq!(breaker.state(), BreakerState::Closed);
    for _ in 0..5 {
        fail(&breaker);
    }
    assert_eq!(
        open_for(&breaker, &clock),
        30,
        "an opening after a recovery starts anew"
    );
}

#[test]
fn a_probe_that_is_given_up_leaves_the_next_one_to_others() {
    let (breaker, clock) = breaker();
    for _ in 0..5 {
        fail(&breaker);
    }
    clock.advance(TimeDelta::seconds(30));
    drop(breaker.permit().unwrap());
    assert!(breaker.check().is_ok());
    breaker.permit().unwrap().succeeded();
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[test]
fn late_answers_to_calls_from_before_the_opening_change_nothing() {
    let (breaker, clock) = breaker();
    let (late_success, late_failure) = (breaker.permit().unwrap(), breaker.permit().unwrap());
    for _ in 0..5 {
        fail(&breaker);
    }
    late_success.succeeded();
    late_failure.failed();
    assert_eq!(open_for(&breaker, &clock), 30);
}

#[tokio::test]
async fn whoever_waits_for_it_goes_on_when_the_time_has_come_and_when_the_probe_succeeds() {
    let clock = SystemClock::shared();
    let settings = BreakerSettings {
        failures: 1,
        open_for: Duration::from_millis(150),
        ..BreakerSettings::default()
    };
    let breaker = Breaker::new(settings, clock);
    breaker.ready().await;
    fail(&breaker);
    tokio::time::timeout(Duration::from_secs(2), breaker.ready())
        .await
        .unwrap();
    let probe = breaker.permit().unwrap();
    let waiting = {
        let breaker = breaker.clone();
        tokio::spawn(async move { breaker.ready().await })
    };
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    probe.succeeded();
    tokio::time::timeout(Duration::from_secs(2), waiting)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn counts_lost_answers_and_5xx_but_no_refusals() {
    let stub = Stub::start().await;
    let (breaker, clock) = breaker();
    let mut options = settings(stub.url());
    options.request_timeout = Duration::from_secs(1);
    let billz = Billz::new(
        options,
        Budget::unlimited(),
        breaker.clone(),
        Arc::new(clock.clone()),
        None,
    )
    .unwrap();
    let pay = async || calls(&billz).pay(&id("sale"), &id("card"), Money::whole(5), "").await;
    for status in [400, 403, 404, 409, 422, 429] {
        stub.says_only(PATH, Say::status(status));
        pay().await.unwrap_err();
    }
    assert_eq!(breaker.state(), BreakerState::Closed);

    let mut followed = breaker.subscribe();
    stub.says_only(PATH, Say::status(500));
    for _ in 0..4 {
        pay().await.unwrap_err();
    }
    stub.says_only(PATH, Say::json(&json!({})).after(Duration::from_mins(1)));
    assert_eq!(pay().await.unwrap_err().outcome(), "outcome_unknown");
    followed.changed().await.unwrap();
    let until = clock.now() + TimeDelta::seconds(30);
    assert_eq!(*followed.borrow_and_update(), BreakerState::Open { until });

    let sent = stub.asked().len();
    assert_eq!(pay().await.unwrap_err(), BillzError::BreakerOpen { until });
    assert_eq!(stub.asked().len(), sent, "an open breaker lets nothing through");

    clock.advance(TimeDelta::seconds(31));
    stub.says_only(PATH, Say::json(&json!({"order_type": "SALE"})));
    pay().await.unwrap();
    assert_eq!(billz.breaker_state(), BreakerState::Closed);
}
