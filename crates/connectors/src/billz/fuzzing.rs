//! What must hold for any answer of Billz, by what lies in this module; see `crate::fuzzing`.

use chrono::{DateTime, Utc};

use super::{
    BillzError, ErrorClass, Sale,
    answer::{Effect, decide},
    wire,
};
use crate::http::Reply;

/// Judges `reply` as one to a read and to a write, and reads from it whatever can be. Errors are given to `told`.
pub(crate) fn check(reply: &Reply, now: DateTime<Utc>, told: impl Fn(&BillzError)) {
    let read = decide("order", Effect::Repeatable, reply, now);
    let written = decide("pay", Effect::Write, reply, now);
    assert_eq!(read.is_ok(), written.is_ok(), "one answer is success and failure");
    let answer = match (read, written) {
        (Ok(answer), Ok(_)) => answer,
        (read, written) => {
            for (outcome, effect) in [(read, Effect::Repeatable), (written, Effect::Write)] {
                let Err(error) = outcome else { continue };
                told(&error);
                let is_unknown = error.class() == ErrorClass::OutcomeUnknown;
                assert!(
                    effect == Effect::Write || !is_unknown,
                    "a read has no effect to be unknown: {error}"
                );
                let is_bad = matches!(error, BillzError::BadReply { .. });
                assert!(
                    effect == Effect::Repeatable || !is_bad,
                    "a write may have happened: {error}"
                );
            }
            return;
        }
    };
    assert!(
        reply.status.is_success() && answer.is_object(),
        "taken for success: {answer}"
    );

    let _ = (
        wire::cart(&answer),
        wire::total(&answer),
        wire::count(&answer),
        wire::is_acknowledgement(&answer),
    );
    assert!(wire::made_id(&answer).is_none_or(|id| !id.is_empty()));
    for keys in [&["clients"][..], &["orders"], &["shops", "cash_boxes"]] {
        match wire::rows(&answer, keys) {
            Ok(rows) => drop(rows.iter().filter_map(wire::summary).count()),
            Err(shape) => check_shape(&shape),
        }
    }
    match Sale::from_json(answer) {
        Ok(sale) => {
            // A sale inside the `data` of a sale is taken for the sale, one level each time.
            if wire::sale_object(sale.raw.clone()) == sale.raw {
                let again = serde_json::from_str(&sale.raw.to_string()).map(Sale::from_json);
                let is_same = matches!(&again, Ok(Ok(again)) if *again == sale);
                assert!(is_same, "printed and read again it is another sale");
            }
            for line in &sale.lines {
                let _ = sale.quantity_of(&line.product);
            }
        }
        Err(shape) => check_shape(&shape),
    }
}

/// A shape holds names, kinds and lengths, and no value.
fn check_shape(shape: &str) {
    assert!(!shape.is_empty() && shape.chars().count() <= 301, "{shape}");
    assert!(!shape.chars().any(char::is_control), "{shape}");
}
