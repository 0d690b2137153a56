//! `POSTPONE_ORDER`: parks a draft, which locks its stock until the given day.

use billwright_connectors::billz::{BillzCalls, BillzError, look};
use billwright_domain::{
    BillzOrderId, Fields, Money, Problems,
    input::{Mismatch, text},
};
use billwright_store::bson::{Document, doc};
use chrono::{DateTime, NaiveDate, NaiveDateTime};
use chrono_tz::Tz;
use serde::Serialize;
use serde_json::Value;

use super::{Attempt, Defaults, Done, Operation, add_item::total_of, sale_lease};
use crate::{
    job_error::JobError,
    write_once::{Looked, Write},
};

/// The payload.
#[derive(Debug)]
pub(crate) struct PostponeOrder {
    order_id: BillzOrderId,
    comment: String,
    until: NaiveDateTime,
}

/// The return value.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Postponed<'a> {
    order_id: &'a BillzOrderId,
    /// The shop's local time.
    until: String,
}

impl Operation for PostponeOrder {
    const TYPE: &'static str = "POSTPONE_ORDER";
    const ACTION: &'static str = "update";

    fn from_json(payload: &Value, defaults: &Defaults) -> Result<Self, Problems> {
        let mut fields = Fields::of(payload)?;
        let order_id = fields.required("orderId", BillzOrderId::from_json);
        let comment = fields.optional_private("comment", text).unwrap_or_default();
        let until = fields.optional("time", |value| local_time(value, defaults.timezone));
        if until.is_some_and(|until| until <= defaults.local_now) {
            fields.refuse("time", "a time in the future, by the shop's local time");
        }
        fields.finish()?;
        let order_id = order_id.ok_or_else(Problems::unread)?;
        Ok(Self {
            order_id,
            comment,
            until: until.unwrap_or(defaults.park_until),
        })
    }

    fn order_id(&self) -> Option<String> {
        Some(self.order_id.to_string())
    }

    async fn run(&self, attempt: &mut Attempt<'_>) -> Result<Done, JobError> {
        attempt.guard.acquire(&sale_lease(&self.order_id)).await?;
        let write = ParkOnce {
            order: &self.order_id,
            comment: &self.comment,
            until: self.until,
        };
        attempt.write(&write).await?;
        let until = shown(self.until);
        attempt.step(&format!("sale parked until {until}"), 90).await;
        Ok(Done::quietly(Postponed {
            order_id: &self.order_id,
            until,
        }))
    }
}

/// A local time as Billz writes it.
pub(crate) fn shown(time: NaiveDateTime) -> String {
    time.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// A time by the shop's clock: as it stands where it names no zone, converted where it does. A day alone means its end,
/// since only the day counts for Billz.
fn local_time(value: &Value, timezone: Tz) -> Result<Option<NaiveDateTime>, Mismatch> {
    const EXPECTED: &str = "a time (2026-12-20 23:59:59 by the shop's local time, ISO 8601 with a zone, a day, or \
                            milliseconds since 1970)";
    let mismatch = || Mismatch::expected(EXPECTED);
    let local = |moment: DateTime<chrono::Utc>| moment.with_timezone(&timezone).naive_local();
    if let Value::Number(number) = value {
        let moment = number.as_i64().and_then(DateTime::from_timestamp_millis);
        return moment.map(local).map(Some).ok_or_else(mismatch);
    }
    let Some(written) = text(value).map_err(|_| mismatch())?.filter(|written| !written.trim().is_empty()) else {
        return Ok(None);
    };
    let written = written.trim();
    if let Ok(day) = NaiveDate::parse_from_str(written, "%Y-%m-%d") {
        return Ok(day.and_hms_opt(23, 59, 59));
    }
    for form in ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"] {
        if let Ok(time) = NaiveDateTime::parse_from_str(written, form) {
            return Ok(Some(time));
        }
    }
    DateTime::parse_from_rfc3339(written).map(|moment| Some(local(moment.to_utc()))).map_err(|_| mismatch())
}

/// Parks a draft. What comes of it is the sale's total.
pub(crate) struct ParkOnce<'a> {
    pub(crate) order: &'a BillzOrderId,
    pub(crate) comment: &'a str,
    pub(crate) until: NaiveDateTime,
}

impl Write for ParkOnce<'_> {
    type Answer = Money;

    fn step(&self) -> String {
        "park".to_owned()
    }

    fn outcome(&self, answer: &Money) -> Document {
        doc! { "total": answer.to_string() }
    }

    fn recall(&self, outcome: &Document) -> Option<Money> {
        total_of(outcome)
    }

    async fn send(&self, calls: &BillzCalls) -> Result<Money, BillzError> {
        Ok(calls.park(self.order, self.comment, self.until).await?.total)
    }

    async fn look(&self, calls: &BillzCalls, _before: &Document) -> Result<Looked<Money>, BillzError> {
        let sale = calls.order(self.order).await?;
        Ok(Looked::of(look::parked(&sale), sale.total))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::test_defaults, *};

    fn until(time: &Value) -> String {
        let payload = json!({"orderId": "o", "time": time});
        shown(PostponeOrder::from_json(&payload, &test_defaults()).unwrap().until)
    }

    #[test]
    fn times_are_the_shops_local_time() {
        assert_eq!(until(&json!("2026-12-20 10:00:00")), "2026-12-20 10:00:00");
        assert_eq!(until(&json!("2026-12-20T10:00:00Z")), "2026-12-20 15:00:00");
        assert_eq!(until(&json!("2026-12-20T10:00:00+05:00")), "2026-12-20 10:00:00");
        assert_eq!(until(&json!("2026-12-20")), "2026-12-20 23:59:59");
        assert_eq!(until(&json!(1_797_750_000_000_i64)), "2026-12-20 12:00:00");
        assert_eq!(until(&json!(null)), "2026-12-29 12:00:00");
    }

    #[test]
    fn refuses_the_past_and_what_is_no_time() {
        for time in [json!("2020-01-01"), json!("tomorrow"), json!({})] {
            let payload = json!({"orderId": "o", "time": time});
            let problems = PostponeOrder::from_json(&payload, &test_defaults()).unwrap_err();
            assert_eq!(problems.listed()[0].field, "time");
        }
    }
}
