//! An order's document beside its sale in Billz, line by line, and what can be brought from the sale into the document.

use std::collections::HashMap;

use billwright_connectors::billz::{Sale, SaleState};
use billwright_domain::{BillzClientId, Money, Quantity, input::decimal};
use billwright_store::billz::order_documents::{OrderChanges, OrderDocument};
use rust_decimal::Decimal;
use serde_json::Value;

use crate::text::Text;

/// One line of the comparison.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    /// What is compared.
    pub(crate) what: Text,
    /// What the document says.
    pub(crate) ours: String,
    /// What Billz says.
    pub(crate) theirs: String,
    /// Whether they say different things.
    pub(crate) differs: bool,
    /// The name under which the difference can be brought into the document; `None` where it cannot.
    pub(crate) take: Option<String>,
}

/// What is known of an order besides its document.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// The client's id in Billz, by the client's own document.
    pub(crate) client: Option<BillzClientId>,
    /// The Billz id of products by their `productID`, as the job that placed the order was told.
    pub(crate) products: HashMap<String, String>,
}

/// What is sold of one product in Billz, over all its lines.
#[derive(Debug, Clone, Default)]
struct Sold {
    name: Option<String>,
    quantity: Decimal,
    total: Option<Money>,
}

/// The comparison. `sale` is `None` where Billz has it no more.
pub(crate) fn compare(order: &OrderDocument, sale: Option<&Sale>, known: &Known) -> Vec<Row> {
    let Some(sale) = sale else {
        return vec![Row {
            what: Text::of("order-sale"),
            ours: shown(order.row.billz_id.as_ref()),
            theirs: String::new(),
            differs: order.row.billz_id.is_some(),
            take: (order.row.billz_id.is_some() && !order.row.is_paid).then(|| "sale-gone".to_owned()),
        }];
    };
    let mut rows = products(order, sale, known);
    let discount = subtotal(sale).and_then(|subtotal| subtotal.checked_sub(sale.total));
    rows.push(amount(
        Text::of("order-discount"),
        order.discount.or(Some(Money::ZERO)),
        discount,
        Some("discount"),
    ));
    rows.push(amount(
        Text::of("order-total"),
        order.row.total,
        Some(sale.total),
        Some("total"),
    ));
    rows.push(amount(
        Text::of("order-billz-amount"),
        order.billz_amount,
        Some(sale.total),
        Some("billz-amount"),
    ));
    let is_paid = sale.is_paid();
    rows.push(Row {
        what: Text::of("order-paid"),
        ours: yes(order.row.is_paid),
        theirs: yes(is_paid),
        differs: order.row.is_paid != is_paid,
        // A sale that Billz shows as unpaid proves nothing against money that the shop has taken.
        take: (is_paid && !order.row.is_paid).then(|| "paid".to_owned()),
    });
    if let Some(paid) = paid(sale) {
        rows.push(amount(
            Text::of("order-paid-amount"),
            order.paid_amount,
            Some(paid),
            None,
        ));
    }
    let parked = sale.state.is_parked();
    let should_be_parked = !order.row.is_paid;
    rows.push(Row {
        what: Text::of("order-parked"),
        ours: yes(should_be_parked),
        theirs: match sale.state {
            SaleState::ParkExpired => "expired".to_owned(),
            SaleState::Draft => "draft".to_owned(),
            SaleState::Unrecognised => "?".to_owned(),
            SaleState::Parked | SaleState::Paid => yes(parked),
        },
        differs: should_be_parked != parked || sale.state == SaleState::ParkExpired,
        take: None,
    });
    rows.push(Row {
        what: Text::of("order-client"),
        ours: shown(known.client.as_ref()),
        theirs: shown(sale.customer.as_ref()),
        differs: known.client != sale.customer,
        take: None,
    });
    rows
}

fn products(order: &OrderDocument, sale: &Sale, known: &Known) -> Vec<Row> {
    let mut sold = sold(sale);
    let mut rows = Vec::new();
    for (place, product) in order.products.iter().enumerate() {
        let billz_id = known.products.get(&product.id).unwrap_or(&product.id);
        // The same product in two lines of the document is one in Billz; the first of them is compared.
        let theirs = remove(&mut sold, billz_id);
        let (quantity, total) = theirs
            .as_ref()
            .map_or((Decimal::ZERO, None), |sold| (sold.quantity, sold.total));
        let name = product.name.as_deref().unwrap_or(&product.id);
        let ours = product.quantity.unwrap_or_default();
        let can_take = Quantity::new(quantity).is_ok().then(|| format!("product-{place}"));
        rows.push(Row {
            what: Text::of("order-quantity").with("product", name),
            ours: ours.normalize().to_string(),
            theirs: quantity.normalize().to_string(),
            differs: ours != quantity,
            take: can_take.clone(),
        });
        if let Some(total) = total {
            rows.push(price(
                name,
                product.total.map(|total| (total, ours)),
                Some((total, quantity)),
            ));
            rows.push(amount(
                Text::of("order-product-total").with("product", name),
                product.total,
                Some(total),
                can_take.as_deref(),
            ));
        }
    }
    for (id, sold) in sold {
        rows.push(Row {
            what: Text::of("order-quantity").with("product", sold.name.as_deref().unwrap_or(&id)),
            ours: "0".to_owned(),
            theirs: sold.quantity.normalize().to_string(),
            differs: true,
            take: None,
        });
    }
    rows
}

/// What one of a product costs: its line's total by its quantity.
fn price(name: &str, ours: Option<(Money, Decimal)>, theirs: Option<(Money, Decimal)>) -> Row {
    let each = |line: Option<(Money, Decimal)>| {
        let (total, quantity) = line?;
        total
            .amount()
            .checked_div(quantity)
            .map(|price| price.round_dp(2).normalize())
    };
    let (ours, theirs) = (each(ours), each(theirs));
    Row {
        what: Text::of("order-price").with("product", name),
        ours: shown(ours.as_ref()),
        theirs: shown(theirs.as_ref()),
        differs: ours != theirs,
        take: None,
    }
}

fn sold(sale: &Sale) -> Vec<(String, Sold)> {
    let mut sold: Vec<(String, Sold)> = Vec::new();
    for (line, raw) in sale.lines.iter().zip(raw_lines(sale)) {
        let id = line.product.as_str();
        if !sold.iter().any(|(known, _)| known == id) {
            let name = raw["product"]["name"].as_str().filter(|name| !name.is_empty());
            let zero = Sold {
                name: name.map(str::to_owned),
                quantity: Decimal::ZERO,
                total: Some(Money::ZERO),
            };
            sold.push((id.to_owned(), zero));
        }
        if let Some((_, sum)) = sold.iter_mut().find(|(known, _)| known == id) {
            sum.quantity = sum.quantity.saturating_add(line.quantity);
            sum.total = sum
                .total
                .zip(line.total)
                .and_then(|(one, other)| Money::new(one.amount().checked_add(other.amount())?).ok());
        }
    }
    sold
}

fn remove(sold: &mut Vec<(String, Sold)>, id: &str) -> Option<Sold> {
    let place = sold.iter().position(|(known, _)| known == id)?;
    Some(sold.remove(place).1)
}

/// The lines as Billz told them, in the order of [`Sale::lines`].
fn raw_lines(sale: &Sale) -> impl Iterator<Item = &Value> {
    const NOTHING: &Value = &Value::Null;
    let told = sale.raw["order_detail"]["order_items"].as_array();
    told.into_iter().flatten().chain(std::iter::repeat(NOTHING))
}

/// What the lines would cost by their list prices; `None` where Billz tells them not.
fn subtotal(sale: &Sale) -> Option<Money> {
    let mut sum = Decimal::ZERO;
    for (line, raw) in sale.lines.iter().zip(raw_lines(sale)) {
        let price = decimal(&raw["price"]).ok().flatten()?;
        sum = sum.checked_add(price.checked_mul(line.quantity)?)?;
    }
    Money::new(sum).ok()
}

/// What was paid; `None` where Billz shows no payments, which proves nothing.
fn paid(sale: &Sale) -> Option<Money> {
    if sale.payments.is_empty() {
        return None;
    }
    let sum = sale
        .payments
        .iter()
        .try_fold(Decimal::ZERO, |sum, payment| sum.checked_add(payment.paid.amount()))?;
    Money::new(sum).ok()
}

fn amount(what: Text, ours: Option<Money>, theirs: Option<Money>, take: Option<&str>) -> Row {
    Row {
        what,
        ours: shown(ours.as_ref()),
        theirs: shown(theirs.as_ref()),
        differs: theirs.is_some() && ours != theirs,
        take: theirs.and(take).map(str::to_owned),
    }
}

fn yes(is: bool) -> String {
    if is { "✓" } else { "–" }.to_owned()
}

fn shown(value: Option<&impl ToString>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

/// What the differences of these names come to; names of nothing that differs are left out.
pub(crate) fn changes(order: &OrderDocument, sale: Option<&Sale>, known: &Known, takes: &[String]) -> OrderChanges {
    let mut changes = OrderChanges::default();
    let rows = compare(order, sale, known);
    let differing = |take: &String| rows.iter().any(|row| row.differs && row.take.as_ref() == Some(take));
    for take in takes.iter().filter(|take| differing(take)) {
        let Some(sale) = sale else {
            changes.forget_sale = true;
            continue;
        };
        match take.as_str() {
            "discount" => {
                changes.discount = subtotal(sale).and_then(|subtotal| subtotal.checked_sub(sale.total));
            }
            "total" => changes.total = Some(sale.total),
            "billz-amount" => changes.billz_amount = Some(sale.total),
            "paid" => {
                changes.paid = Some(paid(sale).unwrap_or(sale.total));
                changes.billz_amount = Some(sale.total);
            }
            product => {
                let place = product
                    .strip_prefix("product-")
                    .and_then(|place| place.parse::<usize>().ok());
                let Some((place, ours)) = place.and_then(|place| Some((place, order.products.get(place)?))) else {
                    continue;
                };
                let billz_id = known.products.get(&ours.id).unwrap_or(&ours.id);
                if let Some(theirs) = remove(&mut sold(sale), billz_id)
                    && let Ok(quantity) = Quantity::new(theirs.quantity)
                {
                    changes.products.push((place, ours.id.clone(), quantity, theirs.total));
                }
            }
        }
    }
    changes
}

#[cfg(test)]
mod tests;
