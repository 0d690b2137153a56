//! The page that shows the ledger to a person: plain HTML of our own, everything in it escaped.

use std::fmt::Write as _;

use rust_decimal::Decimal;
use serde_json::Value;

use crate::{
    faults::FaultRule,
    ledger::{CallRecord, ClientRecord, Ledger, MessageRecord, OrderRecord, PaymentRecord, StockRecord},
    variants::Variants,
};

/// So many of the newest entries of each kind are shown.
const SHOWN: usize = 100;

const STYLE: &str = "
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif; }
body { margin: 0 auto; padding: 1rem; max-width: 80rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #8884; vertical-align: top; }
th { font-weight: 600; } td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.empty { opacity: .7; } .bad { color: #c62828; } @media (prefers-color-scheme: dark) { .bad { color: #ef9a9a; } }
ul.figures { display: flex; flex-wrap: wrap; gap: .5rem 2rem; list-style: none; padding: 0; }
ul.figures b { display: block; font-size: 1.3rem; }
";

type Rows = Vec<Vec<String>>;

/// Draws the page. A column whose name ends in `#` holds numbers.
pub(crate) fn render(ledger: &Ledger, variants: &Variants, rules: &[FaultRule]) -> String {
    let mut page = String::with_capacity(16 * 1024);
    let _ = write!(
        page,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Sandbox</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><style>{STYLE}</style></head>\
         <body><h1>Billz and Telegram, sandbox</h1>"
    );
    figures(&mut page, ledger, rules);
    let columns = ["Number", "Id", "State", "Lines", "Total#", "Paid#", "Comment", "Client"];
    table(&mut page, "Sales", &columns, sales(ledger));
    table(
        &mut page,
        "Payments",
        &["When", "Sale", "Amount#", "Type", "Round#"],
        payments(ledger),
    );
    table(&mut page, "Clients", &["Id", "First name", "Phone"], clients(ledger));
    table(
        &mut page,
        "Goods",
        &["Product", "Price#", "In stock#", "Free#"],
        goods(ledger),
    );
    table(
        &mut page,
        "Telegram messages",
        &["When", "Chat", "Text"],
        messages(ledger),
    );
    let columns = ["Call#", "When", "Name", "Path", "Status", "Fault", "Correlation id"];
    table(&mut page, "Latest calls", &columns, calls(ledger));
    table(
        &mut page,
        "Faults that are set",
        &["Call", "Sale", "Fault", "Times"],
        faults(rules),
    );
    table(&mut page, "Habits", &["Habit", "Choice"], habits(variants));
    page.push_str("</body></html>");
    page
}

fn figures(page: &mut String, ledger: &Ledger, rules: &[FaultRule]) {
    let figures = [
        ("calls", ledger.calls.len()),
        ("sales", ledger.live_orders().len()),
        ("drafts", ledger.drafts().len()),
        ("parked", ledger.parked_orders().len()),
        ("payments", ledger.payments.len()),
        ("clients", ledger.clients.len()),
        ("messages", ledger.messages.len()),
        ("faults set", rules.len()),
    ];
    page.push_str("<ul class=\"figures\">");
    for (name, figure) in figures {
        let _ = write!(page, "<li><b>{figure}</b> {name}</li>");
    }
    page.push_str("</ul>");
}

fn payments(ledger: &Ledger) -> Rows {
    let row = |payment: &PaymentRecord| {
        vec![
            payment.at.format("%F %T").to_string(),
            payment.order_id.clone(),
            money(payment.amount),
            payment.payment_type_id.clone(),
            payment.round.to_string(),
        ]
    };
    ledger.payments.iter().rev().take(SHOWN).map(row).collect()
}

fn clients(ledger: &Ledger) -> Rows {
    let row = |client: &ClientRecord| {
        vec![
            client.id.clone(),
            client.first_name.clone(),
            masked_phone(&client.phone_number),
        ]
    };
    ledger.clients.iter().rev().take(SHOWN).map(row).collect()
}

fn goods(ledger: &Ledger) -> Rows {
    let row = |goods: &StockRecord| {
        vec![
            goods.product_id.clone(),
            money(goods.price),
            money(goods.stock),
            money(goods.available),
        ]
    };
    ledger.stock.iter().map(row).collect()
}

fn messages(ledger: &Ledger) -> Rows {
    let row = |message: &MessageRecord| {
        vec![
            message.at.format("%F %T").to_string(),
            message.chat_id.to_string(),
            message.plain_text.clone(),
        ]
    };
    ledger.messages.iter().rev().take(SHOWN).map(row).collect()
}

fn calls(ledger: &Ledger) -> Rows {
    let row = |call: &CallRecord| {
        vec![
            call.sequence.to_string(),
            call.at.format("%T%.3f").to_string(),
            call.name.to_owned(),
            format!("{} {}", call.method, call.path),
            call.status
                .map_or_else(|| "no answer".to_owned(), |status| status.to_string()),
            call.fault.clone().unwrap_or_default(),
            call.correlation_id.clone().unwrap_or_default(),
        ]
    };
    ledger.calls.iter().rev().take(SHOWN).map(row).collect()
}

fn faults(rules: &[FaultRule]) -> Rows {
    let row = |rule: &FaultRule| {
        let times = rule
            .times
            .map_or_else(|| "always".to_owned(), |times| times.to_string());
        vec![
            rule.call.clone(),
            rule.order.clone().unwrap_or_default(),
            rule.fault.name().to_owned(),
            times,
        ]
    };
    rules.iter().map(row).collect()
}

fn habits(variants: &Variants) -> Rows {
    let variants = serde_json::to_value(variants)
        .ok()
        .and_then(|variants| variants.as_object().cloned());
    let row = |(name, choice): (String, Value)| vec![name, choice.as_str().unwrap_or_default().to_owned()];
    variants.unwrap_or_default().into_iter().map(row).collect()
}

fn sales(ledger: &Ledger) -> Rows {
    let row = |order: &OrderRecord| {
        let lines = order.lines.iter().map(|line| {
            format!(
                "{} × {} at {}",
                money(line.quantity),
                line.product_id,
                money(line.unit_price)
            )
        });
        let state = serde_json::to_value(order.state)
            .ok()
            .and_then(|state| state.as_str().map(str::to_owned));
        let paid: Decimal = order.payments.iter().map(|payment| payment.amount).sum();
        vec![
            order.number.clone(),
            order.id.clone(),
            state.unwrap_or_default(),
            lines.collect::<Vec<_>>().join(", "),
            money(order.total),
            money(paid),
            order.comment.clone(),
            order.customer_id.clone().unwrap_or_default(),
        ]
    };
    ledger.orders.iter().rev().take(SHOWN).map(row).collect()
}

/// A heading and the rows; or a line that says that there are none.
fn table(page: &mut String, title: &str, columns: &[&str], rows: Rows) {
    let _ = write!(page, "<h2>{title}</h2>");
    if rows.is_empty() {
        page.push_str("<p class=\"empty\">None yet.</p>");
        return;
    }
    let class = |column: &str| if column.ends_with('#') { " class=\"number\"" } else { "" };
    page.push_str("<div class=\"wide\"><table><thead><tr>");
    for column in columns {
        let name = if column.len() > 1 {
            column.trim_end_matches('#')
        } else {
            column
        };
        let _ = write!(page, "<th scope=\"col\"{}>{name}</th>", class(column));
    }
    page.push_str("</tr></thead><tbody>");
    for row in rows {
        page.push_str("<tr>");
        for (column, cell) in columns.iter().zip(row) {
            let _ = write!(page, "<td{}>{}</td>", class(column), escaped(&cell));
        }
        page.push_str("</tr>");
    }
    page.push_str("</tbody></table></div>");
}

fn money(amount: Decimal) -> String {
    amount.normalize().to_string()
}

/// All but the last four digits hidden.
fn masked_phone(phone: &str) -> String {
    let count = phone.chars().count();
    phone
        .chars()
        .enumerate()
        .map(|(place, letter)| if place + 4 < count { '•' } else { letter })
        .collect()
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}
