//! What a read tells about a write whose answer was lost: done, not done, or something else happened.
//!
//! A write may still lie in Billz's queue when the first read comes back. "Not done" is therefore believed only when a
//! second read, some seconds later, says it too; [`SETTLE`] is how long to wait between them. "Done" is final at once.
//!
//! | call | look |
//! | --- | --- |
//! | `create_client` | `find_client` by the phone: found is done |
//! | `create_order` | `find_orders`, then [`draft`] |
//! | `add_item` | `order`, then [`line()`]; or [`lines`] for the whole list |
//! | `attach_client` | `order`, then [`client`]; or simply attach again, it sets a value |
//! | `discount` | `order`, then [`total`]; or simply send it again, it sets a value |
//! | `park` | `order`, then [`parked`] |
//! | `return_from_park` | `order`, then [`returned`] |
//! | `pay` | `order`, then [`payment`]; never pay again without it |
//! | `delete_order` | `order`, then [`deleted`] |

use std::time::Duration;

use billwright_domain::{BillzClientId, BillzProductId, Money};
use rust_decimal::Decimal;

use super::{BillzError, Line, Sale, SaleState, SaleSummary};

/// How long Billz is given to work off its queue before a second look is believed.
pub const SETTLE: Duration = Duration::from_secs(3);

/// What a read tells about a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Looked {
    /// The write took effect.
    Done,
    /// The write has not taken effect (yet).
    NotDone,
    /// The sale is in a state that the write neither explains nor allows; a sentence for people.
    Conflicting(String),
}

/// Whether a draft of ours, known by its `comment`, is there: the newest one, if a retry left several. Rows whose
/// comment differs are other people's.
pub fn draft<'a>(found: &'a [SaleSummary], comment: &str) -> Option<&'a SaleSummary> {
    found
        .iter()
        .filter(|row| row.state == SaleState::Draft && row.comment == comment)
        .max_by(|left, right| (&left.created_at, &left.id).cmp(&(&right.created_at, &right.id)))
}

/// Whether `line` was added to a sale that held `before` of the same product.
pub fn line(sale: &Sale, line: &Line, before: Decimal) -> Looked {
    let now = sale.quantity_of(&line.product);
    let after = before.saturating_add(line.quantity.amount());
    if now == after {
        return Looked::Done;
    }
    match sale.state {
        SaleState::Draft if now == before => Looked::NotDone,
        SaleState::Draft => Looked::Conflicting(format!(
            "the sale holds {now} of product {}, expected {before} or {after}",
            line.product
        )),
        other => Looked::Conflicting(format!("the sale is {} and takes no more lines", name(other))),
    }
}

/// What is still missing of the `wanted` lines, in their order; `Err` where the sale holds something that is not wanted,
/// and must be built anew. A product that is wanted in several lines is compared as a whole.
pub fn lines(sale: &Sale, wanted: &[Line]) -> Result<Vec<Line>, String> {
    for held in &sale.lines {
        if !wanted.iter().any(|line| line.product == held.product) {
            return Err(format!(
                "the sale holds product {}, which was not ordered",
                held.product
            ));
        }
    }
    let ordered = |lines: &[Line], product: &BillzProductId| {
        let of_product = lines.iter().filter(|line| line.product == *product);
        of_product.fold(Decimal::ZERO, |sum, line| sum.saturating_add(line.quantity.amount()))
    };
    let mut missing = Vec::new();
    for (index, line) in wanted.iter().enumerate() {
        let held = sale.quantity_of(&line.product);
        let (before, all) = (ordered(&wanted[..index], &line.product), ordered(wanted, &line.product));
        if held > all {
            return Err(format!(
                "the sale holds {held} of product {}, ordered were {all}",
                line.product
            ));
        }
        if held <= before {
            missing.push(line.clone());
        } else if held < before.saturating_add(line.quantity.amount()) {
            return Err(format!(
                "the sale holds {held} of product {}, which is no sum of the ordered lines",
                line.product
            ));
        }
    }
    Ok(missing)
}

/// Whether the client is attached.
pub fn client(sale: &Sale, client: &BillzClientId) -> Looked {
    match (&sale.customer, sale.state) {
        (Some(found), _) if found == client => Looked::Done,
        (_, SaleState::Draft) => Looked::NotDone,
        (_, other) => Looked::Conflicting(format!("the sale is {} without this client", name(other))),
    }
}

/// Whether the total is the one that the discount was to set.
pub fn total(sale: &Sale, new_total: Money) -> Looked {
    match sale.state {
        _ if sale.total == new_total => Looked::Done,
        SaleState::Draft => Looked::NotDone,
        other => Looked::Conflicting(format!("the sale is {} with a total of {}", name(other), sale.total)),
    }
}

/// Whether the sale is parked. One whose time has passed is to be returned first, then parked again.
pub fn parked(sale: &Sale) -> Looked {
    match sale.state {
        SaleState::Parked => Looked::Done,
        SaleState::Draft => Looked::NotDone,
        other => Looked::Conflicting(format!("the sale is {}", name(other))),
    }
}

/// Whether the sale was taken out of the park.
pub fn returned(sale: &Sale) -> Looked {
    match sale.state {
        SaleState::Draft => Looked::Done,
        SaleState::Parked | SaleState::ParkExpired => Looked::NotDone,
        other => Looked::Conflicting(format!("the sale is {}", name(other))),
    }
}

/// Whether the sale is paid. One that is not, but whose total is not `amount`, must not be paid with it.
pub fn payment(sale: &Sale, amount: Money) -> Looked {
    match sale.state {
        SaleState::Paid => Looked::Done,
        SaleState::Unrecognised => Looked::Conflicting(format!("the sale is {}", name(sale.state))),
        _ if sale.total != amount => Looked::Conflicting(format!(
            "the total of the sale in Billz is {}, the payment would be {amount}",
            sale.total
        )),
        _ if !sale.payments.is_empty() => Looked::Conflicting("the sale lists payments but is not finished".to_owned()),
        _ => Looked::NotDone,
    }
}

/// Whether the sale is gone, from the outcome of reading it; other errors of the read come back.
pub fn deleted(read: &Result<Sale, BillzError>) -> Result<Looked, BillzError> {
    match read {
        Err(BillzError::NotFound { .. }) => Ok(Looked::Done),
        Err(error) => Err(error.clone()),
        Ok(sale) => Ok(match sale.state {
            SaleState::Draft => Looked::NotDone,
            other => Looked::Conflicting(format!("the sale is {} and cannot be deleted", name(other))),
        }),
    }
}

fn name(state: SaleState) -> &'static str {
    match state {
        SaleState::Draft => "a draft",
        SaleState::Parked => "parked",
        SaleState::ParkExpired => "parked, and its time has passed",
        SaleState::Paid => "paid",
        SaleState::Unrecognised => "in a state that is not documented",
    }
}

#[cfg(test)]
mod tests {
    use billwright_domain::Quantity;
    use serde_json::json;

    use super::*;

    fn wanted(product: &str, quantity: u32) -> Line {
        Line {
            product: BillzProductId::parse(product).unwrap(),
            quantity: Quantity::new(quantity.into()).unwrap(),
            seller: None,
        }
    }

    fn sale(park_status: &str, held: &[(&str, u32)]) -> Sale {
        let items: Vec<_> = held
            .iter()
            .map(|(product, quantity)| json!({"product_id": product, "measurement_value": quantity}))
            .collect();
        let raw = json!({"id": "sale", "park_status": park_status,
            "order_detail": {"total_price": 100, "order_items": items}});
        Sale::from_json(raw).unwrap()
    }

    #[test]
    fn only_what_is_missing_is_added() {
        let order = [wanted("a", 1), wanted("b", 2), wanted("a", 3)];
        for (held, expected) in [
            (vec![], vec![0, 1, 2]),
            (vec![("a", 1)], vec![1, 2]),
            (vec![("a", 1), ("b", 2)], vec![2]),
            (vec![("a", 1), ("b", 2), ("a", 3)], vec![]),
            (vec![("a", 4), ("b", 2)], vec![]),
        ] {
            let expected: Vec<_> = expected.into_iter().map(|index: usize| order[index].clone()).collect();
            assert_eq!(lines(&sale("", &held), &order), Ok(expected), "{held:?}");
        }
    }

    #[test]
    fn a_sale_that_holds_something_else_must_be_built_anew() {
        let order = [wanted("a", 1), wanted("b", 2)];
        for held in [("a", 2), ("b", 1), ("c", 1)] {
            assert!(lines(&sale("", &[held]), &order).is_err(), "{held:?}");
        }
    }

    #[test]
    fn quantities_beyond_all_reason_do_no_harm() {
        let most = Quantity::from_json(&json!("70000000000000000000000000000"))
            .unwrap()
            .unwrap();
        let huge = Line {
            quantity: most,
            ..wanted("a", 1)
        };
        assert_eq!(lines(&sale("", &[]), &[huge.clone(), huge.clone()]).unwrap().len(), 2);
        assert!(matches!(
            line(&sale("", &[]), &huge, Decimal::MAX),
            Looked::Conflicting(_)
        ));
    }

    #[test]
    fn each_state_answers_each_question() {
        use Looked::{Conflicting, Done, NotDone};
        let conflict = Conflicting(String::new());
        let word = |looked: Looked| match looked {
            Conflicting(_) => Conflicting(String::new()),
            other => other,
        };
        let client_id = BillzClientId::parse("client").unwrap();
        for (status, of_parked, of_returned, of_payment, of_deletion, of_change) in [
            ("", NotDone, Done, NotDone, NotDone, NotDone),
            ("active", Done, NotDone, NotDone, conflict.clone(), conflict.clone()),
            (
                "expired",
                conflict.clone(),
                NotDone,
                NotDone,
                conflict.clone(),
                conflict.clone(),
            ),
            (
                "completed",
                conflict.clone(),
                conflict.clone(),
                Done,
                conflict.clone(),
                conflict.clone(),
            ),
            (
                "new",
                conflict.clone(),
                conflict.clone(),
                conflict.clone(),
                conflict.clone(),
                conflict.clone(),
            ),
        ] {
            let sale = sale(status, &[("a", 1)]);
            assert_eq!(word(parked(&sale)), of_parked, "{status}");
            assert_eq!(word(returned(&sale)), of_returned, "{status}");
            assert_eq!(word(payment(&sale, Money::whole(100))), of_payment, "{status}");
            assert_eq!(word(deleted(&Ok(sale.clone())).unwrap()), of_deletion, "{status}");
            assert_eq!(word(client(&sale, &client_id)), of_change, "{status}");
            assert_eq!(word(total(&sale, Money::whole(90))), of_change, "{status}");
            assert_eq!(word(line(&sale, &wanted("a", 2), Decimal::ONE)), of_change, "{status}");
        }
    }

    #[test]
    fn a_payment_of_another_amount_must_not_be_sent() {
        assert!(matches!(
            payment(&sale("active", &[]), Money::whole(99)),
            Looked::Conflicting(_)
        ));
    }

    #[test]
    fn a_read_that_failed_says_nothing_about_a_deletion() {
        assert_eq!(deleted(&Err(BillzError::NotFound { call: "order" })), Ok(Looked::Done));
        assert!(deleted(&Err(BillzError::Cancelled)).is_err());
    }
}
