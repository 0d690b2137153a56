//! What must hold for any bytes that lie in the topic.

#![expect(clippy::missing_panics_doc, reason = "panicking is what they are for")]

use billwright_bad_input::{LONGEST_ERROR, assert_can_be_told};
use billwright_domain::billing::FirstBillingDefaults;
use billwright_store::billing::apply::CustomerSnapshot;
use chrono::{DateTime, TimeDelta};
use serde_json::json;

use crate::{
    customer::{Customer, CustomerEvent},
    envelope::{Envelope, Record},
    invalid::{Invalid, InvalidCode},
};

/// A message: its value, and before it headers as lines `name: value` up to a NUL, if there is one.
pub fn event(input: &[u8]) {
    let (headers, value) = match input.iter().position(|byte| *byte == 0) {
        Some(end) => (headers(&input[..end]), &input[end + 1..]),
        None => (Vec::new(), input),
    };
    let time = DateTime::from_timestamp(1_800_000_000, 0);
    let record = Record {
        value: Some(value),
        headers: &headers,
        time,
    };
    let envelope = match Envelope::open(record) {
        Ok(envelope) => envelope,
        Err(invalid) => return check_refusal(&invalid),
    };
    let latest = time.map(|time| time + TimeDelta::hours(1));
    assert!(
        envelope.stated <= latest,
        "an event from the future: {:?}",
        envelope.stated
    );

    let decode = |envelope: &Envelope| {
        CustomerEvent::decode(
            &envelope.kind,
            &envelope.payload,
            &FirstBillingDefaults::default(),
            DateTime::UNIX_EPOCH,
        )
    };
    let event = match decode(&envelope) {
        Ok(event) => event,
        Err(invalid) => return check_refusal(&invalid),
    };
    assert_eq!(event.kind(), envelope.kind);
    // In the plainest form it is the same event.
    let plain = json!({"type": envelope.kind, "payload": envelope.payload}).to_string();
    let record = Record {
        value: Some(plain.as_bytes()),
        headers: &[],
        time,
    };
    let again = Envelope::open(record).and_then(|envelope| decode(&envelope));
    assert_eq!(
        again.as_ref(),
        Ok(&event),
        "written in another form it is another event"
    );

    // Whatever a customer was before, an event that comes twice does no more than one that comes once.
    let mut once = Customer::stored(&CustomerSnapshot::default());
    event.apply(&mut once);
    let mut twice = once.clone();
    event.apply(&mut twice);
    assert_eq!(once, twice, "applied twice it does something else");
}

fn check_refusal(invalid: &Invalid) {
    assert_can_be_told(&invalid.reason, LONGEST_ERROR);
    assert!(
        !matches!(invalid.code, InvalidCode::Refused | InvalidCode::Expired),
        "a reason that reading cannot have: {invalid:?}"
    );
}

fn headers(lines: &[u8]) -> Vec<(String, Option<Vec<u8>>)> {
    let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let text = String::from_utf8_lossy(line);
            match text.split_once(": ") {
                Some((name, value)) => (name.to_owned(), Some(value.as_bytes().to_vec())),
                None => (text.into_owned(), None),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn any_message_is_an_event_or_a_dead_letter() {
        billwright_bad_input::try_mutations("event", 4_000, super::event);
    }
}
