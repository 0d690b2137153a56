//! What a read tells about a write whose answer was lost: done, not done, or something else happened.
//!
//! A write may still lie in Billz's queue when the first read comes back. "Not done" is therefore believed only when a
//! second read, some seconds later, says it too; [`SETTLE`] is how long to wait between them. "Done" is final at once.
//!
//! | call | look |
//! | --- | --- |
//! | `create_client` | `find_client` by the phone: found is done |
//! | `create_order` | `find_orders`, then [`draft`] |
//! | `add_item` | `order`, then [`line`]; or [`lines`] for the whole list |
//! | `attach_client` | `order`, then [`client`]; or simply attach again, it sets a value |
//! | `discount` | `order`, then [`total`]; or simply send it again, it sets a value |
//! | `park` | `order`, then [`parked`] |
//! | `return_from_park` | `order`, then [`returned`] |
//! | `pay` | `order`, then [`payment`]; never pay again without it |
//! | `delete_order` | `order`, then [`deleted`] |

use std::time::Duration;

use billwright_domain::{BillzClientId, Money};
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
    if now == before + line.quantity.amount() {
        return Looked::Done;
    }
    match sale.state {
        SaleState::Draft if now == before => Looked::NotDone,
        SaleState::Draft => Looked::Conflicting(format!(
            "the sale holds {now} of product {}, expected {before} or {}",
            line.product,
            before + line.quantity.amount()
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
    let mut missing = Vec::new();
    for (index, line) in wanted.iter().enumerate() {
        let earlier = |other: &&Line| other.product == line.product;
        let before: Decimal = wanted[..index]
            .iter()
            .filter(earlier)
            .map(|other| other.quantity.amount())
            .sum();
        let held = sale.quantity_of(&line.product);
        if held >= before + line.quantity.amount() {
            let all: Decimal = wanted.iter().filter(earlier).map(|other| other.quantity.amount()).sum();
            if held > all {
                return Err(format!(
                    "the sale holds {held} of product {}, ordered were {all}",
                    line.product
                ));
            }
        } else if held <= before {
            missing.push(line.clone());
        } else {
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
