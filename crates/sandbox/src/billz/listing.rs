//! Lists: pages, filters, and the reads of parked and of paid sales.

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::{Refusal, views};
use crate::{
    clock,
    message::Request,
    order::{Order, Phase},
    variants::{EmptyList, ListCount},
    world::World,
};

/// The part of a list that is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    limit: usize,
    page: usize,
}

impl Default for Page {
    fn default() -> Self {
        Self { limit: 10, page: 1 }
    }
}

impl Page {
    pub(crate) fn of(request: &Request, default_limit: usize) -> Result<Self, Refusal> {
        let number = |name: &str, default: usize| match request.query(name).filter(|value| !value.is_empty()) {
            None => Ok(default),
            Some(value) => match value.parse::<usize>() {
                Ok(number) if number > 0 => Ok(number),
                _ => Err(Refusal::bad(format!("{name} must be a number of 1 or more"))),
            },
        };
        Ok(Self {
            limit: number("limit", default_limit)?,
            page: number("page", 1)?,
        })
    }

    pub(crate) fn cut<T>(self, rows: Vec<T>) -> Vec<T> {
        rows.into_iter()
            .skip(self.limit.saturating_mul(self.page - 1))
            .take(self.limit)
            .collect()
    }
}

impl World {
    /// A list in Billz's shape: `count` may lie, and an empty list may be `null`.
    pub(crate) fn list(&self, key: &str, count: usize, rows: Vec<Value>) -> Value {
        let count = match self.settings.variants.list_count {
            ListCount::Correct => count,
            ListCount::Zero => 0,
        };
        let rows = match self.settings.variants.empty_list {
            EmptyList::Null if rows.is_empty() => Value::Null,
            _ => Value::Array(rows),
        };
        json!({"count": count, key: rows})
    }

    /// Drafts and parked sales; paid ones only when `order_park_status` asks for `completed`.
    pub(crate) fn order_notes(&self, request: &Request) -> Result<Value, Refusal> {
        let page = Page::of(request, 10)?;
        let (from, to) = (date(request, "start_date")?, date(request, "end_date")?);
        let future_time_is_null = match request.query("future_time_is_null").filter(|value| !value.is_empty()) {
            None => None,
            Some("true") => Some(true),
            Some("false") => Some(false),
            Some(_) => return Err(Refusal::bad("future_time_is_null must be true or false")),
        };
        let statuses: Vec<&str> = request
            .query("order_park_status")
            .map(|list| {
                list.split(',')
                    .map(str::trim)
                    .filter(|status| !status.is_empty())
                    .collect()
            })
            .unwrap_or_default();
        let wanted = |name: &str| request.query(name).filter(|value| !value.is_empty());
        let today = clock::company_time(self.now());
        let status_of = |order: &Order| match order.phase {
            Phase::Paid => "completed",
            Phase::Parked if order.is_expired(today) => "expired",
            Phase::Parked => "active",
            Phase::Draft => "",
        };
        let matches = |order: &&Order| {
            let day = clock::company_time(order.created).date();
            order.deleted.is_none()
                && (order.phase != Phase::Paid || statuses.contains(&"completed"))
                && (statuses.is_empty() || statuses.contains(&status_of(order)))
                && from.is_none_or(|from| day >= from)
                && to.is_none_or(|to| day <= to)
                && future_time_is_null.is_none_or(|is_null| order.park_until.is_none() == is_null)
                && wanted("shop_id").is_none_or(|shop| order.shop_id == shop)
                && wanted("client").is_none_or(|client| order.customer_id.as_deref() == Some(client))
                && wanted("search").is_none_or(|search| {
                    order.id == search
                        || order.customer_id.as_deref() == Some(search)
                        || order
                            .lines
                            .iter()
                            .any(|line| line.seller_ids.iter().any(|seller| seller == search))
                })
        };
        let found: Vec<&Order> = self.orders.iter().rev().filter(matches).collect();
        let count = found.len();
        let rows = page
            .cut(found)
            .into_iter()
            .map(|order| views::note(self, order))
            .collect();
        Ok(self.list("orders", count, rows))
    }

    /// Paid sales by day. Without an end only one day is looked at, and `start` is not a parameter.
    pub(crate) fn order_search(&self, request: &Request) -> Result<Value, Refusal> {
        let page = Page::of(request, 10)?;
        let today = clock::company_time(self.now()).date();
        let from = date(request, "start_date")?.unwrap_or(today);
        let to = date(request, "end_date")?.unwrap_or(from);
        let mut days: Vec<(NaiveDate, Vec<Value>)> = Vec::new();
        let sold = |order: &&Order| {
            order
                .paid
                .map(|paid| clock::company_time(paid).date())
                .is_some_and(|day| (from..=to).contains(&day))
        };
        let found: Vec<&Order> = self.orders.iter().rev().filter(sold).collect();
        let count = found.len();
        for order in page.cut(found) {
            let day = clock::company_time(order.paid.unwrap_or(order.created)).date();
            let view = views::note(self, order);
            match days.iter_mut().find(|(known, _)| *known == day) {
                Some((_, orders)) => orders.push(view),
                None => days.push((day, vec![view])),
            }
        }
        let rows = days
            .into_iter()
            .map(|(day, orders)| json!({"date": day.to_string(), "orders": orders}))
            .collect();
        Ok(self.list("orders_sorted_by_date_list", count, rows))
    }
}

fn date(request: &Request, name: &str) -> Result<Option<NaiveDate>, Refusal> {
    match request.query(name).filter(|value| !value.is_empty()) {
        None => Ok(None),
        Some(value) => clock::parse_date(value)
            .map(Some)
            .ok_or_else(|| Refusal::bad(format!("{name} must be YYYY-MM-DD"))),
    }
}
